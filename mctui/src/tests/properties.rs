//! Whatever is pressed, arrives or is resized: no panic, nothing outside, the cursor stays on its id.

use crossterm::event::{KeyCode, KeyModifiers};
use mc_core::task::TaskState;
use proptest::prelude::*;
use ratatui::layout::Size;

use super::fixture::{Stage, approval, card, hello};
use crate::{app::Message, keymap::Key, request::Failure};

#[derive(Debug, Clone)]
enum Step {
    Key(Key),
    Paste(String),
    Size(u16, u16),
    Task(i64, usize, String),
    Decided(i64),
    Lost,
    Up,
    Lagged,
    Pass(u64),
}

fn key() -> impl Strategy<Value = Key> {
    let named = prop_oneof![
        Just(KeyCode::Enter),
        Just(KeyCode::Esc),
        Just(KeyCode::Tab),
        Just(KeyCode::Up),
        Just(KeyCode::Down),
        Just(KeyCode::Left),
        Just(KeyCode::Right),
        Just(KeyCode::Backspace),
        Just(KeyCode::Home),
        Just(KeyCode::End),
        Just(KeyCode::PageDown),
    ];
    prop_oneof![
        4 => prop::sample::select("jkhlgG12345fbwvxtadcmr+./,?!zTRLJK-yn\u{20}0STOPVUseBo".chars().collect::<Vec<_>>()).prop_map(Key::char),
        1 => any::<char>().prop_filter("typed", |c| !c.is_control()).prop_map(Key::char),
        2 => named.prop_map(Key::plain),
        1 => prop::sample::select(vec!['d', 'u', 'c', 'l', 'w']).prop_map(|c| Key { code: KeyCode::Char(c), modifiers: KeyModifiers::CONTROL }),
        1 => Just(Key::alt('!')),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => key().prop_map(Step::Key),
        1 => ".{0,40}".prop_map(Step::Paste),
        2 => (1u16..220, 1u16..70).prop_map(|(w, h)| Step::Size(w, h)),
        2 => (1i64..2000, 0usize..8, any::<String>()).prop_map(|(id, at, title)| Step::Task(id, at, title)),
        1 => (1i64..4).prop_map(Step::Decided),
        1 => Just(Step::Lost),
        1 => Just(Step::Up),
        1 => Just(Step::Lagged),
        2 => (0u64..20_000).prop_map(Step::Pass),
    ]
}

fn take(stage: &mut Stage, step: Step, size: &mut (u16, u16)) {
    match step {
        Step::Key(key) => stage.key(key),
        Step::Paste(pasted) => stage.give(Message::Paste(pasted)),
        Step::Size(width, height) => {
            *size = (width, height);
            stage.give(Message::Resize(Size { width, height }));
        }
        Step::Task(id, at, title) => stage.task_changes(card(id, TaskState::ALL[at], &title, None)),
        Step::Decided(id) => {
            let mut one = approval(id, mc_core::policy::Risk::Yellow, "wren", "x");
            one.rev += 1;
            one.status = mc_core::approval::ApprovalStatus::Denied;
            stage.approval_changes(one);
        }
        Step::Lost => {
            let error = Failure { kind: None, text: "gone".to_owned() };
            stage.give(Message::Lost { error, attempt: 1, retry_in_ms: 200 });
        }
        Step::Up => stage.give(Message::Up(Box::new(hello()))),
        Step::Lagged => stage.give(Message::Lagged),
        Step::Pass(span) => stage.pass(span),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_makes_it_panic_or_draw_what_it_must_not(steps in prop::collection::vec(step(), 1..60)) {
        let mut size = (80, 24);
        let mut stage = Stage::live(size.0, size.1);
        for step in steps {
            take(&mut stage, step, &mut size);
            let buffer = stage.buffer(size.0, size.1);
            for cell in buffer.content() {
                prop_assert!(!cell.symbol().chars().any(|c| c.is_control() || crate::text::is_unseen(c)));
            }
            let status: String = stage.frame(size.0, size.1).lines().next().unwrap_or_default().to_owned();
            prop_assert!(size.0 < 10 || status.contains("MC"));
        }
    }

    #[test]
    fn arrivals_never_change_what_is_selected(arrivals in prop::collection::vec((1i64..2000, 0usize..8), 1..40)) {
        let mut stage = Stage::live(120, 36);
        stage.keys("hhhhjjj");
        let cursor = |stage: &Stage| {
            let frame = stage.frame(120, 36);
            frame.lines().enumerate().find(|(_, line)| line.contains(">T-")).map(|(at, line)| (at, line.find(">T-"), line[line.find(">T-").unwrap()..][..7].to_owned()))
        };
        let before = cursor(&stage);
        for (id, at) in arrivals {
            stage.task_changes(card(id + 5_000, TaskState::ALL[at], "news", None));
            prop_assert_eq!(cursor(&stage), before.clone());
        }
    }
}

#[test]
fn the_smallest_and_the_largest_screens_work() {
    for (width, height) in [(1, 1), (2, 1), (1, 3), (5, 2), (19, 4), (20, 5), (21, 6), (500, 200)] {
        let mut stage = Stage::live(width, height);
        for keys in [
            "",
            "2",
            "Va",
            "\u{1b}Vd",
            "\u{1b}s\td",
            "\u{1b}\u{1b}jex\n",
            "\u{1b}B",
            "Bo",
            "3",
            "4",
            "1\n",
            "?",
            "\u{1b}!",
            "\u{1b}m",
        ] {
            stage.keys(keys);
            stage.buffer(width, height);
        }
    }
}
