//! An agent of the demo: it speaks to the daemon as any agent does and gets no favours.

use mc_core::{
    agent::{AgentName, Runtime},
    approval::ApprovalKind,
    id::{ApprovalId, CallId, RunId, TaskId},
    message::MessageKind,
    money::MicroUsd,
    policy::Outcome,
    run::RunStatus,
    task::{CheckedItem, TaskState},
};
use mc_proto::{
    client::{Client, ClientError, Incoming, ServerRequest, hello},
    home::Home,
    method::{agent, approval, feed, run, task, thread},
};
use serde_json::{Value, json};

use super::squad::Dice;

/// What an agent is about.
#[derive(Debug, Clone, Copy)]
struct Work {
    task: TaskId,
    fence: Option<i64>,
    run: RunId,
    done: u64,
}

/// An agent.
pub(super) struct Worker {
    name: AgentName,
    client: Client,
    work: Option<Work>,
    waits: Option<ApprovalId>,
}

/// What is done between the questions.
const CALLS: &[(&str, &str, &str)] = &[
    ("read", "path", "src/export/csv.rs"),
    ("grep", "pattern", "fn encode"),
    ("read", "path", "docs/limits.md"),
    ("edit", "path", "src/export/csv.rs"),
    ("ls", "path", "tests"),
    ("read", "path", "tests/export.rs"),
];

/// Commands that are asked.
const COMMANDS: &[&str] = &[
    "cargo test -p billing",
    "git push origin fix/export",
    "kubectl rollout restart deploy/billing",
    "psql -c 'analyze invoices'",
];

/// What is said on the way.
const WORDS: &[&str] = &[
    "Half of the cases pass now.",
    "The cause is the byte order mark; writing a test for it.",
    "Waiting for the build.",
    "Found a second place with the same mistake.",
];

impl Worker {
    /// Connects as the agent `name`.
    pub(super) async fn connect(
        home: &Home,
        name: AgentName,
        token: String,
    ) -> Result<Self, ClientError> {
        let mut program = hello("demo-agent", env!("CARGO_PKG_VERSION"));
        program.agent = Some(name.clone());
        program.token = Some(token);
        let (client, mut unasked) = Client::connect(&home.agent_socket(), &program).await?;
        tokio::spawn(async move {
            while let Some(unasked) = unasked.recv().await {
                if let Incoming::Request(order) = unasked {
                    obey(order);
                }
            }
        });
        let attach = feed::Attach {
            runtime: Runtime::Openclaw,
            version: "demo".to_owned(),
            agents: vec![name.clone()],
            capabilities: vec![
                feed::Capability::Gate,
                feed::Capability::Abort,
                feed::Capability::Deliver,
            ],
        };
        client.call(&attach).await?;
        Ok(Self { name, client, work: None, waits: None })
    }

    /// Returns its name.
    pub(super) fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Does the next thing. What the daemon refuses is not done: the demo goes on.
    pub(super) async fn step(&mut self, dice: &mut Dice) {
        if self.waits.is_some() {
            self.look_for_answer().await;
        } else if self.work.is_none() {
            self.take_up().await;
        } else if dice.roll(9) == 0 {
            let command = pick(COMMANDS, dice).copied().unwrap_or_default();
            self.ask(json!({"command": command}), "to see whether it works").await;
        } else if self.work.is_some_and(|work| work.done > 12) {
            self.submit().await;
        } else {
            self.work(dice).await;
        }
    }

    /// Takes up the next task: an own one, else one of the inbox.
    pub(super) async fn take_up(&mut self) {
        let Ok(beat) = self.client.call(&agent::Heartbeat::default()).await else { return };
        let open = beat
            .assigned
            .iter()
            .find(|card| matches!(card.state, TaskState::Assigned | TaskState::InProgress));
        let Some(card) = open.or_else(|| beat.claimable.first()) else { return };
        let (id, is_started) = (card.id, card.state == TaskState::InProgress);
        let claimed = self.client.call(&task::Claim { task: id }).await;
        let fence = claimed.ok().and_then(|moved| moved.fence);
        if !is_started {
            let work_plan = ["read what is there", "change it", "test it", "write it down"];
            let work_plan = work_plan.map(str::to_owned).to_vec();
            let start = task::Start { task: id, fence, work_plan };
            if self.client.call(&start).await.is_err() {
                return;
            }
        }
        let start = run::Start {
            session: format!("agent:{}:main", self.name),
            model: Some("large".to_owned()),
            trigger: Some("user".to_owned()),
            task: Some(id),
            ..run::Start::default()
        };
        if let Ok(started) = self.client.call(&start).await {
            self.work = Some(Work { task: id, fence, run: started.run, done: 0 });
        }
    }

    /// Does a bit of the task: a call, some tokens, sometimes a word.
    pub(super) async fn work(&mut self, dice: &mut Dice) {
        let Some(work) = &mut self.work else { return };
        work.done += 1;
        let work = *work;
        let Some((tool, key, value)) = pick(CALLS, dice) else { return };
        let check = run::Check {
            run: Some(work.run),
            tool: (*tool).to_owned(),
            arguments: json!({*key: *value}),
            cwd: Some("/srv/squad".to_owned()),
            task: Some(work.task),
            ..run::Check::default()
        };
        if let Ok(checked) = self.client.call(&check).await
            && checked.decision == Outcome::Allow
        {
            self.end_call(checked.call, dice.roll(9) > 0).await;
        }
        let tokens = i64::try_from(800 + dice.roll(9_000)).unwrap_or(800);
        let usage = run::Usage {
            run: work.run,
            model: "large".to_owned(),
            input_tokens: tokens,
            output_tokens: tokens / 8,
            cost_uusd: Some(MicroUsd(tokens * 4)),
            ..run::Usage::default()
        };
        self.client.call(&usage).await.ok();
        if dice.roll(4) == 0
            && let Some(words) = pick(WORDS, dice)
        {
            self.say(work.task, words).await;
        }
    }

    async fn end_call(&self, call: CallId, is_good: bool) {
        let finish = run::ToolFinish {
            call,
            status: if is_good { run::Ended::Succeeded } else { run::Ended::Failed },
            duration_ms: Some(420),
            error: (!is_good).then(|| "exit 1: 401 key expired".to_owned()),
            ..run::ToolFinish::default()
        };
        self.client.call(&finish).await.ok();
    }

    async fn say(&self, task: TaskId, words: &str) {
        let kind = MessageKind::Progress;
        let post = thread::Post { task, kind, text: words.to_owned(), ..thread::Post::default() };
        self.client.call(&post).await.ok();
    }

    /// Asks for a command that writes a secret.
    pub(super) async fn ask_red(&mut self) {
        let command = "vault kv put kv/stripe key=$NEW_KEY";
        let why = "The old key returns 401; I must rotate it to finish the tests.";
        if let Some(work) = self.work {
            self.say(work.task, "Old key returns 401. May I rotate it?").await;
        }
        self.ask(json!({"command": command, "timeout_s": 60}), why).await;
    }

    /// Asks for something that can't be undone, in its own words.
    pub(super) async fn ask_yellow(&mut self) {
        let Some(work) = self.work else { return };
        let ask = approval::Ask {
            kind: ApprovalKind::Escalation,
            summary: "delete 1,204 objects older than a year".to_owned(),
            task: Some(work.task),
            payload: json!({"bucket": "s3://stale", "prefix": "exports/2024/", "objects": 1204}),
            justification: "They cost $40 a month and nobody has read them since March.".to_owned(),
            rollback: Some("versioning keeps them for 30 days".to_owned()),
            estimated_cost_uusd: Some(MicroUsd::cents(2)),
            ..approval::Ask::default()
        };
        if let Ok(asked) = self.client.call(&ask).await {
            self.waits = Some(asked.id);
        }
    }

    /// Asks for something that can be remembered, and says which approval waits.
    pub(super) async fn ask_yellow_command(&mut self) -> Option<ApprovalId> {
        let command = json!({"command": "git push origin fix/export"});
        self.ask(command, "The branch is ready; the review needs it.").await;
        self.waits
    }

    /// Asks again what a standing rule covers by now: it runs unasked.
    pub(super) async fn push_again(&mut self) {
        self.look_for_answer().await;
        self.ask_yellow_command().await;
    }

    async fn ask(&mut self, arguments: Value, why: &str) {
        let Some(work) = self.work else { return };
        let check = run::Check {
            run: Some(work.run),
            session: Some(format!("agent:{}:main", self.name)),
            tool: "exec".to_owned(),
            arguments,
            cwd: Some("/srv/squad/billing".to_owned()),
            external_id: None,
            env: [("VAULT_ADDR".to_owned(), "https://vault.example".to_owned())].into(),
            task: Some(work.task),
            justification: Some(why.to_owned()),
            rollback: Some("vault kv rollback -version=6 kv/stripe".to_owned()),
            estimated_cost_uusd: Some(MicroUsd::cents(1)),
            can_rewrite: true,
            wait_ms: 0,
        };
        if let Ok(checked) = self.client.call(&check).await {
            self.waits = checked.approval.filter(|_| checked.decision == Outcome::Ask);
            if checked.decision == Outcome::Allow {
                self.end_call(checked.call, true).await;
            }
        }
    }

    /// Looks whether a person has decided.
    async fn look_for_answer(&mut self) {
        let (Some(approval), Some(work)) = (self.waits, self.work) else {
            self.waits = None;
            return;
        };
        self.client.call(&agent::Heartbeat::default()).await.ok();
        let Ok(answer) = self.client.call(&run::Await { approval, call: None, wait_ms: 0 }).await
        else {
            return;
        };
        match answer.decision {
            Outcome::Ask => {}
            Outcome::Allow => {
                if let Some(call) = answer.call {
                    self.end_call(call, true).await;
                }
                self.say(work.task, "It ran and succeeded.").await;
                self.waits = None;
            }
            Outcome::Deny => {
                self.say(work.task, "Understood, I look for another way.").await;
                self.waits = None;
            }
        }
    }

    /// Hands in what was made, with its checklist.
    pub(super) async fn submit(&mut self) {
        let Some(work) = self.work.take() else { return };
        self.hand_in(work.task, work.fence).await;
        let finish = run::Finish { run: work.run, status: RunStatus::Succeeded, error: None };
        self.client.call(&finish).await.ok();
    }

    async fn hand_in(&self, task: TaskId, fence: Option<i64>) {
        let Ok(detail) = self.client.call(&task::Get { task }).await else { return };
        let checked = |item: String| CheckedItem { item, checked: true, note: None };
        let submit = task::Submit {
            task,
            fence,
            deliverable: Some("branch fix/export, 3 files, 41 lines; all tests pass".to_owned()),
            self_review: Some(detail.checklist.into_iter().map(checked).collect()),
            evidence: Some(vec!["test log of the last run".to_owned()]),
        };
        self.client.call(&submit).await.ok();
    }

    /// Says that it can't go on.
    pub(super) async fn get_stuck(&mut self) {
        let Some(work) = self.work.take() else { return };
        let report = task::ReportBlocker {
            task: work.task,
            fence: work.fence,
            reason: "the certificate authority answers 503".to_owned(),
            tried: Some("three times, ten minutes apart".to_owned()),
            needs: Some("somebody who can call them".to_owned()),
        };
        self.client.call(&report).await.ok();
        let finish = run::Finish { run: work.run, status: RunStatus::Succeeded, error: None };
        self.client.call(&finish).await.ok();
    }

    /// Tries what the policy forbids to everybody.
    pub(super) async fn break_a_rule(&mut self) {
        let Some(work) = self.work else { return };
        let check = run::Check {
            run: Some(work.run),
            tool: "read".to_owned(),
            arguments: json!({"path": "/home/you/.ssh/id_ed25519"}),
            task: Some(work.task),
            ..run::Check::default()
        };
        self.client.call(&check).await.ok();
    }

    /// Takes a task from its beginning to its review at once.
    pub(super) async fn finish_at_once(&self, task: TaskId) {
        let claimed = self.client.call(&task::Claim { task }).await;
        let fence = claimed.ok().and_then(|moved| moved.fence);
        let work_plan = ["look", "change", "test"].map(str::to_owned).to_vec();
        self.client.call(&task::Start { task, fence, work_plan }).await.ok();
        self.hand_in(task, fence).await;
    }
}

/// Does what the daemon orders a runtime to do.
fn obey(order: ServerRequest) {
    if order.method == "runtime.abort" {
        order.answer(&feed::Aborted { ended: true, detail: "the session has ended".to_owned() });
    } else {
        order.answer(&json!({}));
    }
}

fn pick<'a, T>(all: &'a [T], dice: &mut Dice) -> Option<&'a T> {
    let count = u64::try_from(all.len()).unwrap_or(1);
    all.get(usize::try_from(dice.roll(count)).unwrap_or(0))
}
