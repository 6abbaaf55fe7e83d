//! Promises through kill -9: what was granted counts in full until it is settled, late or not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use mc_tests::{PATIENCE, until};
use serde_json::{Value, json};

use crate::{cap, counts, reserve, run, settled, squad};

#[test]
fn what_was_reserved_counts_in_full_after_a_kill_until_a_late_report_corrects_it() {
    let mut squad = squad(&["wren", "crow"]);
    let mut human = squad.human();
    cap(&mut human, "squad_day", "", 1_000_000);
    let mut wren = squad.agent("wren");
    let run = run(&mut wren, "");
    let first = reserve(&mut wren, &run, 600_000);
    let second = reserve(&mut wren, &run, 300_000);
    squad.kill();
    squad.start();
    let (mut human, mut wren) = (squad.human(), squad.agent("wren"));
    counts(&mut human, &run, 0, 900_000);
    let open = human.ok("budget.get", json!({"run": run}))["reservations"].clone();
    let seen: Vec<(&Value, &Value)> =
        open.as_array().unwrap().iter().map(|one| (&one["id"], &one["open"]["uusd"])).collect();
    assert_eq!(seen, [(&json!(first), &json!(600_000)), (&json!(second), &json!(300_000))]);
    let over = wren.ok("run.reserve", json!({"run": run, "amount_uusd": 100_001}));
    assert_eq!(over["decision"], "deny", "{over}");
    wren.ok("run.usage", settled(&run, &first, 450_000));
    counts(&mut human, &run, 450_000, 300_000);
    for _ in 0..2 {
        wren.ok("run.usage", settled(&run, &first, 450_000));
        counts(&mut human, &run, 450_000, 300_000);
    }
    // Killed before it could know that this was heard, it says it once more.
    let late = settled(&run, &second, 310_000);
    wren.send("run.usage", late.clone());
    squad.kill();
    squad.start();
    let (mut human, mut wren) = (squad.human(), squad.agent("wren"));
    wren.ok("run.finish", json!({"run": run, "status": "succeeded"}));
    wren.ok("run.usage", late.clone());
    wren.ok("run.usage", late);
    counts(&mut human, &run, 760_000, 0);
    let refused = wren.refused("run.usage", settled(&run, &second, 1));
    assert_eq!(refused.kind, "conflict");
    assert!(refused.message.contains("$0.31 counts"), "{}", refused.message);
    counts(&mut human, &run, 760_000, 0);
}

#[test]
fn a_kill_in_the_middle_of_it_loses_nothing_that_was_granted() {
    let mut squad = squad(&["wren"]);
    let mut human = squad.human();
    cap(&mut human, "squad_day", "", 1_500_000);
    let run = run(&mut squad.agent("wren"), "");
    let granted = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (mut wren, run) = (squad.agent("wren"), run.clone());
            let granted = Arc::clone(&granted);
            thread::spawn(move || {
                let mut own = Vec::new();
                let want = json!({"run": run, "amount_uusd": 10_000});
                while let Ok(answer) = wren.call("run.reserve", want.clone()) {
                    if answer["decision"] != "allow" {
                        break;
                    }
                    own.push(answer["reservation"].clone());
                    granted.fetch_add(1, Ordering::SeqCst);
                }
                own
            })
        })
        .collect();
    until("some are granted", PATIENCE, || (granted.load(Ordering::SeqCst) > 30).then_some(()));
    squad.kill();
    let known: Vec<Value> = threads.into_iter().flat_map(|one| one.join().unwrap()).collect();
    squad.start();
    let (mut human, mut wren) = (squad.human(), squad.agent("wren"));
    let open = human.ok("budget.get", json!({"run": run}))["reservations"].clone();
    let open: Vec<&Value> = open.as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert!(known.iter().all(|id| open.contains(&id)), "{known:?} of {open:?}");
    assert!(open.len() <= known.len() + 8, "at most one under way each");
    let count = i64::try_from(open.len()).unwrap();
    counts(&mut human, &run, 0, count * 10_000);
    let left = 1_500_000 - count * 10_000;
    if left > 0 {
        reserve(&mut wren, &run, left);
    }
    let over = wren.ok("run.reserve", json!({"run": run, "amount_uusd": 1}));
    assert_eq!(over["decision"], "deny");
    // Some report late, and twice; a human corrects the rest.
    for (at, id) in open.into_iter().enumerate() {
        let id = id.as_str().unwrap();
        if at % 2 == 0 {
            wren.ok("run.usage", settled(&run, id, 7_000));
            wren.ok("run.usage", settled(&run, id, 7_000));
        } else {
            let release = json!({"reservation": id, "spent_uusd": 4_000, "reason": "the bill"});
            human.ok("budget.release", release);
        }
    }
    let spent = (count + 1) / 2 * 7_000 + count / 2 * 4_000;
    counts(&mut human, &run, spent, left);
}
