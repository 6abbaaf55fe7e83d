//! A runtime that obeys nothing: `deaf SOCKET TOKEN AGENT... [-- PROGRAM...]` attaches as the host
//! of these agents, starts the program, says its own number and the program's, and goes on.
#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    process::{Command, id},
};

use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let mut words = std::env::args().skip(1);
    let (socket, token) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let agents: Vec<String> = words.by_ref().take_while(|word| word != "--").collect();
    let stream = UnixStream::connect(socket)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let hello = json!({"protocol": 1, "client": {"name": "deaf", "version": "1"}, "token": token});
    let attach = json!({"runtime": "openclaw", "version": "1", "agents": agents,
        "capabilities": ["abort", "host"]});
    for (id, (method, params)) in
        [("session.hello", hello), ("runtime.attach", attach)].into_iter().enumerate()
    {
        let frame = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        (&stream).write_all(format!("{frame}\n").as_bytes())?;
        let mut answer = String::new();
        answers.read_line(&mut answer)?;
        let answer: Value = serde_json::from_str(&answer)?;
        if answer.get("error").is_some() {
            return Err(io::Error::other(answer.to_string()));
        }
    }
    let program = words.next().map(|program| Command::new(program).args(words).spawn());
    let started = program.transpose()?.map_or(0, |child| child.id());
    println!("{} {started}", id());
    loop {
        std::thread::park();
    }
}
