//! The daemon's orders, carried out at the gateway: end sessions, bring texts.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::future::{join, join_all};
use mc_core::agent::AgentName;
use mc_proto::{
    error::{ErrorKind, RpcError},
    method::feed::{Abort, Aborted, Deliver},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::gateway::{Calls, GatewayError};

/// How often the gateway is looked at again before a session counts as not ended.
const ROUNDS: u32 = 4;
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(120);
/// The longest text that is delivered.
const MAX_TEXT: usize = 16 * 1024;

/// Which OpenClaw agents are which Mission Control agents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agents(BTreeMap<String, AgentName>);

impl Agents {
    /// Reads `openclaw-id=name,...`; a lone word is both.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pairs = text.split(',').filter(|pair| !pair.trim().is_empty()).map(|pair| {
            let (id, name) = pair.split_once('=').unwrap_or((pair, pair));
            let name = name.trim().parse().map_err(|error| format!("`{name}`: {error}"))?;
            Ok((id.trim().to_owned(), name))
        });
        let agents: BTreeMap<_, _> = pairs.collect::<Result<_, String>>()?;
        if agents.is_empty() {
            return Err("name at least one agent, such as main=wren".to_owned());
        }
        Ok(Self(agents))
    }

    /// The Mission Control names, each once.
    pub fn names(&self) -> Vec<AgentName> {
        self.0.values().cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The Mission Control name of an OpenClaw agent.
    pub fn name(&self, id: &str) -> Option<&AgentName> {
        self.0.get(id)
    }

    /// The OpenClaw ids that stand for `name`.
    fn ids(&self, name: &AgentName) -> Vec<&str> {
        self.0.iter().filter(|(_, known)| *known == name).map(|(id, _)| id.as_str()).collect()
    }
}

/// A session that does something now.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    key: String,
    #[serde(default)]
    agent_id: Option<String>,
    #[serde(default)]
    has_active_run: bool,
    #[serde(default)]
    spawned_by: Option<String>,
    #[serde(default)]
    parent_session_key: Option<String>,
}

impl Session {
    /// The OpenClaw agent, by its own field or by its key `agent:ID:...`.
    fn agent(&self) -> &str {
        self.agent_id.as_deref().unwrap_or_else(|| agent_of(&self.key))
    }

    fn parent(&self) -> Option<&str> {
        self.spawned_by.as_deref().or(self.parent_session_key.as_deref())
    }
}

/// A command that runs in the background.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Background {
    task_id: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    session_key: Option<String>,
}

/// Returns the OpenClaw agent that a session key `agent:ID:...` names.
pub(crate) fn agent_of(key: &str) -> &str {
    key.strip_prefix("agent:").and_then(|rest| rest.split(':').next()).unwrap_or_default()
}

/// Carries orders out.
#[derive(Debug, Clone)]
pub struct Orders<C> {
    gateway: C,
    agents: Agents,
}

/// What an abort has done so far.
#[derive(Debug, Default)]
struct Done {
    sessions: BTreeSet<String>,
    commands: BTreeSet<String>,
    problems: Vec<String>,
}

/// How one session took its abort.
enum Ended {
    /// Its turn was cut off.
    Aborted,
    /// It had no turn.
    WasIdle,
    /// It goes on, and why.
    Not(String),
}

/// Which sessions an abort is about: those of these agents, or one session with all below it.
struct Scope<'a> {
    agents: Vec<&'a str>,
    session: Option<String>,
}

impl<C: Calls> Orders<C> {
    /// Orders for `agents`, carried out at `gateway`.
    pub fn new(gateway: C, agents: Agents) -> Self {
        Self { gateway, agents }
    }

    /// Ends a session (or all of an agent) with its sub-agents and background commands, and looks
    /// whether they have ended.
    pub async fn abort(&self, order: &Abort) -> Aborted {
        let scope = Scope {
            agents: self.agents.ids(&order.agent),
            session: order.session.as_ref().map(|key| key.to_lowercase()),
        };
        if scope.agents.is_empty() {
            let detail = format!("no OpenClaw agent of this gateway is {}", order.agent);
            return Aborted { ended: false, detail };
        }
        self.end(&scope).await
    }

    /// Ends whatever the agents of this gateway do at the moment, and looks whether it has ended.
    pub async fn abort_all(&self) -> Aborted {
        let agents = self.agents.0.keys().map(String::as_str).collect();
        self.end(&Scope { agents, session: None }).await
    }

    async fn end(&self, scope: &Scope<'_>) -> Aborted {
        let mut done = Done::default();
        // What was named is cut at once; the list that finds its children comes after it.
        if let Some(key) = &scope.session {
            done.note_sessions(&[key], self.abort_sessions(&[key]).await);
        }
        let mut ended = false;
        for round in 0..ROUNDS {
            if round > 0 {
                sleep(PAUSE).await;
            }
            match self.sweep(scope, &mut done).await {
                Ok(0) => {
                    ended = true;
                    break;
                }
                Ok(_) => {}
                Err(error) => {
                    done.problems.push(error.to_string());
                    break;
                }
            }
        }
        Aborted { ended, detail: done.describe() }
    }

    /// Aborts what goes on in `scope` and returns how much that was. Turns and background commands
    /// are ended side by side: neither waits for the other.
    async fn sweep(&self, scope: &Scope<'_>, done: &mut Done) -> Result<usize, GatewayError> {
        let running = self.gateway.call("tasks.list", json!({ "status": "running" }));
        let (sessions, running) = join(self.active_sessions(), running).await;
        let (sessions, running) = (sessions?, running?);
        let family = scope.family(&sessions);
        let active: Vec<&str> = sessions
            .iter()
            .filter(|session| session.has_active_run && scope.holds(session, &family))
            .map(|session| session.key.as_str())
            .collect();
        let commands: Vec<Background> = items(&running, "tasks")
            .into_iter()
            .filter(|task: &Background| {
                let within = |key: &String| scope.holds_key(key, &family);
                task.kind == "exec" && task.session_key.as_ref().is_some_and(within)
            })
            .collect();
        let (turns, canceled) =
            join(self.abort_sessions(&active), self.cancel_commands(&commands)).await;
        done.note_sessions(&active, turns);
        done.note_commands(&commands, canceled);
        Ok(active.len() + commands.len())
    }

    async fn cancel_commands(&self, commands: &[Background]) -> Vec<Result<Value, GatewayError>> {
        let cancel = |task: &Background| json!({ "taskId": task.task_id });
        join_all(commands.iter().map(|task| self.gateway.call("tasks.cancel", cancel(task)))).await
    }

    async fn active_sessions(&self) -> Result<Vec<Session>, GatewayError> {
        let listed = self.gateway.call("sessions.list", json!({ "activeOnly": true })).await?;
        Ok(items(&listed, "sessions"))
    }

    /// Aborts one session's turn. A turn that another client began is not ours to abort without the
    /// gateway's admin scope, but whoever may write may interrupt it: the turn that this begins in
    /// its place is ours, meets the run gate, and is aborted by the next look.
    async fn abort_session(&self, key: &str) -> Ended {
        let params = json!({ "key": key, "clearQueued": true });
        match self.gateway.call("sessions.abort", params).await {
            Ok(answer) if answer.get("status") == Some(&"aborted".into()) => Ended::Aborted,
            Ok(_) => Ended::WasIdle,
            Err(GatewayError::Refused(refusal)) if refusal.message == "unauthorized" => {
                self.interrupt(key).await
            }
            Err(error) => Ended::Not(format!("{key}: {error}")),
        }
    }

    async fn interrupt(&self, key: &str) -> Ended {
        let mut nonce = [0; 8];
        if let Err(error) = getrandom::fill(&mut nonce) {
            return Ended::Not(format!("{key}: no randomness: {error}"));
        }
        let params = json!({
            "sessionKey": key,
            "message": message("This turn was ended. Wait until you hear more."),
            "idempotencyKey": format!("mc-interrupt-{:016x}", u64::from_le_bytes(nonce)),
            "queueMode": "interrupt",
        });
        match self.gateway.call("chat.send", params).await {
            Ok(answer) if answer.get("interruptedActiveRun") == Some(&true.into()) => {
                Ended::Aborted
            }
            Ok(_) => Ended::WasIdle,
            Err(error) => Ended::Not(format!("{key}: {error}")),
        }
    }

    /// Aborts several sessions at once.
    async fn abort_sessions(&self, keys: &[&str]) -> Vec<Ended> {
        join_all(keys.iter().map(|key| self.abort_session(key))).await
    }

    /// Brings a text to an agent's session and wakes it; into the turn that goes on, if there is one.
    ///
    /// # Errors
    ///
    /// `not_found` for an agent that is not here, `unavailable` when the gateway does not take it.
    pub async fn deliver(&self, order: &Deliver) -> Result<(), RpcError> {
        let ids = self.agents.ids(&order.agent);
        let Some(id) = ids.first() else {
            let text = format!("no OpenClaw agent of this gateway is {}", order.agent);
            return Err(RpcError::new(ErrorKind::NotFound, text));
        };
        let key =
            order.session.as_ref().map_or_else(|| format!("agent:{id}:main"), |k| k.to_lowercase());
        if !ids.contains(&agent_of(&key)) {
            let text = format!("session {key} does not belong to {}", order.agent);
            return Err(RpcError::new(ErrorKind::Forbidden, text));
        }
        let running = self.active_sessions().await.map_err(unavailable)?;
        let is_running = running.iter().any(|session| session.key == key && session.has_active_run);
        let mut params = json!({
            "sessionKey": key,
            "message": message(&order.text),
            "idempotencyKey": order.id,
        });
        if is_running && let Value::Object(map) = &mut params {
            map.insert("queueMode".to_owned(), "steer".into());
        }
        self.gateway.call("chat.send", params).await.map(drop).map_err(unavailable)
    }
}

impl Scope<'_> {
    /// The named session and everything that was spawned below it.
    fn family(&self, sessions: &[Session]) -> BTreeSet<String> {
        let mut family: BTreeSet<String> = self.session.iter().cloned().collect();
        loop {
            let before = family.len();
            let children = sessions
                .iter()
                .filter(|session| session.parent().is_some_and(|parent| family.contains(parent)))
                .map(|session| session.key.clone())
                .collect::<Vec<_>>();
            family.extend(children);
            if family.len() == before {
                return family;
            }
        }
    }

    fn holds(&self, session: &Session, family: &BTreeSet<String>) -> bool {
        if self.session.is_some() {
            family.contains(&session.key)
        } else {
            self.agents.contains(&session.agent())
        }
    }

    fn holds_key(&self, key: &str, family: &BTreeSet<String>) -> bool {
        if self.session.is_some() {
            family.contains(key)
        } else {
            self.agents.contains(&agent_of(key))
        }
    }
}

impl Done {
    fn note_sessions(&mut self, keys: &[&str], turns: Vec<Ended>) {
        for (key, turn) in keys.iter().zip(turns) {
            match turn {
                Ended::Aborted => drop(self.sessions.insert((*key).to_owned())),
                Ended::WasIdle => {}
                Ended::Not(why) => self.problems.push(why),
            }
        }
    }

    fn note_commands(
        &mut self,
        commands: &[Background],
        canceled: Vec<Result<Value, GatewayError>>,
    ) {
        for (task, canceled) in commands.iter().zip(canceled) {
            match canceled {
                Ok(_) => drop(self.commands.insert(task.task_id.clone())),
                Err(error) => self.problems.push(error.to_string()),
            }
        }
    }

    fn describe(&self) -> String {
        let mut text = format!(
            "{} session(s) aborted, {} background command(s) cancelled",
            self.sessions.len(),
            self.commands.len()
        );
        for problem in &self.problems {
            text.push_str("; ");
            text.push_str(problem);
        }
        text
    }
}

/// Reads the list `name` of an answer; rows that are not understood are left out.
fn items<T: serde::de::DeserializeOwned>(answer: &Value, name: &str) -> Vec<T> {
    let rows = answer.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    rows.iter().filter_map(|row| T::deserialize(row).ok()).collect()
}

/// Makes a text that the gateway takes for a message, never for a `/command`.
fn message(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_TEXT);
    format!("[Mission Control] {}", text.get(..end).unwrap_or_default())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
fn unavailable(error: GatewayError) -> RpcError {
    RpcError::new(ErrorKind::Unavailable, error.to_string()).retry_after(2000)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::frame::GatewayRefusal;

    /// A gateway with these sessions and background commands; aborting and cancelling removes them.
    #[derive(Default)]
    pub(crate) struct Fake {
        sessions: Mutex<Vec<Value>>,
        tasks: Mutex<Vec<Value>>,
        calls: Mutex<Vec<(String, Value)>>,
        pub(crate) stubborn: bool,
        /// Turns of other clients: interrupted, never aborted.
        foreign: bool,
    }

    impl Calls for &Fake {
        async fn call(&self, method: &str, params: Value) -> Result<Value, GatewayError> {
            self.calls.lock().unwrap().push((method.to_owned(), params.clone()));
            match method {
                "sessions.list" => Ok(json!({ "sessions": *self.sessions.lock().unwrap() })),
                "tasks.list" => Ok(json!({ "tasks": *self.tasks.lock().unwrap() })),
                "sessions.abort" if self.foreign => Err(GatewayError::Refused(GatewayRefusal {
                    message: "unauthorized".into(),
                    ..GatewayRefusal::default()
                })),
                "chat.send" if params["queueMode"] == "interrupt" => {
                    let mut rows = self.sessions.lock().unwrap();
                    rows.retain(|row| row["key"] != params["sessionKey"]);
                    Ok(json!({ "status": "started", "interruptedActiveRun": true }))
                }
                "sessions.abort" => {
                    let mut rows = self.sessions.lock().unwrap();
                    let before = rows.len();
                    if !self.stubborn {
                        rows.retain(|row| row["key"] != params["key"]);
                    }
                    let found = rows.len() < before;
                    Ok(json!({ "status": if found { "aborted" } else { "no-active-run" } }))
                }
                "tasks.cancel" => {
                    let mut rows = self.tasks.lock().unwrap();
                    rows.retain(|row| row["taskId"] != params["taskId"]);
                    Ok(json!({}))
                }
                "chat.send" => Ok(json!({ "status": "started" })),
                _ => Err(GatewayError::Refused(GatewayRefusal::default())),
            }
        }
    }

    impl Fake {
        pub(crate) fn squad() -> Self {
            let row = |key: &str, parent: Value| json!({ "key": key, "hasActiveRun": true, "spawnedBy": parent });
            let command =
                |id: &str, key: &str| json!({ "taskId": id, "kind": "exec", "sessionKey": key });
            Self {
                sessions: Mutex::new(vec![
                    row("agent:main:a", Value::Null),
                    row("agent:main:subagent:1", "agent:main:a".into()),
                    row("agent:main:subagent:2", "agent:main:subagent:1".into()),
                    row("agent:main:b", Value::Null),
                    row("agent:dev:a", Value::Null),
                ]),
                tasks: Mutex::new(vec![
                    command("t1", "agent:main:subagent:1"),
                    command("t2", "agent:main:b"),
                    json!({ "taskId": "t3", "kind": "cli", "sessionKey": "agent:main:a" }),
                ]),
                ..Self::default()
            }
        }

        pub(crate) fn left(&self) -> Vec<String> {
            let rows = self.sessions.lock().unwrap();
            rows.iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect()
        }

        pub(crate) fn begin(&self, key: &str) {
            self.sessions.lock().unwrap().push(json!({ "key": key, "hasActiveRun": true }));
        }

        pub(crate) fn count(&self, method: &str) -> usize {
            self.calls.lock().unwrap().iter().filter(|(called, _)| called == method).count()
        }
    }

    fn agents() -> Agents {
        Agents::parse("main=wren,dev").unwrap()
    }

    fn abort(session: Option<&str>) -> Abort {
        Abort {
            agent: "wren".parse().unwrap(),
            session: session.map(str::to_owned),
            reason: "stop".into(),
        }
    }

    #[test]
    fn agents_are_read_and_wrong_ones_are_named() {
        assert_eq!(agents().names().len(), 2);
        assert!(Agents::parse("").is_err());
        assert!(Agents::parse("main=no good").unwrap_err().contains("no good"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_with_all_below_it_and_their_commands() {
        let fake = Fake::squad();
        let aborted = Orders::new(&fake, agents()).abort(&abort(Some("agent:main:A"))).await;
        assert!(aborted.ended, "{aborted:?}");
        assert_eq!(fake.left(), ["agent:main:b", "agent:dev:a"]);
        assert_eq!(fake.tasks.lock().unwrap().len(), 2, "only t1 belonged to it");
        assert!(aborted.detail.starts_with("3 session(s) aborted, 1 background"), "{aborted:?}");
        let first = &fake.calls.lock().unwrap()[0];
        assert_eq!(first.0, "sessions.abort", "what was named is cut before anything is listed");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_session_all_of_the_agent_ends_and_nobody_elses() {
        let fake = Fake::squad();
        assert!(Orders::new(&fake, agents()).abort(&abort(None)).await.ended);
        assert_eq!(fake.left(), ["agent:dev:a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_is_said() {
        let fake = Fake { stubborn: true, ..Fake::squad() };
        assert!(!Orders::new(&fake, agents()).abort(&abort(None)).await.ended);
        let stranger = Abort { agent: "heron".parse().unwrap(), ..abort(None) };
        assert!(!Orders::new(&fake, agents()).abort(&stranger).await.ended);
    }

    #[tokio::test(start_paused = true)]
    async fn turns_of_other_clients_are_interrupted() {
        let fake = Fake { foreign: true, ..Fake::squad() };
        let aborted = Orders::new(&fake, agents()).abort(&abort(Some("agent:main:b"))).await;
        assert!(aborted.ended, "{aborted:?}");
        assert!(!fake.left().contains(&"agent:main:b".to_owned()));
    }

    fn deliver(session: Option<&str>, text: &str) -> Deliver {
        Deliver {
            agent: "wren".parse().unwrap(),
            session: session.map(str::to_owned),
            text: text.into(),
            id: "N-1".into(),
        }
    }

    #[tokio::test]
    async fn a_text_steers_a_running_turn_and_wakes_an_idle_session() {
        let fake = Fake::squad();
        let orders = Orders::new(&fake, agents());
        orders.deliver(&deliver(Some("agent:main:b"), "/stop A-3 approved")).await.unwrap();
        orders.deliver(&deliver(None, "hello")).await.unwrap();
        let calls = fake.calls.lock().unwrap();
        let sent: Vec<&Value> =
            calls.iter().filter(|(name, _)| name == "chat.send").map(|(_, sent)| sent).collect();
        assert_eq!(sent[0]["queueMode"], "steer");
        assert_eq!(sent[0]["message"], "[Mission Control] /stop A-3 approved", "never a command");
        assert_eq!(sent[0]["idempotencyKey"], "N-1");
        assert_eq!(sent[1]["sessionKey"], "agent:main:main");
        assert!(sent[1].get("queueMode").is_none());
    }

    #[tokio::test]
    async fn a_text_reaches_only_sessions_of_its_agent() {
        let fake = Fake::squad();
        let orders = Orders::new(&fake, agents());
        let refused = orders.deliver(&deliver(Some("agent:dev:a"), "x")).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Forbidden);
        assert!(fake.calls.lock().unwrap().is_empty());
    }
}
