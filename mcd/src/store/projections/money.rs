//! What events mean for the money: ledgers, promises, paces, and the sums of each day.

use mc_core::{
    alert::Alert,
    budget::{
        Amount, Breach, BreachCause, Charge, Correction, Ledger, Pace, Payer, Reservation,
        ReservationStatus, Scope, ScopeKey, Taken,
    },
    event::{Event, Recorded},
    id::TaskId,
    money::{CostState, MicroUsd, Tokens},
};
use rusqlite::params;

use crate::store::{
    StoreError,
    queries::{self, Fail, Reader},
};

const PUT_LEDGER: &str = "INSERT INTO ledgers (scope, of, body) VALUES (?1, ?2, ?3)
    ON CONFLICT (scope, of) DO UPDATE SET body = ?3";
const PUT_CAPS: &str = "INSERT INTO caps (scope, of, body) VALUES (?1, ?2, ?3)
    ON CONFLICT (scope, of) DO UPDATE SET body = ?3";
const PUT_RESERVATION: &str = "INSERT INTO reservations (id, run, call, open, body)
    VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET open = ?4, body = ?5";
const PUT_PACE: &str = "INSERT INTO paces (of, body) VALUES (?1, ?2)
    ON CONFLICT (of) DO UPDATE SET body = ?2";
const PUT_DAY: &str = "INSERT INTO budget_day (id, body) VALUES (1, ?1)
    ON CONFLICT (id) DO UPDATE SET body = ?1";
const PUT_SESSION: &str = "INSERT INTO session_tasks (agent, session, task) VALUES (?1, ?2, ?3)
    ON CONFLICT (agent, session) DO UPDATE SET task = ?3";
const ADD_USAGE: &str = "INSERT INTO usages (seq, day, run, agent, task, above, project, model,
    state, calls, cost_uusd, counted_uusd, input, output, cache_read, cache_write, ancestors)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
const CORRECT_USAGE: &str =
    "UPDATE usages SET state = ?2, cost_uusd = ?3, counted_uusd = ?4 WHERE seq = ?1";
const ADD_TO_DAY: &str = "INSERT INTO spend_days (day, agent, task, project, model, state, calls,
    cost_uusd, counted_uusd, input, output, cache_read, cache_write)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
    ON CONFLICT (day, agent, task, project, model, state) DO UPDATE SET calls = calls + ?7,
    cost_uusd = cost_uusd + ?8, counted_uusd = counted_uusd + ?9, input = input + ?10,
    output = output + ?11, cache_read = cache_read + ?12, cache_write = cache_write + ?13";

/// One line of the sums of a day.
struct Line<'a> {
    payer: &'a Payer,
    project: Option<&'a str>,
    model: &'a str,
    state: CostState,
    /// How many calls are added; -1 takes one away.
    calls: i64,
    cost_uusd: MicroUsd,
    counted_uusd: MicroUsd,
    tokens: Tokens,
}

/// Applies what an event means for the money.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds cost nothing")]
pub(super) fn apply(db: Reader<'_>, recorded: &Recorded) -> Result<(), Fail> {
    let money = Money { db, recorded };
    match &recorded.event {
        Event::RunStarted { run } => {
            if let Some(task) = run.task {
                money.bind(&run.agent, &run.session, task)?;
            }
            Ok(())
        }
        Event::RunUsed { .. } => money.used(),
        Event::BudgetReserved { reservation } => {
            money.each(&reservation.payer, |ledger| ledger.reserve(reservation.amount))?;
            money.put_reservation(reservation)
        }
        Event::BudgetReleased { reservation, .. } => {
            let row = queries::reservation(db, *reservation)?;
            money.take(row.clone(), row.open, ReservationStatus::Released)
        }
        Event::BudgetSet { scope, of, caps, .. } => {
            let body = serde_json::to_string(caps).map_err(StoreError::from)?;
            money.execute(PUT_CAPS, params![scope.as_str(), of, body])
        }
        Event::BudgetRaised { key, by, .. } => match key.scope {
            // A task's budget stands in its own row.
            Scope::Task => money.ledger(key, |ledger| {
                ledger.granted.tokens = ledger.granted.tokens.saturating_add(by.tokens);
                ledger.warned = 0;
            }),
            Scope::Run | Scope::AgentDay | Scope::SquadDay | Scope::SquadMonth => {
                money.ledger(key, |ledger| {
                    ledger.granted = ledger.granted + *by;
                    ledger.warned = 0;
                })
            }
        },
        Event::BudgetRaiseVoided { key, .. } => {
            money.ledger(key, |ledger| ledger.granted = Amount::default())
        }
        Event::BudgetWarned { key, percent, .. } => {
            money.ledger(key, |ledger| ledger.warned = *percent)
        }
        Event::BudgetBreached { breach } => money.breached(breach),
        Event::CostCorrected { correction } => money.corrected(correction),
        Event::BudgetDayTurned { now } => {
            let body = serde_json::to_string(now).map_err(StoreError::from)?;
            money.execute(PUT_DAY, [body])
        }
        _ => Ok(()),
    }
}

/// Notes the alert that a promise is not settled with the promise: there is one of it.
pub(super) fn alerted(db: Reader<'_>, recorded: &Recorded, alert: &Alert) -> Result<(), Fail> {
    let Some(id) = alert.reservation else { return Ok(()) };
    let mut row = queries::reservation(db, id)?;
    row.alert = Some(alert.id);
    Money { db, recorded }.put_reservation(&row)
}

struct Money<'a, 'b> {
    db: Reader<'a>,
    recorded: &'b Recorded,
}

impl Money<'_, '_> {
    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<(), Fail> {
        let mut statement = self.db.connection().prepare_cached(sql).map_err(StoreError::from)?;
        statement.execute(params).map_err(StoreError::from)?;
        Ok(())
    }

    fn ledger(&self, key: &ScopeKey, change: impl FnOnce(&mut Ledger)) -> Result<(), Fail> {
        let mut ledger = queries::ledger(self.db, key)?;
        change(&mut ledger);
        let body = serde_json::to_string(&ledger).map_err(StoreError::from)?;
        self.execute(PUT_LEDGER, params![key.scope.as_str(), key.of, body])
    }

    fn each(&self, payer: &Payer, change: impl Fn(&mut Ledger)) -> Result<(), Fail> {
        payer.scopes().iter().try_for_each(|key| self.ledger(key, &change))
    }

    fn put_reservation(&self, row: &Reservation) -> Result<(), Fail> {
        let body = serde_json::to_string(row).map_err(StoreError::from)?;
        let (run, call) = (row.payer.run.map(|run| run.0), row.call.map(|call| call.0));
        let is_open = row.status == ReservationStatus::Open;
        self.execute(PUT_RESERVATION, params![row.id.0, run, call, is_open, body])
    }

    /// Takes an amount out of a promise.
    fn take(
        &self,
        mut row: Reservation,
        amount: Amount,
        status: ReservationStatus,
    ) -> Result<(), Fail> {
        self.each(&row.payer, |ledger| ledger.release(amount))?;
        row.open = row.open.minus(amount);
        row.status = status;
        if status != ReservationStatus::Open {
            row.settled_at = Some(self.recorded.at);
        }
        self.put_reservation(&row)
    }

    fn bind(&self, agent: &str, session: &str, task: TaskId) -> Result<(), Fail> {
        self.execute(PUT_SESSION, params![agent, session, task.0])
    }

    fn used(&self) -> Result<(), Fail> {
        let Event::RunUsed { run, agent, task, model, tokens, cost_uusd, cost_state, day, charge } =
            &self.recorded.event
        else {
            return Ok(());
        };
        let Charge { counted_uusd, above, ancestors, project, taken } = charge.as_ref();
        let counted_uusd = counted_uusd.unwrap_or(*cost_uusd);
        let payer = Payer {
            run: *run,
            agent: agent.clone(),
            task: *task,
            above: above.clone(),
            ancestors: ancestors.clone(),
            day: day.clone(),
        };
        let amount = Amount { uusd: counted_uusd, tokens: tokens.total() };
        self.each(&payer, |ledger| ledger.charge(amount, *cost_state))?;
        if let Some(Taken { reservation, amount: part, settles }) = taken {
            let mut row = queries::reservation(self.db, *reservation)?;
            let status = if *settles { ReservationStatus::Settled } else { row.status };
            if row.whole_run && status == ReservationStatus::Open {
                row.used = Some(row.used.unwrap_or_default() + amount);
            } else {
                row.used = Some(amount);
                row.usage = Some(self.recorded.seq);
            }
            self.take(row, *part, status)?;
        }
        if let (Some(task), Some(run)) = (task, run) {
            let session = queries::run(self.db, *run)?.session;
            self.bind(agent, &session, *task)?;
        }
        for of in run.map(|run| run.to_string()).into_iter().chain([agent.to_string()]) {
            self.pace(&of, |pace| pace.spend(counted_uusd, self.recorded.at))?;
        }
        self.record_usage(&payer, (counted_uusd, project.as_deref()))?;
        self.add_to_day(&Line {
            payer: &payer,
            project: project.as_deref(),
            model,
            state: *cost_state,
            calls: 1,
            cost_uusd: *cost_uusd,
            counted_uusd,
            tokens: *tokens,
        })
    }

    fn record_usage(
        &self,
        payer: &Payer,
        (counted_uusd, project): (MicroUsd, Option<&str>),
    ) -> Result<(), Fail> {
        let Event::RunUsed { model, tokens, cost_uusd, cost_state, .. } = &self.recorded.event
        else {
            return Ok(());
        };
        let above = serde_json::to_string(&payer.above).map_err(StoreError::from)?;
        let ancestors = serde_json::to_string(&payer.ancestors).map_err(StoreError::from)?;
        let task = payer.task.map(|task| task.0);
        self.execute(
            ADD_USAGE,
            params![
                self.recorded.seq,
                payer.day,
                payer.run.map_or(0, |run| run.0),
                payer.agent.as_str(),
                task,
                above,
                project,
                model,
                cost_state.as_str(),
                cost_uusd.0,
                counted_uusd.0,
                tokens.input,
                tokens.output,
                tokens.cache_read,
                tokens.cache_write,
                ancestors,
            ],
        )
    }

    fn add_to_day(&self, line: &Line<'_>) -> Result<(), Fail> {
        let Line { payer, project, model, state, calls, cost_uusd, counted_uusd, tokens } = line;
        self.execute(
            ADD_TO_DAY,
            params![
                payer.day,
                payer.agent.as_str(),
                payer.task.map_or(0, |task| task.0),
                project.unwrap_or_default(),
                model,
                state.as_str(),
                calls,
                cost_uusd.0 * calls,
                counted_uusd.0 * calls,
                tokens.input * calls,
                tokens.output * calls,
                tokens.cache_read * calls,
                tokens.cache_write * calls,
            ],
        )
    }

    fn pace(&self, of: &str, change: impl FnOnce(&mut Pace)) -> Result<(), Fail> {
        let mut pace = queries::pace(self.db, of)?;
        change(&mut pace);
        let body = serde_json::to_string(&pace).map_err(StoreError::from)?;
        self.execute(PUT_PACE, params![of, body])
    }

    fn breached(&self, breach: &Breach) -> Result<(), Fail> {
        if breach.cause == BreachCause::Pace {
            for of in [breach.run.to_string(), breach.agent.to_string()] {
                self.pace(&of, Pace::reset)?;
            }
        }
        Ok(())
    }

    fn corrected(&self, correction: &Correction) -> Result<(), Fail> {
        let Correction { usage, payer, project, model, tokens, from, to } = correction;
        self.each(payer, |ledger| {
            ledger.correct((from.counted_uusd, from.state), (to.counted_uusd, to.state));
        })?;
        self.execute(
            CORRECT_USAGE,
            params![usage, to.state.as_str(), to.cost_uusd.0, to.counted_uusd.0],
        )?;
        for (calls, cost) in [(-1, from), (1, to)] {
            self.add_to_day(&Line {
                payer,
                project: project.as_deref(),
                model,
                state: cost.state,
                calls,
                cost_uusd: cost.cost_uusd,
                counted_uusd: cost.counted_uusd,
                tokens: *tokens,
            })?;
        }
        Ok(())
    }
}
