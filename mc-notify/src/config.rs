//! `notify.toml`: the sinks, what each takes, and where its address and secrets are. Checked as a
//! whole; everything that is wrong is said with line and column.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use lettre::message::Mailbox;
use mc_core::{
    alert::{NotificationKind, Severity},
    delivery::{Schedule, Sink as Declared, Via},
    refusal::FieldError,
};
use mc_proto::{findings, method::admin::Finding};
use serde::Deserialize;
use ureq::http::Uri;

use crate::{
    secret::{Secret, Source, Store},
    sinks::{
        Sink,
        desktop::Desktop,
        email::{Email, Encryption},
        ntfy::Ntfy,
        slack::Slack,
        telegram::Telegram,
        webhook::Webhook,
    },
};

/// Where Telegram's bots are.
const TELEGRAM: &str = "https://api.telegram.org";
/// The most persons who may answer in one chat.
const PERSONS: usize = 16;
/// The shortest secret that a webhook is signed with, in bytes.
const SHORTEST_SECRET: usize = 16;

/// Why the configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// There is none.
    #[error("{} is missing: nothing is sent anywhere; see docs/NOTIFICATIONS.md", .0.display())]
    Missing(PathBuf),
    /// It can't be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something in it is wrong.
    #[error("{0}")]
    Wrong(String),
}

/// The sinks, ready to be served.
#[derive(Debug)]
pub(crate) struct Config {
    /// When notices are sent and sent again.
    pub(crate) schedule: Schedule,
    /// How long a receiver may take to answer.
    pub(crate) answer: Duration,
    /// The sinks.
    pub(crate) sinks: Vec<Served>,
}

/// One sink: what the daemon is told of it, and how it is reached.
#[derive(Debug)]
pub(crate) struct Served {
    /// What the daemon is told.
    pub(crate) declared: Declared,
    /// How it is reached.
    pub(crate) sink: Sink,
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Doc {
    env_file: Option<PathBuf>,
    answer_ms: u64,
    schedule: Schedule,
    sink: Vec<SinkDoc>,
}

impl Default for Doc {
    fn default() -> Self {
        Self { env_file: None, answer_ms: 15_000, schedule: Schedule::default(), sink: Vec::new() }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SinkDoc {
    name: String,
    via: Via,
    #[serde(default)]
    kinds: Vec<NotificationKind>,
    #[serde(default)]
    min_severity: Severity,
    url: Option<Source>,
    secret: Option<Source>,
    token: Option<Source>,
    topic: Option<Source>,
    chat: Option<i64>,
    #[serde(default)]
    decide_by: Vec<i64>,
    server: Option<String>,
    port: Option<u16>,
    #[serde(default)]
    tls: Encryption,
    user: Option<String>,
    password: Option<Source>,
    from: Option<String>,
    #[serde(default)]
    to: Vec<String>,
}

/// The fields of each kind of sink; what is not named here does nothing there and is refused.
const FIELDS: &[(Via, &[&str], &[&str])] = &[
    (Via::Desktop, &[], &[]),
    (Via::Slack, &["url"], &[]),
    (Via::Webhook, &["url", "secret"], &[]),
    (Via::Telegram, &["token", "chat"], &["url", "decide_by"]),
    (Via::Ntfy, &["url", "topic"], &["token"]),
    (Via::Email, &["server", "from", "to"], &["port", "tls", "user", "password"]),
];

impl Config {
    /// Reads and checks the file at `path`, with all secrets that it names.
    ///
    /// # Errors
    ///
    /// Any [`ConfigError`].
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ConfigError::Missing(path.to_path_buf()));
            }
            Err(source) => {
                return Err(ConfigError::Unreadable { path: path.to_path_buf(), source });
            }
        };
        let dir = path.parent().unwrap_or(Path::new("."));
        Self::parse(&text, dir).map_err(|all| {
            let name = path.display().to_string();
            let lines: Vec<String> = all.iter().map(|one| findings::line(&name, one)).collect();
            ConfigError::Wrong(lines.join("\n"))
        })
    }

    /// Reads and checks the text of a `notify.toml` whose secrets lie in `dir`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong.
    pub(crate) fn parse(text: &str, dir: &Path) -> Result<Self, Vec<Finding>> {
        let doc: Doc = findings::read(text).map_err(|finding| vec![finding])?;
        let mut errors = Vec::new();
        let store = Store::open(dir, doc.env_file.as_deref()).unwrap_or_else(|wrong| {
            errors.push(FieldError::new("env_file", wrong));
            // Nothing of it is used: the file is refused.
            Store::open(dir, None).unwrap_or_else(|_| unreachable!("nothing is read"))
        });
        check_times(&doc.schedule, &mut errors);
        if !(100..=30_000).contains(&doc.answer_ms) {
            let text = format!("is {}, expected 100 to 30000 milliseconds", doc.answer_ms);
            errors.push(FieldError::new("answer_ms", text));
        }
        let mut sinks = Vec::new();
        let mut names = BTreeMap::new();
        for (at, one) in doc.sink.iter().enumerate() {
            let mut reading = Reading { at, doc: one, store: &store, errors: &mut errors };
            if names.insert(one.name.clone(), at).is_some() {
                reading.wrong("name", "another sink has this name");
            }
            let served = reading.sink();
            if let Some(bot) = served.as_ref().and_then(|one| one.sink.takes_answers())
                && sinks.iter().any(|one: &Served| is_same_bot(one, bot))
            {
                reading.wrong("decide_by", "another sink takes the answers of this bot already");
            }
            sinks.extend(served);
        }
        if errors.is_empty() {
            let answer = Duration::from_millis(doc.answer_ms);
            return Ok(Self { schedule: doc.schedule, answer, sinks });
        }
        Err(errors.iter().map(|error| findings::located(text, error)).collect())
    }
}

/// Says whether a sink takes the answers of a bot: each answer comes to one of those who ask.
fn is_same_bot(served: &Served, bot: &Telegram) -> bool {
    served.sink.takes_answers().is_some_and(|other| other.bot() == bot.bot())
}

fn check_times(times: &Schedule, errors: &mut Vec<FieldError>) {
    let day = 86_400_000;
    let mut range = |field: &str, value: i64, low: i64, high: i64| {
        if !(low..=high).contains(&value) {
            let text = format!("is {value}, expected {low} to {high} milliseconds");
            errors.push(FieldError::new(format!("schedule.{field}"), text));
        }
    };
    range("gather_ms", times.gather_ms, 0, day);
    range("expiry_ms", times.expiry_ms, 1000, 7 * day);
    for (at, pause) in times.retry_ms.iter().enumerate() {
        range(&format!("retry_ms[{at}]"), *pause, 10, day);
    }
    if times.retry_ms.is_empty() || times.retry_ms.len() > 64 {
        errors.push(FieldError::new("schedule.retry_ms", "expected 1 to 64 pauses"));
    }
}

/// One sink on its way from the file.
struct Reading<'a> {
    at: usize,
    doc: &'a SinkDoc,
    store: &'a Store,
    errors: &'a mut Vec<FieldError>,
}

impl Reading<'_> {
    fn wrong(&mut self, field: &str, text: impl Into<String>) {
        self.errors.push(FieldError::new(format!("sink[{}].{field}", self.at), text));
    }

    fn sink(&mut self) -> Option<Served> {
        let before = self.errors.len();
        let doc = self.doc;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if !(1..=32).contains(&doc.name.len()) || !doc.name.bytes().all(plain) {
            self.wrong("name", "expected 1 to 32 of a-z, 0-9, `_` and `-`");
        }
        self.check_fields();
        let sink = match doc.via {
            Via::Desktop => Some(Sink::Desktop(Desktop)),
            Via::Slack => self
                .hidden("url")
                .and_then(|url| self.address("url", url))
                .map(|url| Sink::Slack(Slack { url })),
            Via::Webhook => self.webhook(),
            Via::Telegram => self.telegram(),
            Via::Ntfy => self.ntfy(),
            Via::Email => self.email(),
        };
        let declared = Declared {
            name: doc.name.clone(),
            via: doc.via,
            kinds: doc.kinds.clone(),
            min_severity: doc.min_severity,
        };
        let sink = sink.filter(|_| self.errors.len() == before)?;
        Some(Served { declared, sink })
    }

    /// Every field that this kind needs is there, and none that does nothing.
    fn check_fields(&mut self) {
        let doc = self.doc;
        let there: [(&str, bool); 13] = [
            ("url", doc.url.is_some()),
            ("secret", doc.secret.is_some()),
            ("token", doc.token.is_some()),
            ("topic", doc.topic.is_some()),
            ("chat", doc.chat.is_some()),
            ("decide_by", !doc.decide_by.is_empty()),
            ("server", doc.server.is_some()),
            ("port", doc.port.is_some()),
            ("tls", doc.tls != Encryption::default()),
            ("user", doc.user.is_some()),
            ("password", doc.password.is_some()),
            ("from", doc.from.is_some()),
            ("to", !doc.to.is_empty()),
        ];
        let via = serde_json::to_value(doc.via).unwrap_or_default();
        let via = via.as_str().unwrap_or_default();
        let Some((_, needed, allowed)) = FIELDS.iter().find(|(kind, ..)| *kind == doc.via) else {
            return;
        };
        for (field, is_there) in there {
            if needed.contains(&field) && !is_there {
                self.wrong(field, format!("is missing: a {via} sink needs it"));
            } else if is_there && !needed.contains(&field) && !allowed.contains(&field) {
                self.wrong(field, format!("does nothing on a {via} sink: take it out"));
            }
        }
    }

    fn source(&self, field: &str) -> Option<&Source> {
        match field {
            "url" => self.doc.url.as_ref(),
            "secret" => self.doc.secret.as_ref(),
            "token" => self.doc.token.as_ref(),
            "topic" => self.doc.topic.as_ref(),
            "password" => self.doc.password.as_ref(),
            _ => None,
        }
    }

    /// Returns a value that may stand in clear.
    fn open(&mut self, field: &str) -> Option<Secret> {
        let found = self.store.get(self.source(field)?);
        found.map_err(|wrong| self.wrong(field, wrong)).ok()
    }

    /// Returns a value that must not stand in clear.
    fn hidden(&mut self, field: &str) -> Option<Secret> {
        if let Some(Source::Plain(_)) = self.source(field) {
            let text = format!(
                "is a secret: put it into a file of mode 0600 and write `{field} = {{ file = \"FILE\" }}`"
            );
            self.wrong(field, text);
            return None;
        }
        self.open(field)
    }

    /// Checks an address: HTTPS, unless it is this machine or somebody means it.
    fn address(&mut self, field: &str, url: Secret) -> Option<Secret> {
        let uri: Option<Uri> = url.expose().parse().ok();
        let host = uri.as_ref().and_then(Uri::host).unwrap_or_default().to_owned();
        let has_user =
            uri.as_ref().and_then(Uri::authority).is_some_and(|a| a.as_str().contains('@'));
        let scheme = uri.as_ref().and_then(Uri::scheme_str).unwrap_or_default();
        let is_here = ["127.0.0.1", "::1", "[::1]", "localhost"].contains(&host.as_str());
        let wrong = match scheme {
            _ if host.is_empty() => Some("expected an address like https://example.org/path"),
            _ if has_user => Some("must not hold a name and password"),
            "https" => None,
            "http" if is_here => None,
            "http" => Some("is not encrypted: use https; plain http is for this machine alone"),
            _ => Some("expected https://"),
        };
        match wrong {
            Some(text) => {
                self.wrong(field, text);
                None
            }
            None => Some(url),
        }
    }

    fn webhook(&mut self) -> Option<Sink> {
        let url = self.open("url").and_then(|url| self.address("url", url));
        let secret = self.hidden("secret");
        if secret.as_ref().is_some_and(|secret| secret.expose().len() < SHORTEST_SECRET) {
            self.wrong("secret", format!("expected at least {SHORTEST_SECRET} bytes"));
        }
        Some(Sink::Webhook(Webhook { url: url?, secret: secret? }))
    }

    fn telegram(&mut self) -> Option<Sink> {
        let token = self.hidden("token");
        let shape = |token: &str| {
            token.split_once(':').is_some_and(|(bot, key)| {
                let key_char = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
                !bot.is_empty()
                    && bot.bytes().all(|b| b.is_ascii_digit())
                    && key.bytes().all(key_char)
            })
        };
        if token.as_ref().is_some_and(|token| !shape(token.expose())) {
            self.wrong("token", "expected a bot's token like 123456:ABC-def");
        }
        let base = match self.doc.url {
            Some(_) => self.open("url").and_then(|url| self.address("url", url))?,
            None => self.store.get(&Source::Plain(TELEGRAM.to_owned())).ok()?,
        };
        let decide_by = self.doc.decide_by.clone();
        if decide_by.len() > PERSONS || decide_by.iter().any(|user| *user <= 0) {
            self.wrong("decide_by", format!("expected at most {PERSONS} numbers of persons"));
        }
        Some(Sink::Telegram(Telegram { base, token: token?, chat: self.doc.chat?, decide_by }))
    }

    fn ntfy(&mut self) -> Option<Sink> {
        let url = self.open("url").and_then(|url| self.address("url", url));
        let topic = self.open("topic");
        let token = match self.doc.token {
            Some(_) => Some(self.hidden("token")?),
            None => None,
        };
        Some(Sink::Ntfy(Ntfy { url: url?, topic: topic?, token }))
    }

    fn email(&mut self) -> Option<Sink> {
        let doc = self.doc;
        let from = doc.from.as_deref().and_then(|text| self.mailbox("from", text));
        let mut to = Vec::new();
        for (at, text) in doc.to.iter().enumerate() {
            to.extend(self.mailbox(&format!("to[{at}]"), text));
        }
        let login = match (&doc.user, &doc.password) {
            (Some(user), Some(_)) => Some((user.clone(), self.hidden("password")?)),
            (None, None) => None,
            (Some(_), None) => {
                self.wrong("password", "is missing beside `user`");
                None
            }
            (None, Some(_)) => {
                self.wrong("user", "is missing beside `password`");
                None
            }
        };
        let server = doc.server.clone()?;
        let is_here = ["127.0.0.1", "::1", "localhost"].contains(&server.as_str());
        if doc.tls == Encryption::None && !is_here {
            self.wrong("tls", "`none` is for a mail server on this machine alone");
        }
        let port = doc.port.unwrap_or(doc.tls.port());
        Some(Sink::Email(Email { server, port, tls: doc.tls, login, from: from?, to }))
    }

    fn mailbox(&mut self, field: &str, text: &str) -> Option<Mailbox> {
        let found = text.parse::<Mailbox>();
        found.map_err(|_| self.wrong(field, format!("`{text}` is no mail address"))).ok()
    }
}
