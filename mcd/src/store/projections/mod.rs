//! The one projection: what an event means for the tables. Serves the writer and the rebuilding.
//!
//! Deterministic: it reads the event and the rows, and nothing else. What an entity becomes is
//! decided in `mc_core::fold`; here it is loaded and stored.

mod deliveries;
mod money;
mod schedules;
mod stopped;

use mc_core::{
    actor::ActorKind,
    agent::{Agent, AgentName},
    alert::{Alert, AlertStatus, Notification},
    approval::{Approval, ApprovalStatus, StandingRule},
    budget::Payer,
    event::{
        AdapterEnrolled, ApprovalDropped, ApprovalEdited, ApprovalEndorsed, ApprovalReminded,
        ApprovalUsed, Event, Recorded, ToolChanged, ToolConfirmed,
    },
    fold,
    id::{CallId, RunId, TaskId},
    message::{Artifact, Message},
    run::{CallStatus, Run, RunStatus, ToolCall},
    squad::Squad,
    task::{Task, TaskState},
};
use mc_proto::method::admin::PolicyVersion;
use rusqlite::params;
use serde::Serialize;

use super::{
    StoreError,
    queries::{self, Fail, Of, Reader},
};

/// An entity as it is after an event.
#[derive(Debug, Clone)]
pub(super) enum Touched {
    Task(Box<Task>),
    Agent(Box<Agent>),
    Run(Box<Run>),
    Call(Box<ToolCall>),
    Approval(Box<Approval>),
    Alert(Alert),
    Notification(Notification),
    Squad(Squad),
}

/// Where the touched entities go; `None` when nobody wants them.
pub(super) type Sink<'a> = Option<&'a mut Vec<Touched>>;

struct Projection<'a, 'b> {
    db: Reader<'a>,
    recorded: &'b Recorded,
    touched: Sink<'b>,
}

/// Applies `recorded` to the tables; what it changed is handed to `touched`.
pub(super) fn apply(
    db: Reader<'_>,
    recorded: &Recorded,
    touched: Sink<'_>,
) -> Result<(), StoreError> {
    let mut projection = Projection { db, recorded, touched };
    projection.event().map_err(|fail| match fail {
        Fail::Fault(error) => error,
        Fail::Refused(refusal) => {
            StoreError::Damaged(format!("event e{}: {}", recorded.seq, refusal.message))
        }
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the kinds are handed down from one function to the next; the last one has no rest"
)]
impl Projection<'_, '_> {
    fn event(&mut self) -> Result<(), Fail> {
        match &self.recorded.event {
            Event::TaskCreated { task } => self.new_task(task.as_ref().clone()),
            Event::TaskMoved { task, from, to, details } => {
                self.moved(*task, details.assignees.as_deref())?;
                self.held((*task, *from, *to))
            }
            Event::TaskUpdated { task, patch } if patch.assignees.is_some() => {
                self.moved(*task, patch.assignees.as_deref())
            }
            Event::TaskUpdated { task, .. }
            | Event::TaskSubscribed { task, .. }
            | Event::TaskUnsubscribed { task, .. } => self.task(*task),
            Event::TaskClaimed { task, agent, .. } | Event::TaskReleased { task, agent, .. } => {
                self.task(*task)?;
                self.agent(agent)
            }
            Event::MessagePosted { message } => {
                self.put_message(message)?;
                self.task(message.task)?;
                self.author(message)
            }
            Event::ArtifactStored { artifact } => {
                self.put_artifact(artifact)?;
                self.task(artifact.task)
            }
            Event::AgentRegistered { agent, token_sha256 } => {
                self.new_token(&agent.name, token_sha256)?;
                self.put_agent(agent.as_ref().clone())
            }
            Event::AgentUpdated { agent, .. }
            | Event::AgentStatusChanged { agent, .. }
            | Event::AgentEvidenceKept { agent, .. } => self.agent(agent),
            Event::TokenRotated { .. } | Event::TokenRevoked { .. } | Event::AdapterEnrolled(_) => {
                self.tokens()
            }
            Event::RunStarted { .. }
            | Event::RunUsed { .. }
            | Event::RunSentBack { .. }
            | Event::RunFinished { .. }
            | Event::BudgetReserved { .. }
            | Event::BudgetReleased { .. }
            | Event::BudgetSet { .. }
            | Event::BudgetRaised { .. }
            | Event::BudgetRaiseVoided { .. }
            | Event::BudgetWarned { .. }
            | Event::BudgetBreached { .. }
            | Event::BudgetDayTurned { .. }
            | Event::CostCorrected { .. } => self.run_event(),
            Event::ToolChecked { call } => self.new_call(call),
            Event::ToolChanged(ToolChanged { call, agent, .. }) => {
                self.call(*call)?;
                self.agent(agent)
            }
            Event::ToolConfirmed(ToolConfirmed { call, .. }) => self.call(*call),
            _ => self.other_event(),
        }
    }

    fn new_call(&mut self, call: &ToolCall) -> Result<(), Fail> {
        let mut row = call.clone();
        fold::call(&mut row, self.recorded);
        self.put_call(row)?;
        self.agent(&call.agent)
    }

    fn other_event(&mut self) -> Result<(), Fail> {
        match &self.recorded.event {
            Event::ApprovalRequested { approval } => {
                self.put_approval(approval.as_ref().clone())?;
                self.maybe_call(approval.call)
            }
            Event::ApprovalClosed { approval, .. }
            | Event::ApprovalUsed(ApprovalUsed { approval, .. })
            | Event::ApprovalDropped(ApprovalDropped { approval, .. })
            | Event::ApprovalEndorsed(ApprovalEndorsed { approval, .. })
            | Event::ApprovalEdited(ApprovalEdited { approval, .. })
            | Event::ApprovalReminded(ApprovalReminded { approval, .. }) => {
                self.approval(*approval)
            }
            Event::RuleRemembered { rule } => self.put_rule(rule),
            Event::RuleUsed { rule, .. } | Event::RuleRevoked { rule, .. } => {
                let mut row = queries::rule(self.db, *rule)?;
                fold::rule(&mut row, self.recorded);
                self.put_rule(&row)
            }
            Event::AlertRaised { alert } => {
                money::alerted(self.db, self.recorded, alert)?;
                self.put_alert(alert.as_ref().clone())
            }
            Event::AlertChanged { alert, .. } | Event::AlertRepeated { alert, .. } => {
                let mut row = queries::alert(self.db, *alert)?;
                fold::alert(&mut row, self.recorded);
                self.put_alert(row)
            }
            Event::NotificationQueued { notification } => {
                deliveries::queue(self.db, notification)?;
                self.put_notification(notification.as_ref().clone())
            }
            Event::NotificationAcked { notification } => {
                let mut row = queries::notification(self.db, *notification)?;
                fold::notification(&mut row, self.recorded);
                self.put_notification(row)
            }
            Event::ClockJumped { .. } => {
                for agent in queries::agents(self.db, false)? {
                    self.agent(&agent.name)?;
                }
                self.squad()
            }
            Event::SquadCreated { .. }
            | Event::SquadStatusChanged { .. }
            | Event::SquadStopReported { .. } => self.squad(),
            Event::PolicyActivated { version, sha256, text, note } => {
                self.put_policy(*version, (sha256, text), note.as_ref())?;
                self.squad()
            }
            Event::OperatorsChanged { now, .. } => {
                let sql = "INSERT INTO operators (id, body) VALUES (1, ?1)
                           ON CONFLICT (id) DO UPDATE SET body = excluded.body";
                Ok(self.execute(sql, params![json(now)?]).map(drop)?)
            }
            _ => schedules::apply(self.db, self.recorded),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest touches the money alone")]
    fn run_event(&mut self) -> Result<(), Fail> {
        match &self.recorded.event {
            Event::RunStarted { run } => {
                self.put_run(run.as_ref().clone())?;
                self.maybe_task(run.task)?;
                self.agent(&run.agent)?;
            }
            Event::RunUsed { run, agent, task, .. } => {
                run.map_or(Ok(()), |run| self.run(run))?;
                self.maybe_task(*task)?;
                self.agent(agent)?;
            }
            Event::RunFinished { run, agent, .. } => {
                self.run(*run)?;
                self.agent(agent)?;
            }
            Event::RunSentBack { run, .. } => self.run(*run)?,
            Event::BudgetRaised { task, .. } => self.maybe_task(*task)?,
            _ => {}
        }
        money::apply(self.db, self.recorded)?;
        match &self.recorded.event {
            Event::CostCorrected { correction } => self.corrected(&correction.payer),
            _ => Ok(()),
        }
    }

    /// Usages and ledgers are corrected already: they say how the rest is known.
    fn corrected(&mut self, payer: &Payer) -> Result<(), Fail> {
        if let Some(id) = payer.run {
            let mut run = queries::run(self.db, id)?;
            fold::run(&mut run, self.recorded);
            run.cost_state = queries::cost_state(self.db, Of::Run(id))?.unwrap_or_default();
            self.put_run(run)?;
        }
        if let Some(id) = payer.task {
            let mut task = queries::task(self.db, id)?;
            fold::task(&mut task, self.recorded);
            task.cost_state = queries::cost_state(self.db, Of::Task(id))?;
            self.put_task(task)?;
        }
        let mut agent = queries::agent(self.db, &payer.agent)?;
        fold::agent(&mut agent, self.recorded);
        agent.cost_state = queries::cost_state(self.db, Of::Agent(&payer.agent))?;
        if agent.spend_day == payer.day {
            agent.spent_today_state =
                queries::cost_state(self.db, Of::AgentDay(&payer.agent, &payer.day))?;
        }
        self.put_agent(agent)
    }

    fn touch(&mut self, make: impl FnOnce() -> Touched) {
        if let Some(touched) = &mut self.touched {
            touched.push(make());
        }
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<usize, StoreError> {
        Ok(self.db.connection().prepare_cached(sql)?.execute(params)?)
    }

    fn new_task(&mut self, mut task: Task) -> Result<(), Fail> {
        fold::task(&mut task, self.recorded);
        self.put_assignees(&task)?;
        Ok(self.put_task(task)?)
    }

    fn task(&mut self, id: TaskId) -> Result<(), Fail> {
        let mut task = queries::task(self.db, id)?;
        let before = task.assignees.clone();
        fold::task(&mut task, self.recorded);
        if before != task.assignees {
            self.put_assignees(&task)?;
        }
        Ok(self.put_task(task)?)
    }

    fn maybe_task(&mut self, id: Option<TaskId>) -> Result<(), Fail> {
        id.map_or(Ok(()), |id| self.task(id))
    }

    /// A move concerns the assignees of before and after.
    fn moved(&mut self, id: TaskId, after: Option<&[AgentName]>) -> Result<(), Fail> {
        let mut concerned = queries::task(self.db, id)?.assignees;
        for name in after.into_iter().flatten() {
            if !concerned.contains(name) {
                concerned.push(name.clone());
            }
        }
        self.task(id)?;
        concerned.iter().try_for_each(|name| self.agent(name))
    }

    fn put_task(&mut self, task: Task) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO tasks (id, state, priority, parent, body) VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT (id) DO UPDATE SET state = ?2, priority = ?3, body = ?5";
        let parent = task.parent.map(|parent| parent.0);
        let body = json(&task)?;
        self.execute(sql, params![task.id.0, task.state.as_str(), task.priority, parent, body])?;
        self.touch(|| Touched::Task(Box::new(task)));
        Ok(())
    }

    fn put_assignees(&self, task: &Task) -> Result<(), StoreError> {
        if self.recorded.event.kind() != "task_created" {
            self.execute("DELETE FROM task_assignees WHERE task = ?1", [task.id.0])?;
        }
        for agent in &task.assignees {
            let sql = "INSERT OR IGNORE INTO task_assignees (agent, task) VALUES (?1, ?2)";
            self.execute(sql, params![agent.as_str(), task.id.0])?;
        }
        Ok(())
    }

    fn agent(&mut self, name: &AgentName) -> Result<(), Fail> {
        let mut agent = queries::agent(self.db, name)?;
        let before = agent.rev;
        fold::agent(&mut agent, self.recorded);
        if agent.rev == before {
            return Ok(());
        }
        self.put_agent(agent)
    }

    /// A message is work of the agent that wrote it.
    fn author(&mut self, message: &Message) -> Result<(), Fail> {
        if message.author.kind != ActorKind::Agent {
            return Ok(());
        }
        // An adapter that names no agent writes under its own name.
        match queries::find_agent(self.db, &message.author.name)? {
            Some(agent) => self.agent(&agent.name),
            None => Ok(()),
        }
    }

    fn put_agent(&mut self, agent: Agent) -> Result<(), Fail> {
        let sql = "INSERT INTO agents (name, status, body) VALUES (?1, ?2, ?3)
                   ON CONFLICT (name) DO UPDATE SET status = ?2, body = ?3";
        self.execute(sql, params![agent.name.as_str(), word(&agent.status)?, json(&agent)?])?;
        self.touch(|| Touched::Agent(Box::new(agent)));
        Ok(())
    }

    fn tokens(&mut self) -> Result<(), Fail> {
        match &self.recorded.event {
            Event::TokenRotated { name, token_sha256, old_until } => {
                let sql = "UPDATE tokens SET good_until_ms = min(coalesce(good_until_ms, ?2), ?2)
                           WHERE name = ?1";
                self.execute(sql, params![name, old_until.0])?;
                self.new_token(name, token_sha256)?;
            }
            Event::TokenRevoked { name } => {
                self.execute("DELETE FROM tokens WHERE name = ?1", [name])?;
            }
            Event::AdapterEnrolled(AdapterEnrolled { name, runtime, agents, token_sha256 }) => {
                let sql = "INSERT INTO adapters (name, runtime, agents) VALUES (?1, ?2, ?3)
                           ON CONFLICT (name) DO UPDATE SET runtime = ?2, agents = ?3";
                self.execute(sql, params![name, json(runtime)?, json(agents)?])?;
                self.execute("DELETE FROM tokens WHERE name = ?1", [name])?;
                self.new_token(name, token_sha256)?;
            }
            other => {
                let text = format!("`{}` is no token event", other.kind());
                return Err(StoreError::Damaged(text).into());
            }
        }
        Ok(())
    }

    fn new_token(&self, name: &str, sha256: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO tokens (sha256, name, good_until_ms) VALUES (?1, ?2, NULL)";
        self.execute(sql, [sha256, name]).map(drop)
    }

    fn run(&mut self, id: RunId) -> Result<(), Fail> {
        let mut run = queries::run(self.db, id)?;
        fold::run(&mut run, self.recorded);
        self.put_run(run)
    }

    fn put_run(&mut self, run: Run) -> Result<(), Fail> {
        let sql = "INSERT INTO runs (id, agent, task, status, external_id, body)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT (id) DO UPDATE SET task = ?3, status = ?4, body = ?6";
        let task = run.task.map(|task| task.0);
        let status: String = word::<RunStatus>(&run.status)?;
        let body = json(&run)?;
        self.execute(
            sql,
            params![run.id.0, run.agent.as_str(), task, status, run.external_id, body],
        )?;
        self.touch(|| Touched::Run(Box::new(run)));
        Ok(())
    }

    fn call(&mut self, id: CallId) -> Result<(), Fail> {
        let mut call = queries::call(self.db, id)?;
        fold::call(&mut call, self.recorded);
        self.put_call(call)
    }

    fn maybe_call(&mut self, id: Option<CallId>) -> Result<(), Fail> {
        id.map_or(Ok(()), |id| self.call(id))
    }

    fn put_call(&mut self, call: ToolCall) -> Result<(), Fail> {
        let sql = "INSERT INTO tool_calls (id, agent, task, run, status, body, external_id)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                   ON CONFLICT (id) DO UPDATE SET status = ?5, body = ?6";
        let (task, run) = (call.task.map(|task| task.0), call.run.map(|run| run.0));
        let status: String = word::<CallStatus>(&call.status)?;
        let body = json(&call)?;
        let external_id = call.second_lock.as_ref().map(|lock| &lock.external_id);
        let row = params![call.id.0, call.agent.as_str(), task, run, status, body, external_id];
        self.execute(sql, row)?;
        self.touch(|| Touched::Call(Box::new(call)));
        Ok(())
    }

    fn approval(&mut self, id: mc_core::id::ApprovalId) -> Result<(), Fail> {
        let mut approval = queries::approval(self.db, id)?;
        fold::approval(&mut approval, self.recorded);
        let first = approval.call;
        self.put_approval(approval)?;
        let used_by = match &self.recorded.event {
            Event::ApprovalUsed(ApprovalUsed { call, .. }) => *call,
            _ => None,
        };
        if used_by != first {
            self.maybe_call(used_by)?;
        }
        self.maybe_call(first)
    }

    fn put_approval(&mut self, approval: Approval) -> Result<(), Fail> {
        let sql = "INSERT INTO approvals
                       (id, status, agent, task, rule, call_key, expires_ms, used, body, remind_ms)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                   ON CONFLICT (id) DO UPDATE
                   SET status = ?2, rule = ?5, used = ?8, body = ?9, remind_ms = ?10";
        let body = json(&approval)?;
        self.execute(
            sql,
            params![
                approval.id.0,
                ApprovalStatus::as_str(approval.status),
                approval.agent.as_str(),
                approval.task.map(|task| task.0),
                approval.rule,
                approval.call_key,
                approval.expires_at.0,
                approval.is_spent(),
                body,
                approval.remind_at.map(|at| at.0),
            ],
        )?;
        self.touch(|| Touched::Approval(Box::new(approval)));
        Ok(())
    }

    fn put_rule(&self, rule: &StandingRule) -> Result<(), Fail> {
        let sql = "INSERT INTO standing_rules (id, tool, open, body) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (id) DO UPDATE SET open = ?3, body = ?4";
        let is_open = rule.revoked_at.is_none();
        self.execute(sql, params![rule.id.0, rule.tool, is_open, json(rule)?])?;
        Ok(())
    }

    fn put_message(&self, message: &Message) -> Result<(), StoreError> {
        let sql = "INSERT INTO messages (id, task, body) VALUES (?1, ?2, ?3)";
        self.execute(sql, params![message.id.0, message.task.0, json(message)?]).map(drop)
    }

    fn put_artifact(&self, artifact: &Artifact) -> Result<(), StoreError> {
        let sql = "INSERT INTO artifacts (task, name, body) VALUES (?1, ?2, ?3)
                   ON CONFLICT (task, name) DO UPDATE SET body = ?3";
        self.execute(sql, params![artifact.task.0, artifact.name, json(artifact)?]).map(drop)
    }

    fn put_alert(&mut self, alert: Alert) -> Result<(), Fail> {
        let sql = "INSERT INTO alerts (id, status, kind, agent, task, body)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT (id) DO UPDATE SET status = ?2, body = ?6";
        let status: String = word::<AlertStatus>(&alert.status)?;
        let (agent, task) = (alert.agent.as_deref(), alert.task.map(|task| task.0));
        let body = json(&alert)?;
        self.execute(sql, params![alert.id.0, status, word(&alert.kind)?, agent, task, body])?;
        self.touch(|| Touched::Alert(alert));
        Ok(())
    }

    fn put_notification(&mut self, notification: Notification) -> Result<(), Fail> {
        let sql = "INSERT INTO notifications (id, recipient, acked, body) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (id) DO UPDATE SET acked = ?3, body = ?4";
        let acked = notification.acked_at.is_some();
        self.execute(
            sql,
            params![notification.id.0, notification.to, acked, json(&notification)?],
        )?;
        self.touch(|| Touched::Notification(notification));
        Ok(())
    }

    fn squad(&mut self) -> Result<(), Fail> {
        let mut squad = queries::squad_row(self.db)?;
        fold::squad(&mut squad, self.recorded);
        let sql =
            "INSERT INTO squad (id, body) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET body = ?1";
        self.execute(sql, [json(&squad)?])?;
        stopped::status(self.db, self.recorded)?;
        self.show_squad()
    }

    /// What a stop holds changes with the moves of its tasks.
    fn held(&mut self, moved: (TaskId, TaskState, TaskState)) -> Result<(), Fail> {
        if stopped::moved(self.db, self.recorded, moved)? { self.show_squad() } else { Ok(()) }
    }

    fn show_squad(&mut self) -> Result<(), Fail> {
        if self.touched.is_some() {
            let squad = queries::squad(self.db)?;
            self.touch(|| Touched::Squad(squad));
        }
        Ok(())
    }

    fn put_policy(
        &self,
        version: i64,
        (sha256, text): (&str, &str),
        note: Option<&String>,
    ) -> Result<(), StoreError> {
        let row = PolicyVersion {
            version,
            sha256: sha256.to_owned(),
            text: text.to_owned(),
            by: self.recorded.actor.to_string(),
            at: self.recorded.at,
            note: note.cloned(),
            refused: Vec::new(),
        };
        let sql = "INSERT INTO policies (version, body) VALUES (?1, ?2)";
        self.execute(sql, params![version, json(&row)?]).map(drop)
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    Ok(serde_json::to_string(value)?)
}

/// Returns the wire's word for a value that is one.
fn word<T: Serialize>(value: &T) -> Result<String, StoreError> {
    let value = serde_json::to_value(value)?;
    Ok(value.as_str().unwrap_or_default().to_owned())
}
