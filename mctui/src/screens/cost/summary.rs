//! What stands above the groups: the day against its cap, its end, and how well all that is known.

use mc_core::{
    budget::{Reservation, Scope},
    money::MicroUsd,
    time::Timestamp,
};
use mc_proto::method::cost::Forecasted;

use super::rows::of_budget;
use crate::{
    format::{clock, minute, money, spark, tokens},
    request::Costs,
    scene::Scene,
    theme::Token,
    widgets::{Line, Shape, Tall},
};

/// A day, in hundredths of a percent of itself.
const WHOLE: i64 = 10_000;
const DAY_MS: i64 = 86_400_000;
/// After this time the numbers say when they were told, in milliseconds.
const OLD_MS: i64 = 10_000;

/// Returns the lines; `shown` is the day that the rows are of.
pub(super) fn lines(
    known: &Costs,
    (shown, as_of): (&str, Timestamp),
    scene: &Scene,
    shape: Shape,
) -> Vec<Line> {
    let is_today = shown == known.forecast.day;
    let mut lines = if is_today {
        vec![today(known), end_of_day(&known.forecast, scene), month(known)]
    } else {
        let total = &known.tasks.total;
        let spent = money(total.cost_uusd, total.state());
        let words = format!(" {shown}: {spent}, {} tokens", tokens(total.tokens));
        let today = format!("   today {}; l goes there", known.forecast.spent_uusd);
        vec![Line::new().own(Token::Strong, words).own(Token::Dim, today)]
    };
    lines.push(how_known(known));
    let last = lines.len() - 1;
    if scene.time().0 - as_of.0 > OLD_MS
        && let Some(first) = lines.first_mut()
    {
        *first = std::mem::take(first).own(Token::Stale, format!("  as of {}", clock(as_of)));
    }
    match shape.tall {
        Tall::Tiny => lines.truncate(1),
        Tall::Low => {
            lines.truncate(2);
        }
        Tall::Middle | Tall::High => debug_assert!(last < 4, "at most four lines"),
    }
    lines
}

fn today(known: &Costs) -> Line {
    let day = known.budgets.budgets.iter().find(|one| one.scope == Scope::SquadDay);
    let forecast = &known.forecast;
    let spent = money(known.tasks.total.cost_uusd, known.tasks.total.state());
    let line = Line::new().own(Token::Strong, " Today ").own(Token::Money, spent);
    let line = day.map_or(line.clone(), |day| line.then(of_budget(day)));
    let hours = i128::from(forecast.elapsed) * 24;
    if hours == 0 {
        return line;
    }
    let rate = i128::from(forecast.spent_uusd.0) * i128::from(WHOLE) / hours;
    let rate = MicroUsd(i64::try_from(rate).unwrap_or(i64::MAX));
    line.own(Token::Dim, format!("  mean {rate}/h"))
}

/// Where the day will end, and when the cap would be reached.
fn end_of_day(forecast: &Forecasted, scene: &Scene) -> Line {
    let Some(end) = forecast.forecast_uusd else {
        return Line::new().own(Token::Dim, " end of day: ? (nothing was spent yet)");
    };
    let line = Line::new().own(Token::Fg, format!(" end of day about {end}"));
    match forecast.cap_uusd {
        Some(cap) if forecast.spent_uusd >= cap => line.own(Token::Crit, ", OVER already"),
        Some(cap) if end > cap => {
            let rest = DAY_MS * (WHOLE - forecast.elapsed.clamp(0, WHOLE)) / WHOLE;
            let part = i128::from(cap.0 - forecast.spent_uusd.0) * i128::from(rest)
                / i128::from((end.0 - forecast.spent_uusd.0).max(1));
            let at = Timestamp(scene.time().0 + i64::try_from(part).unwrap_or(rest));
            line.own(Token::Crit, format!(", OVER the cap of {cap} at about {} UTC", minute(at)))
        }
        Some(cap) => line.own(Token::Dim, format!(", the cap is {cap}")),
        None => line.own(Token::Dim, ", no cap"),
    }
}

fn month(known: &Costs) -> Line {
    let budgets = &known.budgets;
    let line = Line::new();
    let line = match budgets.budgets.iter().find(|one| one.scope == Scope::SquadMonth) {
        Some(month) => line
            .own(Token::Fg, " Month ")
            .own(Token::Money, money(month.spent_uusd.minus(month.unpriced_uusd), month.state))
            .then(of_budget(month)),
        None => line,
    };
    let line = line.then(open(&budgets.reservations));
    let forecast = &known.forecast;
    let days: Vec<MicroUsd> = forecast.days.iter().map(|day| day.uusd).collect();
    let trend = forecast.trend_percent.map(|trend| format!(", {trend:+}%")).unwrap_or_default();
    let week = format!("  14 days {}  mean {} a day{trend}", spark(&days), forecast.mean_uusd);
    line.own(Token::Dim, week)
}

/// How many reservations are open; those that an alert says nobody settles stand out.
fn open(all: &[Reservation]) -> Line {
    let line = Line::new();
    let left = all.iter().filter(|one| one.alert.is_some()).count();
    match (all.len(), left) {
        (0, _) => line,
        (count, 0) => line.own(Token::Pending, format!(" · {count} open")),
        (count, left) => line.own(Token::Warn, format!(" · {left} of {count} left behind")),
    }
}

/// How much of the money is known in which way, and how much is attributed.
fn how_known(known: &Costs) -> Line {
    let total = &known.tasks.total;
    let share = known
        .tasks
        .attributed
        .map_or_else(|| "?".to_owned(), |share| format!("{}.{}%", share / 100, share % 100 / 10));
    let mut line = Line::new().own(Token::Dim, format!(" attributed {share}"));
    for (state, sum) in &total.states {
        let used = tokens(sum.tokens);
        let (token, words) = match state.as_str() {
            "unpriced" => {
                (Token::Warn, format!(" · unpriced ? ({used} tokens, counts as {})", sum.uusd))
            }
            "free" | "subscription" => (Token::Dim, format!(" · {state} ({used} tokens)")),
            _ => (Token::Dim, format!(" · {} {}", crate::text::line(state).as_str(), sum.uusd)),
        };
        line = line.own(token, words);
    }
    line
}
