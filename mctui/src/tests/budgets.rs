//! What reaches the terminal, counted: a regression fails.

use ratatui::{Terminal, layout::Size};

use super::fixture::Stage;
use crate::{backend::Screen, keymap::Key, theme::Palette};

struct Counted {
    stage: Stage,
    terminal: Terminal<Screen<Vec<u8>>>,
}

impl Counted {
    fn new() -> Self {
        let mut stage = Stage::live(120, 36);
        stage.app.look.palette = Palette::Sixteen;
        let screen = Screen::new(Vec::new(), Size::new(120, 36));
        Self { stage, terminal: Terminal::new(screen).unwrap() }
    }

    /// Returns how many bytes the next frame takes.
    fn frame(&mut self) -> u64 {
        let before = self.terminal.backend().written;
        let app = &self.stage.app;
        self.terminal
            .draw(|frame| {
                if let Some(at) = app.view(frame.buffer_mut()) {
                    frame.set_cursor_position(at);
                }
            })
            .unwrap();
        self.terminal.backend().written - before
    }
}

#[test]
fn a_full_paint_a_move_and_a_dialog_stay_within_their_bytes() {
    let mut counted = Counted::new();
    let full = counted.frame();
    assert!(full <= 14_000, "full paint: {full}");
    counted.stage.keys("hhhh");
    counted.frame();
    let mut moves = Vec::new();
    for key in ["j", "j", "k"] {
        counted.stage.keys(key);
        moves.push(counted.frame());
    }
    assert!(moves.iter().all(|bytes| *bytes <= 400), "cursor moves: {moves:?}");
    counted.stage.keys("l");
    let column = counted.frame();
    assert!(column <= 2_500, "column change: {column}");
    counted.stage.keys("?");
    let dialog = counted.frame();
    assert!(dialog <= 4_000, "dialog: {dialog}");
    assert_eq!(counted.terminal.backend().refused, 0);
}

#[test]
fn nothing_is_written_when_nothing_changes() {
    let mut counted = Counted::new();
    counted.frame();
    assert_eq!(counted.frame(), 0);
    counted.stage.pass(1_000);
    counted.stage.app.scene.world.approvals.clear();
    counted.frame();
    counted.stage.pass(1_000);
    assert_eq!(counted.frame(), 0, "a second alone changes nothing");
    counted.stage.key(Key::control('l'));
}
