//! A client for tests that run as another user: `knock SOCKET` sends the lines of standard input
//! and prints the answer to each.
#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    time::Duration,
};

fn main() -> io::Result<()> {
    let socket = std::env::args_os().nth(1).unwrap_or_default();
    let stream = match UnixStream::connect(socket) {
        Ok(stream) => stream,
        Err(error) => {
            println!("\"{:?}\"", error.kind());
            return Ok(());
        }
    };
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut answers = BufReader::new(stream.try_clone()?);
    for line in io::stdin().lines() {
        // Who is not let in may have been told so already.
        (&stream).write_all(format!("{}\n", line?).as_bytes()).ok();
        let mut answer = String::new();
        if answers.read_line(&mut answer).unwrap_or(0) == 0 {
            println!("\"closed\"");
            return Ok(());
        }
        print!("{answer}");
    }
    Ok(())
}
