//! A program in a pseudo-terminal, and what a person would see of it.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    num::NonZero,
    os::fd::OwnedFd,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::{
    fs::{Mode, OFlags},
    process::{Pid, Signal, WaitId, WaitIdOptions},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcgetattr, tcsetwinsize},
};

use crate::{PATIENCE, until};

/// A terminal with one program in it.
pub struct Terminal {
    master: File,
    child: Child,
    slave: OwnedFd,
    before: String,
    screen: Arc<Mutex<vt100::Parser>>,
    bytes: Arc<AtomicU64>,
    raw: Arc<Mutex<Vec<u8>>>,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("child", &self.child.id()).finish_non_exhaustive()
    }
}

impl Terminal {
    /// Runs `command` in a terminal of this size, as the leader of a session of its own.
    pub fn new(command: &Command, rows: u16, columns: u16) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(name, flags, Mode::empty()).unwrap();
        tcsetwinsize(&slave, size(rows, columns)).unwrap();
        let before = format!("{:?}", tcgetattr(&slave).unwrap());
        let end = || Stdio::from(slave.try_clone().unwrap());
        let mut session = Command::new("setsid");
        session.arg("--ctty").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => session.env(name, value),
                None => session.env_remove(name),
            };
        }
        session.env("TERM", "xterm-256color");
        let child = session.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(columns), 0)));
        let (bytes, raw) = (Arc::default(), Arc::default());
        let master = File::from(master);
        let reader = Reader {
            master: master.try_clone().unwrap(),
            screen: Arc::clone(&screen),
            bytes: Arc::clone(&bytes),
            raw: Arc::clone(&raw),
        };
        std::thread::spawn(move || reader.run());
        Self { master, child, slave, before, screen, bytes, raw }
    }

    /// Types.
    pub fn keys(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Returns what is on the screen, line by line.
    pub fn text(&self) -> String {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen().contents()
    }

    /// Waits until `wanted` is on the screen.
    pub fn sees(&self, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.text().contains(wanted) {
            assert!(Instant::now() < deadline, "`{wanted}` is not on the screen:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Returns how many bytes the program has written.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }

    /// Returns everything that the program has written.
    pub fn raw(&self) -> Vec<u8> {
        self.raw.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the terminal larger or smaller.
    pub fn resize(&self, rows: u16, columns: u16) {
        let mut screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        screen.screen_mut().set_size(cells(rows), cells(columns));
        drop(screen);
        tcsetwinsize(&self.slave, size(rows, columns)).unwrap();
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// Says whether the program has stopped, as a shell learns it: a continue before that is lost.
    pub fn has_stopped(&self) -> bool {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        rustix::process::waitid(WaitId::Pid(self.pid()), options).unwrap().is_some()
    }

    fn pid(&self) -> Pid {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).unwrap()
    }

    /// Says whether the program has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the program's end.
    pub fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        until("the program ends", PATIENCE, || child.try_wait().unwrap())
    }

    /// Says whether the terminal is as it was: modes, screen, cursor, mouse, paste.
    pub fn is_restored(&self) -> bool {
        let after = format!("{:?}", tcgetattr(&self.slave).unwrap());
        let parser = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        let screen = parser.screen();
        after == self.before
            && !screen.alternate_screen()
            && !screen.hide_cursor()
            && !screen.bracketed_paste()
            && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A program that has ended needs no signal.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

struct Reader {
    master: File,
    screen: Arc<Mutex<vt100::Parser>>,
    bytes: Arc<AtomicU64>,
    raw: Arc<Mutex<Vec<u8>>>,
}

impl Reader {
    fn run(mut self) {
        let mut buffer = vec![0_u8; 65536];
        while let Ok(read @ 1..) = self.master.read(&mut buffer) {
            let some = &buffer[..read];
            self.screen.lock().unwrap_or_else(PoisonError::into_inner).process(some);
            self.raw.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(some);
            self.bytes.fetch_add(read as u64, Ordering::SeqCst);
        }
    }
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("a terminal has rows and columns")
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}
