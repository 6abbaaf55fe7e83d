//! Assignment by rule: a task that comes to stand in Inbox is offered to the policy's rules at once,
//! and one that found nobody again with every tick, the most urgent first.
//!
//! A person's word goes first: what a person took back to Inbox is not given out again. While the
//! squad stands still nothing is.

use std::sync::Arc;

use mc_core::{
    actor::Actor,
    agent::Agent,
    assign::{Hand, Waiting, choose},
    budget,
    id::TaskId,
    policy::Policy,
    refusal::FieldError,
    squad::SquadStatus,
    task::{MoveDetails, Task, TaskState},
    time::Timestamp,
    words,
};
use mc_proto::method::admin::{Offered, PolicyOffer};

use super::{
    budget::{Caplist, Own, payer_on},
    moves,
};
use crate::{
    live::Live,
    store::{
        Desk,
        queries::{self, Fail, Reader},
    },
};

/// How many tasks of the Inbox are looked at in a tick.
const SEEN: i64 = 1000;
/// How many are given out in a tick at most: the writer has other things to do.
const AT_ONCE: usize = 100;

/// Gives a task to whom the rules choose, if it is in Inbox and they choose anybody.
pub(super) fn offer(desk: &mut Desk<'_>, id: TaskId) -> Result<(), Fail> {
    if !is_on(desk)? {
        return Ok(());
    }
    let task = Waiting::from(&queries::task(desk.db, id)?);
    let mut hands = hands_at(desk)?;
    give(desk, &task, &mut hands).map(drop)
}

/// Tries what waits in Inbox again.
pub(super) fn tick(desk: &mut Desk<'_>) -> Result<(), Fail> {
    if !is_on(desk)? || !queries::has_inbox(desk.db)? {
        return Ok(());
    }
    let mut hands = hands_at(desk)?;
    let is_over = |hands: &[Hand]| hands.iter().all(|hand| hand.bar().is_some());
    if is_over(&hands) {
        return Ok(());
    }
    let mut given = 0;
    for task in queries::waiting(desk.db, SEEN)? {
        if give(desk, &task, &mut hands)? {
            given += 1;
            if given == AT_ONCE || is_over(&hands) {
                break;
            }
        }
    }
    Ok(())
}

/// Says whether there are rules, and the squad works.
fn is_on(desk: &mut Desk<'_>) -> Result<bool, Fail> {
    Ok(!desk.policy.doc().assign.is_empty()
        && !desk.live.halt.is_set()
        && desk.squad()?.status == SquadStatus::Running)
}

fn hands_at(desk: &mut Desk<'_>) -> Result<Vec<Hand>, Fail> {
    let set = desk.set_caps()?;
    let policy = Arc::clone(&desk.policy);
    hands(&Caplist { db: desk.db, policy: &policy, set: &set }, desk.live, desk.now)
}

/// Returns every agent that is not retired as the rules see it, by name.
fn hands(list: &Caplist<'_>, live: &Live, now: Timestamp) -> Result<Vec<Hand>, Fail> {
    let life = &list.policy.doc().agents;
    let loads = queries::loads(list.db)?;
    let mut hands = Vec::new();
    for agent in queries::agents(list.db, false)? {
        let heard = live.last_beat(&agent.name).map(|heard| life.liveness(now, Some(heard.at)));
        let (open, in_hand) = loads.get(agent.name.as_str()).copied().unwrap_or_default();
        let capacity = life.capacity_of(&agent.name);
        let mut hand = Hand { agent, heard, open, in_hand, capacity, short: None };
        if hand.bar().is_none() {
            hand.short = short(list, live, &hand)?;
        }
        hands.push(hand);
    }
    Ok(hands)
}

/// Says why an agent may spend nothing more today.
fn short(list: &Caplist<'_>, live: &Live, hand: &Hand) -> Result<Option<String>, Fail> {
    let payer = payer_on(list.db, live.day(), &hand.agent, (None, None))?;
    let standings = list.standings(&hand.agent, &payer, Own::All)?;
    Ok(budget::over(&standings).map(|(_, shortage)| shortage.text))
}

/// Gives the task to whom the rules choose; says whether they chose anybody.
fn give(desk: &mut Desk<'_>, task: &Waiting, hands: &mut [Hand]) -> Result<bool, Fail> {
    if task.not_now(&[]).is_some() {
        return Ok(false);
    }
    let policy = Arc::clone(&desk.policy);
    let Some(choice) = choose(&policy.doc().assign, task, hands) else { return Ok(false) };
    let Some(agent) = choice.agent().cloned() else { return Ok(false) };
    let (rule, why) = (choice.rule(), choice.why());
    if task.not_now(&queries::open_among(desk.db, &task.depends_on)?).is_some() {
        return Ok(false);
    }
    let details = MoveDetails {
        reason: Some(why),
        assignees: Some(vec![agent.clone()]),
        rule: Some(rule.clone()),
        ..MoveDetails::default()
    };
    let row = queries::task(desk.db, task.id)?;
    moves::go_as(desk, &row, TaskState::Assigned, (details, &Actor::system(rule)))?;
    if let Some(hand) = hands.iter_mut().find(|hand| hand.agent.name == agent) {
        hand.take();
    }
    Ok(true)
}

/// `policy.offer`: to whom a task would go, and why; records nothing.
///
/// # Errors
///
/// `not_found` for an unknown task, `invalid_params` for a candidate that is no policy.
pub(super) fn offered(db: Reader<'_>, live: &Live, params: &PolicyOffer) -> Result<Offered, Fail> {
    let policy = super::policy::candidate(live, params.toml.as_deref())?;
    judge(db, live, (&policy, &queries::task(db, params.task)?))
}

/// Says what the rules of the policy in force make of a task in Inbox; `None` where none is about it.
pub(super) fn explain(db: Reader<'_>, live: &Live, task: &Task) -> Result<Option<String>, Fail> {
    if task.state != TaskState::Inbox {
        return Ok(None);
    }
    let Offered { rule, agent, why, not_now, .. } = judge(db, live, (&live.policy(), task))?;
    Ok(match (rule, agent, not_now) {
        (None, ..) => None,
        (Some(_), _, Some(not_now)) => Some(format!("no rule gives it out: {not_now}")),
        (Some(rule), Some(agent), None) => Some(format!("{rule} gives it to {agent}: {why}")),
        (Some(rule), None, None) => Some(format!("{rule}: {why}")),
    })
}

fn judge(db: Reader<'_>, live: &Live, (policy, task): (&Policy, &Task)) -> Result<Offered, Fail> {
    let (rules, waiting) = (&policy.doc().assign, Waiting::from(task));
    let mut offered = Offered {
        task: task.id,
        rule: None,
        agent: None,
        why: "no rule of assignment is about it".to_owned(),
        not_now: None,
    };
    if !rules.iter().any(|one| one.tasks.is_about(&waiting)) {
        return Ok(offered);
    }
    offered.not_now = waiting.not_now(&queries::open_among(db, &task.depends_on)?);
    if live.halt.is_set() || queries::squad_row(db)?.status != SquadStatus::Running {
        offered.not_now = Some("the squad stands still".to_owned());
    }
    let set = queries::all_caps(db)?;
    let hands = hands(&Caplist { db, policy, set: &set }, live, live.clock.now())?;
    if let Some(choice) = choose(rules, &waiting, &hands) {
        offered.rule = Some(choice.rule());
        offered.agent = choice.agent().cloned();
        offered.why = choice.why();
    }
    Ok(offered)
}

/// Says which rules name agents that are not there, or that could never get one of their tasks.
pub(super) fn remarks(db: Reader<'_>, policy: &Policy) -> Result<Vec<FieldError>, Fail> {
    let rules = &policy.doc().assign;
    if rules.is_empty() {
        return Ok(Vec::new());
    }
    let agents = queries::agents(db, false)?;
    let known: Vec<&str> = agents.iter().map(|agent| agent.name.as_str()).collect();
    let mut remarks = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        for (place, name) in rule.candidates.agents.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let text = words::unknown("registered agent", name, &known);
                let field = format!("assign[{at}].candidates.agents[{place}]");
                remarks.push(FieldError::new(field, text));
            }
        }
        let takes = |agent: &Agent| {
            let own = &agent.task_types;
            let asked = &rule.tasks.types;
            own.is_empty() || asked.is_empty() || asked.iter().any(|one| own.contains(one))
        };
        let could: Vec<_> = agents.iter().filter(|one| rule.candidates.include(one)).collect();
        let text = if could.is_empty() {
            "no agent that is registered is a candidate"
        } else if could.iter().any(|agent| takes(agent)) {
            continue;
        } else {
            "none of its candidates takes tasks of these types"
        };
        remarks.push(FieldError::new(format!("assign[{at}]"), text));
    }
    Ok(remarks)
}
