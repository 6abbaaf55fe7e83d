//! The second factor of one act: a code, or a signature over the text of its challenge.

use std::{
    fs,
    io::{BufRead as _, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use mc_proto::method::session::{Challenged, Factor, NAMESPACE, SecondFactor};

use crate::{cli::Global, failure::Failure, output, session::ask_secret, text};

/// The last line of a signature.
const END: &str = "-----END SSH SIGNATURE-----";
/// How long a file with a signature is waited for: as long as a challenge lives.
const WAIT: Duration = Duration::from_mins(5);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(200);

/// What was given on the command line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Means {
    code: Option<String>,
    sign_key: Option<PathBuf>,
    signature: Option<PathBuf>,
}

impl Means {
    /// Returns what the options say.
    pub(crate) fn of(global: &Global) -> Self {
        Self {
            code: global.code.clone(),
            sign_key: global.sign_key.clone(),
            signature: global.signature.clone(),
        }
    }

    /// Says whether there is a way to an answer.
    pub(crate) fn can_answer(&self) -> bool {
        let is_given = self.code.is_some() || self.sign_key.is_some() || self.signature.is_some();
        is_given || (std::io::stdin().is_terminal() && std::io::stderr().is_terminal())
    }

    /// Answers a challenge; what is signed is shown before.
    ///
    /// # Errors
    ///
    /// When there is no code, no key or no signature to be had.
    pub(crate) fn answer(&mut self, open: &Challenged) -> Result<SecondFactor, Failure> {
        let challenge = open.challenge.clone();
        if let Some(code) = self.code.take() {
            return Ok(SecondFactor::code(challenge, code));
        }
        let wants_signature = self.sign_key.is_some() || self.signature.is_some();
        if !wants_signature && open.factors.contains(&Factor::Totp) {
            let code = ask_secret("Code of your authenticator: ")?;
            return Ok(SecondFactor::code(challenge, code.to_string()));
        }
        let lines: Vec<String> = open.text.lines().map(text::line).collect();
        output::note(&lines.join("\n"));
        let armoured = match (&self.sign_key, &self.signature) {
            (Some(key), _) => sign(key, &open.text)?,
            (None, Some(file)) if file.as_os_str() != "-" => wait_for(file)?,
            (None, _) => {
                output::note(&format!(
                    "Sign these lines with `ssh-keygen -Y sign -n {NAMESPACE} -f KEY FILE`, and \
                     give all of FILE.sig here:"
                ));
                pasted()?
            }
        };
        Ok(SecondFactor::signature(challenge, armoured))
    }
}

/// Has `ssh-keygen` sign with a key in a file, or with the agent that has it.
fn sign(key: &Path, text: &str) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::Failed(format!("can't run ssh-keygen: {error}"));
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"]).arg(key);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes()).map_err(failed)?;
    }
    let done = child.wait_with_output().map_err(failed)?;
    let armoured = String::from_utf8_lossy(&done.stdout).into_owned();
    if done.status.success() && armoured.contains(END) {
        return Ok(armoured);
    }
    Err(Failure::Failed(format!("ssh-keygen did not sign with {}", key.display())))
}

/// Waits for a file that holds a whole signature.
fn wait_for(file: &Path) -> Result<String, Failure> {
    output::note(&format!(
        "Sign these lines with `ssh-keygen -Y sign -n {NAMESPACE} -f KEY FILE`; waiting for the \
         signature in {}.",
        file.display()
    ));
    let deadline = Instant::now() + WAIT;
    loop {
        match fs::read_to_string(file) {
            Ok(text) if text.contains(END) => return Ok(text),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::file("read", file, &error));
            }
            Ok(_) | Err(_) if Instant::now() < deadline => std::thread::sleep(LOOK),
            Ok(_) | Err(_) => {
                let text = format!("no signature came in {}: nothing was done", file.display());
                return Err(Failure::Failed(text));
            }
        }
    }
}

/// Reads a signature from standard input.
fn pasted() -> Result<String, Failure> {
    let mut armoured = String::new();
    for line in std::io::stdin().lock().lines() {
        let line =
            line.map_err(|error| Failure::Failed(format!("can't read the signature: {error}")))?;
        put!(armoured, "{line}\n");
        if line.trim() == END {
            return Ok(armoured);
        }
    }
    Err(Failure::Failed("the signature is not whole: nothing was done".to_owned()))
}
