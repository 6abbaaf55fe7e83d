//! Second factors: a challenge for one request of one connection, and what answers it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use mc_core::{canonical, id::ApprovalId};
use mc_proto::{
    error::{ErrorKind, RpcError},
    method::{
        Request, approval,
        session::{Challenge, Challenged, NAMESPACE, SecondFactor},
    },
};
use serde::Deserialize;
use serde_json::Value;

use super::{Server, levels::look, session::Session};
use crate::{caller::Caller, identity::Operator, keys::Unsigned, store::Answer};

/// How long a challenge is good, in milliseconds.
const GOOD_MS: i64 = 5 * 60 * 1000;
/// How many challenges a connection may have open.
const OPEN: usize = 8;
/// How much JSON one line of a challenge's text shows, in bytes.
const SHOWN_BYTES: usize = 4096;

/// A challenge that was not answered yet.
#[derive(Debug)]
pub(super) struct Open {
    name: String,
    fingerprint: String,
    text: String,
    until_ms: i64,
    epoch: u64,
}

/// The last step of each operator whose code was taken; kept, so that none is taken twice.
#[derive(Debug)]
pub(super) struct Steps {
    path: PathBuf,
    taken: Mutex<BTreeMap<String, u64>>,
}

impl Steps {
    /// Restores the steps that were taken before.
    pub(super) fn open(path: &Path) -> Self {
        let kept = fs::read(path).unwrap_or_default();
        let taken = Mutex::new(serde_json::from_slice(&kept).unwrap_or_default());
        Self { path: path.to_path_buf(), taken }
    }

    /// Takes a step that is newer than all before it. It is on disk before it counts.
    fn take(&self, operator: &str, step: u64) -> Result<bool, RpcError> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.get(operator).is_some_and(|last| step <= *last) {
            return Ok(false);
        }
        let mut next = taken.clone();
        next.insert(operator.to_owned(), step);
        self.keep(&next).map_err(|error| {
            tracing::error!(%error, "the step of a code could not be kept");
            let text = "the code can't be noted as used, so it is not taken: look at the disk";
            RpcError::new(ErrorKind::Unavailable, text)
        })?;
        *taken = next;
        Ok(true)
    }

    fn keep(&self, steps: &BTreeMap<String, u64>) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(steps)?)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)
    }
}

/// `session.challenge`
pub(super) fn challenge(server: &Server, session: &mut Session, params: &Challenge) -> Answer {
    let Some(operator) = session.as_operator().cloned() else {
        return Err(mc_proto::method::unknown("session.challenge"));
    };
    let now = server.live().clock.now();
    let factors = server.identity().factors(&operator, now);
    if factors.is_empty() {
        return Err(RpcError::new(ErrorKind::Forbidden, none_enrolled(&operator.name)));
    }
    let caller = session.caller(server, None)?;
    let request = parse(params)?;
    let expires_at = now.plus(Duration::from_millis(GOOD_MS.unsigned_abs()));
    let name = random_name()?;
    let asked = Asked { params, request: &request, decided: decided(server, &caller, &request)? };
    let text = asked.text(&[
        ("squad", &server.squad),
        ("operator", &operator.name),
        ("challenge", &name),
        ("expires", &expires_at.to_string()),
    ]);
    let open = Open {
        name: name.clone(),
        fingerprint: request.fingerprint(),
        text: text.clone(),
        until_ms: server.live().clock.elapsed_ms() + GOOD_MS,
        epoch: server.epoch.load(Ordering::SeqCst),
    };
    session.challenges.truncate(OPEN - 1);
    session.challenges.insert(0, open);
    super::dispatch::json(&Challenged { challenge: name, text, factors, expires_at })
}

/// What a challenge is for.
struct Asked<'a> {
    params: &'a Challenge,
    request: &'a Request,
    decided: Option<Decided>,
}

/// The approval that a request decides.
#[derive(Deserialize)]
struct Decided {
    id: ApprovalId,
    digest: String,
    statement: Value,
}

impl Asked<'_> {
    /// Returns the text that is signed: ASCII, a thing a line, each by its name.
    fn text(&self, [squad, operator, challenge, expires]: &[(&str, &str); 4]) -> String {
        let mut lines = vec![format!("Mission Control asks for a second factor, {NAMESPACE}")];
        let mut line = |name: &str, value: &str| lines.push(format!("{name}: {value}"));
        line(squad.0, &ascii(squad.1));
        line(operator.0, &ascii(operator.1));
        line("act", &ascii(&self.params.method));
        if let Some(decided) = &self.decided {
            line("approval", &decided.id.to_string());
            line("digest", &ascii(&decided.digest));
            line("statement", &shown(&decided.statement));
        }
        line("params", &shown(&self.params.params));
        line("request", &self.request.fingerprint());
        line(challenge.0, challenge.1);
        line(expires.0, expires.1);
        lines.join("\n")
    }
}

/// Returns a value as canonical JSON in ASCII; what is too long for a screen is named by its
/// length, because the digests beside it are bound to it all the same.
fn shown(value: &Value) -> String {
    let text = ascii(&canonical::json(value));
    if text.len() <= SHOWN_BYTES { text } else { format!("{} bytes, not shown", text.len()) }
}

/// Spells out what is no printable ASCII, so that nothing hides or steers where it is read.
fn ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c == ' ' || c.is_ascii_graphic() {
            plain.push(c);
        } else {
            let mut units = [0; 2];
            plain.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    plain
}

/// Returns what to do for an operator who has no second factor.
pub(super) fn none_enrolled(name: &str) -> String {
    format!(
        "{name} has no second factor: run `mcctl operator totp {name}` or `mcctl operator key add \
         {name} KEY.pub` as root"
    )
}

fn parse(params: &Challenge) -> Result<Request, RpcError> {
    let raw = serde_json::value::to_raw_value(&params.params)
        .map_err(|error| RpcError::invalid("params", error.to_string()))?;
    let raw = (!params.params.is_null()).then_some(raw);
    let (request, common) = Request::parse(&params.method, raw.as_deref())?;
    if common.second_factor.is_some() {
        return Err(RpcError::invalid("params", "leave `second_factor` out of the challenge"));
    }
    Ok(request)
}

/// Returns the approval that a request decides, when it is one by itself.
#[expect(clippy::wildcard_enum_match_arm, reason = "only approvals have a statement")]
fn decided(
    server: &Server,
    caller: &Caller,
    request: &Request,
) -> Result<Option<Decided>, RpcError> {
    let (approval, digest) = match request {
        Request::ApprovalApprove(p) => (p.approval, &p.digest),
        Request::ApprovalDeny(p) => (p.approval, &p.digest),
        _ => return Ok(None),
    };
    let get = Request::ApprovalGet(approval::Get { approval });
    let decided: Decided = look(&server.store, caller, &get)?;
    if decided.digest != *digest {
        let text = format!("{approval} has another digest: read it again, then open a challenge");
        return Err(RpcError::new(ErrorKind::Conflict, text));
    }
    Ok(Some(decided))
}

/// Returns 16 random bytes in hex, which nobody can guess.
pub(super) fn random_name() -> Result<String, RpcError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the system gives no random numbers");
        RpcError::new(ErrorKind::Unavailable, "the system gives no random numbers")
    })?;
    Ok(bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}

/// Verifies a second factor for `request`; the challenge is used up by the right answer alone.
///
/// # Errors
///
/// `forbidden` for a challenge that is not open here or was opened for something else, and for a
/// wrong or used code; `rate_limited` after wrong ones.
pub(super) fn verify(
    server: &Arc<Server>,
    session: &mut Session,
    (request, given): (&Request, &SecondFactor),
) -> Result<(), RpcError> {
    let refuse = |text: &str| RpcError::new(ErrorKind::Forbidden, text);
    let Some(operator) = session.as_operator().cloned() else {
        return Err(RpcError::invalid("second_factor", "only operators have a second factor"));
    };
    let (now, epoch) = (server.live().clock.elapsed_ms(), server.epoch.load(Ordering::SeqCst));
    session.challenges.retain(|open| now < open.until_ms && open.epoch == epoch);
    let at = session.challenges.iter().position(|open| open.name == given.challenge);
    let at = at.ok_or_else(|| refuse("this challenge is not open on this connection: open one"))?;
    let fits =
        session.challenges.get(at).is_some_and(|open| open.fingerprint == request.fingerprint());
    if !fits {
        return Err(refuse("this challenge was opened for another request"));
    }
    match (&given.totp, &given.signature) {
        (Some(code), None) => check_code(server, &operator, code)?,
        (None, Some(armoured)) => {
            let text = session.challenges.get(at).map_or("", |open| open.text.as_str());
            check_signature(server, &operator, (text, armoured))?;
        }
        (Some(_), Some(_)) | (None, None) => {
            let text = "expected one of `totp` and `signature`";
            return Err(RpcError::invalid("second_factor", text));
        }
    }
    session.challenges.remove(at);
    Ok(())
}

fn check_code(server: &Arc<Server>, operator: &Operator, code: &str) -> Result<(), RpcError> {
    let refuse = |text: &str| Err(RpcError::new(ErrorKind::Forbidden, text));
    let now = server.live().clock.elapsed_ms();
    match server.unlocks.guess(operator.uid, now, || check(server, operator, code))? {
        Checked::Right => Ok(()),
        Checked::Used => refuse("this code was used already: wait for the next one"),
        Checked::Wrong => {
            server.note_wrong_factor(operator);
            refuse("the code is wrong: look at the clocks of both machines")
        }
    }
}

/// Nobody guesses a signature, so wrong ones don't slow down; they are recorded all the same.
fn check_signature(
    server: &Server,
    operator: &Operator,
    (text, armoured): (&str, &str),
) -> Result<(), RpcError> {
    let identity = server.identity();
    let who = (operator.name.as_str(), server.live().clock.now());
    match identity.keys.verify(who, text, armoured) {
        Ok(fingerprint) => {
            tracing::info!(operator = operator.name, fingerprint, "signed");
            Ok(())
        }
        Err(unsigned @ Unsigned::Unreadable) => {
            Err(RpcError::invalid("second_factor.signature", unsigned.to_string()))
        }
        Err(unsigned) => {
            server.note_wrong_factor(operator);
            Err(RpcError::new(ErrorKind::Forbidden, unsigned.to_string()))
        }
    }
}

/// What a code was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checked {
    /// The code of now, or of one step before or after, for the first time.
    Right,
    /// It was taken before.
    Used,
    /// No code of this operator.
    Wrong,
}

fn check(server: &Server, operator: &Operator, code: &str) -> Result<Checked, RpcError> {
    let Some(totp) = operator.totp.as_deref().and_then(codes) else { return Ok(Checked::Wrong) };
    let seconds = u64::try_from(server.live().clock.now().0 / 1000).unwrap_or_default();
    let Some(step) = totp.check(code.trim(), seconds) else { return Ok(Checked::Wrong) };
    let is_new = server.steps.take(&operator.name, step)?;
    Ok(if is_new { Checked::Right } else { Checked::Used })
}

/// Returns the codes of a secret in Base32: six digits, 30 seconds, one step before and after.
pub(crate) fn codes(secret: &str) -> Option<totp_rs::Totp> {
    let secret = totp_rs::Secret::try_from_base32(secret).ok()?;
    totp_rs::Builder::new().with_secret(secret).with_digits(6).with_skew(1).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, the last six digits.
        let totp = codes("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")]
        {
            assert_eq!(totp.check(code, seconds), Some(seconds / 30), "{seconds}");
            assert_eq!(totp.check(code, seconds + 30), Some(seconds / 30), "one step late");
            assert_eq!(totp.check(code, seconds + 90), None);
        }
        assert!(codes("not base32!").is_none());
        assert!(codes("GEZDG").is_none(), "too short");
    }

    #[test]
    fn a_step_is_taken_once_and_a_restart_forgets_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("steps.json");
        let steps = Steps::open(&path);
        assert_eq!(steps.take("ada", 10), Ok(true));
        assert_eq!(steps.take("ada", 10), Ok(false));
        assert_eq!(steps.take("ben", 10), Ok(true));
        let steps = Steps::open(&path);
        assert_eq!(steps.take("ada", 10), Ok(false));
        assert_eq!(steps.take("ada", 9), Ok(false), "older ones neither");
        assert_eq!(steps.take("ada", 11), Ok(true));
    }
}
