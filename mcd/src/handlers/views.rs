//! Single views: one task, one agent, the squad, the snapshot of a board.

use std::collections::BTreeMap;

use mc_core::{
    agent::{Agent, AgentName},
    answers::{AnswerFacts, Answers},
    approval::Approval,
    id::{ApprovalId, RunId, TaskId},
    refusal::Refusal,
    task::{TaskCard, law},
};
use mc_proto::method::{
    admin::{Health, Part, PolicyVersion},
    agent::{AgentView, TreeNode, TreeResult},
    approval::{Detail as ApprovalDetail, Past},
    feed::{Capability, Snapshot},
    run::Detail as RunDetail,
    squad::Status,
    task::{Detail as TaskDetail, TransitionTable},
    thread::ArtifactContent,
};

use super::{assigning, cost, delivery, lists::fit};
use crate::{
    caller::Caller,
    live::{AttachedRuntime, Live},
    store::{
        StoreError,
        queries::{self, Fail, Reader},
    },
};

/// How much of a board one snapshot holds.
const OPEN_TASKS: i64 = 10_000;
const CLOSED_TASKS: i64 = 200;
const DECIDED: i64 = 50;
const ALERTS: i64 = 500;
const EVENTS: i64 = 200;
/// How many runs, approvals and calls one task or run shows.
const ROWS: i64 = 50;
const CALLS: i64 = 200;
/// How many failed calls stand beside an approval.
const FAILED: i64 = 5;
/// How many events of a task its answers look at.
const LOOKED_AT: i64 = 500;

/// Returns an agent with what is derived about it.
pub fn agent(agent: Agent, live: &Live) -> AgentView {
    let heard = live.heard(&agent);
    let now = live.clock.now();
    let policy = live.policy();
    let rules = &policy.doc().agents;
    let attached = live.runtimes_of(&agent.name);
    AgentView {
        liveness: rules.liveness(now, heard.map(|heard| heard.at)),
        last_heartbeat: heard.map(|heard| heard.at),
        silent_since: heard.and_then(|heard| rules.silent_since(&agent, heard, now)),
        attached: attached.iter().map(AttachedRuntime::words).collect(),
        has_second_lock: attached.iter().any(|one| one.capabilities.contains(&Capability::Confirm)),
        today_uusd: agent.spent_on(&live.day()),
        today_state: agent.state_on(&live.day()),
        agent,
    }
}

pub(super) fn one_agent(db: Reader<'_>, live: &Live, name: &AgentName) -> Result<AgentView, Fail> {
    Ok(agent(queries::agent(db, name)?, live))
}

pub(super) fn tree(db: Reader<'_>, live: &Live) -> Result<TreeResult, Fail> {
    let agents = queries::agents(db, false)?;
    let known: Vec<AgentName> = agents.iter().map(|one| one.name.clone()).collect();
    let is_root = |one: &&Agent| one.parent.as_ref().is_none_or(|parent| !known.contains(parent));
    let roots = agents.iter().filter(is_root).map(|one| node(one, &agents, (live, 8))).collect();
    Ok(TreeResult { roots })
}

fn node(one: &Agent, agents: &[Agent], (live, depth): (&Live, u8)) -> TreeNode {
    let is_child = |other: &&Agent| depth > 0 && other.parent.as_ref() == Some(&one.name);
    let below = (live, depth.saturating_sub(1));
    TreeNode {
        agent: agent(one.clone(), live),
        children: agents.iter().filter(is_child).map(|child| node(child, agents, below)).collect(),
    }
}

pub(super) fn task_detail(
    db: Reader<'_>,
    live: &Live,
    caller: &Caller,
    id: TaskId,
) -> Result<TaskDetail, Fail> {
    let head = live.head();
    let (mut task, mut all) = queries::task_with_belongings(db, id)?;
    let acting = caller.agent.as_ref().map(|name| queries::agent(db, name)).transpose()?;
    let own = |agent: &AgentName| caller.is_human() || caller.agent.as_ref() == Some(agent);
    // Approvals that are decided no longer hold it, also where the first of them named the wait.
    task.blocked_reason = task.waits_for(&all.approvals).or(task.blocked_reason);
    all.approvals.retain(|one| own(&one.agent));
    all.approvals = all.approvals.into_iter().map(Approval::card).collect();
    Ok(TaskDetail {
        moves: law::allowed_moves(&task, &caller.actor, acting.as_ref()),
        checklist: live.policy().checklist(&task.task_type).to_vec(),
        artifacts: all.artifacts,
        approvals: all.approvals,
        run_list: all.runs,
        alerts: all.alerts,
        waits_for: queries::open_among(db, &task.depends_on)?,
        children: all.children,
        head,
        task,
    })
}

pub(super) fn answers(db: Reader<'_>, live: &Live, id: TaskId) -> Result<Answers, Fail> {
    let task = queries::task(db, id)?;
    let timeline = queries::last_events_of_task(db, id, LOOKED_AT)?;
    let approvals = queries::approvals_of_task(db, id, ROWS)?;
    let open_dependencies = queries::open_among(db, &task.depends_on)?;
    let mut agents = Vec::new();
    for name in task.assignees.iter().chain(&task.reviewers) {
        agents.extend(queries::find_agent(db, name)?);
    }
    let by_rule = assigning::explain(db, live, &task)?;
    let worked = queries::worked(db, id)?;
    let mut squad = queries::squad_row(db)?;
    squad.stopped = queries::stopped::one(db, id)?.into_iter().collect();
    let facts = AnswerFacts {
        now: live.clock.now(),
        approvals: &approvals,
        agents: &agents,
        worked: &worked,
        squad: &squad,
        halted: live.halt.is_set(),
        open_dependencies: &open_dependencies,
        by_rule: by_rule.as_deref(),
    };
    Ok(mc_core::answers::answers(&task, &timeline, &facts))
}

pub(super) fn transitions() -> TransitionTable {
    TransitionTable { transitions: law::transitions() }
}

pub(super) fn artifact(db: Reader<'_>, task: TaskId, name: &str) -> Result<ArtifactContent, Fail> {
    let (artifact, text) = queries::artifact(db, task, name)?;
    Ok(ArtifactContent { artifact, text })
}

pub(super) fn run_detail(db: Reader<'_>, id: RunId) -> Result<RunDetail, Fail> {
    Ok(RunDetail { run: queries::run(db, id)?, calls: queries::calls_of_run(db, id, CALLS)? })
}

pub(super) fn policy(
    db: Reader<'_>,
    live: &Live,
    version: Option<i64>,
) -> Result<PolicyVersion, Fail> {
    if let Some(version) = version {
        let found = queries::policy_version(db, version)?;
        return found.ok_or_else(|| Refusal::not_found(format_args!("policy `{version}`")).into());
    }
    let newest = queries::policy(db)?;
    let mut version = newest
        .ok_or_else(|| Refusal::not_found("a policy; the built-in defaults are in force:"))?;
    version.refused = live.refused_policy();
    Ok(version)
}

pub(super) fn approval_detail(
    db: Reader<'_>,
    caller: &Caller,
    id: ApprovalId,
) -> Result<ApprovalDetail, Fail> {
    let approval = queries::approval(db, id)?;
    if !caller.is_human() && caller.agent.as_ref() != Some(&approval.agent) {
        return Err(Refusal::forbidden(format!("{id} was asked by another agent")).into());
    }
    let (asked, approved, denied) = queries::past_decisions(db, &approval.rule, id)?;
    let task = approval.task.map(|task| queries::task(db, task)).transpose()?;
    let failed = approval.task.map(|task| queries::failed_calls(db, &approval.agent, task, FAILED));
    Ok(ApprovalDetail {
        past: Past { asked, approved, denied },
        failed_calls: failed.transpose()?.unwrap_or_default(),
        task_title: task.map(|task| task.title),
        approval,
    })
}

pub(super) fn status(db: Reader<'_>, live: &Live) -> Result<Status, Fail> {
    let (today, daily_cap_uusd) = cost::today(db, live)?;
    let mut alerts = BTreeMap::new();
    for alert in queries::unresolved_alerts(db, ALERTS)? {
        let severity = serde_json::to_value(alert.severity).map_err(StoreError::from)?;
        *alerts.entry(severity.as_str().unwrap_or_default().to_owned()).or_insert(0) += 1;
    }
    let mut squad = queries::squad(db)?;
    squad.stop = live.stops.report().map(Box::new).or(squad.stop);
    Ok(Status {
        squad,
        halted: live.halt.is_set(),
        tasks: queries::task_counts(db)?.into_iter().collect(),
        agents: queries::agent_counts(db)?.into_iter().collect(),
        working: queries::working(db)?,
        approvals_waiting: queries::waiting_approvals(db, "")?.0,
        alerts,
        spent_today_uusd: today.spent.uusd.minus(today.unpriced_uusd),
        cost_state: today.state,
        daily_cap_uusd,
        unpriced: today.unpriced_uusd.0 > 0,
        unpriced_today_uusd: today.unpriced_uusd,
        shared_uid: live.is_shared_uid(),
        sinks_failing: delivery::failing(db, live)?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: live.started_at(),
        read_only: live.read_only(),
        head: queries::head(db)?.seq,
        now: live.clock.now(),
    })
}

/// How many bytes each part of a snapshot takes at most: all of them together fit into one answer.
const TASK_BYTES: usize = 3 * 1024 * 1024;
const APPROVAL_BYTES: usize = 1536 * 1024;
const PART_BYTES: usize = 768 * 1024;

pub(super) fn snapshot(db: Reader<'_>, live: &Live, caller: &Caller) -> Result<Snapshot, Fail> {
    let head = queries::head(db)?.seq;
    let mut approvals = queries::pending_approvals(db)?;
    approvals.extend(queries::decided_approvals(db, DECIDED)?);
    approvals.retain(|one| caller.is_human() || caller.agent.as_ref() == Some(&one.agent));
    let mut approvals: Vec<Approval> = approvals.into_iter().map(Approval::card).collect();
    let mut alerts = queries::unresolved_alerts(db, ALERTS)?;
    alerts.extend(queries::resolved_alerts(db, DECIDED)?);
    let (events, few_events) = if caller.is_human() {
        queries::newest_events(db, EVENTS, PART_BYTES)?
    } else {
        (Vec::new(), false)
    };
    let tasks = queries::board(db, OPEN_TASKS, CLOSED_TASKS)?;
    let mut tasks: Vec<_> = tasks.into_iter().map(TaskCard::short).collect();
    let mut agents: Vec<_> =
        queries::agents(db, false)?.into_iter().map(|one| agent(one, live)).collect();
    let mut runs = queries::running(db, None)?;
    let cut = [
        ("tasks", fit(&mut tasks, TASK_BYTES)?),
        ("agents", fit(&mut agents, PART_BYTES)?),
        ("approvals", fit(&mut approvals, APPROVAL_BYTES)?),
        ("alerts", fit(&mut alerts, PART_BYTES)?),
        ("runs", fit(&mut runs, PART_BYTES)?),
        ("events", few_events),
    ];
    Ok(Snapshot {
        status: status(db, live)?,
        tasks,
        agents,
        approvals,
        alerts,
        runs,
        events,
        cut: cut.iter().filter(|(_, cut)| *cut).map(|(part, _)| (*part).to_owned()).collect(),
        head,
        now: live.clock.now(),
    })
}

pub(super) fn health(db: Reader<'_>, live: &Live) -> Result<Health, Fail> {
    let refused = live.refused_policy();
    let read_only = live.read_only();
    let identity = live.refused_identity();
    let mut parts = vec![
        Part {
            name: "writer".to_owned(),
            healthy: read_only.is_none(),
            detail: read_only.unwrap_or_else(|| "takes commands".to_owned()),
        },
        Part {
            name: "policy".to_owned(),
            healthy: refused.is_empty(),
            detail: refused.first().map_or_else(
                || "the file on disk is in force".to_owned(),
                |one| format!("the file on disk was refused: line {}: {}", one.line, one.message),
            ),
        },
        Part {
            name: "identity".to_owned(),
            healthy: identity.is_none(),
            detail: identity.map_or_else(
                || "the files on disk are in force".to_owned(),
                |why| format!("the files on disk were refused, the ones before hold: {why}"),
            ),
        },
    ];
    parts.extend(delivery::parts(db, live)?);
    let connections = live.connections.load(std::sync::atomic::Ordering::Relaxed);
    Ok(Health {
        healthy: parts.iter().all(|part| part.healthy),
        parts,
        connections: i64::try_from(connections).unwrap_or(i64::MAX),
        database_bytes: queries::database_bytes(db)?,
        head: queries::head(db)?.seq,
    })
}
