//! The connection itself: who calls, at which level, and whether anybody is there.

use std::collections::BTreeMap;

use mc_core::{
    actor::{ActorKind, Level, Role},
    agent::AgentName,
    id::Seq,
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the protocol that this crate speaks.
pub const PROTOCOL: i64 = 1;

/// The program at the other end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// `session.hello`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The protocol that the client speaks: 1.
    pub protocol: i64,
    /// The client.
    pub client: Program,
    /// The agent that calls; an adapter leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// The agent's or adapter's token; needed on the agents' socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// Who the caller is, as the daemon sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhoAmI {
    /// Human or agent.
    pub kind: ActorKind,
    /// The operator's, agent's or adapter's name.
    pub name: String,
    /// An operator's role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// An operator's assurance level on this connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// Until when the level above L0 lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level_expires_at: Option<Timestamp>,
    /// Whether agents run under this operator's uid: then nothing above L1 can be reached.
    #[serde(default)]
    pub shared_uid: bool,
    /// The agents that an adapter may speak for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AgentName>,
    /// The second factors that the operator has enrolled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<Factor>,
}

/// What `session.hello` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HelloResult {
    /// The protocol spoken from now on.
    pub protocol: i64,
    /// The daemon.
    pub server: Program,
    /// Who the caller is.
    pub actor: WhoAmI,
    /// The squad's name.
    pub squad: String,
    /// The newest event.
    pub head: Seq,
    /// The daemon's clock.
    pub now: Timestamp,
    /// Whether the emergency stop is in force.
    pub halted: bool,
    /// The limits in force, by name.
    pub limits: BTreeMap<String, i64>,
    /// Names this connection: random, in hex. What a person types to confirm is made from it.
    #[serde(default)]
    pub connection: String,
}

/// `session.unlock`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unlock {
    /// The operator's passphrase.
    pub passphrase: String,
}

impl std::fmt::Debug for Unlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unlock { .. }")
    }
}

/// What `session.unlock` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnlockResult {
    /// The level reached.
    pub level: Level,
    /// When it ends at the latest; it ends earlier after 15 idle minutes.
    pub expires_at: Timestamp,
}

/// `session.challenge`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// The method that is going to be called.
    pub method: String,
    /// Its parameters, exactly as they will be sent.
    #[serde(default)]
    pub params: serde_json::Value,
}

/// What a second factor has to prove; good on this connection, for this one request, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Challenged {
    /// Its name: random, in hex.
    pub challenge: String,
    /// What it stands for, and what is signed, byte for byte: printable ASCII in lines, the last
    /// of which ends without a newline. Begins with the namespace and names squad, operator, act,
    /// for an approval its number and digest, the challenge and when it ends.
    pub text: String,
    /// The factors that the operator has.
    pub factors: Vec<Factor>,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// What the text of a challenge is signed for: the namespace of `ssh-keygen -Y sign -n`.
pub const NAMESPACE: &str = "mc-approval@v1";

/// A kind of second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// A code of six digits that changes every 30 seconds.
    Totp,
    /// A signature by an SSH key over the challenge's text: bound to what is decided.
    Signature,
}

/// The common parameter `second_factor`, which lifts one act of a human to L3.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactor {
    /// The challenge that it answers.
    pub challenge: String,
    /// The code of the moment; this or `signature`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<String>,
    /// What `ssh-keygen -Y sign -n mc-approval@v1` makes of the challenge's text, in its armour;
    /// this or `totp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

impl SecondFactor {
    /// Answers with a code.
    pub fn code(challenge: String, code: String) -> Self {
        Self { challenge, totp: Some(code), signature: None }
    }

    /// Answers with a signature.
    pub fn signature(challenge: String, armoured: String) -> Self {
        Self { challenge, totp: None, signature: Some(armoured) }
    }
}

impl std::fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecondFactor").field("challenge", &self.challenge).finish_non_exhaustive()
    }
}

/// `session.lock`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lock {}

/// `session.whoami`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Whoami {}

/// `ping`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ping {}

/// What `ping` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pong {
    /// The daemon's clock.
    pub now: Timestamp,
    /// The newest event.
    pub head: Seq,
}
