//! The terminal: entered once, and left in every case there is.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};

use crossterm::{
    event::{DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange},
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};

static IS_ENTERED: AtomicBool = AtomicBool::new(false);

/// The terminal is ours while this lives.
#[derive(Debug)]
pub struct Session(());

impl Session {
    /// Takes the terminal over.
    ///
    /// # Errors
    ///
    /// When the terminal does not take its modes.
    pub fn enter() -> io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave();
            before(panic);
        }));
        enter()?;
        Ok(Self(()))
    }

    /// Leaves the terminal to the shell until we are continued.
    ///
    /// # Errors
    ///
    /// When the terminal does not take its modes again.
    pub fn suspend(&self) -> io::Result<()> {
        leave();
        let me = rustix::process::getpid();
        rustix::process::kill_process(me, rustix::process::Signal::STOP)?;
        enter()
    }

    /// Takes the terminal again after another program had it.
    ///
    /// # Errors
    ///
    /// When the terminal does not take its modes again.
    pub fn resume(&self) -> io::Result<()> {
        enter()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        leave();
    }
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    IS_ENTERED.store(true, Ordering::SeqCst);
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange)
}

/// Gives the terminal back as it was; safe to call twice.
pub fn leave() {
    if !IS_ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    // A terminal that is gone can't be restored, and there is nobody to tell.
    out.write_all(b"\x1b[?2026l\x1b[0m\x1b[?25h").ok();
    execute!(out, DisableFocusChange, DisableBracketedPaste, LeaveAlternateScreen).ok();
    disable_raw_mode().ok();
}

/// Watches for the terminal's end in a thread of its own, because the event reader would spin on a
/// dead one; ends the process.
pub fn watch_hang_up() {
    std::thread::spawn(|| {
        let stdin = io::stdin();
        loop {
            let mut polled =
                [rustix::event::PollFd::new(&stdin, rustix::event::PollFlags::empty())];
            let gone = rustix::event::PollFlags::HUP | rustix::event::PollFlags::ERR;
            match rustix::event::poll(&mut polled, None) {
                Ok(_) if polled.iter().any(|one| one.revents().intersects(gone)) => {
                    // The loop hears of it too and ends in order; this is for the case that it can't.
                    std::thread::sleep(std::time::Duration::from_millis(800));
                    leave();
                    std::process::exit(129);
                }
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    });
}

/// Says whether standard input and output are a terminal that can show frames.
pub fn is_usable(term: Option<&str>) -> bool {
    let is_dumb = term.is_none_or(|term| term.is_empty() || term == "dumb");
    !is_dumb && io::stdin().is_terminal() && io::stdout().is_terminal()
}
