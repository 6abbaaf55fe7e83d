//! Assignment by rule: each reason to leave an agent out, ties, order, and what is refused of a file.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[cfg(test)]
mod common;

use common::{agent, task};
use mc_core::{
    agent::{AgentName, AgentStatus, Autonomy, Liveness},
    assign::{Hand, Waiting, choose},
    id::TaskId,
    policy::{AssignDoc, Policy, PolicyDoc},
    task::TaskState,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn name(text: &str) -> AgentName {
    text.parse().unwrap()
}

/// An active agent that is heard of, has nothing to do and takes everything.
fn hand(text: &str) -> Hand {
    Hand {
        agent: agent(text, Autonomy::Specialist),
        heard: Some(Liveness::Online),
        open: 0,
        in_hand: 0,
        capacity: 1,
        short: None,
    }
}

/// A task of type docs in Inbox, priority 3, which heron judges.
fn waiting() -> Waiting {
    Waiting::from(&task(TaskState::Inbox))
}

fn rules(value: Value) -> Vec<AssignDoc> {
    serde_json::from_value(value).unwrap()
}

fn anybody() -> Vec<AssignDoc> {
    rules(json!([{"name": "any"}]))
}

#[test]
fn each_reason_to_leave_an_agent_out_is_told() {
    type Bend = fn(&mut Hand);
    let cases: &[(Bend, &str)] = &[
        (|hand| hand.agent.status = AgentStatus::Paused, "crow is paused"),
        (|hand| hand.agent.status = AgentStatus::Drained, "crow is drained"),
        (|hand| hand.agent.status = AgentStatus::Quarantined, "crow is quarantined"),
        (|hand| hand.agent.status = AgentStatus::Stopped, "crow is retired"),
        (|hand| hand.heard = Some(Liveness::Late), "crow is late"),
        (|hand| hand.heard = Some(Liveness::Offline), "crow is offline"),
        (|hand| (hand.in_hand, hand.open) = (1, 1), "crow has 1 in hand and takes 1"),
        (
            |hand| hand.short = Some("the agent's day has spent $5.00 of $5.00".into()),
            "crow may not spend: the agent's day has spent $5.00 of $5.00",
        ),
        (|hand| hand.agent.task_types = vec!["ops".into()], "crow takes no docs"),
        (
            |hand| {
                hand.agent.parent = Some(name("wren"));
                hand.agent.serves = Some(TaskId(9));
            },
            "crow serves T-9 alone",
        ),
    ];
    for (bend, says) in cases {
        let mut crow = hand("crow");
        bend(&mut crow);
        let (rules, task) = (anybody(), waiting());
        let alone = [crow.clone()];
        let nobody = choose(&rules, &task, &alone).unwrap();
        assert_eq!(nobody.agent(), None, "{says}");
        assert_eq!(nobody.why(), format!("any task; nobody is free: {says}"));
        let both = [crow, hand("wren")];
        let chosen = choose(&rules, &task, &both).unwrap();
        assert_eq!(chosen.agent(), Some(&name("wren")), "{says}");
        let why = format!("any task; wren is the only one free; left out: {says}");
        assert_eq!((chosen.rule().as_str(), chosen.why()), ("assign.any", why));
    }
}

#[test]
fn who_judges_a_task_does_not_do_it_and_who_was_never_heard_of_is_not_taken_for_gone() {
    let mut quiet = hand("owl");
    quiet.heard = None;
    let hands = [hand("heron"), quiet];
    let (rules, task) = (anybody(), waiting());
    let chosen = choose(&rules, &task, &hands).unwrap();
    let why = "any task; owl is the only one free; left out: heron is its reviewer";
    assert_eq!((chosen.agent(), chosen.why().as_str()), (Some(&name("owl")), why));
}

#[test]
fn the_least_loaded_gets_it_and_ties_go_by_name() {
    let loads = |pairs: &[(&str, u64)]| -> Vec<Hand> {
        let one = |(text, open): &(&str, u64)| Hand { open: *open, ..hand(text) };
        pairs.iter().map(one).collect()
    };
    for (pairs, wanted, says) in [
        (&[("wren", 2), ("kite", 1)][..], "kite", "least loaded of 2: kite 1, wren 2"),
        (&[("wren", 1), ("kite", 1)], "kite", "least loaded of 2: kite 1, wren 1"),
        (&[("wren", 0), ("owl", 0), ("kite", 0)], "kite", "of 3: kite 0, owl 0, wren 0"),
    ] {
        let (rules, task, hands) = (anybody(), waiting(), loads(pairs));
        let chosen = choose(&rules, &task, &hands).unwrap();
        assert_eq!(chosen.agent(), Some(&name(wanted)));
        assert!(chosen.why().ends_with(says), "{}", chosen.why());
    }
}

#[test]
fn the_order_of_the_rule_counts_where_it_says_so() {
    let rules = rules(json!([{"name": "lead", "choose": "first",
        "candidates": {"agents": ["wren", "owl", "kite"]}}]));
    let task = waiting();
    let mut hands = vec![hand("kite"), hand("wren"), hand("zebra")];
    let chosen = choose(&rules, &task, &hands).unwrap();
    assert_eq!(chosen.agent(), Some(&name("wren")), "zebra is no candidate");
    let why = "any task; first of 2 in the order of the rule; left out: owl is not registered";
    assert_eq!(chosen.why(), why);
    hands[1].take();
    assert_eq!(choose(&rules, &task, &hands).unwrap().agent(), Some(&name("kite")));
}

#[test]
fn a_rule_is_about_the_tasks_that_fit_all_that_it_names() {
    let mut task = waiting();
    task.labels = vec!["urgent".into(), "web".into()];
    task.project = Some("billing".into());
    task.priority = 2;
    for (matched, says) in [
        (json!({}), Some("any task")),
        (json!({"types": ["ops", "docs"]}), Some("type docs")),
        (json!({"types": ["ops"]}), None),
        (json!({"labels": ["web", "urgent"]}), Some("label urgent, label web")),
        (json!({"labels": ["web", "api"]}), None),
        (json!({"projects": ["billing", "x"]}), Some("project billing")),
        (json!({"projects": ["x"]}), None),
        (json!({"priority": 1}), None),
        (json!({"priority": 2}), Some("priority 2")),
        (json!({"priority": 3, "types": ["docs"]}), Some("type docs, priority 2")),
    ] {
        let rules = rules(json!([{"name": "x", "match": matched}]));
        let hands = [hand("wren")];
        let said = choose(&rules, &task, &hands).map(|choice| choice.why());
        let wanted = says.map(|says| format!("{says}; wren is the only one free"));
        assert_eq!(said, wanted, "{matched}");
    }
    task.project = None;
    let of_project = rules(json!([{"name": "x", "match": {"projects": ["billing"]}}]));
    assert!(choose(&of_project, &task, &[]).is_none(), "a task without a project is in none");
}

#[test]
fn candidates_are_named_or_known_by_label_and_autonomy() {
    let mut core = hand("kite");
    core.agent.labels.insert("team".into(), "core".into());
    let mut lead = hand("owl");
    lead.agent = agent("owl", Autonomy::Lead);
    lead.agent.labels.insert("team".into(), "core".into());
    let hands = [core, lead, hand("wren")];
    for (candidates, wanted) in [
        (json!({}), 3),
        (json!({"agents": ["wren", "owl"]}), 2),
        (json!({"labels": {"team": "core"}}), 2),
        (json!({"labels": {"team": "web"}}), 0),
        (json!({"autonomy": ["lead"]}), 1),
        (json!({"autonomy": ["lead", "specialist"], "labels": {"team": "core"}}), 2),
        (json!({"agents": ["kite"], "autonomy": ["lead"]}), 0),
    ] {
        let rules = rules(json!([{"name": "x", "candidates": candidates}]));
        let candidates = &rules[0].candidates;
        let count = hands.iter().filter(|hand| candidates.include(&hand.agent)).count();
        assert_eq!(count, wanted, "{candidates:?}");
    }
    let nobody = rules(json!([{"name": "x", "candidates": {"labels": {"team": "web"}}}]));
    let task = waiting();
    let said = choose(&nobody, &task, &hands).unwrap().why();
    assert_eq!(said, "any task; nobody is free: there is no candidate");
}

#[test]
fn the_first_rule_about_a_task_decides_also_when_it_finds_nobody() {
    let rules = rules(json!([
        {"name": "docs", "match": {"types": ["docs"]}, "candidates": {"agents": ["crow"]}},
        {"name": "rest"},
    ]));
    let (task, hands) = (waiting(), [hand("wren")]);
    let said = choose(&rules, &task, &hands).unwrap();
    assert_eq!((said.agent(), said.rule().as_str()), (None, "assign.docs"));
    assert_eq!(said.why(), "type docs; nobody is free: crow is not registered");
    let other = Waiting { task_type: "ops".into(), ..waiting() };
    assert_eq!(choose(&rules, &other, &hands).unwrap().agent(), Some(&name("wren")));
    assert!(choose(&[], &task, &hands).is_none());
}

#[test]
fn a_long_list_is_cut() {
    let hands: Vec<Hand> = (0..9).map(|at| hand(&format!("a{at}"))).collect();
    let (rules, task) = (anybody(), waiting());
    let why = choose(&rules, &task, &hands).unwrap().why();
    assert_eq!(why, "any task; least loaded of 9: a0 0, a1 0, a2 0, a3 0, a4 0, a5 0, and 3 more");
}

#[test]
fn what_a_person_took_back_and_what_waits_is_not_given_out() {
    let task = waiting();
    assert_eq!(task.not_now(&[]), None);
    assert_eq!(task.not_now(&[TaskId(4)]).unwrap(), "it waits for T-4");
    let back = Waiting { put_back: true, ..waiting() };
    assert_eq!(back.not_now(&[]).unwrap(), "a person took it back to Inbox");
    let assigned = Waiting { state: TaskState::Assigned, ..waiting() };
    assert_eq!(assigned.not_now(&[]).unwrap(), "it is assigned, not in Inbox");
}

/// Compiles a policy of these rules; returns what is wrong with it.
fn wrong(list: Value) -> Vec<String> {
    let doc = PolicyDoc { assign: rules(list), ..PolicyDoc::default() };
    let errors = Policy::compile(doc).err().unwrap_or_default();
    errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect()
}

#[test]
fn a_rule_that_names_what_is_not_there_or_never_comes_to_its_turn_is_refused() {
    let any = json!({"name": "a"});
    for (list, says) in [
        (
            json!([{"name": "a", "match": {"types": ["enginering"]}}]),
            "assign[0].match.types[0]: there is no task type `enginering`; did you mean `engineering`?",
        ),
        (json!([{"name": "A b"}]), "assign[0].name: `A b` is no name"),
        (
            json!([{"name": "a", "match": {"types": ["docs"]}}, {"name": "a"}]),
            "assign[1].name: `a` is the name of another rule",
        ),
        (json!([{"name": "a", "match": {"priority": 0}}]), "assign[0].match.priority: is 0"),
        (json!([{"name": "a", "match": {"priority": 5}}]), "assign[0].match.priority: is 5"),
        (
            json!([{"name": "a", "match": {"labels": [" "]}}]),
            "assign[0].match.labels: has an empty",
        ),
        (json!([{"name": "a", "match": {"projects": [""]}}]), "assign[0].match.projects: has an"),
        (
            json!([{"name": "a", "candidates": {"agents": ["x", "y", "x"]}}]),
            "assign[0].candidates.agents[2]: `x` stands there twice",
        ),
        (json!([{"name": "a", "choose": "first"}]), "assign[0].choose: `first` goes by the order"),
        (json!([any, {"name": "b"}]), "assign[1].match: never comes to its turn: `a` above"),
        (json!([any, {"name": "b", "match": {"types": ["docs"]}}]), "assign[1].match: never"),
        (
            json!([{"name": "a", "match": {"priority": 2}},
                {"name": "b", "match": {"priority": 1, "labels": ["x"]}}]),
            "assign[1].match: never",
        ),
        (
            json!([{"name": "a", "match": {"labels": ["x"]}},
                {"name": "b", "match": {"labels": ["x", "y"]}}]),
            "assign[1].match: never",
        ),
    ] {
        let found = wrong(list.clone());
        assert_eq!(found.len(), 1, "{list}: {found:?}");
        assert!(found[0].starts_with(says), "{list}: {found:?}");
    }
    for list in [
        json!([]),
        json!([{"name": "a", "match": {"types": ["docs"]}}, {"name": "b"}]),
        json!([{"name": "a", "match": {"labels": ["x", "y"]}},
            {"name": "b", "match": {"labels": ["x"]}}]),
        json!([{"name": "a", "match": {"priority": 1}}, {"name": "b", "match": {"priority": 2}}]),
        json!([{"name": "a", "match": {"projects": ["x"]}},
            {"name": "b", "match": {"projects": ["x", "y"]}}]),
    ] {
        assert!(wrong(list.clone()).is_empty(), "{list}: {:?}", wrong(list.clone()));
    }
    let many: Vec<Value> = (0..101)
        .map(|at| json!({"name": format!("r{at}"), "match": {"labels": [format!("l{at}")]}}))
        .collect();
    assert_eq!(wrong(Value::from(many)), ["assign[100]: is one rule more than 100"]);
}

fn any_hand(at: usize) -> impl Strategy<Value = Hand> {
    let bits = any::<u16>();
    (bits, 0..4_u64, 0..3_u64, 0..3_u64).prop_map(move |(bits, open, in_hand, capacity)| {
        let has = |bit: u16| bits & (1 << bit) != 0;
        let mut hand = hand(&format!("a{at}"));
        hand.agent.status = match bits >> 13 {
            0 => AgentStatus::Paused,
            1 => AgentStatus::Drained,
            2 => AgentStatus::Quarantined,
            _ => AgentStatus::Active,
        };
        hand.agent.autonomy = if has(0) { Autonomy::Lead } else { Autonomy::Intern };
        hand.agent.task_types = if has(1) { vec!["ops".into()] } else { vec![] };
        if has(2) {
            hand.agent.labels.insert("team".into(), "core".into());
        }
        if has(3) && has(4) {
            (hand.agent.parent, hand.agent.serves) = (Some(name("x")), Some(TaskId(1)));
        }
        hand.heard = [None, Some(Liveness::Online), Some(Liveness::Late), Some(Liveness::Offline)]
            [usize::from(bits >> 5) % 4];
        hand.short = (has(7) && has(8)).then(|| "spent".into());
        (hand.open, hand.in_hand, hand.capacity) = (open, in_hand, capacity);
        hand
    })
}

fn any_task() -> impl Strategy<Value = Waiting> {
    (any::<u8>(), 1..=4_u8).prop_map(|(bits, priority)| Waiting {
        task_type: if bits & 1 == 0 { "ops".into() } else { "docs".into() },
        labels: if bits & 2 == 0 { vec![] } else { vec!["web".into()] },
        reviewers: if bits & 4 == 0 { vec![] } else { vec![name("a0"), name("a3")] },
        priority,
        ..waiting()
    })
}

proptest! {
    #[test]
    fn the_chosen_one_passes_every_guard_and_the_same_question_gets_the_same_answer(
        (mut hands, turn) in ((0..6_usize).prop_map(|n| (0..n).map(any_hand).collect::<Vec<_>>()),
            any::<prop::sample::Index>()).prop_flat_map(|(hands, turn)| (hands, Just(turn))),
        task in any_task(),
    ) {
        let rules = rules(json!([
            {"name": "web", "match": {"labels": ["web"], "priority": 3},
             "candidates": {"labels": {"team": "core"}}},
            {"name": "ops", "match": {"types": ["ops"]}, "choose": "first",
             "candidates": {"agents": ["a4", "a2", "a0", "a9"], "autonomy": ["lead"]}},
            {"name": "rest"},
        ]));
        let choice = choose(&rules, &task, &hands).unwrap();
        let (agent, why) = (choice.agent().cloned(), choice.why());
        let rule = choice.rule();
        let rule = rules.iter().find(|one| format!("assign.{}", one.name) == rule).unwrap();
        prop_assert!(rule.tasks.is_about(&task));
        let first = rules.iter().find(|one| one.tasks.is_about(&task)).unwrap();
        prop_assert_eq!(first, rule);
        let may = |hand: &Hand| {
            let agent = &hand.agent;
            agent.status == AgentStatus::Active
                && agent.serves.is_none()
                && (agent.task_types.is_empty() || agent.task_types.contains(&task.task_type))
                && !task.reviewers.contains(&agent.name)
                && !matches!(hand.heard, Some(Liveness::Late | Liveness::Offline))
                && hand.in_hand < hand.capacity
                && hand.short.is_none()
                && rule.candidates.include(agent)
        };
        match &agent {
            None => prop_assert!(!hands.iter().any(may), "{}", why),
            Some(name) => {
                let chosen = hands.iter().find(|hand| hand.agent.name == *name).unwrap();
                prop_assert!(may(chosen), "{}", why);
                if rule.name != "ops" {
                    let least = hands.iter().filter(|hand| may(hand)).map(|hand| hand.open).min();
                    prop_assert_eq!(Some(chosen.open), least);
                }
            }
        }
        // The order in which the agents come in makes no difference.
        let by = if hands.is_empty() { 0 } else { turn.index(hands.len()) };
        hands.rotate_left(by);
        let again = choose(&rules, &task, &hands).unwrap();
        prop_assert_eq!((again.agent().cloned(), again.why()), (agent, why));
    }
}
