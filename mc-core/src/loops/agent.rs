//! What an agent does again and again beside its calls: failures, questions and runs.

use super::{Found, LoopRules, Sign, counted};
use crate::{
    approval::{Approval, ApprovalStatus},
    run::{Run, RunStatus},
};

/// Says whether an agent has failed too often in a row.
pub fn in_failures(rules: &LoopRules, agent: &str, streak: i64) -> Option<Found> {
    let count = u32::try_from(streak).unwrap_or(0);
    (count >= rules.error_streak).then(|| {
        let limit = rules.error_streak.saturating_sub(1);
        let what = format!("{agent} has failed {count} times in a row");
        Found::new(Sign::ErrorStreak, (count, limit), vec![agent.to_owned()], what)
    })
}

/// Looks at the questions of one agent, newest first, none that ended before its last resumption:
/// what it asks and takes back itself costs people's time and gets nobody anywhere. A question that
/// waits says nothing yet; one that was answered ends the row.
pub fn in_questions(rules: &LoopRules, asked: &[Approval]) -> Option<Found> {
    let newest = asked.first()?;
    let ended = asked.iter().filter(|one| one.status != ApprovalStatus::Pending);
    let count = counted(ended.take_while(|one| one.was_withdrawn()).count());
    (count > rules.withdrawn).then(|| {
        let agent = newest.agent.to_string();
        let what = format!(
            "{agent} asked and took its question back {count} times in a row, the last time: \"{}\"",
            newest.summary
        );
        Found::new(Sign::Withdrawn, (count, rules.withdrawn), vec![agent], what)
    })
}

/// Looks at the ended runs of one agent on one task, newest first, none that ended before its last
/// resumption or the last unblocking of the task.
pub fn in_runs(rules: &LoopRules, ended: &[Run]) -> Option<Found> {
    let newest = ended.first()?;
    let count = counted(ended.iter().take_while(|run| run.status != RunStatus::Succeeded).count());
    (count > rules.lost_runs).then(|| {
        let agent = newest.agent.to_string();
        let what = format!("{count} runs of {agent} in a row failed or were cut off");
        Found::new(Sign::LostRuns, (count, rules.lost_runs), vec![agent], what)
    })
}
