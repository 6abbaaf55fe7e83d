//! The money, counted once more: what was spent by whom on which day, as it was said and accepted, and
//! what is promised.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::world::World;

/// What the simulation knows of the money.
#[derive(Default)]
pub(crate) struct Ledger {
    /// By agent and day.
    spent: BTreeMap<(&'static str, String), i64>,
    /// The promises that a report has settled: another report on one changes nothing.
    settled: BTreeSet<String>,
    /// The promises that were open when it was looked last.
    open: BTreeSet<String>,
}

impl Ledger {
    /// Notes a cost that was accepted, and the promise that it was reported on.
    pub(crate) fn spend(
        &mut self,
        (who, day): (&'static str, String),
        amount: i64,
        on: Option<&str>,
    ) {
        let is_new = on.is_none_or(|promise| self.settled.insert(promise.to_owned()));
        if is_new {
            *self.spent.entry((who, day)).or_default() += amount;
        }
    }

    fn spent(&self, counts: impl Fn(&str, &str) -> bool) -> i64 {
        let of = self.spent.iter().filter(|((who, day), _)| counts(who, day));
        of.map(|(_, amount)| amount).sum()
    }

    /// Compares every sum with that of the daemon, and looks at each promise that was given since the
    /// last look: in every scope that it counts in there was room for it. A cost that nobody asked for
    /// may pass a cap, and then nothing more is promised.
    pub(crate) fn look(&mut self, world: &World, seed: u64) {
        let all = world.see("budget.get", &json!({}));
        let today = all["day"].as_str().unwrap();
        let promises = all["reservations"].as_array().unwrap();
        let promised = |counts: &dyn Fn(&str, &str) -> bool| -> i64 {
            let text = |one: &Value, field: &str| one[field].as_str().unwrap().to_owned();
            let of = promises.iter().filter(|one| counts(&text(one, "agent"), &text(one, "day")));
            of.map(|one| one["open"]["uusd"].as_i64().unwrap()).sum()
        };
        for budget in all["budgets"].as_array().unwrap() {
            let of = budget["of"].as_str().unwrap();
            let scope = budget["scope"].as_str().unwrap();
            assert!(["agent_day", "squad_day", "squad_month"].contains(&scope), "{budget}");
            let counts = |who: &str, day: &str| match scope {
                "agent_day" => who == of && day == today,
                "squad_day" => day == today,
                _ => day[..7] == today[..7],
            };
            let own = (self.spent(counts), promised(&counts));
            let daemons = (budget["spent_uusd"].as_i64(), budget["reserved_uusd"].as_i64());
            assert_eq!(daemons, (Some(own.0), Some(own.1)), "{budget}, seed {seed}");
        }
        let open = promises.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        for new in promises.iter().filter(|one| !self.open.contains(one["id"].as_str().unwrap())) {
            had_room(world, new, seed);
        }
        self.open = open;
    }
}

/// Looks whether a promise that was just given is within every cap.
fn had_room(world: &World, promise: &Value, seed: u64) {
    let scopes = world.see("budget.get", &json!({"run": promise["run"]}));
    let scopes = scopes["budgets"].as_array().unwrap();
    let has = |scope: &str| scopes.iter().any(|one| one["scope"] == scope);
    assert!(has("run") && has("agent_day") && has("squad_day"), "{scopes:?}");
    assert_eq!(has("task"), promise["task"].is_string(), "{scopes:?}");
    for budget in scopes {
        let of = |field: &str| budget[field].as_i64().unwrap();
        let Some(cap) = budget["cap_uusd"].as_i64() else { continue };
        let held = of("spent_uusd") + of("reserved_uusd");
        assert!(held <= cap, "{held} of {cap} after {promise}: {budget}, seed {seed}");
    }
}
