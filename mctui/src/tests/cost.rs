//! What the screen of costs shows, and when it asks.

use mc_core::{
    budget::{Amount, Charge, Payer, Reservation, ReservationStatus, Scope},
    event::Event,
    id::{AlertId, ReservationId, RunId, TaskId},
    money::{CostState, MicroUsd, Tokens},
    time::Timestamp,
};
use mc_proto::method::{
    cost::{DaySpend, Forecasted, RolledUp, RollupRow, StateSum, Sums},
    feed::{FeedItem, Snapshot},
    squad::{Budget, Budgets},
};

use super::fixture::{Stage, name, recorded};
use crate::{
    app::{Message, Place},
    request::{Call, Costs, Request},
};

const TODAY: &str = "2026-11-22";

fn sums(cents: i64, tokens: i64, state: CostState) -> Sums {
    let cost = MicroUsd::cents(cents);
    let known = if state == CostState::Unpriced { MicroUsd::ZERO } else { cost };
    let sum = StateSum { uusd: cost, tokens, calls: 3 };
    Sums {
        cost_uusd: known,
        counted_uusd: cost,
        tokens,
        calls: 3,
        states: [(state.as_str().to_owned(), sum)].into(),
    }
}

fn rolled(day: &str, rows: Vec<RollupRow>) -> RolledUp {
    let mut total = sums(2_613, 2_143_000, CostState::Reported);
    let unpriced = StateSum { uusd: MicroUsd::cents(40), tokens: 12_000, calls: 2 };
    total.states.insert("unpriced".to_owned(), unpriced);
    RolledUp {
        since: day.to_owned(),
        until: day.to_owned(),
        rows,
        total,
        attributed: Some(9_731),
        next_cursor: None,
        head: 500,
    }
}

fn budget(scope: Scope, of: &str, (cap, spent, reserved): (i64, i64, i64)) -> Budget {
    Budget {
        scope,
        of: of.to_owned(),
        cap_uusd: Some(MicroUsd::cents(cap)),
        granted_uusd: MicroUsd::ZERO,
        spent_uusd: MicroUsd::cents(spent),
        unpriced_uusd: MicroUsd::ZERO,
        sub_agents_uusd: MicroUsd::ZERO,
        reserved_uusd: MicroUsd::cents(reserved),
        unpriced: false,
        state: Some(CostState::Reported),
        cap_tokens: None,
        spent_tokens: 0,
        reserved_tokens: 0,
        percent: spent * 100 / cap,
    }
}

/// The costs of a day on which heron went over its cap.
pub(super) fn costs(day: Option<&str>, picture: &Snapshot) -> Costs {
    let shown = day.unwrap_or(TODAY);
    let task = |id: Option<i64>, sums: Sums| RollupRow {
        task: id.map(TaskId),
        with_children_uusd: id.map(|_| sums.counted_uusd + MicroUsd::cents(10)),
        sums,
        ..RollupRow::default()
    };
    let agent = |text: &str, sums: Sums| RollupRow {
        agent: Some(name(text)),
        sums,
        ..RollupRow::default()
    };
    let model = |text: &str, sums: Sums| RollupRow {
        model: Some(text.to_owned()),
        sums,
        ..RollupRow::default()
    };
    let dear = || sums(2_240, 1_900_000, CostState::Reported);
    let little = || sums(184, 231_000, CostState::Reported);
    Costs {
        tasks: rolled(
            shown,
            vec![
                task(Some(1033), dear()),
                task(Some(1042), little()),
                task(Some(1071), sums(40, 12_000, CostState::Unpriced)),
                task(Some(1066), sums(0, 80_000, CostState::Subscription)),
                task(None, sums(12, 900, CostState::Reported)),
            ],
        ),
        agents: rolled(shown, vec![agent("heron", dear()), agent("kestrel", little())]),
        models: rolled(
            shown,
            vec![
                model("large", dear()),
                model("evil\u{1b}[31m\u{202e}", sums(40, 12_000, CostState::Unpriced)),
                model("local", sums(0, 80_000, CostState::Free)),
            ],
        ),
        days: rolled(
            TODAY,
            vec![RollupRow { day: Some(TODAY.to_owned()), sums: dear(), ..RollupRow::default() }],
        ),
        budgets: Budgets {
            day: TODAY.to_owned(),
            budgets: budgets(picture),
            reservations: vec![reserved(7, 45, None), reserved(9, 75, Some(AlertId(3)))],
        },
        forecast: forecast(),
    }
}

fn reserved(id: i64, cents: i64, alert: Option<AlertId>) -> Reservation {
    let amount = Amount { uusd: MicroUsd::cents(cents), tokens: 0 };
    Reservation {
        id: ReservationId(id),
        payer: Payer {
            run: Some(RunId(id)),
            agent: "heron".parse().unwrap(),
            task: None,
            above: Vec::new(),
            ancestors: Vec::new(),
            day: TODAY.to_owned(),
        },
        call: None,
        whole_run: false,
        amount,
        open: amount,
        status: ReservationStatus::Open,
        used: None,
        usage: None,
        alert,
        at: Timestamp(0),
        settled_at: None,
    }
}

fn budgets(picture: &Snapshot) -> Vec<Budget> {
    let agents = picture.agents.iter().map(|view| view.agent.name.as_str());
    let mut budgets: Vec<Budget> =
        agents.map(|agent| budget(Scope::AgentDay, agent, (500, 184, 75))).collect();
    budgets[0] = budget(Scope::AgentDay, "heron", (2_000, 2_240, 0));
    budgets.push(budget(Scope::SquadDay, "squad-a", (15_000, 8_610, 120)));
    budgets.push(budget(Scope::SquadMonth, "squad-a", (300_000, 41_200, 120)));
    budgets
}

fn forecast() -> Forecasted {
    let days = (8..22).map(|day| format!("2026-11-{day:02}"));
    let spent = |at: usize| MicroUsd::cents(i64::try_from(at * at % 11).unwrap() * 300);
    Forecasted {
        day: TODAY.to_owned(),
        spent_uusd: MicroUsd::cents(8_610),
        unpriced_uusd: MicroUsd::ZERO,
        elapsed: 5_848,
        forecast_uusd: Some(MicroUsd::cents(20_900)),
        cap_uusd: Some(MicroUsd::cents(15_000)),
        days: days.enumerate().map(|(at, day)| DaySpend { day, uusd: spent(at) }).collect(),
        mean_uusd: MicroUsd::cents(5_885),
        trend_percent: Some(12),
    }
}

/// The runs behind a number.
pub(super) fn runs() -> RolledUp {
    let run = |id: i64, sums: Sums| RollupRow {
        run: Some(RunId(id)),
        agent: Some(name("heron")),
        task: Some(TaskId(1033)),
        sums,
        ..RollupRow::default()
    };
    let foreign = RollupRow { task: Some(TaskId(1)), ..RollupRow::default() };
    let rows = vec![
        run(11, sums(2_200, 1_800_000, CostState::Reported)),
        run(9, sums(40, 100_000, CostState::Derived)),
        foreign,
    ];
    rolled(TODAY, rows)
}

fn used(seq: i64) -> Message {
    let event = Event::RunUsed {
        run: Some(RunId(7)),
        agent: name("robin"),
        task: Some(TaskId(1079)),
        model: "large".to_owned(),
        tokens: Tokens::default(),
        cost_uusd: MicroUsd::cents(1),
        cost_state: CostState::Reported,
        day: TODAY.to_owned(),
        charge: Box::new(Charge::default()),
    };
    let event = recorded(seq, mc_core::actor::Actor::agent("robin"), event);
    Message::Item(Box::new(FeedItem { seq, event, changed: Vec::new() }))
}

#[test]
fn what_has_no_price_is_a_question_mark_and_over_is_said_with_its_time() {
    let mut stage = Stage::live(120, 36);
    stage.keys("5");
    let frame = stage.frame(120, 36);
    let row = |id: &str| frame.lines().find(|line| line.contains(id)).unwrap().to_owned();
    assert!(row("T-1071").contains(" ? "), "{frame}");
    assert!(row("T-1066").contains(" sub "), "{frame}");
    assert!(frame.contains("OVER the cap of $150.00 at about"), "{frame}");
    assert!(frame.contains("14 days ▁"), "{frame}");
    assert!(frame.contains("attributed 97.3%") && frame.contains("unpriced ?"), "{frame}");
    assert!(row("heron").contains("112% OVER"), "{frame}");
}

#[test]
fn enter_shows_the_runs_of_the_row_alone_and_leads_to_their_task() {
    let mut stage = Stage::live(120, 36);
    stage.keys("5\n");
    let frame = stage.frame(120, 36);
    assert!(frame.contains("R-11") && !frame.contains("T-1 "), "{frame}");
    stage.keys("\n");
    assert_eq!(stage.app.place(), Place::Task(TaskId(1033)));
}

#[test]
fn another_day_is_asked_for_and_named() {
    let mut stage = Stage::live(80, 24);
    stage.keys("5h");
    assert!(stage.frame(80, 24).contains("2026-11-21: "), "{}", stage.frame(80, 24));
    stage.keys("l");
    assert!(stage.frame(80, 24).contains(" Today "));
}

#[test]
fn costs_that_come_in_are_asked_for_again_but_not_each_by_itself() {
    let mut stage = Stage::live(120, 36);
    stage.keys("5");
    let asked = |stage: &mut Stage, seq: i64| {
        let now = stage.now();
        let requests = stage.app.update(now, used(seq));
        requests.iter().any(|one| matches!(one, Request::Call(_, Call::Costs(_))))
    };
    let head = stage.app.scene.world.head;
    assert!(!asked(&mut stage, head + 1), "within the pause");
    stage.steady += 4_000;
    assert!(asked(&mut stage, head + 2));
    assert!(!asked(&mut stage, head + 3), "the answer is still on its way");
}
