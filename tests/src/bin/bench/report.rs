//! How figures are written down: the value, its unit, the aim, and whether it was met.

use std::{fs, time::Duration};

use mc_tests::percentile;
use serde_json::{Value, json};

/// Returns a duration in milliseconds.
pub(crate) fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// A figure of which less is better.
pub(crate) fn at_most(value: f64, unit: &str, aim: f64) -> Value {
    json!({"value": value, "unit": unit, "aim": format!("<= {aim}"), "met": value <= aim})
}

/// A figure of which more is better.
pub(crate) fn at_least(value: f64, unit: &str, aim: f64) -> Value {
    json!({"value": value, "unit": unit, "aim": format!(">= {aim}"), "met": value >= aim})
}

/// A figure without an aim.
pub(crate) fn plain(value: f64, unit: &str) -> Value {
    json!({"value": value, "unit": unit})
}

/// Returns p50, p99 and the largest of `times` in milliseconds.
pub(crate) fn spread(times: &mut [Duration]) -> Value {
    json!({
        "p50_ms": ms(percentile(times, 0.5)),
        "p99_ms": ms(percentile(times, 0.99)),
        "max_ms": ms(percentile(times, 1.0)),
        "samples": times.len(),
    })
}

/// Says what the figures were measured on.
pub(crate) fn machine() -> Value {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    json!({
        "cores": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "cpu": model.trim_start_matches([' ', '\t', ':']),
        "load_at_start": load.split(' ').next().unwrap_or_default(),
        "sqlite": rusqlite::version(),
    })
}
