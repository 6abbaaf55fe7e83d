//! Each way out against a server on this machine that checks what it is sent, and that puts off,
//! refuses, floods and lies.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Instant,
};

use mc_tests::{
    Helper, PATIENCE, Receiver, Reply, Squad,
    helper::{beside, calls, is_declared, is_delivered, squad_with, webhook},
    mail::MailServer,
    program,
    receiver::good,
    until,
};
use serde_json::{Value, json};

/// A squad whose sink is declared.
fn running(name: &str, sink: &str, secrets: &[(&str, &str)]) -> (Squad, Helper) {
    let squad = squad_with("");
    for (file, text) in secrets {
        beside(squad.dir(), file, text);
    }
    let times = "answer_ms = 2000\n[schedule]\ngather_ms = 50\nretry_ms = [100, 200, 400]\n";
    beside(squad.dir(), "notify.toml", &format!("{times}{sink}"));
    let helper = Helper::start(squad.dir());
    until("the sink is declared", PATIENCE, || is_declared(&squad, name));
    (squad, helper)
}

fn health(squad: &Squad) -> Value {
    squad.operator().ok("delivery.status", json!({}))["sinks"][0].clone()
}

/// Waits until the sink's last error says this.
fn fails_with(squad: &Squad, text: &str) {
    let mut last = String::new();
    let deadline = Instant::now() + PATIENCE;
    while !last.contains(text) {
        assert!(Instant::now() < deadline, "`{text}` was not seen, but `{last}`");
        health(squad)["last_error"].as_str().unwrap_or_default().clone_into(&mut last);
    }
}

#[test]
fn slack_gets_plain_text_and_its_rest_when_it_asks_for_it() {
    let slack = Receiver::new(|_| Reply::Say(429, "retry-after: 2\r\n", String::new()));
    let sink = "[[sink]]\nname = \"team\"\nvia = \"slack\"\nurl = { file = \"slack.url\" }\n";
    let (squad, _helper) = running("team", sink, &[("slack.url", &slack.url())]);
    calls(&squad, "look");
    fails_with(&squad, "answered 429 and asks for 2 s of rest");
    let rests = health(&squad);
    assert!(rests["not_before"].is_string() && rests["next_at"] == rests["not_before"], "{rests}");
    let began = Instant::now();
    slack.set(good);
    // What is urgent waits, too: the pauses of this squad alone would have been 100 ms.
    let red = json!({"kind": "escalation", "summary": "s", "justification": "j", "risk": "red"});
    squad.agent("wren").ok("approval.request", red);
    until("it arrives", PATIENCE, || is_delivered(&squad, "team", 2));
    assert!(began.elapsed().as_millis() > 1000, "{:?}", began.elapsed());
    let got = slack.got();
    assert_eq!(got[0].status, 429);
    assert!(got[1..].iter().all(mc_tests::Got::is_taken), "none came while it rested: {got:?}");
    let body = got[0].json();
    assert_eq!(got[0].headers["content-type"], "application/json");
    assert_eq!(body["text"], "[test] wren mentions you on T-1 \"work\"");
    assert_eq!(body.as_object().unwrap().len(), 3, "{body}");
    assert_eq!((&body["unfurl_links"], &body["unfurl_media"]), (&json!(false), &json!(false)));
    assert!(health(&squad)["not_before"].is_null());
}

#[test]
fn retry_by_hand_ends_a_rest() {
    let hook = Receiver::new(|_| Reply::Say(503, "retry-after: 600\r\n", String::new()));
    let (squad, _helper) = running("hook", &webhook("hook", &hook), &[]);
    calls(&squad, "look");
    fails_with(&squad, "asks for 600 s of rest");
    hook.set(good);
    squad.human().ok("delivery.retry", json!({"sink": "hook"}));
    until("it arrives", PATIENCE, || is_delivered(&squad, "hook", 1));
}

#[test]
fn ntfy_gets_topic_priority_and_token() {
    let ntfy = Receiver::new(good);
    let base = ntfy.base();
    let sink = format!(
        "[[sink]]\nname = \"phone\"\nvia = \"ntfy\"\nurl = \"{base}\"\n\
         topic = {{ file = \"topic\" }}\ntoken = {{ file = \"token\" }}\n"
    );
    let secrets = [("topic", "squad-a8f3"), ("token", "tk_ntfy_secret_token")];
    let (squad, _helper) = running("phone", &sink, &secrets);
    let red = json!({"kind": "escalation", "summary": "s", "justification": "j", "risk": "red"});
    squad.agent("wren").ok("approval.request", red);
    let got = until("it arrives", PATIENCE, || ntfy.got().first().cloned());
    assert_eq!(got.path, "/");
    assert_eq!(got.headers["authorization"], "Bearer tk_ntfy_secret_token");
    assert_eq!(got.headers["content-type"], "application/json");
    assert!(got.headers["user-agent"].starts_with("mission-control/"), "{:?}", got.headers);
    let body = got.json();
    assert_eq!((&body["topic"], &body["priority"]), (&json!("squad-a8f3"), &json!(5)));
    assert_eq!(body["title"], "[test] ! A-1 RED: wren asks");
    assert!(!Helper::log(squad.dir()).contains("tk_ntfy"), "a token was logged");
}

#[test]
fn mail_is_put_off_refused_and_taken() {
    let server = MailServer::new();
    let sink = format!(
        "[[sink]]\nname = \"mail\"\nvia = \"email\"\nserver = \"127.0.0.1\"\nport = {}\n\
         tls = \"none\"\nfrom = \"Mission Control <mc@example.org>\"\nto = [\"ops@example.org\"]\n",
        server.port
    );
    server.answer(Some(("RCPT", "451 4.7.1 come again later, ops@example.org")));
    let (squad, _helper) = running("mail", &sink, &[]);
    calls(&squad, "first");
    fails_with(&squad, "the mail server fails: code 451");
    assert!(server.mails().is_empty());
    server.answer(None);
    until("the mail arrives", PATIENCE, || is_delivered(&squad, "mail", 1));
    let mail = server.mails().remove(0);
    for line in [
        "From: \"Mission Control\" <mc@example.org>\r\n",
        "To: ops@example.org\r\n",
        "Subject: [test] wren mentions you on T-1 \"work\"\r\n",
        "Message-ID: <test.D-1@mission-control.invalid>\r\n",
        "Content-Type: text/plain; charset=utf-8\r\n",
    ] {
        assert!(mail.contains(line), "{line} is missing in {mail}");
    }
    assert!(server.heard().contains(&"MAIL FROM:<mc@example.org>".to_owned()));
    // Refused for its content: six times, then it is given up, and the next one is taken.
    server.answer(Some((".", "554 5.7.1 this looks like spam")));
    calls(&squad, "second");
    until("it is given up", PATIENCE, || (health(&squad)["given_up"] == 1).then_some(()));
    let page = squad.operator().ok("delivery.list", json!({"status": "refused"}));
    let refused = &page["items"][0];
    assert_eq!((&refused["failures"], &refused["id"]), (&json!(6), &json!("D-2")));
    server.answer(None);
    calls(&squad, "third");
    until("the next mail arrives", PATIENCE, || is_delivered(&squad, "mail", 2));
    // A server that wants another login keeps everything waiting: that is mended by a person.
    server.answer(Some(("MAIL", "530 5.7.0 log in first")));
    calls(&squad, "fourth");
    until("it was tried often", PATIENCE, || {
        (health(&squad)["failures_in_row"].as_i64()? > 8).then_some(())
    });
    assert_eq!(health(&squad)["given_up"], 1, "nothing more is given up");
    server.answer(None);
    until("the last mail arrives", PATIENCE, || is_delivered(&squad, "mail", 3));
}

#[test]
fn an_enormous_answer_is_not_read_and_an_enormous_head_is_a_failure() {
    let hook = Receiver::new(|_| Reply::Endless);
    let (squad, _helper) = running("hook", &webhook("hook", &hook), &[]);
    calls(&squad, "first");
    // The status was read, and that is what counts.
    until("it counts as taken", PATIENCE, || is_delivered(&squad, "hook", 1));
    hook.set(|_| Reply::EndlessHead);
    calls(&squad, "second");
    until("that fails", PATIENCE, || {
        (health(&squad)["failures_in_row"].as_i64()? > 0).then_some(())
    });
    assert_eq!(hook.got().last().unwrap().json()["id"], "D-2");
    hook.set(good);
    until("it arrives", PATIENCE, || is_delivered(&squad, "hook", 2));
}

/// A server that speaks TLS with a certificate that it made itself; it ends with this.
struct Impostor(Child);

impl Drop for Impostor {
    fn drop(&mut self) {
        // One that ended by itself needs no signal.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn impostor(dir: &std::path::Path, port: u16) -> Impostor {
    let mut make = Command::new("openssl");
    make.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key", "-out", "cert"]);
    make.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    let made = make.current_dir(dir).stderr(Stdio::null()).status().unwrap();
    assert!(made.success());
    let mut serve = Command::new("openssl");
    serve.args(["s_server", "-quiet", "-key", "key", "-cert", "cert", "-accept"]);
    serve.arg(port.to_string()).current_dir(dir).stdin(Stdio::piped());
    Impostor(serve.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_and_nothing_turns_that_off() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let own = tempfile::tempdir().unwrap();
    let _server = impostor(own.path(), port);
    let mail = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _mail = impostor(own.path(), mail);
    let sink = format!(
        "[[sink]]\nname = \"hook\"\nvia = \"webhook\"\nurl = \"https://localhost:{port}/\"\n\
         secret = {{ file = \"hook.secret\" }}\n"
    );
    let (squad, _helper) = running("hook", &sink, &[]);
    calls(&squad, "look");
    fails_with(&squad, "its certificate is not trusted");
    let sink = format!(
        "[[sink]]\nname = \"mail\"\nvia = \"email\"\nserver = \"localhost\"\nport = {mail}\n\
         from = \"mc@example.org\"\nto = [\"ops@example.org\"]\n"
    );
    let (squad, _helper) = running("mail", &sink, &[]);
    calls(&squad, "look");
    fails_with(&squad, "the mail server's certificate is not trusted");
}

#[test]
fn nothing_goes_unencrypted_to_another_machine() {
    let squad = squad_with("");
    let refused = |sink: &str| {
        beside(squad.dir(), "notify.toml", sink);
        let mut command = Command::new(program("mcd"));
        command.arg("--home").arg(squad.dir()).args(["notify", "--check"]);
        let done = command.output().unwrap();
        assert_eq!(done.status.code(), Some(78));
        String::from_utf8(done.stderr).unwrap()
    };
    let hook = "[[sink]]\nname = \"a\"\nvia = \"webhook\"\nurl = \"http://example.org/\"\n\
                secret = { file = \"hook.secret\" }\n";
    assert!(refused(hook).contains("notify.toml:4:1: sink[0].url: is not encrypted"));
    assert!(refused(&format!("{hook}allow_http = true\n")).contains("allow_http"));
    let mail = "[[sink]]\nname = \"a\"\nvia = \"email\"\nserver = \"mail.example.org\"\n\
                tls = \"none\"\nfrom = \"a@example.org\"\nto = [\"b@example.org\"]\n";
    assert!(refused(mail).contains("`none` is for a mail server on this machine alone"));
    let slow = format!("answer_ms = 50\n{}", hook.replace("http:", "https:"));
    assert!(refused(&slow).contains("answer_ms: is 50, expected 100 to 30000 milliseconds"));
}
