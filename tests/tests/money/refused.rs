//! What is no amount, comes too late, or is not one's own: an error that names the field and says what
//! is expected, and nothing is changed.

use mc_tests::{Client, Squad};
use serde_json::{Value, json};

use crate::{alerts, cap, counts, reserve, run, settled, squad, standing, usage};

/// Sends parameters as they are written, and returns the error that is answered.
fn refused(client: &mut Client, method: &str, params: &str) -> Value {
    let line = format!(r#"{{"jsonrpc":"2.0","id":77,"method":"{method}","params":{params}}}"#);
    client.send_line(line.as_bytes()).unwrap();
    let frame = client.frame(mc_tests::PATIENCE).unwrap().unwrap();
    assert!(frame["error"].is_object(), "{method} {params} was done: {frame}");
    frame["error"].clone()
}

/// Says that an error is about `field`, and what was expected of it.
fn names(error: &Value, field: &str, expects: &str) {
    let text = error["message"].as_str().unwrap();
    assert!(text.contains(&format!("`{field}`")), "no `{field}` in {error}");
    assert!(text.contains(expects), "no `{expects}` in {error}");
}

/// Returns the number of the newest event.
fn head(human: &mut Client) -> Value {
    human.ok("alert.list", json!({"limit": 1}))["head"].clone()
}

/// A squad with a run of wren that has spent and reserved something.
fn spending() -> (Squad, Client, Client, String, String) {
    let squad = squad(&["wren", "crow"]);
    let (mut human, mut wren) = (squad.human(), squad.agent("wren"));
    let run = run(&mut wren, "");
    wren.ok("run.usage", usage(&run, 200_000));
    let reservation = reserve(&mut wren, &run, 300_000);
    counts(&mut human, &run, 200_000, 300_000);
    (squad, human, wren, run, reservation)
}

/// Numbers that are no amount, and what is said of each.
const NO_AMOUNT: &[(&str, &str)] = &[
    ("-1", "must be 0 to 10000000000 micro-dollars"),
    ("-9223372036854775808", "must be 0 to 10000000000 micro-dollars"),
    ("10000000001", "must be 0 to 10000000000 micro-dollars"),
    ("9223372036854775807", "must be 0 to 10000000000 micro-dollars"),
    ("9223372036854775808", "expected i64"),
    ("1e300", "expected i64"),
    ("1e400", "number out of range"),
    ("-1e400", "number out of range"),
    ("0.5", "expected i64"),
    ("1e3", "expected i64"),
    ("-0.0", "expected i64"),
    ("NaN", "expected value"),
    ("Infinity", "expected value"),
    ("\"12\"", "expected i64"),
    ("[1]", "expected i64"),
    ("true", "expected i64"),
];

#[test]
fn what_is_no_amount_is_refused_by_the_name_of_its_field_and_nothing_is_lost() {
    let (_squad, mut human, mut wren, run, reservation) = spending();
    let before = standing(&mut human, &run);
    let report = format!(r#""run":"{run}","model":"m","input_tokens":10,"output_tokens":5,"#);
    let before_all = head(&mut human);
    for (number, expects) in NO_AMOUNT {
        for (method, field, params) in [
            ("run.usage", "cost_uusd", report.clone()),
            ("run.usage", "cost_uusd", format!(r#"{report}"reservation":"{reservation}","#)),
            ("run.reserve", "amount_uusd", format!(r#""run":"{run}","#)),
            ("run.start", "reserve_uusd", r#""session":"s","#.to_owned()),
            (
                "tool.check",
                "estimated_cost_uusd",
                format!(r#""run":"{run}","tool":"read","arguments":{{"path":"/w/a"}},"#),
            ),
        ] {
            let params = format!("{{{params}\"{field}\":{number}}}");
            let error = refused(&mut wren, method, &params);
            names(&error, field, expects);
        }
    }
    for number in ["-1", "1000000001", "1e400", "0.5", "NaN"] {
        for field in ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"] {
            let rest = ["input_tokens", "output_tokens"].iter().filter(|other| **other != field);
            let rest: Vec<_> = rest.map(|other| format!(r#""{other}":1,"#)).collect();
            let rest = rest.concat();
            let params = format!(r#"{{{rest}"run":"{run}","model":"m","{field}":{number}}}"#);
            names(&refused(&mut wren, "run.usage", &params), field, "");
        }
    }
    for number in ["-1", "1000000000001", "1e400", "0.5", "NaN"] {
        let params =
            format!(r#"{{"scope":"agent_day","of":"wren","cap_uusd":{number},"reason":"r"}}"#);
        names(&refused(&mut human, "budget.set", &params), "cap_uusd", "");
        let params =
            format!(r#"{{"reservation":"{reservation}","spent_uusd":{number},"reason":"r"}}"#);
        names(&refused(&mut human, "budget.release", &params), "spent_uusd", "");
    }
    assert_eq!(standing(&mut human, &run), before);
    assert_eq!(head(&mut human), before_all, "nothing happened");
    wren.ok("run.usage", settled(&run, &reservation, 300_000));
    counts(&mut human, &run, 500_000, 0);
}

#[test]
fn what_is_not_ones_own_is_refused_with_what_to_name_instead() {
    let (squad, mut human, mut wren, run, reservation) = spending();
    let mut crow = squad.agent("crow");
    let own = crate::run(&mut crow, "");
    for (method, params, says) in [
        ("run.usage", usage(&run, 1), "is a run of wren: name one of your own"),
        ("run.usage", settled(&own, &reservation, 1), "name the run that reserved it"),
        ("run.reserve", json!({"run": run, "amount_uusd": 1}), "is a run of wren"),
        ("run.finish", json!({"run": run, "status": "failed"}), "is a run of wren"),
    ] {
        let trouble = crow.refused(method, params);
        assert_eq!(trouble.kind, "forbidden", "{trouble:?}");
        assert!(trouble.message.contains(says), "no `{says}` in {trouble:?}");
    }
    for (method, params) in [
        ("run.usage", usage("R-99", 1)),
        ("run.usage", settled(&run, "B-99", 1)),
        ("run.reserve", json!({"run": "R-99", "amount_uusd": 1})),
    ] {
        let trouble = wren.refused(method, params);
        assert_eq!(trouble.kind, "not_found");
        assert!(trouble.message.contains("-99"), "{trouble:?}");
    }
    let whole = wren.ok("run.start", json!({"session": "other"}));
    let whole = whole["run"].as_str().unwrap().to_owned();
    let trouble = wren.refused("run.usage", settled(&whole, "B-3", 1));
    assert!(trouble.message.contains("report its calls without `reservation`"), "{trouble:?}");
    wren.ok("run.finish", json!({"run": whole, "status": "succeeded"}));
    counts(&mut human, &run, 200_000, 300_000);
}

#[test]
fn a_late_or_double_report_counts_once_and_another_amount_says_which_counts() {
    let (_squad, mut human, mut wren, run, reservation) = spending();
    wren.ok("run.finish", json!({"run": run, "status": "succeeded"}));
    let trouble = wren.refused("run.reserve", json!({"run": run, "amount_uusd": 1}));
    assert!(trouble.message.contains("start a new run"), "{trouble:?}");
    human.ok("budget.release", json!({"reservation": reservation, "reason": "not heard of"}));
    counts(&mut human, &run, 200_000, 0);
    for _ in 0..3 {
        wren.ok("run.usage", settled(&run, &reservation, 250_000));
        counts(&mut human, &run, 450_000, 0);
    }
    let trouble = wren.refused("run.usage", settled(&run, &reservation, 260_000));
    assert_eq!(trouble.kind, "conflict");
    assert!(trouble.message.contains("another amount: $0.25 counts"), "{trouble:?}");
    let release = json!({"reservation": reservation, "reason": "r"});
    assert_eq!(human.refused("budget.release", release).kind, "conflict");
    counts(&mut human, &run, 450_000, 0);
}

#[test]
fn an_unknown_model_is_no_error_shows_no_price_and_counts_dear() {
    let (_squad, mut human, mut wren, run, reservation) = spending();
    let mut report = settled(&run, &reservation, 0);
    report["model"] = "nobody/knows-me".into();
    report["input_tokens"] = 1000.into();
    report.as_object_mut().unwrap().remove("cost_uusd");
    let spent = wren.ok("run.usage", report.clone());
    assert_eq!((&spent["cost_state"], &spent["spent_uusd"]), (&json!("unpriced"), &json!(200_000)));
    let counted = standing(&mut human, &run)[0].1;
    assert!(counted > 200_000 + 1000 * 10, "at the dearest known rate: {counted}");
    wren.ok("run.usage", report);
    counts(&mut human, &run, counted, 0);
}

#[test]
fn a_cap_below_what_is_spent_is_taken_stops_at_once_and_says_so() {
    let (_squad, mut human, mut wren, run, reservation) = spending();
    cap(&mut human, "agent_day", "wren", 100_000);
    let told = alerts(&mut human);
    let text = told.last().unwrap()["text"].as_str().unwrap();
    assert_eq!(
        text,
        "wren's day has spent $0.20 of $0.10, $0.30 more is reserved: nothing more may be spent"
    );
    let answer = wren.ok("run.reserve", json!({"run": run, "amount_uusd": 1}));
    assert_ne!(answer["decision"], "allow", "{answer}");
    let read = json!({"tool": "read", "arguments": {"path": "/w/a"}, "run": run});
    assert_eq!(wren.ok("tool.check", read)["rule"], "budget.day");
    // What was under way is counted all the same, and is the last of it.
    let spent = wren.ok("run.usage", settled(&run, &reservation, 300_000));
    assert_eq!((&spent["state"], &spent["spent_uusd"]), (&json!("stop"), &json!(500_000)));
    counts(&mut human, &run, 500_000, 0);
    let refused = wren.refused("run.start", json!({"session": "s"}));
    assert!(refused.message.contains("is paused"), "{refused:?}");
}
