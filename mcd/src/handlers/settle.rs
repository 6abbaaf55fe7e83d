//! Settling: what was used is charged, and what was promised for it no longer counts. Late, doubled or
//! after a human's word, each cost counts once.

use mc_core::{
    actor::Actor,
    agent::AgentName,
    budget::{Amount, Cost, Reservation, ReservationStatus, Taken},
    event::Event,
    id::{ReservationId, Seq},
    money::{CostState, MicroUsd, Tokens},
    refusal::Refusal,
    run::{Run, ToolCall},
    task::Task,
};
use mc_proto::method::squad::BudgetRelease;

use super::{
    breach,
    budget::{CAP_LIMIT, charge_of, for_whole_run, give_back, payer},
    input, open_runs, unsettled,
};
use crate::store::{
    Desk,
    queries::{self, Fail},
};

/// What a run has used.
pub(super) struct Used {
    pub(super) model: String,
    pub(super) tokens: Tokens,
    pub(super) cost: Cost,
    pub(super) paid: Paid,
}

impl Used {
    fn amount(&self) -> Amount {
        Amount { uusd: self.cost.counted_uusd, tokens: self.tokens.total() }
    }
}

/// Which promise a usage is paid from.
pub(super) enum Paid {
    /// What was promised for the whole run, where something was.
    FromWhole,
    /// The one that it was made on. A human may have released that before.
    Settles(Box<Reservation>),
    /// None: a human says what was used of one that is released.
    Corrects(ReservationId),
}

/// Records a cost and all that follows from it.
pub(super) fn charge(
    desk: &mut Desk<'_>,
    (agent, run): (&AgentName, Option<&Run>),
    task: Option<&Task>,
    used: Used,
) -> Result<(), Fail> {
    let amount = used.amount();
    let Used { model, tokens, cost, paid } = used;
    let agent = queries::agent(desk.db, agent)?;
    let payer = payer(desk, &agent, run.map(|run| run.id), task)?;
    let is_asked = !matches!(paid, Paid::FromWhole);
    let settled = if let Paid::Settles(row) = &paid { Some(row.clone()) } else { None };
    let taken = match paid {
        Paid::Settles(row) => Some(Taken { reservation: row.id, amount: row.open, settles: true }),
        Paid::Corrects(reservation) => {
            Some(Taken { reservation, amount: Amount::default(), settles: false })
        }
        Paid::FromWhole => {
            let whole = run.map_or(Ok(None), |run| for_whole_run(desk, run.id))?;
            whole.map(|row| Taken {
                reservation: row.id,
                amount: row.open.min(amount),
                settles: false,
            })
        }
    };
    let unasked = match (is_asked, &taken) {
        (true, _) => Amount::default(),
        (false, Some(whole)) => amount.minus(whole.amount),
        (false, None) => amount,
    };
    desk.emit(Event::RunUsed {
        run: payer.run,
        agent: agent.name.clone(),
        task: payer.task,
        model,
        tokens,
        cost_uusd: cost.cost_uusd,
        cost_state: cost.state,
        day: payer.day.clone(),
        charge: Box::new(charge_of(
            &payer,
            task.and_then(|task| task.project.as_ref()),
            cost,
            taken,
        )),
    })?;
    if let Some(row) = settled {
        unsettled::is_over(desk, &row, "it was settled")?;
        if let Some(said) = row.usage {
            takes_the_place_of(desk, said, cost)?;
        }
    }
    let agent = queries::agent(desk.db, &agent.name)?;
    breach::after_cost(desk, &agent, &payer)?;
    open_runs::cover(desk, &agent, &payer, unasked)
}

/// A report that comes after a human has said what was used: together they count as much as the
/// higher of both. A report never lowers what a human has said.
fn takes_the_place_of(desk: &mut Desk<'_>, said: Seq, late: Cost) -> Result<(), Fail> {
    let Some(mut correction) = queries::usage_at(desk.db, said)? else { return Ok(()) };
    let rest = correction.from.counted_uusd.minus(late.counted_uusd);
    correction.to = Cost { cost_uusd: rest, counted_uusd: rest, ..correction.from };
    let event = Event::CostCorrected { correction: Box::new(correction) };
    let why = Some("what it was an estimate of has been reported".to_owned());
    desk.emit_as(Actor::system("budgets"), why, event)?;
    Ok(())
}

/// Refuses a promise that no report of a model call of `run` settles.
pub(super) fn is_for_a_model_call(row: &Reservation, run: &Run) -> Result<(), Refusal> {
    let text = if row.payer.run != Some(run.id) {
        format!("{} was not made for a call of {}: name the run that reserved it", row.id, run.id)
    } else if row.whole_run {
        format!("{} is for the whole of {}: report its calls without `reservation`", row.id, run.id)
    } else if let Some(call) = row.call {
        format!("{} is for the tool call {call}: `tool.finish` settles it", row.id)
    } else {
        return Ok(());
    };
    Err(Refusal::forbidden(text))
}

/// Refuses a report on a settled promise, unless it is the one that settled it. What was derived
/// from the same tokens is the same, whatever they cost by now.
pub(super) fn is_the_same(desk: &Desk<'_>, row: &Reservation, now: &Used) -> Result<(), Fail> {
    let known = row.usage.map_or(Ok(None), |seq| queries::usage_at(desk.db, seq))?;
    let is_same = match known {
        Some(known) => {
            let is_priced_here = now.cost.state != CostState::Reported;
            (&known.model, known.tokens) == (&now.model, now.tokens)
                && (is_priced_here || known.from.cost_uusd == now.cost.cost_uusd)
        }
        None => row.used == Some(now.amount()),
    };
    if is_same {
        return Ok(());
    }
    let counts = row.used.unwrap_or_default().uusd;
    let text = format!(
        "{} was settled already, with another amount: {counts} counts. Report what else was used \
         without `reservation`",
        row.id
    );
    Err(Refusal::conflict(text).into())
}

/// How a tool call ended, as far as money is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallEnd {
    /// It ran, and cost this where that is known.
    Ran(Option<MicroUsd>),
    /// It did not run.
    Dropped,
}

/// Settles what was promised for a tool call that ended: with its cost, or, where nobody knows
/// it, with what was promised. A call that did not run gives its promise back.
pub(super) fn settle_call(desk: &mut Desk<'_>, call: &ToolCall, end: CallEnd) -> Result<(), Fail> {
    let promised = queries::reservation_for(desk.db, call.id)?;
    let open = promised.as_ref().filter(|row| row.status == ReservationStatus::Open);
    let CallEnd::Ran(cost) = end else {
        return open.map_or(Ok(()), |row| give_back(desk, row));
    };
    let (cost, state) = match (cost, open) {
        (Some(cost), _) => (cost, CostState::Reported),
        (None, Some(row)) => (row.open.uusd, CostState::Derived),
        // Where a human has released the promise, that is the last word on it.
        (None, None) => return Ok(()),
    };
    let run = call.run.map(|id| queries::run(desk.db, id)).transpose()?;
    let task = call.task.map(|id| queries::task(desk.db, id)).transpose()?;
    let used = Used {
        model: format!("tool:{}", call.tool),
        tokens: Tokens::default(),
        cost: Cost { cost_uusd: cost, counted_uusd: cost, state },
        paid: promised.map_or(Paid::FromWhole, |row| Paid::Settles(Box::new(row))),
    };
    charge(desk, (&call.agent, run.as_ref()), task.as_ref(), used)
}

/// `budget.release`
///
/// # Errors
///
/// `not_found`, `conflict` when it was settled already, `invalid_params`.
pub fn release(desk: &mut Desk<'_>, params: &BudgetRelease) -> Result<Reservation, Fail> {
    let row = queries::reservation(desk.db, params.reservation)?;
    let reason = input::reason(&params.reason)?;
    if row.status != ReservationStatus::Open {
        let how = match row.status {
            ReservationStatus::Open | ReservationStatus::Settled => "settled",
            ReservationStatus::Released => "released",
        };
        let text = format!("{} was {how} already: nothing of it is reserved any more", row.id);
        return Err(Refusal::conflict(text).into());
    }
    let spent = params.spent_uusd.unwrap_or_default();
    if !(0..=CAP_LIMIT).contains(&spent.0) {
        let text = format!("must be 0 to {CAP_LIMIT} micro-dollars");
        return Err(Refusal::invalid("spent_uusd", text).into());
    }
    let (agent, task) = (row.payer.agent.clone(), row.payer.task);
    desk.emit_because(&reason, Event::BudgetReleased { reservation: row.id, agent, task })?;
    unsettled::is_over(desk, &row, &reason)?;
    if spent > MicroUsd::ZERO {
        let run = row.payer.run.map(|id| queries::run(desk.db, id)).transpose()?;
        let task = row.payer.task.map(|id| queries::task(desk.db, id)).transpose()?;
        let cost = Cost { cost_uusd: spent, counted_uusd: spent, state: CostState::Reported };
        let used = Used {
            // It is a person's word, and no model's cost.
            model: String::new(),
            tokens: Tokens::default(),
            cost,
            paid: Paid::Corrects(row.id),
        };
        charge(desk, (&row.payer.agent, run.as_ref()), task.as_ref(), used)?;
    }
    queries::reservation(desk.db, row.id)
}
