//! Money: USD in integer micro-dollars, so that sums are exact.

use std::{fmt, iter::Sum, ops::Add};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An amount in micro-dollars: 1,000,000 is one dollar.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct MicroUsd(pub i64);

impl MicroUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Returns the amount of `cents`.
    pub const fn cents(cents: i64) -> Self {
        Self(cents * 10_000)
    }

    /// Returns what is left of this amount after `spent`; never below zero.
    #[must_use]
    pub fn minus(self, spent: Self) -> Self {
        Self(self.0.saturating_sub(spent.0).max(0))
    }
}

/// Returns an amount for people, as it is known. Where `$0.00` would lie a word stands: `?` for what
/// has no known price, `free`, and `sub` for what a subscription covers.
pub fn shown(amount: MicroUsd, known: Option<CostState>) -> String {
    match (amount.0, known) {
        (0, Some(CostState::Unpriced)) => "?".to_owned(),
        (_, Some(CostState::Unpriced)) => format!("{amount}+?"),
        (0, Some(CostState::Free)) => "free".to_owned(),
        (0, Some(CostState::Subscription)) => "sub".to_owned(),
        (_, _) => amount.to_string(),
    }
}

/// Returns an amount with what budgets count for models without a price, at the dearest rate.
pub fn at_most(priced: MicroUsd, counted: MicroUsd) -> String {
    if priced.0 == 0 {
        format!("? (at most {counted} unpriced)")
    } else {
        format!("{priced} + at most {counted} unpriced")
    }
}

/// Returns what budgets count, of which `unpriced` has no price: the sum, or its two parts.
pub fn counted(sum: MicroUsd, unpriced: MicroUsd) -> String {
    if unpriced.0 > 0 { at_most(sum.minus(unpriced), unpriced) } else { sum.to_string() }
}

impl Add for MicroUsd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for MicroUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for MicroUsd {
    /// Dollars with two decimals, with four below ten cents: `$12.40`, `$0.0173`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let micros = self.0.unsigned_abs();
        if micros == 0 || micros >= 100_000 {
            let cents = (micros + 5_000) / 10_000;
            write!(f, "{sign}${}.{:02}", cents / 100, cents % 100)
        } else {
            write!(f, "{sign}$0.{:04}", (micros + 50) / 100)
        }
    }
}

/// How an amount is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CostState {
    /// The runtime said so.
    #[default]
    Reported,
    /// Tokens times the price table.
    Derived,
    /// No price is known: shown as `?`, never as 0.
    Unpriced,
    /// Costs nothing.
    Free,
    /// Covered by a subscription.
    Subscription,
}

impl CostState {
    /// Every state there is, the most certain first.
    pub const ALL: [Self; 5] =
        [Self::Free, Self::Subscription, Self::Reported, Self::Derived, Self::Unpriced];

    /// Returns the state that has this word on the wire.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Returns how uncertain a cost is; of several the least certain counts.
    pub const fn doubt(self) -> u8 {
        match self {
            Self::Free => 0,
            Self::Subscription => 1,
            Self::Reported => 2,
            Self::Derived => 3,
            Self::Unpriced => 4,
        }
    }

    /// Returns the less certain of what is `known` so far and this one.
    #[must_use]
    pub const fn or_worse(self, known: Option<Self>) -> Self {
        match known {
            Some(known) if known.doubt() >= self.doubt() => known,
            Some(_) | None => self,
        }
    }

    /// Returns the word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Subscription => "subscription",
            Self::Reported => "reported",
            Self::Derived => "derived",
            Self::Unpriced => "unpriced",
        }
    }
}

/// What a model call used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Tokens {
    /// Tokens of the prompt that were not cached.
    #[serde(default)]
    pub input: i64,
    /// Tokens that the model wrote.
    #[serde(default)]
    pub output: i64,
    /// Prompt tokens read from the provider's cache.
    #[serde(default)]
    pub cache_read: i64,
    /// Prompt tokens written to the provider's cache.
    #[serde(default)]
    pub cache_write: i64,
}

impl Tokens {
    /// Returns all tokens together.
    pub fn total(self) -> i64 {
        [self.input, self.output, self.cache_read, self.cache_write]
            .into_iter()
            .fold(0, i64::saturating_add)
    }
}

impl Add for Tokens {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write: self.cache_write.saturating_add(other.cache_write),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_in_dollars() {
        for (micros, shown) in [
            (0, "$0.00"),
            (17_300, "$0.0173"),
            (100_000, "$0.10"),
            (1_840_000, "$1.84"),
            (12_404_999, "$12.40"),
            (-2_000_000, "-$2.00"),
        ] {
            assert_eq!(MicroUsd(micros).to_string(), shown);
        }
    }

    #[test]
    fn zero_is_shown_only_where_nothing_was_used_or_zero_was_said() {
        let (nothing, some) = (MicroUsd::ZERO, MicroUsd::cents(27));
        for (known, zero, more) in [
            (None, "$0.00", "$0.27"),
            (Some(CostState::Free), "free", "$0.27"),
            (Some(CostState::Subscription), "sub", "$0.27"),
            (Some(CostState::Reported), "$0.00", "$0.27"),
            (Some(CostState::Derived), "$0.00", "$0.27"),
            (Some(CostState::Unpriced), "?", "$0.27+?"),
        ] {
            assert_eq!((shown(nothing, known), shown(some, known)), (zero.into(), more.into()));
        }
        let dearest = MicroUsd::cents(20);
        assert_eq!(counted(some + dearest, dearest), "$0.27 + at most $0.20 unpriced");
        assert_eq!(counted(dearest, dearest), "? (at most $0.20 unpriced)");
        assert_eq!(counted(some, nothing), "$0.27");
    }

    #[test]
    fn what_is_left_is_never_negative() {
        assert_eq!(MicroUsd(5).minus(MicroUsd(9)), MicroUsd::ZERO);
        assert_eq!(MicroUsd(i64::MAX) + MicroUsd(1), MicroUsd(i64::MAX));
    }
}
