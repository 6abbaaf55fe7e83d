//! A mail server on this machine that a test tells how to answer: enough of SMTP to take a mail,
//! to put it off and to refuse it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// The server; it lives as long as the test's process.
#[derive(Debug)]
pub struct MailServer {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// A verb and what it is answered instead of yes.
    refuses: Mutex<Option<(&'static str, &'static str)>>,
    mails: Mutex<Vec<String>>,
    dialogs: Mutex<Vec<String>>,
}

fn hold<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MailServer {
    /// Starts a server that takes everything.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared: Arc<Shared> = Arc::default();
        let one = Self { port, shared: Arc::clone(&shared) };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || talk(stream, &shared));
            }
        });
        one
    }

    /// Answers a verb (`RCPT`, `DATA`, `.` for the end of a mail) like this from now on; `None`
    /// takes everything again.
    pub fn answer(&self, verb: Option<(&'static str, &'static str)>) {
        *hold(&self.shared.refuses) = verb;
    }

    /// Returns the mails that were taken, headers and body.
    pub fn mails(&self) -> Vec<String> {
        hold(&self.shared.mails).clone()
    }

    /// Returns every line that clients said, but for the mails.
    pub fn heard(&self) -> Vec<String> {
        hold(&self.shared.dialogs).clone()
    }
}

impl Default for MailServer {
    fn default() -> Self {
        Self::new()
    }
}

/// Serves one client to its end.
fn talk(stream: TcpStream, shared: &Shared) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let answer = |stream: &mut BufReader<TcpStream>, verb: &str, yes: &str| {
        let refused = hold(&shared.refuses).filter(|(which, _)| *which == verb);
        let text = refused.map_or(yes, |(_, text)| text);
        stream.get_mut().write_all(format!("{text}\r\n").as_bytes()).ok()?;
        Some(text.starts_with(['2', '3']))
    };
    answer(&mut stream, "", "220 mail.test")?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim().to_owned();
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
        hold(&shared.dialogs).push(line);
        match verb.as_str() {
            "QUIT" => return answer(&mut stream, "QUIT", "221 bye").map(drop),
            "DATA" => {
                if answer(&mut stream, "DATA", "354 go on")? {
                    let mail = mail(&mut stream)?;
                    if answer(&mut stream, ".", "250 taken")? {
                        hold(&shared.mails).push(mail);
                    }
                }
            }
            verb => drop(answer(&mut stream, verb, "250 yes")?),
        }
    }
}

fn mail(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut all = String::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        if line == ".\r\n" {
            return Some(all);
        }
        all.push_str(&line);
    }
}
