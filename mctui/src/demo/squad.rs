//! The squad of the demo: who is in it, what lies on the board at the start, and how time passes.

use std::time::Duration;

use mc_core::{
    agent::{AgentName, Autonomy, Runtime},
    approval::RuleScope,
    id::{ApprovalId, TaskId},
    money::MicroUsd,
    task::TaskState,
};
use mc_proto::{
    client::{Client, ClientError, hello},
    home::Home,
    method::{agent, approval, session, task, thread},
};

use super::agent::Worker;
use crate::scene::DEMO_PASSPHRASE;

/// Name, autonomy, parent, cents a day.
const AGENTS: &[(&str, Autonomy, Option<&str>, i64)] = &[
    ("heron", Autonomy::Lead, None, 2_000),
    ("kestrel", Autonomy::Specialist, Some("heron"), 500),
    ("osprey", Autonomy::Specialist, None, 500),
    ("robin", Autonomy::Intern, None, 500),
    ("wren", Autonomy::Intern, None, 200),
    ("crane", Autonomy::Specialist, None, 15),
];

/// Title, type, priority, agent.
const TASKS: &[(&str, &str, u8, Option<&str>)] = &[
    ("Rotate Stripe keys in billing-svc", "ops", 1, Some("kestrel")),
    ("Fix 日本語 export", "engineering", 2, Some("robin")),
    ("Login throttle", "engineering", 2, Some("crane")),
    ("Upgrade TLS stack", "ops", 1, Some("heron")),
    ("Delete stale S3 objects", "ops", 2, Some("osprey")),
    ("Retry on 429", "engineering", 3, Some("wren")),
    ("Docs: rate limits", "docs", 3, None),
    ("Bump parser to 2.4", "engineering", 3, None),
    ("October newsletter", "email_marketing", 3, None),
    ("Cache warmer", "engineering", 4, None),
    ("Interview five customers about billing", "customer_research", 3, None),
    ("Keyword gap against the three closest competitors", "seo_research", 4, None),
];

/// What is asked of the squad later, one after the other.
const LATER: &[(&str, &str, u8)] = &[
    ("Flaky end-to-end test, shard 3", "engineering", 2),
    ("Split the billing job", "engineering", 3),
    ("Runbook: database failover", "docs", 2),
    ("CSV importer", "engineering", 3),
    ("Post about the new export", "social", 4),
    ("Alert when the queue is longer than 1,000", "ops", 3),
];

/// Numbers that look random and are the same in every demo.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// Returns a number below `sides`.
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides.max(1)
    }
}

/// A squad that was set up.
pub(super) struct Squad {
    operator: Client,
    workers: Vec<Worker>,
    dice: Dice,
    later: usize,
}

/// Sets the squad up: agents, tasks in all states, questions to the operator.
pub(super) async fn seed(home: &Home) -> Result<Squad, ClientError> {
    let program = hello("demo", env!("CARGO_PKG_VERSION"));
    let (operator, mut unasked) = Client::connect(&home.operator_socket(), &program).await?;
    tokio::spawn(async move { while unasked.recv().await.is_some() {} });
    operator.call(&session::Unlock { passphrase: DEMO_PASSPHRASE.to_owned() }).await?;
    let mut workers = Vec::new();
    for row in AGENTS {
        let Ok(name) = row.0.parse::<AgentName>() else { continue };
        let registered = operator.call(&registration(name.clone(), row)).await?;
        workers.push(Worker::connect(home, name, registered.token).await?);
    }
    for (title, task_type, priority, agent) in TASKS {
        create(&operator, title, (task_type, *priority), *agent).await?;
    }
    let mut squad = Squad { operator, workers, dice: Dice(7), later: 0 };
    squad.begin().await?;
    Ok(squad)
}

fn registration(
    name: AgentName,
    (_, autonomy, parent, cents): &(&str, Autonomy, Option<&str>, i64),
) -> agent::Register {
    agent::Register {
        name,
        autonomy: *autonomy,
        runtime: Runtime::Openclaw,
        display_name: None,
        workspace: Some("/srv/squad".to_owned()),
        task_types: Vec::new(),
        tools_allow: Vec::new(),
        tools_deny: Vec::new(),
        daily_cap_uusd: Some(MicroUsd::cents(*cents)),
        run_cap_uusd: None,
        can_spawn: parent.is_none(),
        parent: parent.and_then(|parent| parent.parse().ok()),
        purpose: None,
        task: None,
        labels: std::collections::BTreeMap::default(),
    }
}

async fn create(
    operator: &Client,
    title: &str,
    (task_type, priority): (&str, u8),
    agent: Option<&str>,
) -> Result<TaskId, ClientError> {
    let call = task::Create {
        title: title.to_owned(),
        task_type: task_type.to_owned(),
        priority: Some(priority),
        assignees: agent.and_then(|agent| agent.parse().ok()).into_iter().collect(),
        labels: vec![task_type.to_owned()],
        ..task::Create::default()
    };
    Ok(operator.call(&call).await?.id)
}

/// Approves `id`, and the same again for the day.
async fn remember(operator: &Client, id: ApprovalId) -> Result<(), ClientError> {
    let detail = operator.call(&approval::Get { approval: id }).await?;
    let call = approval::Approve {
        approval: id,
        rev: detail.approval.rev,
        digest: detail.approval.digest,
        note: Some("its own branch, seen often".to_owned()),
        remember: Some(approval::Remember {
            scope: RuleScope::Agent,
            for_s: 24 * 3600,
            uses: Some(20),
            prefix_words: None,
        }),
    };
    operator.call(&call).await.map(|_| ())
}

/// Puts other arguments in the place of those of `id`.
async fn edit(operator: &Client, id: ApprovalId) -> Result<(), ClientError> {
    let detail = operator.call(&approval::Get { approval: id }).await?;
    let call = approval::Edit {
        approval: id,
        rev: detail.approval.rev,
        digest: detail.approval.digest,
        arguments: serde_json::json!({"command": "git push origin fix/export-2"}),
        note: Some("not over the branch that is under review".to_owned()),
    };
    operator.call(&call).await.map(|_| ())
}

impl Squad {
    /// Brings the board into motion, so that the first look shows every state.
    async fn begin(&mut self) -> Result<(), ClientError> {
        let post = thread::Post {
            task: TaskId(1),
            text: "Rotate before Friday; the key lives in vault at kv/stripe. @kestrel".to_owned(),
            ..thread::Post::default()
        };
        self.operator.call(&post).await?;
        for worker in &mut self.workers {
            worker.take_up().await;
            for _ in 0..3 {
                worker.work(&mut self.dice).await;
            }
        }
        for worker in &mut self.workers {
            match worker.name() {
                "kestrel" => worker.ask_red().await,
                "osprey" => worker.ask_yellow().await,
                "crane" => worker.submit().await,
                "heron" => worker.get_stuck().await,
                "wren" => worker.break_a_rule().await,
                _ => {}
            }
        }
        self.remember_one().await;
        self.close_some().await;
        Ok(())
    }

    /// Makes a standing rule of one question, and leaves another one open.
    async fn remember_one(&mut self) {
        let worker = |name: &str| self.workers.iter().position(|one| one.name() == name);
        let (wren, robin) = (worker("wren"), worker("robin"));
        if let Some(wren) = wren.and_then(|at| self.workers.get_mut(at))
            && let Some(asked) = wren.ask_yellow_command().await
            // What the rules refuse, the demo does without.
            && remember(&self.operator, asked).await.is_ok()
        {
            wren.push_again().await;
        }
        if let Some(robin) = robin.and_then(|at| self.workers.get_mut(at))
            && let Some(asked) = robin.ask_yellow_command().await
        {
            edit(&self.operator, asked).await.ok();
        }
    }

    /// Ends two tasks, so that no column is empty.
    async fn close_some(&self) {
        let cancel = task::Cancel { task: TaskId(12), reason: "not this quarter".to_owned() };
        // What the rules refuse, the demo does without.
        self.operator.call(&cancel).await.ok();
        let done = create(&self.operator, "Pin the base image", ("ops", 3), Some("robin")).await;
        let Ok(done) = done else { return };
        if let Some(robin) = self.workers.iter().find(|worker| worker.name() == "robin") {
            robin.finish_at_once(done).await;
            let note = "looked at the diff, fine".to_owned();
            self.operator.call(&task::Complete { task: done, note }).await.ok();
        }
    }

    /// Lets time pass, for ever.
    pub(super) async fn play(mut self) {
        loop {
            let pause = 600 + self.dice.roll(1_800);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let count = u64::try_from(self.workers.len()).unwrap_or(1);
            let at = usize::try_from(self.dice.roll(count)).unwrap_or(0);
            if let Some(worker) = self.workers.get_mut(at) {
                worker.step(&mut self.dice).await;
            }
            if self.dice.roll(25) == 0 {
                self.ask_for_more().await;
            }
        }
    }

    /// Somebody asks for something new while little waits.
    async fn ask_for_more(&mut self) {
        let list = task::List { filter: Some("state:inbox".to_owned()), ..task::List::default() };
        let Ok(page) = self.operator.call(&list).await else { return };
        let waiting = page.items.iter().filter(|card| card.state == TaskState::Inbox).count();
        if waiting > 6 {
            return;
        }
        if let Some((title, task_type, priority)) = LATER.get(self.later % LATER.len()) {
            self.later += 1;
            create(&self.operator, title, (task_type, *priority), None).await.ok();
        }
    }
}
