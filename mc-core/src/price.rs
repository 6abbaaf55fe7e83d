//! Prices: what a model call costs, and how that is known.
//!
//! A table is a list of rows, each with its source and date. Rates are micro-dollars per million
//! tokens. What no row knows is unpriced: it is shown as `?` and counts for budgets at the dearest
//! rates that are known.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    agent::{AgentName, Runtime},
    budget::Cost,
    money::{CostState, MicroUsd, Tokens},
    refusal::FieldError,
};

/// The highest rate that a table may have: a million dollars for a million tokens.
const HIGHEST: i64 = 1_000_000_000_000;
/// What runtimes call the providers that the table knows by another name.
const ALIASES: &[(&str, &str)] = &[
    ("gemini", "google"),
    ("google-gemini", "google"),
    ("google-gemini-cli", "google"),
    ("google-vertex", "google"),
    ("openai-codex", "openai"),
    ("azure", "openai"),
    ("xai", "x-ai"),
    ("z-ai", "zai"),
    ("moonshot", "moonshotai"),
    ("claude-cli", "anthropic"),
];

/// A price file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PriceDoc {
    /// Its rows.
    pub price: Vec<Price>,
}

/// How the use of a model is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Billing {
    /// By tokens.
    #[default]
    Tokens,
    /// Not at all.
    Free,
    /// By a subscription: no money counts, tokens do.
    Subscription,
}

/// What models cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Who serves them.
    pub provider: String,
    /// Their names; `*` at the end means any ending.
    pub models: Vec<String>,
    /// Only for these agents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AgentName>,
    /// Only for agents of these runtimes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runtimes: Vec<Runtime>,
    /// How they are paid.
    #[serde(default)]
    pub billing: Billing,
    /// The first day of this price, `YYYY-MM-DD`; without it, it was always so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The rates, where they are paid by tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// The rates of long prompts, shortest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
    /// Where the price comes from.
    pub source: String,
    /// When that was looked at, `YYYY-MM-DD`.
    pub checked: String,
}

/// Micro-dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Of prompt tokens that were not cached.
    pub input: i64,
    /// Of tokens that the model wrote.
    pub output: i64,
    /// Of prompt tokens read from the cache; by default as `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<i64>,
    /// Of prompt tokens written to the cache; by default as `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<i64>,
}

/// The rates above so many prompt tokens, for the whole call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// How many prompt tokens the call must pass.
    pub above: i64,
    /// The rates.
    pub rate: Rate,
}

impl Rate {
    /// Returns what `tokens` cost, rounded up once.
    pub fn of(self, tokens: Tokens) -> MicroUsd {
        let part = |count: i64, rate: i64| i128::from(count) * i128::from(rate);
        let millionths = part(tokens.input, self.input)
            + part(tokens.output, self.output)
            + part(tokens.cache_read, self.cache_read.unwrap_or(self.input))
            + part(tokens.cache_write, self.cache_write.unwrap_or(self.input));
        let micros = (millionths + 999_999).div_euclid(1_000_000);
        MicroUsd(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    /// Returns the dearer of both, kind by kind.
    fn dearest(self, other: Self) -> Self {
        let cached = |rate: Self| {
            (rate.cache_read.unwrap_or(rate.input), rate.cache_write.unwrap_or(rate.input))
        };
        let ((read, write), (other_read, other_write)) = (cached(self), cached(other));
        Self {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            cache_read: Some(read.max(other_read)),
            cache_write: Some(write.max(other_write)),
        }
    }

    fn all(self) -> [i64; 4] {
        [self.input, self.output, self.cache_read.unwrap_or(0), self.cache_write.unwrap_or(0)]
    }
}

impl Price {
    /// Returns what `tokens` cost; `None` when they are not paid by tokens.
    fn of(&self, tokens: Tokens) -> Option<MicroUsd> {
        let prompt =
            tokens.input.saturating_add(tokens.cache_read).saturating_add(tokens.cache_write);
        let tier = self.tiers.iter().rev().find(|tier| prompt > tier.above);
        Some(tier.map_or(self.rate?, |tier| tier.rate).of(tokens))
    }

    /// Returns how well the row fits; longer names and later days fit better.
    fn fits(&self, ask: &Ask<'_>, names: &Names) -> Option<(usize, &str)> {
        let is_for = (self.agents.is_empty() || self.agents.iter().any(|a| a == ask.agent))
            && (self.runtimes.is_empty() || self.runtimes.contains(&ask.runtime));
        if is_for { self.best_name(names, ask.day) } else { None }
    }

    /// Returns the longest rule that means the model, and since when the price is good.
    fn best_name(&self, names: &Names, day: &str) -> Option<(usize, &str)> {
        let since = self.since.as_deref().unwrap_or_default();
        let name = names.for_provider(&self.provider).filter(|_| since <= day)?;
        // A name without a provider is not any provider's: only a row for some agents may say so.
        let is_for_some = !self.agents.is_empty() || !self.runtimes.is_empty();
        let takes_all = names.whole.contains('/') || is_for_some;
        let rules = self.models.iter().filter(|rule| *rule != "*" || takes_all);
        let longest = rules.filter(|rule| is_named(rule, name)).map(String::len).max();
        Some((longest?, since))
    }
}

fn is_named(rule: &str, name: &str) -> bool {
    match rule.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == rule,
    }
}

/// The ways to read a model's name: `openrouter/anthropic/claude-x` is also `anthropic`'s.
struct Names {
    whole: String,
}

impl Names {
    fn new(model: &str) -> Self {
        Self { whole: model.trim().to_lowercase() }
    }

    /// Returns the model's name as this provider has it; a name without one is anybody's.
    fn for_provider(&self, provider: &str) -> Option<&str> {
        if !self.whole.contains('/') {
            return Some(&self.whole);
        }
        let mut rest = self.whole.as_str();
        while let Some((head, tail)) = rest.split_once('/') {
            let alias = ALIASES.iter().find(|(name, _)| *name == head);
            if head == provider || alias.is_some_and(|(_, known)| *known == provider) {
                return Some(tail);
            }
            rest = tail;
        }
        None
    }
}

/// Whose use of which model.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The model, as the runtime calls it.
    pub model: &'a str,
    /// The agent.
    pub agent: &'a AgentName,
    /// Its runtime.
    pub runtime: Runtime,
    /// The day, `YYYY-MM-DD`.
    pub day: &'a str,
}

/// A table that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PriceTable {
    /// The operator's own rows, which come first.
    own: Vec<Price>,
    /// The rows that came with the program.
    known: Vec<Price>,
    dearest: Rate,
}

impl PriceTable {
    /// Checks two files as a whole and makes a table of them.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, with the name of each field (`price[3].rate.input`).
    pub fn new(own: PriceDoc, known: PriceDoc) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        for (at, price) in own.price.iter().enumerate() {
            check(at, price, &mut errors);
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let rates = own.price.iter().chain(&known.price).flat_map(|price| {
            price.rate.into_iter().chain(price.tiers.iter().map(|tier| tier.rate))
        });
        let dearest = rates.fold(Rate::default(), Rate::dearest);
        Ok(Self { own: own.price, known: known.price, dearest })
    }

    /// Returns the row for a model; the operator's come first.
    pub fn find(&self, ask: &Ask<'_>) -> Option<&Price> {
        let names = Names::new(ask.model);
        let best = |rows: &'_ [Price]| {
            let fitting = rows.iter().enumerate();
            let fitting = fitting.filter_map(|(at, row)| Some((row.fits(ask, &names)?, at)));
            fitting.max().map(|(_, at)| at)
        };
        best(&self.own)
            .and_then(|at| self.own.get(at))
            .or_else(|| best(&self.known).and_then(|at| self.known.get(at)))
    }

    /// Returns the row for a model whoever uses it; rows for some agents alone are left out.
    pub fn find_for_anybody(&self, model: &str, day: &str) -> Option<&Price> {
        let names = Names::new(model);
        let best = |rows: &mut dyn Iterator<Item = &Price>| {
            rows.enumerate()
                .filter(|(_, row)| row.agents.is_empty() && row.runtimes.is_empty())
                .filter_map(|(at, row)| Some((row.best_name(&names, day)?, at)))
                .max()
                .map(|(_, at)| at)
        };
        let own = best(&mut self.own.iter()).and_then(|at| self.own.get(at));
        own.or_else(|| best(&mut self.known.iter()).and_then(|at| self.known.get(at)))
    }

    /// Returns what a use cost, and how that is known.
    ///
    /// What the runtime reports is believed, but not that tokens cost nothing: a runtime that knows no
    /// price says so too.
    pub fn cost(&self, ask: &Ask<'_>, tokens: Tokens, reported: Option<MicroUsd>) -> Cost {
        let exact = |cost_uusd, state| Cost { cost_uusd, counted_uusd: cost_uusd, state };
        let row = self.find(ask);
        match row.map(|row| row.billing) {
            Some(Billing::Free) => return exact(MicroUsd::ZERO, CostState::Free),
            Some(Billing::Subscription) => return exact(MicroUsd::ZERO, CostState::Subscription),
            Some(Billing::Tokens) | None => {}
        }
        let derived = row.and_then(|row| row.of(tokens));
        match (reported, derived) {
            (Some(reported), derived)
                if reported.0 > 0
                    || derived.is_some_and(|cost| cost.0 == 0)
                    || tokens.total() == 0 =>
            {
                exact(reported, CostState::Reported)
            }
            (_, Some(derived)) => exact(derived, CostState::Derived),
            (_, None) => Cost {
                cost_uusd: MicroUsd::ZERO,
                counted_uusd: self.dearest.of(tokens),
                state: CostState::Unpriced,
            },
        }
    }

    /// Returns the dearest rate of each kind of token.
    pub const fn dearest(&self) -> Rate {
        self.dearest
    }

    /// Returns all rows, the operator's first.
    pub fn rows(&self) -> impl Iterator<Item = &Price> {
        self.own.iter().chain(&self.known)
    }

    /// Returns how many rows are the operator's own.
    pub const fn own_rows(&self) -> usize {
        self.own.len()
    }
}

fn check(at: usize, price: &Price, errors: &mut Vec<FieldError>) {
    let mut fail = |field: &str, text: &str| {
        errors.push(FieldError::new(format!("price[{at}].{field}"), text));
    };
    if price.provider.trim().is_empty() || price.provider.to_lowercase() != price.provider {
        fail("provider", "expected a name in small letters");
    }
    let is_bad = |name: &String| name.is_empty() || name.to_lowercase() != *name;
    if price.models.is_empty() || price.models.iter().any(is_bad) {
        fail("models", "expected names in small letters, `*` at the end for any ending");
    }
    for (field, day) in [("since", price.since.as_deref()), ("checked", Some(&*price.checked))] {
        if day.is_some_and(|day| day.parse::<jiff::civil::Date>().is_err() || day.len() != 10) {
            fail(field, "expected a day like 2026-11-25");
        }
    }
    if price.source.trim().is_empty() {
        fail("source", "say where the price comes from");
    }
    if (price.billing == Billing::Tokens) != price.rate.is_some() {
        fail("rate", "is needed where tokens are paid, and only there");
    }
    let mut above = 0;
    for tier in &price.tiers {
        if tier.above <= above || price.rate.is_none() {
            fail("tiers", "expected a rate, and tiers that begin above 0 and rise");
        }
        above = tier.above;
    }
    let rates = price.rate.into_iter().chain(price.tiers.iter().map(|tier| tier.rate));
    if rates.flat_map(Rate::all).any(|rate| !(0..=HIGHEST).contains(&rate)) {
        fail("rate", "expected 0 to 1000000000000 micro-dollars per million tokens");
    }
}
