//! Calls that go in circles: nothing but the same few, again and again, however they end.
//!
//! A call with an end that was not there before is progress, and so is another call; both begin the
//! count anew. What the daemon was shown of a result counts, never a hash alone: that can be made up.

use std::collections::VecDeque;

use super::{Found, LoopRules, Sign, counted, is_of_the_moment, shape};
use crate::{
    id::CallId,
    run::{CallStatus, ToolCall},
};

/// How many different calls make a circle at most.
const KINDS: usize = 3;
/// How much of a call stands in a sentence.
const SHOWN_CHARS: usize = 120;

/// Looks at the calls of one agent on one task after one has ended or was given up: newest first,
/// whatever became of them.
pub fn in_circles(rules: &LoopRules, calls: &[ToolCall]) -> Option<Found> {
    let calls = settled(calls);
    circle(rules, &calls).or_else(|| retried(rules, &calls))
}

/// Says whether the calls before those that are given could still make a circle with them, so that
/// they have to be looked at, too.
pub fn may_go_on(calls: &[ToolCall]) -> bool {
    let calls = settled(calls);
    let is_failure = calls.first().is_some_and(|call| call.status == CallStatus::Failed);
    is_failure || rounds(&calls, are_alike).1 == counted(calls.len())
}

/// What is denied because of the moment is no doing of the agent's, and what goes on has no end yet.
fn settled(calls: &[ToolCall]) -> Vec<&ToolCall> {
    calls.iter().skip_while(|one| goes_on(one)).filter(|one| !is_passing(one)).collect()
}

/// Looks at the same calls after the newest of them was let through, or waits: those before it that
/// have no end either are left behind.
pub fn left_behind(rules: &LoopRules, calls: &[ToolCall]) -> Option<Found> {
    let calls: Vec<&ToolCall> = calls.iter().skip(1).take_while(|one| goes_on(one)).collect();
    circle(rules, &calls)
}

/// The calls of one agent on one task since the last one that came to an end, so that nothing has to
/// be looked up while no limit is near.
#[derive(Debug, Clone, Default)]
pub struct OpenCalls(VecDeque<OpenCall>);

#[derive(Debug, Clone)]
struct OpenCall {
    id: CallId,
    tool: String,
    arguments_sha256: String,
    shape_sha256: Option<String>,
}

impl OpenCalls {
    /// Returns what is open of `calls`, newest first.
    pub fn of(calls: &[ToolCall]) -> Self {
        Self(calls.iter().take_while(|one| goes_on(one)).map(OpenCall::of).collect())
    }

    /// Adds the newest call; says whether those that it leaves behind pass a limit.
    pub fn push(&mut self, rules: &LoopRules, call: &ToolCall) -> bool {
        let left: Vec<&OpenCall> = self.0.iter().collect();
        let passes = rounds(&left, OpenCall::is_equal).1 > rules.circles
            || rounds(&left, OpenCall::is_alike).1 > rules.circles_alike;
        self.0.push_front(OpenCall::of(call));
        self.0.truncate(usize::try_from(rules.circle_needed()).unwrap_or(usize::MAX));
        passes
    }

    /// Forgets the calls up to one that came to an end.
    pub fn end(&mut self, id: CallId) {
        self.0.retain(|one| one.id > id);
    }
}

impl OpenCall {
    fn of(call: &ToolCall) -> Self {
        Self {
            id: call.id,
            tool: call.tool.clone(),
            arguments_sha256: call.arguments_sha256.clone(),
            shape_sha256: call.shape_sha256.clone(),
        }
    }

    fn is_equal(&self, other: &Self) -> bool {
        self.tool == other.tool && self.arguments_sha256 == other.arguments_sha256
    }

    fn is_alike(&self, other: &Self) -> bool {
        self.tool == other.tool
            && self.shape_sha256.is_some()
            && self.shape_sha256 == other.shape_sha256
    }
}

fn circle(rules: &LoopRules, calls: &[&ToolCall]) -> Option<Found> {
    let newest = calls.first()?;
    let found = |(kinds, count): (Vec<&ToolCall>, u32), limit: u32, but: &str| {
        let shown: Vec<String> = kinds.into_iter().map(shown).collect();
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
    let equal = rounds(calls, are_equal);
    if equal.1 > rules.circles {
        return Some(found(equal, rules.circles, ""));
    }
    let alike = rounds(calls, are_alike);
    (alike.1 > rules.circles_alike)
        .then(|| found(alike, rules.circles_alike, " but for numbers and ids"))
}

/// Returns how many of the newest are no more than [`KINDS`] different ones, and these.
fn rounds<'a, T>(newest: &[&'a T], is_same: impl Fn(&T, &T) -> bool) -> (Vec<&'a T>, u32) {
    let mut kinds: Vec<&T> = Vec::new();
    let mut count = 0;
    for one in newest {
        if !kinds.iter().any(|kind| is_same(kind, one)) {
            if kinds.len() == KINDS {
                break;
            }
            kinds.push(one);
        }
        count += 1;
    }
    (kinds, count)
}

fn are_equal(one: &ToolCall, other: &ToolCall) -> bool {
    one.tool == other.tool
        && one.arguments_sha256 == other.arguments_sha256
        && ends_alike(one, other)
}

fn are_alike(one: &ToolCall, other: &ToolCall) -> bool {
    one.tool == other.tool
        && one.shape_sha256.is_some()
        && one.shape_sha256 == other.shape_sha256
        && ends_alike(one, other)
}

/// Looks whether one call fails the same way again and again, with whatever else in between.
fn retried(rules: &LoopRules, calls: &[&ToolCall]) -> Option<Found> {
    let newest = calls.first().filter(|call| call.status == CallStatus::Failed)?;
    let count = counted(calls.iter().filter(|call| are_equal(call, newest)).count());
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
