//! Answers from Telegram: a server that plays it, the real `mcd notify` as a user of its own, and
//! a squad as a system service has it. Whatever is pressed, only those who may decide, and only
//! what they were shown. These tests run as root, because they need users.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use mc_tests::{Got, PASSPHRASE, PATIENCE, Receiver, Reply, Setup, Squad, is_root, program, until};
use serde_json::{Value, json};

const AGENT: u32 = 65_010;
const HELPER: u32 = 65_013;
/// The chat, ana at Telegram, and somebody else in the chat.
const CHAT: i64 = -100_200;
const ANA: i64 = 42;
const STRANGER: i64 = 43;
const TOKEN: &str = "123456:the-secret-of-the-bot";

/// What plays Telegram: it serves updates and writes down what the bot says.
#[derive(Clone, Default)]
struct Bot(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    updates: Vec<Value>,
    said: Vec<(String, Value)>,
    /// Serves everything again, whatever was confirmed.
    repeats: bool,
    /// Gives no updates, as when a webhook is set elsewhere.
    refuses: bool,
}

impl Bot {
    fn answer(&self, got: &Got) -> Reply {
        let path = format!("/bot{TOKEN}/");
        let Some(method) = got.path.strip_prefix(&path) else { return Reply::status(404) };
        let mut state = self.0.lock().unwrap();
        let result = if method == "getUpdates" {
            let asked = got.json();
            assert_eq!(asked["allowed_updates"], json!(["callback_query"]));
            if state.refuses {
                return Reply::status(409);
            }
            if asked["offset"] == -1 {
                let all = state.updates.len();
                state.updates.drain(..all.saturating_sub(1));
            } else if let Some(offset) = asked["offset"].as_i64().filter(|_| !state.repeats) {
                state.updates.retain(|one| one["update_id"].as_i64() >= Some(offset));
            }
            json!(state.updates)
        } else {
            state.said.push((method.to_owned(), got.json()));
            json!({"message_id": state.said.len()})
        };
        let body = json!({"ok": true, "result": result}).to_string();
        Reply::Say(200, "content-type: application/json\r\n", body)
    }

    /// Somebody presses a button.
    fn press(&self, update: i64, (user, chat): (i64, i64), data: &str) {
        self.0.lock().unwrap().updates.push(json!({"update_id": update, "callback_query": {
            "id": format!("q{update}"), "from": {"id": user, "is_bot": false},
            "message": {"message_id": 7, "chat": {"id": chat}, "text": "x"}, "data": data}}));
    }

    /// Returns everything that was said with a method.
    fn said(&self, method: &str) -> Vec<Value> {
        let state = self.0.lock().unwrap();
        let of = state.said.iter().filter(|(name, _)| name == method);
        of.map(|(_, body)| body.clone()).collect()
    }

    /// Waits until the press of an update is answered, and returns how.
    fn toast(&self, update: i64) -> String {
        let id = format!("q{update}");
        let all = || self.said("answerCallbackQuery").into_iter();
        let found =
            until("it is answered", PATIENCE, || all().find(|one| one["callback_query_id"] == id));
        found["text"].as_str().unwrap().to_owned()
    }

    /// Waits for the message that asks for an approval, and returns it.
    fn question(&self, approval: &str) -> Value {
        let is_it = |one: &Value| one["text"].as_str().unwrap().contains(&format!("{approval} "));
        until("it is asked", PATIENCE, || self.said("sendMessage").into_iter().find(is_it))
    }
}

/// Returns what the buttons below a question say.
fn buttons(question: &Value) -> Vec<(String, String)> {
    let row = question["reply_markup"]["inline_keyboard"][0].as_array().cloned();
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    row.unwrap_or_default()
        .iter()
        .map(|one| (text(one, "text"), text(one, "callback_data")))
        .collect()
}

/// A squad as a service; ana may answer from Telegram, where `policy` lets her.
fn service(policy: &str, remote: &str) -> Squad {
    let identity = format!("[notify]\nuids = [{HELPER}]\n{remote}");
    let setup = Setup {
        mode: "system",
        agent_uids: vec![AGENT],
        policy: format!("{policy}\ntokens = \"L2\"\n"),
        identity,
        ..Setup::default()
    };
    let mut squad = Squad::new(&setup);
    squad.specialist("wren");
    squad.open_doors();
    squad
}

const REMOTE: &str = "[[remote]]\noperator = \"ana\"\ntelegram = 42\n";
const L1: &str = "[levels]\napprove_yellow = \"L1\"";

fn frame(id: i64, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

fn hello(more: &Value) -> Value {
    let mut params = json!({"protocol": 1, "client": {"name": "test", "version": "1"}});
    params.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    frame(0, "session.hello", &params)
}

/// wren asks a person; returns the approval as an operator sees it.
fn asks(squad: &Squad, risk: &str, payload: &Value) -> Value {
    let hello = hello(&json!({"agent": "wren", "token": squad.token("wren")}));
    let ask = frame(
        1,
        "approval.request",
        &json!({"kind": "escalation", "summary": "s", "justification": "trust me", "risk": risk,
            "payload": payload}),
    );
    let said = squad.as_user(AGENT, &squad.home().agent_socket(), &[hello, ask]);
    let id = said[1]["result"]["id"].clone();
    assert!(id.is_string(), "{said:?}");
    squad.operator().ok("approval.get", json!({"approval": id}))
}

/// wren wants to run a command; returns the gate's answer.
fn checks(squad: &Squad, command: &str) -> Value {
    let hello = hello(&json!({"agent": "wren", "token": squad.token("wren")}));
    let arguments = json!({"command": command});
    let call = json!({"tool": "exec", "arguments": arguments, "cwd": "/w", "session": "main"});
    let frames = [hello, frame(1, "tool.check", &call)];
    let said = squad.as_user(AGENT, &squad.home().agent_socket(), &frames);
    said[1]["result"]["decision"].clone()
}

/// Says something as the helper's user and returns the answer.
fn as_helper(squad: &Squad, method: &str, params: &Value) -> Value {
    let frames = [hello(&json!({})), frame(1, method, params)];
    squad.as_user(HELPER, &squad.home().notify_socket(), &frames)[1].clone()
}

/// The helper as a user of its own, in a directory of its own.
struct Service {
    dir: tempfile::TempDir,
    home: PathBuf,
    child: Option<Child>,
}

impl Service {
    fn new(squad: &Squad, telegram: &Receiver) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::copy(program("mcd-notify"), at("mcd-notify")).unwrap();
        fs::create_dir(at("state")).unwrap();
        let base = telegram.base();
        let config = format!(
            "[schedule]\ngather_ms = 0\nretry_ms = [100]\n[[sink]]\nname = \"chat\"\n\
             via = \"telegram\"\nurl = \"{base}\"\ntoken = {{ file = \"token\" }}\nchat = {CHAT}\n\
             decide_by = [{ANA}]\n"
        );
        fs::write(at("notify.toml"), config).unwrap();
        fs::write(at("token"), TOKEN).unwrap();
        fs::set_permissions(at("token"), Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        for name in ["state", "token"] {
            chown(at(name), Some(HELPER), Some(HELPER)).unwrap();
        }
        let mut one = Self { dir, home: squad.dir().to_path_buf(), child: None };
        one.start();
        until("the sink is declared", PATIENCE, || mc_tests::helper::is_declared(squad, "chat"));
        one
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.dir.path().join("mcd-notify"));
        command.arg("--home").arg(&self.home).env_remove("MC_HOME").env_remove("STATE_DIRECTORY");
        command.arg("--config").arg(self.dir.path().join("notify.toml"));
        command.stdin(Stdio::null()).uid(HELPER).gid(HELPER);
        command
    }

    fn start(&mut self) {
        let log = fs::File::options().append(true).create(true).open(self.dir.path().join("log"));
        let mut command = self.command();
        command.arg("--state").arg(self.dir.path().join("state")).stderr(log.unwrap());
        // A copy that another thread's new process still holds can't be run for a moment.
        self.child = Some(until("it can be run", PATIENCE, || command.spawn().ok()));
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // One that ended by itself needs no signal.
            child.kill().ok();
            child.wait().ok();
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
    }
}

/// All of it together.
fn together(name: &str, policy: &str) -> Option<(Bot, Receiver, Squad, Service)> {
    if !is_root(name) {
        return None;
    }
    let bot = Bot::default();
    let own = bot.clone();
    let telegram = Receiver::new(move |got| own.answer(got));
    let squad = service(policy, REMOTE);
    let helper = Service::new(&squad, &telegram);
    Some((bot, telegram, squad, helper))
}

fn status(squad: &Squad, approval: &str) -> Value {
    squad.operator().ok("approval.get", json!({"approval": approval}))["status"].clone()
}

#[test]
fn a_yellow_approval_is_shown_whole_decided_by_a_press_and_recorded_with_who() {
    let name = "a_yellow_approval_is_shown_whole_decided_by_a_press_and_recorded_with_who";
    let Some((bot, telegram, squad, helper)) = together(name, L1) else { return };
    let asked = asks(&squad, "yellow", &json!({"command": "git push origin wren\u{202e}"}));
    let question = bot.question("A-1");
    let text = question["text"].as_str().unwrap();
    assert_eq!(question["chat_id"], CHAT);
    assert!(text.starts_with("[test] A-1 YELLOW: wren asks\n"), "{text}");
    assert!(text.contains("payload: {\"command\":\"git push origin wren<U+202E>\"}\n"), "{text}");
    assert!(text.contains(&asked["digest"].as_str().unwrap()[..16]), "{text}");
    assert!(!text.contains("trust me"), "{text}");
    let buttons_of = buttons(&question);
    assert_eq!(buttons_of.len(), 2);
    assert_eq!((buttons_of[0].0.as_str(), buttons_of[1].0.as_str()), ("Approve A-1", "Deny A-1"));
    bot.press(900, (ANA, CHAT), &buttons_of[0].1);
    assert_eq!(bot.toast(900), "A-1 is approved, by ana (telegram 42)");
    let decided = squad.operator().ok("approval.get", json!({"approval": "A-1"}));
    assert_eq!(decided["decided_by"], "ana (telegram 42)");
    assert_eq!(decided["decided_level"], "L1");
    until("the buttons go", PATIENCE, || bot.said("editMessageReplyMarkup").first().cloned());
    // An old button of a decided approval gets a clear answer, in the chat, too.
    bot.press(901, (ANA, CHAT), &buttons_of[1].1);
    let late = "nothing was decided: A-1 is approved already, by ana (telegram 42)";
    assert_eq!(bot.toast(901), late);
    let in_chat = || bot.said("sendMessage").into_iter().find(|one| one["text"] == late);
    let reply = until("the chat is told", PATIENCE, in_chat);
    assert_eq!(reply["reply_parameters"]["message_id"], 7);
    // A call of a tool runs once it was pressed, and only that one.
    assert_eq!(checks(&squad, "mkdir build"), "ask");
    let question = bot.question("A-2");
    let text = question["text"].as_str().unwrap();
    assert!(text.contains("\ntool: exec\ncommand: mkdir build\ndirectory: /w\n"), "{text}");
    bot.press(902, (ANA, CHAT), &buttons(&question)[0].1);
    assert_eq!(bot.toast(902), "A-2 is approved, by ana (telegram 42)");
    assert_eq!(checks(&squad, "mkdir build"), "allow");
    assert_eq!(checks(&squad, "mkdir other"), "ask");
    bot.press(903, (ANA, CHAT), &buttons(&bot.question("A-3"))[1].1);
    assert_eq!(bot.toast(903), "A-3 is denied, by ana (telegram 42)");
    drop(telegram);
    let logs = helper.log() + &squad.log();
    assert!(!logs.contains(TOKEN.split(':').nth(1).unwrap()), "the token was logged: {logs}");
}

#[test]
fn no_press_but_the_right_one_decides() {
    let Some((bot, _telegram, squad, helper)) = together("no_press_but_the_right_one_decides", L1)
    else {
        return;
    };
    let asked = asks(&squad, "yellow", &json!({"command": "touch x"}));
    let yes = buttons(&bot.question("A-1"))[0].1.clone();
    bot.press(1, (STRANGER, CHAT), &yes);
    assert_eq!(bot.toast(1), "you are not among those who may answer here");
    bot.press(2, (ANA, 77), &yes);
    bot.press(3, (ANA, CHAT), "y.1.1.AAAA");
    assert_eq!(bot.toast(3), "this button is not understood: go to the console");
    let all = bot.said("answerCallbackQuery");
    assert!(all.iter().all(|one| one["callback_query_id"] != "q2"), "a foreign chat: {all:?}");
    let other = yes.rsplit_once('.').unwrap().0.to_owned() + "." + &"A".repeat(43);
    bot.press(4, (ANA, CHAT), &other);
    assert!(bot.toast(4).contains("A-1 is not what you saw"), "{}", bot.toast(4));
    assert_eq!(status(&squad, "A-1"), "pending");
    // RED is told of, has no buttons, and a forged one decides nothing.
    let red = asks(&squad, "red", &json!({"command": "rm -rf /"}));
    let told = bot.question("A-2");
    assert!(buttons(&told).is_empty(), "{told}");
    let text = told["text"].as_str().unwrap();
    assert!(text.contains("A-2 is RED: go to the console") && !text.contains("rm -rf"), "{text}");
    let forged = json!({"approval": "A-2", "rev": red["rev"], "digest": red["digest"],
        "decision": "deny", "by": {"telegram": ANA}});
    let refused = as_helper(&squad, "remote.decide", &forged);
    assert_eq!(refused["error"]["message"], "A-2 is RED: go to the console", "{refused}");
    bot.press(5, (ANA, CHAT), &yes.replacen("y.1.", "y.2.", 1));
    assert_eq!(bot.toast(5), "nothing was decided: A-2 is RED: go to the console");
    // What does not fit into a message is not cut and then asked.
    asks(&squad, "yellow", &json!({"command": "x".repeat(4000)}));
    let long = bot.question("A-3");
    assert!(buttons(&long).is_empty() && long["text"].as_str().unwrap().contains("too long"));
    assert_eq!(status(&squad, "A-2"), "pending");
    assert_eq!(asked["status"], "pending");
    assert!(helper.log().contains("foreign chat"), "{}", helper.log());
}

#[test]
fn no_update_is_handled_twice_and_a_daemon_that_is_away_decides_nothing() {
    let name = "no_update_is_handled_twice_and_a_daemon_that_is_away_decides_nothing";
    let Some((bot, _telegram, mut squad, mut helper)) = together(name, L1) else { return };
    asks(&squad, "yellow", &json!({"command": "touch x"}));
    let row = buttons(&bot.question("A-1"));
    squad.kill();
    bot.press(10, (ANA, CHAT), &row[0].1);
    assert_eq!(bot.toast(10), "the daemon did not answer: look at A-1 in the console");
    squad.start();
    squad.open_doors();
    helper.kill();
    // A server that forgot what was confirmed serves the lost yes again, and a new no.
    bot.0.lock().unwrap().repeats = true;
    bot.press(10, (ANA, CHAT), &row[0].1);
    bot.press(11, (ANA, CHAT), &row[1].1);
    helper.start();
    assert_eq!(bot.toast(11), "A-1 is denied, by ana (telegram 42)");
    let count = |update: &str| {
        let all = bot.said("answerCallbackQuery");
        all.iter().filter(|one| one["callback_query_id"] == update).count()
    };
    bot.press(12, (ANA, CHAT), &row[0].1);
    assert!(bot.toast(12).contains("denied already"), "{}", bot.toast(12));
    assert_eq!((count("q10"), count("q11"), count("q12")), (1, 1, 1), "each was handled once");
    let offset = helper.dir.path().join("state/telegram-123456.offset");
    assert!(fs::read_to_string(&offset).unwrap().starts_with("13 "));
    // What is not as it was written is set aside. Nobody knows what was handled: nothing that waits
    // is answered, and what is pressed from now on is.
    helper.kill();
    fs::write(&offset, "who knows").unwrap();
    bot.press(13, (ANA, CHAT), &row[0].1);
    helper.start();
    assert!(bot.toast(13).contains("press again"), "{}", bot.toast(13));
    bot.press(14, (ANA, CHAT), &row[0].1);
    assert!(bot.toast(14).contains("denied already"), "{}", bot.toast(14));
    for update in ["q10", "q11", "q12", "q13", "q14"] {
        assert_eq!(count(update), 1, "{update} was handled once");
    }
    assert!(fs::read_to_string(&offset).unwrap().starts_with("15 "));
    assert_eq!(fs::read_to_string(offset.with_extension("damaged")).unwrap(), "who knows");
    assert!(helper.log().contains("set aside"), "{}", helper.log());
    let done = helper.command().output().unwrap();
    let text = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.code() == Some(78) && text.contains("--state DIR"), "{text}");
}

#[test]
fn a_bot_that_gives_no_answers_is_seen_in_the_health_of_its_sink() {
    let name = "a_bot_that_gives_no_answers_is_seen_in_the_health_of_its_sink";
    let Some((bot, _telegram, squad, _helper)) = together(name, L1) else { return };
    let mut operator = squad.operator();
    let mut failing = || {
        let health = operator.ok("delivery.status", json!({}));
        health["sinks"][0]["answers_failing"]["error"].as_str().map(str::to_owned)
    };
    assert_eq!(failing(), None);
    bot.0.lock().unwrap().refuses = true;
    let error = until("it is told", PATIENCE, &mut failing);
    assert!(error.contains("409") && !error.contains(TOKEN), "{error}");
    let status = squad.operator().ok("squad.status", json!({}));
    assert_eq!(status["sinks_failing"], json!(["chat"]));
    bot.0.lock().unwrap().refuses = false;
    until("it is over", PATIENCE, || failing().is_none().then_some(()));
}

#[test]
fn an_answer_from_elsewhere_is_worth_l1_and_no_more() {
    if !is_root("an_answer_from_elsewhere_is_worth_l1_and_no_more") {
        return;
    }
    let squad = service("[levels]", REMOTE);
    let asked = asks(&squad, "yellow", &json!({"command": "touch x"}));
    let shown = as_helper(&squad, "remote.show", &json!({"approval": "A-1"}));
    assert_eq!(shown["result"]["can_approve"], false, "{shown}");
    let decide = |decision: &str, telegram: i64| {
        json!({"approval": "A-1", "rev": asked["rev"], "digest": asked["digest"],
            "decision": decision, "by": {"telegram": telegram}})
    };
    let refused = as_helper(&squad, "remote.decide", &decide("approve", ANA));
    let text = refused["error"]["message"].as_str().unwrap();
    assert!(text.contains("this needs level L2, an answer from elsewhere is L1"), "{text}");
    let refused = as_helper(&squad, "remote.decide", &decide("deny", STRANGER));
    let text = refused["error"]["message"].as_str().unwrap();
    assert_eq!(text, "identity.toml does not let this account answer");
    let done = as_helper(&squad, "remote.decide", &decide("deny", ANA));
    assert_eq!(done["result"]["approval"]["status"], "denied", "{done}");
    // The record says how the account came to be known.
    let rows = squad.human().ok("audit.export", json!({"limit": 200}));
    assert!(rows.to_string().contains("ana may answer from telegram 42"));
}

#[test]
fn where_anybody_could_speak_for_the_helper_and_where_nobody_is_named_nothing_is_answered() {
    let refused = |squad: &Squad| {
        let show = json!({"approval": "A-1"});
        squad.helper().refused("remote.show", show).message
    };
    let one_user = Squad::new(&Setup { identity: REMOTE.to_owned(), ..Setup::default() });
    assert!(refused(&one_user).contains("does not run as a user of its own"));
    let nobody = Squad::default();
    assert!(refused(&nobody).contains("has no [[remote]]"), "off by default");
    let decide = json!({"approval": "A-1", "rev": 1, "digest": "00", "decision": "approve",
        "by": {"telegram": ANA}});
    assert!(one_user.helper().refused("remote.decide", decide.clone()).message.contains("own"));
    let mut human = nobody.operator();
    human.unlock(PASSPHRASE);
    assert_eq!(human.refused("remote.decide", decide).kind, "unknown_method");
}
