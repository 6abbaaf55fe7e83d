//! Second factors: a challenge for one request of one connection, and what answers it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use mc_core::canonical;
use mc_proto::{
    error::{ErrorKind, RpcError},
    method::{
        Request, approval,
        session::{Challenge, Challenged, Factor, SecondFactor},
    },
};
use serde_json::{Value, json};

use super::{Server, levels::look, session::Session};
use crate::{caller::Caller, identity::Operator, store::Answer};

/// How long a challenge is good, in milliseconds.
const GOOD_MS: i64 = 5 * 60 * 1000;
/// How many challenges a connection may have open.
const OPEN: usize = 8;
/// What a challenge's text is for.
const NAMESPACE: &str = "mc-approval@v1";

/// A challenge that was not answered yet.
#[derive(Debug)]
pub(super) struct Open {
    name: String,
    fingerprint: String,
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
    if operator.totp.is_none() {
        return Err(RpcError::new(ErrorKind::Forbidden, none_enrolled(&operator.name)));
    }
    let caller = session.caller(server, None)?;
    let request = parse(params)?;
    let expires_at = server.live().clock.now().plus(Duration::from_millis(GOOD_MS.unsigned_abs()));
    let name = random_name()?;
    let text = canonical::json(&json!({
        "namespace": NAMESPACE,
        "squad": server.squad,
        "operator": operator.name,
        "method": params.method,
        "params": params.params,
        "statement": statement(server, &caller, &request)?,
        "challenge": name,
        "expires_at": expires_at,
    }));
    let open = Open {
        name: name.clone(),
        fingerprint: request.fingerprint(),
        until_ms: server.live().clock.elapsed_ms() + GOOD_MS,
        epoch: server.epoch.load(Ordering::SeqCst),
    };
    session.challenges.truncate(OPEN - 1);
    session.challenges.insert(0, open);
    super::dispatch::json(&Challenged {
        challenge: name,
        text,
        factors: vec![Factor::Totp],
        expires_at,
    })
}

/// Returns what to do for an operator who has no second factor.
pub(super) fn none_enrolled(name: &str) -> String {
    format!(
        "{name} has no second factor: run `mcctl operator totp {name}` as root, then restart mcd"
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

/// Returns the statement of the approval that a request decides; null for other requests.
#[expect(clippy::wildcard_enum_match_arm, reason = "only approvals have a statement")]
fn statement(server: &Server, caller: &Caller, request: &Request) -> Result<Value, RpcError> {
    let approval = match request {
        Request::ApprovalApprove(p) => p.approval,
        Request::ApprovalDeny(p) => p.approval,
        _ => return Ok(Value::Null),
    };
    let get = Request::ApprovalGet(approval::Get { approval });
    let mut detail: Value = look(&server.store, caller, &get)?;
    Ok(detail.get_mut("statement").map(Value::take).unwrap_or_default())
}

fn random_name() -> Result<String, RpcError> {
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
    let found = server.unlocks.guess(operator.uid, now, || check(server, &operator, &given.totp));
    match found? {
        Checked::Right => {
            session.challenges.remove(at);
            Ok(())
        }
        Checked::Used => Err(refuse("this code was used already: wait for the next one")),
        Checked::Wrong => {
            server.note_wrong_factor(&operator);
            Err(refuse("the code is wrong: look at the clocks of both machines"))
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
