//! Standing rules: which calls a remembered approval may cover, and which it covers. A call that an
//! own rule asks for is asked each time.

use super::{Call, Risk, Scoped, judge::judge, tools::Class};
use crate::{
    agent::Agent,
    approval::{Covers, RuleScope, StandingRule},
    id::TaskId,
    time::Timestamp,
};

/// Returns what a standing rule made of this call would cover; `None` when no rule may: red calls,
/// shells, interpreters, wrappers, and commands of more than one part.
///
/// `prefix_words` is how many of a command's first words a later one must repeat; without it all
/// of them. `arguments_sha256` is the hash of the arguments in canonical form.
pub fn coverable(
    policy: &Scoped,
    (call, agent): (&Call<'_>, &Agent),
    arguments_sha256: &str,
    prefix_words: Option<usize>,
) -> Option<Covers> {
    let found = judge(policy, call, agent);
    if found.risk == Risk::Red || found.denied.is_some() || found.asks_each_time() {
        return None;
    }
    if found.class != Class::Shell {
        let is_exact = prefix_words.is_none() && found.verdict.is_none();
        return is_exact.then(|| Covers::Arguments { sha256: arguments_sha256.to_owned() });
    }
    let words = found.verdict?.words?;
    match prefix_words {
        None => Some(Covers::Arguments { sha256: arguments_sha256.to_owned() }),
        Some(count) if count > 0 && count <= words.len() => {
            Some(Covers::Command { prefix: words.into_iter().take(count).collect() })
        }
        Some(_) => None,
    }
}

/// Who asks, and when: what a standing rule looks at beside the call itself.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The agent.
    pub agent: &'a Agent,
    /// The task that the call serves.
    pub task: Option<TaskId>,
    /// Hash of the arguments in canonical form, in hex.
    pub arguments_sha256: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// Says whether `rule` lets a yellow call pass.
pub fn covers(policy: &Scoped, rule: &StandingRule, call: &Call<'_>, asker: &Asker<'_>) -> bool {
    let is_theirs = match rule.scope {
        RuleScope::Task => rule.agent == asker.agent.name && rule.task == asker.task,
        RuleScope::Agent => rule.agent == asker.agent.name,
        RuleScope::Everywhere => true,
    };
    let is_open = rule.revoked_at.is_none()
        && asker.now < rule.expires_at
        && rule.uses_left.is_none_or(|left| left > 0);
    if !is_theirs || !is_open || rule.tool != call.tool || rule.cwd.as_deref() != call.cwd {
        return false;
    }
    match &rule.covers {
        Covers::Arguments { sha256 } => sha256 == asker.arguments_sha256,
        Covers::Command { prefix } => {
            let found = coverable(policy, (call, asker.agent), "", Some(prefix.len()));
            matches!(found, Some(Covers::Command { prefix: own }) if own == *prefix)
        }
    }
}
