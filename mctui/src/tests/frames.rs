//! Every screen at every size, as text.

use super::fixture::Stage;

const SIZES: [(u16, u16); 6] = [(20, 5), (40, 12), (60, 16), (80, 24), (120, 36), (160, 50)];

fn frames(name: &str, keys: &str) {
    for (width, height) in SIZES {
        let mut stage = Stage::live(width, height);
        stage.keys(keys);
        let frame = stage.frame(width, height);
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), frame);
    }
}

#[test]
fn the_board_fits_every_size() {
    frames("board", "");
}

#[test]
fn the_approvals_fit_every_size() {
    frames("approvals", "2");
}

#[test]
fn the_fleet_fits_every_size() {
    frames("fleet", "3");
}

#[test]
fn the_alerts_fit_every_size() {
    frames("alerts", "4");
}

#[test]
fn the_costs_fit_every_size() {
    frames("cost", "5");
    frames("cost_agents", "5\t");
    frames("cost_runs", "5\n");
}

#[test]
fn a_task_fits_every_size() {
    frames("task", "\n");
}

#[test]
fn emergency_fits_every_size() {
    frames("emergency", "!ST");
}

#[test]
fn a_decision_fits_every_size() {
    frames("decide", &format!("2\t{}a", "J".repeat(90)));
}

#[test]
fn marks_and_their_dialogs_fit_every_size() {
    frames("marks", "2V");
    frames("bulk", "2Va");
    frames("bulk_deny", "2Vdrnot today");
}

#[test]
fn a_second_factor_fits_every_size() {
    for (name, keys) in [("factor_code", "123"), ("factor_signature", "\t")] {
        for (width, height) in SIZES {
            for ascii in [false, true] {
                let stage = Stage::live(width, height);
                let mut stage = if ascii { stage.ascii() } else { stage };
                stage.keys("2dy");
                stage.refuse(super::factor::NEEDED);
                stage.keys(keys);
                let frame = stage.frame(width, height);
                if ascii {
                    assert!(frame.is_ascii(), "{frame}");
                } else {
                    insta::assert_snapshot!(format!("{name}_{width}x{height}"), frame);
                }
            }
        }
    }
}

#[test]
fn an_edit_fits_every_size() {
    frames("edit", "2je --force");
    frames("edit_asks", "2je --force\n");
    frames("raw", "2B");
    frames("links", "2o");
    frames("copy", "2y");
}

#[test]
fn schedules_fit_every_size() {
    frames("schedules", "s");
    frames("schedules_pause", "sp");
}

#[test]
fn standing_rules_fit_every_size() {
    frames("remember", &format!("2j\t{}ar", "J".repeat(90)));
    frames("rules", "2s\t");
    frames("revoke", "2sd");
}

#[test]
fn help_and_menus_fit_every_size() {
    frames("help", "?");
    frames("move", "m");
    frames("agent", "3\n");
    frames("new_task", "+");
    frames("find", "fkestrel");
    frames("because", "b");
    frames("views", "v");
}

#[test]
fn plain_ascii_shows_no_other_character() {
    let remember = format!("2j\t{}ar", "J".repeat(90));
    for keys in [
        "", "2", "3", "4", "5", "5\t\t\t", "5\n", "fvault", "b", "w", "v", "x", "\n", "!", "?",
        "2V", "2Va", "2Vdr", "2je x\n", "2B", "2o", "2s\t", "2sd", &remember,
    ] {
        for (width, height) in SIZES {
            let mut stage = Stage::live(width, height).ascii();
            stage.keys(keys);
            let frame = stage.frame(width, height);
            assert!(frame.is_ascii(), "{keys:?} at {width}x{height}:\n{frame}");
        }
    }
    let mut stage = Stage::live(120, 36).ascii();
    insta::assert_snapshot!("board_ascii_120x36", stage.frame(120, 36));
    stage.keys("2");
    insta::assert_snapshot!("approvals_ascii_120x36", stage.frame(120, 36));
    stage.keys("Va");
    insta::assert_snapshot!("bulk_ascii_120x36", stage.frame(120, 36));
    stage.keys("\u{1b}s\t");
    insta::assert_snapshot!("rules_ascii_120x36", stage.frame(120, 36));
}

#[test]
fn without_a_daemon_the_start_page_says_what_to_do() {
    let mut stage = Stage::empty(80, 24);
    insta::assert_snapshot!("connecting_80x24", stage.frame(80, 24));
    stage.give(crate::app::Message::Lost {
        error: crate::request::Failure {
            kind: None,
            text: "no daemon answers at /run/mc".to_owned(),
        },
        attempt: 4,
        retry_in_ms: 3_000,
    });
    insta::assert_snapshot!("start_80x24", stage.frame(80, 24));
}
