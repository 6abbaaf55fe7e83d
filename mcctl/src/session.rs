//! The connection of one command: as whom it speaks, and the passphrase when an act needs it.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    time::Duration,
};

use mc_core::actor::{ActorKind, Level, Role};
use mc_proto::{
    client::{BlockingClient, CallOptions, ClientError, challenge_for, hello},
    error::{ErrorKind, RpcError},
    home::{self, Home},
    method::{
        Kind, Method,
        session::{Hello, HelloResult, Unlock},
    },
};
use zeroize::Zeroizing;

use crate::{cli::Global, failure::Failure, output, secret, sign::Means, text};

/// As whom a command speaks, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// As the operator whose uid this is.
    Operator,
    /// As an agent (or, without a name, an adapter) with the token in this file.
    Agent {
        /// The agent's name.
        name: Option<String>,
        /// Where its token is.
        token: PathBuf,
    },
}

impl Identity {
    /// Returns what `MC_AGENT` and `MC_TOKEN_FILE` say.
    ///
    /// # Errors
    ///
    /// When there is a name without a token: such a caller must not pass for the operator.
    pub(crate) fn of(agent: (Option<String>, Option<PathBuf>)) -> Result<Self, Failure> {
        match agent {
            (None, None) => Ok(Self::Operator),
            (name, Some(token)) => Ok(Self::Agent { name, token }),
            (Some(name), None) => Err(Failure::Failed(format!(
                "MC_AGENT is `{}` but MC_TOKEN_FILE is not set: name the file of its token, or \
                 unset MC_AGENT to speak as the operator",
                text::line(&name)
            ))),
        }
    }

    /// Returns where the daemon listens for such a caller.
    pub(crate) fn socket(&self, home: &Home) -> PathBuf {
        match self {
            Self::Operator => home.operator_socket(),
            Self::Agent { .. } => home.agent_socket(),
        }
    }

    /// Returns the first words of such a caller.
    ///
    /// # Errors
    ///
    /// When the token can't be read, or the name is none.
    pub(crate) fn hello(&self) -> Result<Hello, Failure> {
        let mut hello = hello("mcctl", env!("CARGO_PKG_VERSION"));
        if let Self::Agent { name, token } = self {
            let named = name.as_deref().map(str::parse).transpose();
            hello.agent = named.map_err(|error| Failure::Failed(format!("MC_AGENT: {error}")))?;
            hello.token = Some(secret::read(token)?.to_string());
        }
        Ok(hello)
    }
}

/// Where the daemon listens for the caller, and who that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Door {
    /// The socket.
    pub(crate) socket: PathBuf,
    /// Who calls.
    pub(crate) identity: Identity,
}

impl Door {
    /// Returns the door that options and environment name.
    ///
    /// # Errors
    ///
    /// As [`Identity::of`].
    pub(crate) fn of(global: &Global) -> Result<Self, Failure> {
        let identity = Identity::of(home::agent_from_environment())?;
        let socket = match global.socket.clone().or_else(home::socket_from_environment) {
            Some(socket) => socket,
            None => identity.socket(&Home::find(global.home.as_deref())),
        };
        Ok(Self { socket, identity })
    }

    /// As [`Door::of`], for what is done in the name of an agent and must never pass for the
    /// operator.
    ///
    /// # Errors
    ///
    /// When `MC_AGENT` and `MC_TOKEN_FILE` don't name an agent.
    pub(crate) fn of_agent(global: &Global) -> Result<Self, Failure> {
        let door = Self::of(global)?;
        match door.identity {
            Identity::Agent { name: Some(_), .. } => Ok(door),
            Identity::Agent { name: None, .. } | Identity::Operator => Err(Failure::Usage(
                "MC_AGENT and MC_TOKEN_FILE must say which agent this is for".to_owned(),
            )),
        }
    }

    /// Returns the first words of the caller.
    ///
    /// # Errors
    ///
    /// As [`Identity::hello`].
    pub(crate) fn hello(&self) -> Result<Hello, Failure> {
        self.identity.hello()
    }
}

/// A connection that unlocks itself when an act needs the passphrase.
#[derive(Debug)]
pub(crate) struct Session {
    client: BlockingClient,
    key: Option<String>,
    passphrase_file: Option<PathBuf>,
    means: Means,
}

impl Session {
    /// Connects as whom the environment says.
    ///
    /// # Errors
    ///
    /// When nobody listens, the token can't be read, or the daemon does not want the caller.
    pub(crate) fn open(global: &Global) -> Result<Self, Failure> {
        let Door { socket, identity } = Door::of(global)?;
        Self::connect(&socket, &identity, global)
    }

    /// Connects to `socket` as `identity`.
    ///
    /// # Errors
    ///
    /// As [`Session::open`].
    pub(crate) fn connect(
        socket: &Path,
        identity: &Identity,
        global: &Global,
    ) -> Result<Self, Failure> {
        let timeout = Duration::from_secs(global.timeout);
        let client = BlockingClient::connect(socket, &identity.hello()?, timeout)?;
        Ok(Self {
            client,
            key: global.key.clone(),
            passphrase_file: global.passphrase_file.clone(),
            means: Means::of(global),
        })
    }

    /// Returns what the daemon said to the hello.
    pub(crate) fn greeting(&self) -> &HelloResult {
        self.client.greeting()
    }

    /// Returns the bare client, for feeds.
    pub(crate) fn client(&mut self) -> &mut BlockingClient {
        &mut self.client
    }

    /// Sends `call`. Commands carry an idempotency key; an act that needs the passphrase is sent
    /// again once the passphrase was proven.
    ///
    /// # Errors
    ///
    /// What the daemon refuses, or that it is gone.
    pub(crate) fn call<M: Method>(&mut self, call: &M) -> Result<M::Result, Failure> {
        let options = self.options::<M>()?;
        let refused = match self.client.call_with(call, &options) {
            Err(ClientError::Refused(error)) if self.wants_passphrase(&error) => error,
            Err(ClientError::Refused(error)) if wants_factor(&error) => {
                return self.call_with_factor(call, (options, error));
            }
            answer => return Ok(answer?),
        };
        let Some(passphrase) = self.passphrase(&refused)? else {
            output::note(
                "hint: this act needs the passphrase: run it on a terminal, or give \
                 --passphrase-file FILE",
            );
            return Err(ClientError::Refused(refused).into());
        };
        self.unlock(&passphrase)?;
        match self.client.call_with(call, &options) {
            Err(ClientError::Refused(error)) if wants_factor(&error) => {
                self.call_with_factor(call, (options, error))
            }
            answer => Ok(answer?),
        }
    }

    /// Sends `call` again with a second factor, for a challenge of its own.
    fn call_with_factor<M: Method>(
        &mut self,
        call: &M,
        (mut options, refused): (CallOptions, RpcError),
    ) -> Result<M::Result, Failure> {
        if !self.means.can_answer() {
            let hint = "hint: run it on a terminal, or give --code CODE, --sign-key KEY or \
                        --signature FILE";
            output::note(hint);
            return Err(ClientError::Refused(refused).into());
        }
        output::note(&text::line(&refused.message));
        let open = self.client.call(&challenge_for(call)?)?;
        options.second_factor = Some(self.means.answer(&open)?);
        Ok(self.client.call_with(call, &options)?)
    }

    /// Proves the passphrase for this connection and returns the level reached.
    ///
    /// # Errors
    ///
    /// When the daemon refuses it.
    pub(crate) fn unlock(&mut self, passphrase: &str) -> Result<Level, Failure> {
        let unlock = Unlock { passphrase: passphrase.to_owned() };
        // Hashing is slow on purpose and may wait for others.
        Ok(self.client.call(&unlock)?.level)
    }

    fn options<M: Method>(&self) -> Result<CallOptions, Failure> {
        let idempotency_key = match (M::INFO.kind, &self.key) {
            (Kind::Command, Some(key)) => Some(key.clone()),
            (Kind::Command, None) => Some(random_key()?),
            (Kind::Query | Kind::Connection, _) => None,
        };
        Ok(CallOptions { idempotency_key, ..CallOptions::default() })
    }

    fn wants_passphrase(&self, error: &RpcError) -> bool {
        let actor = &self.greeting().actor;
        error.kind() == ErrorKind::Forbidden
            && actor.kind == ActorKind::Human
            && actor.role != Some(Role::Viewer)
            && actor.level.is_none_or(|level| level == Level::L0)
    }

    fn passphrase(&self, why: &RpcError) -> Result<Option<Zeroizing<String>>, Failure> {
        if let Some(file) = &self.passphrase_file {
            return secret::read(file).map(Some);
        }
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Ok(None);
        }
        output::note(&text::line(&why.message));
        let prompt = format!("Passphrase of {}: ", text::line(&self.greeting().actor.name));
        ask_secret(&prompt).map(Some)
    }
}

/// Says whether a refusal asks for the second factor.
fn wants_factor(error: &RpcError) -> bool {
    error.kind() == ErrorKind::Forbidden && error.message.contains("your second factor")
}

/// Asks for a secret on the terminal, without echo.
///
/// # Errors
///
/// When there is no terminal.
pub(crate) fn ask_secret(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|error| {
        Failure::Failed(format!("can't ask for the passphrase on this terminal: {error}"))
    })
}

/// Returns 32 random hexadecimal digits.
///
/// # Errors
///
/// When the system has no randomness.
pub(crate) fn random_key() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::Failed(format!("no randomness from the system: {error}")))?;
    let mut key = String::new();
    for byte in bytes {
        put!(key, "{byte:02x}");
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_who_speaks() {
        assert_eq!(Identity::of((None, None)).unwrap(), Identity::Operator);
        let agent = Identity::of((Some("wren".into()), Some("/t".into()))).unwrap();
        assert_eq!(agent, Identity::Agent { name: Some("wren".into()), token: "/t".into() });
        assert!(agent.socket(&Home::under(Path::new("/h"))).ends_with("run/agent/mcd.sock"));
    }

    #[test]
    fn an_agent_without_a_token_is_not_taken_for_the_operator() {
        let refused = Identity::of((Some("wren".into()), None)).unwrap_err().to_string();
        assert!(refused.contains("MC_TOKEN_FILE"), "{refused}");
    }

    #[test]
    fn keys_are_random() {
        assert_ne!(random_key().unwrap(), random_key().unwrap());
        assert_eq!(random_key().unwrap().len(), 32);
    }
}
