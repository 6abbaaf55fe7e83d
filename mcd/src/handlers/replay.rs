//! `policy.replay`: recorded calls, judged again by a candidate.

use std::collections::{BTreeMap, HashMap};

use mc_core::{
    policy::{Inputs, Outcome, Policy},
    refusal::Refusal,
    run::ToolCall,
};
use mc_proto::method::replay::{Group, LeftOut, PolicyReplay, Replay, Replayed, Side};

use crate::{
    live::Live,
    store::queries::{self, Fail, Reader},
};

/// How many calls are read at a time.
const PAGE: i64 = 1000;

/// How many calls are looked at, unless more are asked for, and at most.
const LIMITS: (i64, i64) = (100_000, 1_000_000);

/// How many groups are shown, and how many are counted.
const GROUPS: (usize, usize) = (200, 10_000);

/// How many calls of a group are shown.
const EXAMPLES: usize = 3;

/// Rules that are about the moment and not about the call, and what they are about.
const PASSING: &[(&str, &str)] = &[
    ("squad.", "refused because of how the squad stood"),
    ("agent.", "refused because of how the agent stood"),
    ("run.", "refused because of how the run stood"),
    ("task.blocked", "refused because the task was blocked"),
    ("budget.", "a question of budget"),
    ("limits.", "over a limit of the daemon"),
];

/// `policy.replay`
///
/// # Errors
///
/// `invalid_params` for a candidate that is no policy, with line and column, or a bad limit.
pub(super) fn replay(db: Reader<'_>, live: &Live, params: &PolicyReplay) -> Result<Replayed, Fail> {
    let candidate = candidate(live, &params.toml)?;
    let limit = params.limit.unwrap_or(LIMITS.0);
    if !(1..=LIMITS.1).contains(&limit) {
        return Err(Refusal::invalid("limit", format!("must be from 1 to {}", LIMITS.1)).into());
    }
    let (mut tally, mut before, mut left) = (Tally::default(), i64::MAX, limit);
    loop {
        let page = queries::calls_to_replay(db, before, PAGE.min(left))?;
        let Some((last, _)) = page.last() else { break };
        before = last.id.0;
        for (call, inputs) in &page {
            if params.since.is_some_and(|since| call.at < since) {
                return Ok(tally.answer(false));
            }
            if params.until.is_none_or(|until| call.at < until) {
                tally.add(&candidate, call, inputs.as_ref());
                left -= 1;
            }
        }
        if left <= 0 {
            let is_cut = !queries::calls_to_replay(db, before, 1)?.is_empty();
            return Ok(tally.answer(is_cut));
        }
    }
    Ok(tally.answer(false))
}

/// Reads the candidate and closes to it what is closed to the policy in force.
fn candidate(live: &Live, toml: &str) -> Result<Policy, Fail> {
    let policy = crate::policy::parse(toml).map_err(|findings| {
        let lines = findings.iter().take(10).map(|found| {
            format!("line {}, column {}: {}", found.line, found.column, found.message)
        });
        Refusal::invalid("toml", lines.collect::<Vec<_>>().join("; "))
    })?;
    Ok(policy.protecting(live.policy().protected().iter().cloned()))
}

#[derive(Debug, Default)]
struct Tally {
    replayed: i64,
    unchanged: i64,
    left_out: BTreeMap<&'static str, i64>,
    groups: HashMap<(Side, Side, String), Group>,
    overflow: bool,
}

impl Tally {
    fn add(&mut self, candidate: &Policy, call: &ToolCall, inputs: Option<&Inputs>) {
        let inputs = match judgeable(call, inputs) {
            Ok(inputs) => inputs,
            Err(why) => {
                *self.left_out.entry(why).or_default() += 1;
                return;
            }
        };
        let decision = inputs.decide(candidate, &call.tool, &call.agent);
        let to = Side { outcome: decision.outcome, risk: decision.risk, rule: decision.rule };
        let by_person = is_by_person(call);
        let outcome = if by_person { Outcome::Ask } else { call.decision };
        let from = Side { outcome, risk: call.risk, rule: call.rule.clone() };
        self.replayed += 1;
        // What a person answered does not keep the risk of the question.
        if from.outcome == to.outcome && (by_person || from.risk == to.risk) {
            self.unchanged += 1;
        } else {
            self.change(call, from, to);
        }
    }

    fn change(&mut self, call: &ToolCall, from: Side, to: Side) {
        let key = (from, to, call.tool.clone());
        if self.groups.len() >= GROUPS.1 && !self.groups.contains_key(&key) {
            self.overflow = true;
            return;
        }
        let group = self.groups.entry(key).or_insert_with_key(|(from, to, tool)| Group {
            from: from.clone(),
            to: to.clone(),
            tool: tool.clone(),
            count: 0,
            examples: Vec::new(),
        });
        group.count += 1;
        if group.examples.len() < EXAMPLES {
            let (agent, preview) = (call.agent.clone(), call.preview.clone());
            group.examples.push(Replay { call: call.id, agent, preview });
        }
    }

    fn answer(self, is_cut: bool) -> Replayed {
        let mut groups: Vec<Group> = self.groups.into_values().collect();
        let newest = |group: &Group| group.examples.first().map(|example| example.call.0);
        groups.sort_by_key(|group| (-group.count, newest(group).map(|call| -call)));
        let has_more = is_cut || self.overflow || groups.len() > GROUPS.0;
        groups.truncate(GROUPS.0);
        let left_out = self.left_out.into_iter();
        Replayed {
            replayed: self.replayed,
            unchanged: self.unchanged,
            changed: self.replayed - self.unchanged,
            left_out: left_out.map(|(why, count)| LeftOut { why: why.into(), count }).collect(),
            groups,
            has_more,
        }
    }
}

fn is_by_person(call: &ToolCall) -> bool {
    ["approval.", "standing."].iter().any(|prefix| call.rule.starts_with(prefix))
}

/// Returns what the call is judged by, or why it can't be judged again.
fn judgeable<'i>(call: &ToolCall, inputs: Option<&'i Inputs>) -> Result<&'i Inputs, &'static str> {
    // `limit.arguments` and the like are of the policy; these are not.
    if let Some((_, why)) = PASSING.iter().find(|(prefix, _)| call.rule.starts_with(prefix)) {
        return Err(why);
    }
    let inputs = inputs.ok_or("what it was judged by is not kept any more")?;
    if inputs.is_masked {
        return Err("a secret in its arguments is masked");
    }
    Ok(inputs)
}
