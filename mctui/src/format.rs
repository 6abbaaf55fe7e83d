//! Times, ages and money as they stand on the screen. No age is ever negative.

use std::time::Duration;

pub use mc_core::money::shown as money;
use mc_core::{money::MicroUsd, time::Timestamp};

/// Returns an age in at most five characters: `now`, `3m`, `1h04`, `2d3h`.
pub fn age(span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    match minutes {
        0 => "now".to_owned(),
        1..60 => format!("{minutes}m"),
        60..1440 => format!("{}h{:02}", minutes / 60, minutes % 60),
        _ => format!("{}d{}h", minutes / 1440, minutes / 60 % 24),
    }
}

/// Returns the time left: `04:12` in the last ten minutes, `22m` and `3h10` before; at zero
/// `expiring…`, until the daemon says that it is over.
pub fn left(now: Timestamp, until: Timestamp) -> String {
    let span = until.since(now);
    match span.as_secs() {
        0 => "expiring…".to_owned(),
        seconds @ 1..600 => format!("{:02}:{:02}", seconds / 60, seconds % 60),
        _ => age(span),
    }
}

/// Says whether [`left`] changes every second.
pub fn counts_seconds(now: Timestamp, until: Timestamp) -> bool {
    (1..=600).contains(&until.since(now).as_secs())
}

/// Returns the UTC time of day, `14:02:11`.
pub fn clock(at: Timestamp) -> String {
    let seconds = at.0.div_euclid(1000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Returns the UTC time of day, with the day where it is another one than today.
pub fn moment(now: Timestamp, at: Timestamp) -> String {
    let day = |at: Timestamp| at.0.div_euclid(86_400_000);
    if day(now) == day(at) {
        return clock(at);
    }
    let date: String = at.to_string().chars().take(10).collect();
    format!("{date} {}", minute(at))
}

/// Returns the UTC time of day without seconds, `14:02`.
pub fn minute(at: Timestamp) -> String {
    clock(at).chars().take(5).collect()
}

/// Returns `spent` of `cap` in percent; `None` without a cap.
pub fn percent(spent: MicroUsd, cap: MicroUsd) -> Option<i64> {
    (cap.0 > 0).then(|| spent.0.saturating_mul(100) / cap.0)
}

/// Returns a number of tokens in at most five characters: `812`, `9.4k`, `231k`, `1.9M`.
pub fn tokens(count: i64) -> String {
    let of = |unit: i64, name: char| {
        let tenths = count / (unit / 10);
        if tenths < 100 {
            format!("{}.{}{name}", tenths / 10, tenths % 10)
        } else {
            format!("{}{name}", count / unit)
        }
    };
    match count {
        ..1_000 => count.to_string(),
        1_000..1_000_000 => of(1_000, 'k'),
        1_000_000..1_000_000_000 => of(1_000_000, 'M'),
        _ => of(1_000_000_000, 'G'),
    }
}

/// Returns ten parts of which as many are full as `percent` says.
pub fn meter(percent: Option<i64>) -> String {
    let full = usize::try_from(percent.unwrap_or(0).clamp(0, 100) / 10).unwrap_or(0);
    format!("{}{}", "▓".repeat(full), "░".repeat(10 - full))
}

/// Returns amounts as bars of eight heights; nothing spent is the lowest.
pub fn spark(amounts: &[MicroUsd]) -> String {
    const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    let most = amounts.iter().map(|amount| amount.0).max().unwrap_or(0).max(1);
    let bar = |amount: &MicroUsd| {
        let height = i128::from(amount.0.max(0)) * 7 / i128::from(most);
        BARS.get(usize::try_from(height).unwrap_or(0)).copied().unwrap_or("█")
    };
    amounts.iter().map(bar).collect()
}

/// Returns the first and last characters of a digest, `7f3a…c2`.
pub fn short_digest(digest: &str) -> String {
    let head: String = digest.chars().take(4).collect();
    let tail: Vec<char> = digest.chars().rev().take(2).collect();
    format!("{head}…{}", tail.into_iter().rev().collect::<String>())
}

/// Returns `count` as a coordinate.
pub fn short(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use mc_core::money::CostState;

    use super::*;

    #[test]
    fn ages_are_short_and_never_negative() {
        for (seconds, shown) in
            [(0, "now"), (59, "now"), (60, "1m"), (3_840, "1h04"), (183_600, "2d3h")]
        {
            assert_eq!(age(Duration::from_secs(seconds)), shown);
        }
        assert_eq!(left(Timestamp(9_000), Timestamp(1_000)), "expiring…");
        assert_eq!(left(Timestamp(0), Timestamp(252_000)), "04:12");
        assert_eq!(clock(Timestamp(-1_000)), "23:59:59");
        assert_eq!(moment(Timestamp(0), Timestamp(1_000)), "00:00:01");
        assert_eq!(moment(Timestamp(0), Timestamp(86_400_000)), "1970-01-02 00:00");
    }

    #[test]
    fn tokens_are_short_and_bars_stay_within_their_heights() {
        let shown = [0, 999, 1_000, 9_450, 231_400, 1_900_000, 12_000_000_000].map(tokens);
        assert_eq!(shown, ["0", "999", "1.0k", "9.4k", "231k", "1.9M", "12G"]);
        assert_eq!(spark(&[MicroUsd(0), MicroUsd(7), MicroUsd(14)]), "▁▄█");
        assert_eq!(spark(&[]), "");
        assert_eq!(meter(Some(112)), "▓▓▓▓▓▓▓▓▓▓");
    }

    #[test]
    fn what_has_no_price_is_no_zero() {
        assert_eq!(money(MicroUsd(0), Some(CostState::Unpriced)), "?");
        assert_eq!(money(MicroUsd::cents(184), Some(CostState::Unpriced)), "$1.84+?");
        assert_eq!(percent(MicroUsd(5), MicroUsd(0)), None);
    }
}
