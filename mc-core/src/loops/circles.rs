//! Calls that go in circles: nothing but the same few, again and again, however they end.
//!
//! A call with an end that was not there before is progress, and so is another call; both begin the
//! count anew. What the daemon was shown of a result counts, never a hash alone: that can be made up.

use super::{Found, LoopRules, Sign, counted, is_of_the_moment, shape};
use crate::run::{CallStatus, ToolCall};

/// How many different calls make a circle at most.
const KINDS: usize = 3;
/// How much of a call stands in a sentence.
const SHOWN_CHARS: usize = 120;

/// Looks at the calls of one agent on one task, newest first, whatever became of them.
pub fn in_circles(rules: &LoopRules, calls: &[ToolCall]) -> Option<Found> {
    // What is denied because of the moment is no doing of the agent's.
    let calls: Vec<&ToolCall> =
        calls.iter().skip_while(|one| goes_on(one)).filter(|one| !is_passing(one)).collect();
    circle(rules, &calls).or_else(|| retried(rules, &calls))
}

/// Looks at the same calls after the newest of them was let through, or waits: the one before it is
/// left behind, where it has no end.
pub fn left_behind(rules: &LoopRules, calls: &[ToolCall]) -> Option<Found> {
    if !is_left_behind(calls) {
        return None;
    }
    let calls: Vec<&ToolCall> = calls.iter().skip(1).filter(|one| !is_passing(one)).collect();
    circle(rules, &calls)
}

/// Says whether the call before the newest one has no end: where it has, nothing new is known of it.
pub fn is_left_behind(calls: &[ToolCall]) -> bool {
    matches!(calls, [_, before, ..] if goes_on(before))
}

fn circle(rules: &LoopRules, calls: &[&ToolCall]) -> Option<Found> {
    let newest = calls.first()?;
    let equal = |one: &ToolCall, other: &ToolCall| one.arguments_sha256 == other.arguments_sha256;
    let alike = |one: &ToolCall, other: &ToolCall| {
        one.shape_sha256.is_some() && one.shape_sha256 == other.shape_sha256
    };
    let found = |round: &Round<'_>, limit: u32, but: &str| {
        let shown: Vec<String> = round.kinds.iter().map(|one| shown(one)).collect();
        let count = round.count;
        let what = match shown.as_slice() {
            [one] => format!("{count} calls in a row are the same{but}: {one}"),
            _ => format!(
                "{count} calls in a row are {} that take turns{but}: {}",
                shown.len(),
                shown.join(", ")
            ),
        };
        Found::of(newest, Sign::Circles, (count, limit), what)
    };
    let round = Round::of(calls, equal);
    if round.count > rules.circles {
        return Some(found(&round, rules.circles, ""));
    }
    let round = Round::of(calls, alike);
    (round.count > rules.circles_alike)
        .then(|| found(&round, rules.circles_alike, " but for numbers and ids"))
}

/// The newest calls, as far as they are no more than [`KINDS`] different ones.
struct Round<'a> {
    kinds: Vec<&'a ToolCall>,
    count: u32,
}

impl<'a> Round<'a> {
    fn of(calls: &[&'a ToolCall], is_same: impl Fn(&ToolCall, &ToolCall) -> bool) -> Self {
        let mut kinds: Vec<&ToolCall> = Vec::new();
        let mut count = 0;
        for call in calls {
            let same = |kind: &&ToolCall| {
                kind.tool == call.tool && is_same(kind, call) && ends_alike(kind, call)
            };
            if !kinds.iter().any(same) {
                if kinds.len() == KINDS {
                    break;
                }
                kinds.push(call);
            }
            count += 1;
        }
        Self { kinds, count }
    }
}

/// Looks whether one call fails the same way again and again, with whatever else in between.
fn retried(rules: &LoopRules, calls: &[&ToolCall]) -> Option<Found> {
    let newest = calls.first().filter(|call| call.status == CallStatus::Failed)?;
    let is_again = |call: &&&ToolCall| {
        call.tool == newest.tool
            && call.arguments_sha256 == newest.arguments_sha256
            && ends_alike(call, newest)
    };
    let count = counted(calls.iter().filter(is_again).count());
    (count > rules.retries).then(|| {
        let what = format!(
            "{} failed {count} times the same way among the last {} calls: \"{}\"",
            shown(newest),
            calls.len(),
            newest.signature.as_deref().unwrap_or_default()
        );
        Found::of(newest, Sign::Retries, (count, rules.retries), what)
    })
}

/// Says whether two calls came to the same end, as far as it was shown, or both to none.
fn ends_alike(one: &ToolCall, other: &ToolCall) -> bool {
    let status = |call: &ToolCall| match call.status {
        CallStatus::Allowed | CallStatus::Waiting | CallStatus::Dropped => None,
        CallStatus::Succeeded | CallStatus::Failed | CallStatus::Denied => Some(call.status),
    };
    let Some(end) = status(one).filter(|_| status(one) == status(other)) else {
        return status(one).is_none() && status(other).is_none();
    };
    match end {
        CallStatus::Denied => one.rule == other.rule,
        CallStatus::Allowed
        | CallStatus::Waiting
        | CallStatus::Dropped
        | CallStatus::Succeeded
        | CallStatus::Failed => one.signature == other.signature && shows_alike(one, other),
    }
}

/// Compares what was shown. A hash is looked at only where it is the daemon's own of what was sent.
fn shows_alike(one: &ToolCall, other: &ToolCall) -> bool {
    if let (Some(one), Some(other)) = (own_hash(one), own_hash(other)) {
        return one == other;
    }
    let (one, other) = (one.result_preview.as_deref(), other.result_preview.as_deref());
    one == other || shape(one.unwrap_or_default()) == shape(other.unwrap_or_default())
}

/// Returns the daemon's own hash of a result: one that is the runtime's is only what that says.
fn own_hash(call: &ToolCall) -> Option<&String> {
    call.outcome_sha256.as_ref().filter(|hash| Some(*hash) != call.result_sha256.as_ref())
}

const fn goes_on(call: &ToolCall) -> bool {
    matches!(call.status, CallStatus::Allowed | CallStatus::Waiting)
}

fn is_passing(call: &ToolCall) -> bool {
    call.status == CallStatus::Denied && is_of_the_moment(&call.rule)
}

fn shown(call: &ToolCall) -> String {
    let preview: String = call.preview.chars().take(SHOWN_CHARS).collect();
    format!("{} \"{preview}\"", call.tool)
}
