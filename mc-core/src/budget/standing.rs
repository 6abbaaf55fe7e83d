//! How a run stands with the caps above it: whether what it wants fits, and whether it is over.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, Ledger, ScopeKey};
use crate::money::{self, MicroUsd};

/// The caps of one scope; `None` is no cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Caps {
    /// In money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uusd: Option<MicroUsd>,
    /// In tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<i64>,
}

/// One scope that a run spends from, as it stands for this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub key: ScopeKey,
    /// Its caps, with what was granted on top.
    pub caps: Caps,
    /// What it has spent and promised.
    pub ledger: Ledger,
    /// What of the promised is the run's own, for the whole run: it spends from that first.
    pub own: Amount,
}

/// Why something does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// The scope that is short.
    pub key: ScopeKey,
    /// Whether it would fit if nothing were promised to others: then waiting helps.
    pub waits: bool,
    /// In one sentence.
    pub text: String,
}

impl Standing {
    /// Returns what the scope has spent and promised to others than this run.
    fn taken(&self) -> Amount {
        self.ledger.spent + self.ledger.reserved.minus(self.own)
    }

    /// Returns what the run may still spend here; `None` in a measure without a cap.
    pub fn left(&self) -> Caps {
        let taken = self.taken();
        Caps {
            uusd: self.caps.uusd.map(|cap| cap.minus(taken.uusd)),
            tokens: self.caps.tokens.map(|cap| cap.saturating_sub(taken.tokens).max(0)),
        }
    }

    /// Returns the highest share that is spent, in percent; 0 without a cap.
    pub fn percent(&self) -> i64 {
        let share = |spent: i64, cap: i64| spent.saturating_mul(100) / cap.max(1);
        let money = self.caps.uusd.map_or(0, |cap| share(self.ledger.spent.uusd.0, cap.0));
        let tokens = self.caps.tokens.map_or(0, |cap| share(self.ledger.spent.tokens, cap));
        money.max(tokens)
    }

    /// Says why `want` does not fit here.
    fn short(&self, want: Amount) -> Option<Shortage> {
        let taken = self.taken();
        let over = |have: Amount| {
            self.caps.uusd.is_some_and(|cap| have.uusd + want.uusd > cap || have.uusd >= cap)
                || self.caps.tokens.is_some_and(|cap| {
                    have.tokens.saturating_add(want.tokens) > cap || have.tokens >= cap
                })
        };
        let waits = !over(self.ledger.spent);
        over(taken).then(|| Shortage { key: self.key.clone(), waits, text: self.sentence(want) })
    }

    /// Says how the scope stands, and what was wanted beyond.
    pub fn sentence(&self, want: Amount) -> String {
        let Self { caps, ledger, .. } = self;
        let (spent, words) = (ledger.spent, self.key.words());
        let others = ledger.reserved.minus(self.own);
        let reach = spent + others + want;
        match *caps {
            Caps { uusd: Some(cap), tokens } if reach.uusd >= cap || tokens.is_none() => {
                let promised =
                    (others.uusd.0 > 0).then(|| format!(", {} more is reserved", others.uusd));
                let wanted =
                    (want.uusd.0 > 0).then(|| format!(", and this may cost {}", want.uusd));
                let rest: String = promised.into_iter().chain(wanted).collect();
                let spent = money::counted(spent.uusd, ledger.unpriced_uusd);
                format!("{words} has spent {spent} of {cap}{rest}")
            }
            Caps { tokens: Some(cap), .. } => {
                let promised =
                    (others.tokens > 0).then(|| format!(", {} more are reserved", others.tokens));
                let wanted =
                    (want.tokens > 0).then(|| format!(", and this may take {}", want.tokens));
                let rest: String = promised.into_iter().chain(wanted).collect();
                format!("{words} has used {} of {cap} tokens{rest}", spent.tokens)
            }
            Caps { .. } => format!("{words} has no cap"),
        }
    }
}

/// Says whether `want` fits into every scope together.
///
/// # Errors
///
/// The first scope that is short, smallest first.
pub fn fit(standings: &[Standing], want: Amount) -> Result<(), Shortage> {
    standings.iter().find_map(|one| one.short(want)).map_or(Ok(()), Err)
}

/// Returns the first scope in which the run may spend nothing more.
pub fn over(standings: &[Standing]) -> Option<(&Standing, Shortage)> {
    standings.iter().find_map(|one| Some((one, one.short(Amount::default())?)))
}

/// Returns what the run may still spend in the tightest scope; `None` in a measure without a cap.
pub fn left(standings: &[Standing]) -> Caps {
    let tightest = |a: Option<i64>, b: Option<i64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    standings.iter().map(Standing::left).fold(Caps::default(), |all, one| Caps {
        uusd: tightest(all.uusd.map(|cap| cap.0), one.uusd.map(|cap| cap.0)).map(MicroUsd),
        tokens: tightest(all.tokens, one.tokens),
    })
}

#[cfg(test)]
mod tests {
    use super::{super::Scope, *};

    fn standing(cap: i64, (spent, reserved, own): (i64, i64, i64)) -> Standing {
        let money = |uusd| Amount { uusd: MicroUsd(uusd), tokens: 0 };
        Standing {
            key: ScopeKey { scope: Scope::SquadDay, of: "2026-11-25".into() },
            caps: Caps { uusd: Some(MicroUsd(cap)), tokens: None },
            ledger: Ledger { spent: money(spent), reserved: money(reserved), ..Ledger::default() },
            own: money(own),
        }
    }

    fn want(uusd: i64) -> Amount {
        Amount { uusd: MicroUsd(uusd), tokens: 0 }
    }

    #[test]
    fn what_is_spent_and_promised_never_passes_the_cap() {
        for (cap, stand, wanted, fits) in [
            (100, (0, 0, 0), 100, true),
            (100, (0, 0, 0), 101, false),
            (100, (40, 40, 0), 20, true),
            (100, (40, 40, 0), 21, false),
            (100, (40, 60, 60), 60, true),
            (100, (100, 0, 0), 0, false),
            (0, (0, 0, 0), 0, false),
        ] {
            let all = [standing(cap, stand)];
            assert_eq!(fit(&all, want(wanted)).is_ok(), fits, "{cap} {stand:?} {wanted}");
        }
    }

    #[test]
    fn a_breach_says_what_of_it_has_no_price() {
        let mut one = standing(1_000_000, (470_000, 0, 0));
        one.ledger.unpriced_uusd = MicroUsd(200_000);
        let text = one.sentence(Amount::default());
        assert!(text.ends_with("has spent $0.27 + at most $0.20 unpriced of $1.00"), "{text}");
    }

    #[test]
    fn a_run_is_over_when_the_rest_is_promised_to_others() {
        assert!(over(&[standing(100, (40, 60, 60))]).is_none(), "its own promise is its to spend");
        let shortage = over(&[standing(100, (40, 60, 0))]).unwrap().1;
        assert!(shortage.waits, "{shortage:?}");
        assert!(!over(&[standing(100, (100, 60, 60))]).unwrap().1.waits);
    }

    #[test]
    fn the_tightest_scope_says_what_is_left() {
        let all = [standing(100, (40, 0, 0)), standing(50, (45, 0, 0))];
        assert_eq!(left(&all).uusd, Some(MicroUsd(5)));
        assert_eq!(left(&[]), Caps::default());
    }

    #[test]
    fn tokens_are_capped_like_money() {
        let mut one = standing(100, (0, 0, 0));
        one.caps = Caps { uusd: None, tokens: Some(1000) };
        one.ledger.spent.tokens = 900;
        assert!(fit(std::slice::from_ref(&one), Amount { tokens: 100, ..want(9) }).is_ok());
        let short = fit(std::slice::from_ref(&one), Amount { tokens: 101, ..want(9) }).unwrap_err();
        assert!(short.text.contains("900 of 1000 tokens"), "{}", short.text);
        assert_eq!(one.percent(), 90);
    }
}
