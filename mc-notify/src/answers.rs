//! Answers from Telegram: long polling for pressed buttons, each handled at most once. Whoever
//! presses must be in the configured chat and among those named; what they press is decided by the
//! daemon, which knows them, too. In doubt nothing is decided, and the chat says so.

use std::{
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use mc_proto::{
    client::ClientError,
    error::ErrorKind,
    method::{
        delivery as report,
        remote::{Account, Decide},
    },
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    offset::{Offset, OffsetError},
    sinks::{
        Http, Trouble,
        telegram::{Button, Telegram},
    },
    worker::connect,
};

/// How long Telegram holds a question when nobody pressed.
const POLL: Duration = Duration::from_secs(25);
/// The pause after an answer without news, so that a server that does not hold it is not flooded.
const EMPTY: Duration = Duration::from_millis(200);
/// The pauses after a failure.
const AGAIN: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
];
/// The longest text of the notice that Telegram shows over the chat.
const TOAST_CHARS: usize = 180;

/// Takes the answers of one bot.
pub(crate) struct Answers {
    socket: PathBuf,
    sink: String,
    telegram: Telegram,
    offset: Offset,
    poll: Http,
    http: Http,
    /// What the daemon was told last: why none can be taken, or that they can.
    told: Option<Result<(), String>>,
}

/// A pressed button.
#[derive(Debug, Deserialize)]
struct Pressed {
    id: String,
    from: User,
    message: Option<Message>,
    data: Option<String>,
}

#[derive(Debug, Deserialize)]
struct User {
    id: i64,
}

#[derive(Debug, Deserialize)]
struct Message {
    message_id: i64,
    chat: User,
}

/// What became of a press.
struct Became {
    text: String,
    /// Whether the question is over, so that its buttons go.
    is_over: bool,
    is_done: bool,
}

impl Answers {
    /// Prepares to take answers; what was handled before is remembered under `state`.
    ///
    /// # Errors
    ///
    /// When what is remembered can't be read or copied: nothing is answered then.
    pub(crate) fn new(
        (socket, state): (&Path, &Path),
        (sink, telegram): (&str, &Telegram),
        answer: Duration,
    ) -> Result<Self, OffsetError> {
        Ok(Self {
            socket: socket.to_path_buf(),
            sink: sink.to_owned(),
            offset: Offset::open(&state.join(format!("telegram-{}.offset", telegram.bot())))?,
            telegram: telegram.clone(),
            poll: Http::within(POLL + answer),
            http: Http::within(answer),
            told: None,
        })
    }

    /// Takes answers; never ends by itself.
    pub(crate) fn run(mut self) {
        let mut tries = 0;
        loop {
            let turn = self.turn();
            self.tell(&turn);
            let Err(error) = turn else {
                tries = 0;
                continue;
            };
            if tries == 0 {
                tracing::warn!(sink = self.sink, error, "no answers can be taken, trying again");
            }
            let pause = AGAIN.get(tries).or(AGAIN.last()).copied().unwrap_or_default();
            tries += 1;
            thread::sleep(pause);
        }
    }

    /// Tells the daemon how it stands, where it does not know yet, so that operators see it.
    fn tell(&mut self, turn: &Result<(), String>) {
        // A failure is told each time: a daemon that was started anew has forgotten it.
        if turn.is_ok() && self.told.as_ref() == Some(turn) {
            return;
        }
        let report = report::Answers { sink: self.sink.clone(), error: turn.clone().err() };
        match connect(&self.socket).and_then(|mut client| client.call(&report)) {
            Ok(_) => self.told = Some(turn.clone()),
            Err(error) => {
                tracing::warn!(sink = self.sink, %error, "the daemon was not told");
                self.told = None;
            }
        }
    }

    /// Passes over everything that waits, after the file was damaged that knew what was handled:
    /// no press is answered twice, and a person who gets no answer presses again.
    fn pass_over(&mut self, aside: &Path) -> Result<(), String> {
        // The newest alone, at once; Telegram forgets all before it.
        let ask = json!({"timeout": 0, "limit": 1, "offset": -1,
            "allowed_updates": ["callback_query"]});
        let waiting = self.updates(&ask)?;
        let last = waiting.iter().filter_map(number).max();
        self.offset.begin(last).map_err(|error| error.to_string())?;
        tracing::error!(
            sink = self.sink,
            aside = %aside.display(),
            "what was answered before was not known, because its file was damaged: a copy of it is \
             set aside, what was pressed up to now is not answered, and new presses are"
        );
        for pressed in waiting.iter().filter_map(pressed) {
            if pressed.message.as_ref().is_some_and(|one| one.chat.id == self.telegram.chat) {
                self.toast(
                    &pressed,
                    "it is not known whether this was answered: press again",
                    true,
                );
            }
        }
        Ok(())
    }

    fn updates(&self, ask: &Value) -> Result<Vec<Value>, String> {
        let answer = self.telegram.call(&self.poll, "getUpdates", ask).map_err(words)?;
        serde_json::from_value(answer).map_err(|_| "its answer can't be read".to_owned())
    }

    /// Asks once for what was pressed and handles it.
    fn turn(&mut self) -> Result<(), String> {
        if let Some(aside) = self.offset.set_aside().map(Path::to_path_buf) {
            self.pass_over(&aside)?;
        }
        let mut ask = json!({"timeout": POLL.as_secs(), "limit": 1,
            "allowed_updates": ["callback_query"]});
        if let (Some(next), Some(ask)) = (self.offset.next(), ask.as_object_mut()) {
            ask.insert("offset".to_owned(), next.into());
        }
        let mut is_new = false;
        for update in self.updates(&ask)? {
            let id = number(&update).ok_or("an update has no number")?;
            // It is on disk before it is acted on: a crash in between loses a press, which a
            // person sees and repeats, and never doubles one.
            if !self.offset.take(id).map_err(|error| error.to_string())? {
                continue;
            }
            is_new = true;
            if let Some(pressed) = pressed(&update) {
                self.handle(&pressed);
            } else {
                tracing::warn!(sink = self.sink, update = id, "is no press of a button");
            }
        }
        if !is_new {
            thread::sleep(EMPTY);
        }
        Ok(())
    }

    fn handle(&self, pressed: &Pressed) {
        let (user, sink) = (pressed.from.id, &self.sink);
        let Some(message) = &pressed.message else {
            return self.toast(pressed, "this message is too old: go to the console", true);
        };
        if message.chat.id != self.telegram.chat {
            // A stranger learns nothing, not even that somebody listens.
            tracing::warn!(sink, user, chat = message.chat.id, "pressed in a foreign chat");
            return;
        }
        if !self.telegram.decide_by.contains(&user) {
            tracing::warn!(sink, user, "pressed by somebody who may not answer");
            return self.toast(pressed, "you are not among those who may answer here", true);
        }
        let became = self.decide(pressed);
        tracing::info!(sink, user, became.is_done, "answered");
        self.toast(pressed, &became.text, !became.is_done);
        let mut body = self.telegram.message(&became.text);
        if let Some(body) = body.as_object_mut() {
            let to = json!({"message_id": message.message_id, "allow_sending_without_reply": true});
            body.insert("reply_parameters".to_owned(), to);
        }
        self.say("sendMessage", &body);
        if became.is_over {
            let none = json!({"chat_id": message.chat.id, "message_id": message.message_id,
                "reply_markup": {"inline_keyboard": []}});
            self.say("editMessageReplyMarkup", &none);
        }
    }

    /// Has the daemon decide what was pressed.
    fn decide(&self, pressed: &Pressed) -> Became {
        let not = |text: &str| Became { text: text.to_owned(), is_over: false, is_done: false };
        let Some(button) = pressed.data.as_deref().and_then(Button::of_data) else {
            return not("this button is not understood: go to the console");
        };
        let Button { decision, approval, rev, digest } = button;
        let by = Account { telegram: pressed.from.id };
        let decide = Decide { approval, rev, digest, decision, by };
        let done = connect(&self.socket).and_then(|mut client| client.call(&decide));
        match done {
            Ok(receipt) => {
                let by = receipt.approval.decided_by.unwrap_or_default();
                let status = receipt.approval.status.as_str();
                let text = format!("{approval} is {status}, by {by}");
                Became { text, is_over: true, is_done: true }
            }
            Err(ClientError::Refused(error)) => Became {
                is_over: error.kind() == ErrorKind::Conflict,
                text: format!("nothing was decided: {}", error.message),
                is_done: false,
            },
            Err(error) => {
                tracing::warn!(sink = self.sink, %error, "the daemon did not answer a press");
                let text = format!("the daemon did not answer: look at {approval} in the console");
                not(&text)
            }
        }
    }

    /// Shows a short notice over the chat.
    fn toast(&self, pressed: &Pressed, text: &str, stays: bool) {
        let text: String = text.chars().take(TOAST_CHARS).collect();
        let body = json!({"callback_query_id": pressed.id, "text": text, "show_alert": stays});
        self.say("answerCallbackQuery", &body);
    }

    /// Says something about what is decided already; that it does not arrive changes nothing.
    fn say(&self, method: &str, body: &Value) {
        if let Err(trouble) = self.telegram.call(&self.http, method, body) {
            tracing::warn!(sink = self.sink, method, error = words(trouble), "was not said");
        }
    }
}

/// Returns the number of an update.
fn number(update: &Value) -> Option<i64> {
    update.get("update_id")?.as_i64()
}

/// Returns the press that an update is about.
fn pressed(update: &Value) -> Option<Pressed> {
    serde_json::from_value(update.get("callback_query")?.clone()).ok()
}

fn words(trouble: Trouble) -> String {
    match trouble {
        Trouble::Later(text)
        | Trouble::Busy(text, _)
        | Trouble::Content(text)
        | Trouble::Moot(text) => text,
    }
}
