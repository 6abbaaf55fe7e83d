//! A squad that stands still: 14:02 on a Sunday.

use crossterm::event::KeyCode;
use mc_core::{
    actor::{Actor, ActorKind, Level, Role},
    agent::{Agent, AgentName, AgentStatus, Autonomy, Liveness, Runtime},
    alert::{Alert, AlertKind, AlertStatus, Severity},
    answers::{Answer, Answers},
    approval::{
        Approval, ApprovalKind, ApprovalStatus, Covers, RuleScope, StandingRule, Statement,
    },
    event::{Event, Recorded},
    id::{AlertId, ApprovalId, CallId, EventId, MessageId, RuleId, RunId, TaskId},
    message::{Message as ThreadMessage, MessageKind},
    money::{CostState, MicroUsd, Tokens},
    policy::{Outcome, Risk},
    run::{CallStatus, Run, RunStatus, ToolCall},
    squad::{Squad, SquadStatus},
    task::{ByRule, MoveDetails, TaskCard, TaskState},
    time::Timestamp,
};
use mc_proto::{
    error::ErrorKind,
    method::{
        agent::AgentView,
        approval::{Detail, Past},
        feed::{BeatNotice, Changed, FeedItem, Snapshot},
        session::{Challenged, Factor, HelloResult, Program, WhoAmI},
        squad::Status,
        task::TimelineItem,
    },
};
use ratatui::{
    buffer::Buffer,
    layout::{Rect, Size},
};

use crate::{
    app::{App, Message},
    glyphs::{ASCII, UNICODE},
    keymap::Key,
    link::Now,
    request::{Call, Failure, Reply, Request},
    scene::Scene,
    theme::Palette,
    widgets::Look,
};

/// 2026-11-22 14:02:12 UTC.
pub(super) const NOON: Timestamp = Timestamp(1_795_356_132_000);

pub(super) fn ago(seconds: i64) -> Timestamp {
    Timestamp(NOON.0 - seconds * 1000)
}

pub(super) fn name(text: &str) -> AgentName {
    text.parse().unwrap()
}

pub(super) fn card(id: i64, state: TaskState, title: &str, agent: Option<&str>) -> TaskCard {
    TaskCard {
        id: TaskId(id),
        rev: 3,
        title: title.to_owned(),
        task_type: "engineering".to_owned(),
        priority: u8::try_from(id % 4 + 1).unwrap(),
        state,
        state_since: ago(id % 90 * 60),
        assignees: agent.map(name).into_iter().collect(),
        project: None,
        labels: vec!["billing".to_owned()],
        budget_uusd: MicroUsd::cents(500),
        spent_uusd: MicroUsd::cents(id % 500),
        cost_state: (id % 7 == 0).then_some(CostState::Unpriced),
        blocked_reason: (state == TaskState::Blocked).then(|| "budget is used up".to_owned()),
        depends_on: Vec::new(),
        due_at: None,
        created_at: ago(20_000),
        updated_at: ago(71),
    }
}

pub(super) fn agent(text: &str, status: AgentStatus, liveness: Liveness) -> AgentView {
    AgentView {
        agent: Agent {
            name: name(text),
            rev: 1,
            display_name: None,
            autonomy: Autonomy::Specialist,
            status,
            status_reason: (status == AgentStatus::Paused).then(|| "over its budget".to_owned()),
            status_since: None,
            evidence: None,
            runtime: Runtime::Openclaw,
            workspace: None,
            task_types: Vec::new(),
            tools_allow: Vec::new(),
            tools_deny: Vec::new(),
            daily_cap_uusd: MicroUsd::cents(500),
            run_cap_uusd: MicroUsd::cents(75),
            can_spawn: false,
            parent: None,
            purpose: None,
            serves: None,
            current_task: None,
            current_run: None,
            error_streak: 0,
            counted_since: None,
            spend_day: "2026-11-22".to_owned(),
            spent_today_uusd: MicroUsd::cents(184),
            spent_uusd: MicroUsd::cents(1_840),
            spent_today_state: Some(CostState::Reported),
            cost_state: Some(CostState::Reported),
            labels: std::collections::BTreeMap::default(),
            created_at: ago(90_000),
            clock_moved_ms: 0,
            last_work_at: Some(ago(780)),
        },
        silent_since: None,
        liveness,
        last_heartbeat: Some(ago(64)),
        attached: vec!["openclaw 2026.9.6".to_owned()],
        has_second_lock: false,
        today_uusd: MicroUsd::cents(184),
        today_state: Some(CostState::Reported),
    }
}

fn statement(id: i64, agent: &str, summary: &str) -> Statement {
    Statement {
        version: 1,
        approval: ApprovalId(id),
        kind: ApprovalKind::ToolCall,
        agent: name(agent),
        run: Some(RunId(6)),
        task: Some(TaskId(1042)),
        tool: "exec".to_owned(),
        arguments: serde_json::json!({
            "command": summary,
            "env": {"VAULT_ADDR": "https://vault.prod.example"},
            "note": "k\u{200b}ey\nsecond line",
            "timeout_s": 60,
        }),
        arguments_sha256: "91bc".repeat(16),
        cwd: Some("/home/svc/billing".to_owned()),
        home: None,
        program: None,
        program_sha256: None,
        links: Vec::new(),
        scripts: Vec::new(),
        env: vec![("VAULT_ADDR".to_owned(), "ab12".repeat(16))],
        policy_version: 14,
        nonce: "00112233".to_owned(),
        not_before: ago(780),
        expires_at: Timestamp(NOON.0 + 252_000 + id * 60_000),
    }
}

pub(super) fn approval(id: i64, risk: Risk, agent: &str, summary: &str) -> Approval {
    let statement = statement(id, agent, summary);
    Approval {
        id: ApprovalId(id),
        rev: 1,
        kind: ApprovalKind::ToolCall,
        status: ApprovalStatus::Pending,
        agent: name(agent),
        task: Some(TaskId(1042)),
        run: Some(RunId(6)),
        call: Some(CallId(77)),
        session: None,
        risk,
        rule: "risk.red".to_owned(),
        reason: "shell commands are asked until a person has seen them".to_owned(),
        summary: summary.to_owned(),
        justification: Some("Key expired, I must rotate it to finish the tests.".to_owned()),
        rollback: Some("vault kv rollback -version=6 kv/stripe".to_owned()),
        estimated_cost_uusd: Some(MicroUsd::cents(40)),
        digest: statement.digest(),
        asked_at: ago(780),
        expires_at: statement.expires_at,
        statement,
        call_key: "k".repeat(64),
        can_rewrite: true,
        edited: None,
        reminded: None,
        remind_at: None,
        decided_by: None,
        decided_level: None,
        decided_at: None,
        note: None,
        used_at: None,
        dropped: false,
        endorsements: Vec::new(),
        is_cut: false,
        needs: 1,
    }
}

pub(super) fn detail(approval: Approval) -> Detail {
    let call = ToolCall {
        id: CallId(70),
        agent: name("kestrel"),
        run: Some(RunId(6)),
        task: Some(TaskId(1042)),
        session: None,
        tool: "exec".to_owned(),
        preview: "cargo test -p billing".to_owned(),
        arguments_sha256: "aa".repeat(32),
        retries: 0,
        inputs_sha256: None,
        original_sha256: None,
        original_preview: None,
        can_rewrite: true,
        risk: Risk::Red,
        decision: Outcome::Allow,
        rule: "risk.red".to_owned(),
        reason: "approved".to_owned(),
        approval: None,
        status: CallStatus::Failed,
        lease_expires_at: None,
        granted_at: None,
        granted_by: None,
        second_lock: None,
        duration_ms: Some(9_800),
        result_preview: None,
        result_sha256: None,
        outcome_sha256: None,
        signature: None,
        shape_sha256: None,
        error: Some("401 key expired".to_owned()),
        at: ago(1_800),
        ended_at: Some(ago(1_790)),
    };
    let past = Past { asked: 4, approved: 3, denied: 1 };
    let title = Some("Rotate Stripe keys in billing-svc".to_owned());
    Detail { approval, past, failed_calls: vec![call], task_title: title }
}

pub(super) fn alert(id: i64, severity: Severity, text: &str) -> Alert {
    Alert {
        id: AlertId(id),
        severity,
        kind: AlertKind::Budget,
        text: text.to_owned(),
        next: Some("raise the cap or cancel".to_owned()),
        task: Some(TaskId(1033)),
        agent: Some(name("heron")),
        approval: None,
        reservation: None,
        budget: None,
        repeated: 0,
        status: AlertStatus::Open,
        by: None,
        note: None,
        at: ago(32 * id),
        updated_at: ago(32 * id),
    }
}

pub(super) fn run(id: i64, agent: &str, task: i64) -> Run {
    Run {
        id: RunId(id),
        agent: name(agent),
        task: Some(TaskId(task)),
        session: "main".to_owned(),
        model: Some("large".to_owned()),
        trigger: Some("user".to_owned()),
        parent_run: None,
        external_id: None,
        status: RunStatus::Running,
        tokens: Tokens::default(),
        cost_uusd: MicroUsd::cents(40),
        cost_state: CostState::Reported,
        error: None,
        begun_by: None,
        sent_back: false,
        started_at: ago(900),
        ended_at: None,
    }
}

pub(super) fn recorded(seq: i64, actor: Actor, event: Event) -> Recorded {
    let at = ago((500 - seq) * 7);
    Recorded { seq, at, actor, cause: "test".to_owned(), reason: None, event }
}

fn moved(task: i64, from: TaskState, to: TaskState) -> Event {
    Event::TaskMoved { task: TaskId(task), from, to, details: Box::new(MoveDetails::default()) }
}

pub(super) fn item(seq: i64) -> FeedItem {
    let event =
        recorded(seq, Actor::system("test"), moved(1101, TaskState::Inbox, TaskState::Assigned));
    FeedItem { seq, event, changed: Vec::new() }
}

#[expect(clippy::too_many_lines, reason = "a list of rows")]
pub(super) fn snapshot() -> Snapshot {
    use TaskState::{Assigned, Blocked, Canceled, Done, InProgress, Inbox, NeedsApproval, Review};
    let mut tasks = vec![
        card(1101, Inbox, "Docs: rate limits", None),
        card(1100, Inbox, "Bump parser 2.4", None),
        card(1092, Assigned, "Retry on 429", Some("wren")),
        card(1079, InProgress, "Fix 日本語 export", Some("robin")),
        card(1071, InProgress, "Split billing job", Some("osprey")),
        card(1066, Review, "Login throttle", Some("crane")),
        card(1042, NeedsApproval, "Rotate Stripe keys in billing-svc", Some("kestrel")),
        card(1033, Blocked, "Upgrade TLS stack", Some("heron")),
        card(1029, Blocked, "evil \u{1b}[31mred\u{202e} title\u{7}", Some("finch")),
        card(990, Done, "Old thing", Some("wren")),
        card(991, Canceled, "Older thing", None),
    ];
    tasks.extend((0..14).map(|n| card(900 + n, Inbox, &format!("Chore number {n}"), None)));
    let mut kestrel = agent("kestrel", AgentStatus::Active, Liveness::Online);
    kestrel.agent.parent = Some(name("heron"));
    kestrel.agent.current_task = Some(TaskId(1042));
    kestrel.agent.current_run = Some(RunId(6));
    let mut decided = approval(29, Risk::Green, "wren", "npm test");
    decided.status = ApprovalStatus::Approved;
    decided.decided_by = Some("ana".to_owned());
    decided.decided_at = Some(ago(900));
    Snapshot {
        cut: Vec::new(),
        status: Status {
            squad: Squad {
                name: "squad-a".to_owned(),
                status: SquadStatus::Running,
                ..Squad::default()
            },
            halted: false,
            tasks: std::collections::BTreeMap::default(),
            agents: std::collections::BTreeMap::default(),
            working: 2,
            approvals_waiting: 3,
            alerts: std::collections::BTreeMap::default(),
            spent_today_uusd: MicroUsd::cents(8_610),
            cost_state: Some(CostState::Reported),
            daily_cap_uusd: Some(MicroUsd::cents(15_000)),
            unpriced: false,
            unpriced_today_uusd: MicroUsd::ZERO,
            shared_uid: false,
            sinks_failing: Vec::new(),
            version: "0.1.0".to_owned(),
            started_at: ago(90_000),
            read_only: None,
            head: 500,
            now: NOON,
        },
        tasks,
        agents: vec![
            agent("heron", AgentStatus::Paused, Liveness::Online),
            kestrel,
            agent("osprey", AgentStatus::Active, Liveness::Late),
            agent("robin", AgentStatus::Active, Liveness::Online),
            agent("wren", AgentStatus::Active, Liveness::Online),
        ],
        approvals: vec![
            approval(1, Risk::Red, "kestrel", "vault kv put kv/stripe key=‹secret›"),
            approval(3, Risk::Yellow, "osprey", "s3 rm -r s3://stale"),
            approval(30, Risk::Green, "wren", "git push"),
            decided,
        ],
        alerts: vec![
            alert(9, Severity::Critical, "budget of heron is used up, its runs are paused"),
            alert(7, Severity::Warning, "A-1 waits for more than 3 min"),
        ],
        runs: vec![run(6, "kestrel", 1042), run(7, "robin", 1079)],
        events: vec![
            recorded(498, Actor::agent("robin"), moved(1079, Assigned, InProgress)),
            recorded(
                499,
                Actor::agent("kestrel"),
                Event::ApprovalRequested {
                    approval: Box::new(approval(1, Risk::Red, "kestrel", "vault kv put kv/stripe")),
                },
            ),
            recorded(500, Actor::system("policy"), moved(1042, InProgress, NeedsApproval)),
        ],
        head: 500,
        now: NOON,
    }
}

pub(super) fn answers() -> Answers {
    let answer = |text: &str, events: &[i64]| Answer {
        text: text.to_owned(),
        events: events.iter().map(|id| EventId(*id)).collect(),
    };
    Answers {
        what: answer("Stopped 13:48 to ask: run `vault kv put`. Rule risk.red", &[312]),
        who: answer("kestrel, sub-agent of heron · last person: ben 11:40", &[277]),
        why: answer("rec: 3 failed calls, 401 key expired · says: \"key expired\"", &[298, 309]),
        cost: answer("$1.84 of $5.00 (37%) · 231k tokens · 6 runs, 2 failed", &[]),
        next: answer("YOU: decide A-1, else it is not executed", &[313]),
    }
}

pub(super) fn timeline() -> Vec<TimelineItem> {
    let item = |seq: i64, text: &str, event: Event| TimelineItem {
        id: EventId(seq),
        text: text.to_owned(),
        recorded: recorded(seq, Actor::agent("kestrel"), event),
    };
    vec![
        item(
            300,
            "Assigned → In Progress",
            moved(1042, TaskState::Assigned, TaskState::InProgress),
        ),
        item(
            312,
            "In Progress → Needs Approval",
            moved(1042, TaskState::InProgress, TaskState::NeedsApproval),
        ),
        item(
            313,
            "asked A-1",
            Event::ApprovalRequested {
                approval: Box::new(approval(1, Risk::Red, "kestrel", "vault kv put kv/stripe")),
            },
        ),
    ]
}

pub(super) fn thread() -> Vec<ThreadMessage> {
    let message = |id: i64, author: Actor, text: &str| ThreadMessage {
        id: MessageId(id),
        task: TaskId(1042),
        author,
        kind: MessageKind::Comment,
        text: text.to_owned(),
        mentions: Vec::new(),
        reply_to: None,
        artifacts: Vec::new(),
        at: ago(18_000 - id * 100),
    };
    vec![
        message(
            1,
            Actor::human("ana", Level::L2),
            "Rotate before Friday; the key lives in\nvault at kv/stripe.",
        ),
        message(
            2,
            Actor::agent("kestrel"),
            "Old key returns 401. May I rotate it?\u{1b}]0;pwned\u{7}",
        ),
    ]
}

fn task_detail(task: TaskId) -> mc_proto::method::task::Detail {
    let card = card(task.0, TaskState::NeedsApproval, "Rotate Stripe keys", Some("kestrel"));
    let mut fields = serde_json::to_value(&card).unwrap();
    let more = serde_json::json!({
        "created_by": Actor::human("ana", Level::L2),
        "moves": ["blocked", "canceled"],
        "checklist": ["builds"],
        "artifacts": [], "approvals": [], "run_list": [], "alerts": [],
        "waits_for": [], "children": [], "head": 500,
    });
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(fields).unwrap()
}

/// A rule in force, and one that was revoked.
fn rules(all: bool) -> Vec<StandingRule> {
    let rule = |id: i64, scope, covers, summary: &str| StandingRule {
        id: RuleId(id),
        approval: ApprovalId(20 + id),
        scope,
        agent: name("wren"),
        task: Some(TaskId(1092)),
        tool: "exec".to_owned(),
        covers,
        cwd: Some("/srv/squad/billing".to_owned()),
        summary: summary.to_owned(),
        by: "ana".to_owned(),
        at: ago(7_200),
        expires_at: Timestamp(NOON.0 + 21_600_000),
        uses_left: Some(3),
        used: 2,
        revoked_at: None,
        revoked_by: None,
    };
    let prefix = vec!["git".to_owned(), "push".to_owned(), "origin".to_owned()];
    let mut rules =
        vec![rule(2, RuleScope::Task, Covers::Command { prefix }, "git push origin fix")];
    if all {
        let exact = Covers::Arguments { sha256: "ab".repeat(32) };
        let mut old = rule(1, RuleScope::Everywhere, exact, "npm \u{202e}test");
        (old.revoked_at, old.revoked_by) = (Some(ago(60)), Some("ben".to_owned()));
        rules.push(old);
    }
    rules
}

/// What a second factor has to prove.
pub(super) fn challenged() -> Challenged {
    let text = "Mission Control asks for a second factor, mc-approval@v1\nsquad: squad-a\n\
                operator: ana\nact: approval.deny\napproval: A-1\nparams: {\"approval\":\"A-1\"}\n\
                challenge: 0011223344556677\nexpires: 2026-11-22T14:07:12.000Z";
    Challenged {
        challenge: "0011223344556677".to_owned(),
        text: text.to_owned(),
        factors: vec![Factor::Totp, Factor::Signature],
        expires_at: Timestamp(NOON.0 + 300_000),
    }
}

/// The daemon's name of the connection.
pub(super) const CONNECTION: &str = "c0ffee";

pub(super) fn hello() -> HelloResult {
    HelloResult {
        protocol: 1,
        server: Program { name: "mcd".to_owned(), version: "0.1.0".to_owned() },
        actor: WhoAmI {
            kind: ActorKind::Human,
            name: "ana".to_owned(),
            role: Some(Role::Admin),
            level: Some(Level::L2),
            level_expires_at: None,
            shared_uid: false,
            agents: Vec::new(),
            factors: Vec::new(),
        },
        squad: "squad-a".to_owned(),
        head: 500,
        now: NOON,
        halted: false,
        limits: std::collections::BTreeMap::default(),
        connection: CONNECTION.to_owned(),
    }
}

/// A console with its daemon played by the test.
pub(super) struct Stage {
    pub(super) app: App,
    pub(super) steady: u64,
    /// Requests that no answer is played for.
    pub(super) asked: Vec<Request>,
    /// The picture that the played daemon has.
    pub(super) picture: Snapshot,
    /// What approvals the played daemon knows.
    pub(super) details: Vec<Detail>,
    /// The thread that all tasks have.
    pub(super) thread: Vec<ThreadMessage>,
    /// The rule that gave all tasks to their assignees.
    pub(super) by_rule: Option<ByRule>,
}

impl Stage {
    pub(super) fn empty(width: u16, height: u16) -> Self {
        let look = Look { palette: Palette::Never, glyphs: &UNICODE };
        let scene = Scene {
            socket: "/run/mc/operator/mcd.sock".to_owned(),
            halt_file: "/var/lib/mc/halt".to_owned(),
            ..Scene::default()
        };
        let size = Size { width, height };
        let details = snapshot().approvals.into_iter().map(detail).collect();
        Self {
            app: App::new(look, size, scene),
            steady: 1_000,
            asked: Vec::new(),
            picture: snapshot(),
            details,
            thread: thread(),
            by_rule: None,
        }
    }

    /// A console that is connected and has its picture.
    pub(super) fn live(width: u16, height: u16) -> Self {
        let mut stage = Self::empty(width, height);
        stage.give(Message::Up(Box::new(hello())));
        stage.give(Message::Drawn);
        stage
    }

    pub(super) fn ascii(mut self) -> Self {
        self.app.look.glyphs = &ASCII;
        self
    }

    pub(super) fn now(&self) -> Now {
        let since = i64::try_from(self.steady).unwrap() - 1_000;
        Now { steady: self.steady, wall: Timestamp(NOON.0 + since) }
    }

    pub(super) fn pass(&mut self, milliseconds: u64) {
        self.steady += milliseconds;
        self.give(Message::Tick);
    }

    /// Gives a message, plays the daemon's answers to all questions, keeps the acts.
    pub(super) fn give(&mut self, message: Message) {
        let mut requests = self.app.update(self.now(), message);
        while let Some(request) = requests.pop() {
            let Request::Call(ticket, call) = &request else {
                self.asked.push(request);
                continue;
            };
            let Some(reply) = self.play(call) else {
                self.asked.push(request);
                continue;
            };
            let answer = Message::Answer(*ticket, Box::new(reply));
            requests.extend(self.app.update(self.now(), answer));
        }
        self.app.prepare();
    }

    fn play(&self, call: &Call) -> Option<Result<Reply, Failure>> {
        Some(Ok(match call {
            Call::Snapshot => Reply::Snapshot(Box::new(self.picture.clone())),
            Call::Answers(task) => Reply::Answers(*task, Box::new(answers())),
            Call::Timeline(task) => Reply::Timeline(*task, timeline()),
            Call::Thread(task) => Reply::Thread(*task, self.thread.clone()),
            Call::Approval(id) => {
                let known = self.details.iter().find(|one| one.approval.id == *id)?;
                Reply::Approval(Box::new(known.clone()))
            }
            Call::Agents => {
                let costs = super::cost::costs(None, &self.picture);
                Reply::Agents(self.picture.agents.clone(), Box::new(costs.budgets))
            }
            Call::Costs(day) => {
                Reply::Costs(Box::new(super::cost::costs(day.as_deref(), &self.picture)))
            }
            Call::Spend(_) => Reply::Spend(Box::new(super::cost::runs())),
            Call::Rules(all) => Reply::Rules(rules(*all)),
            Call::Schedules => Reply::Schedules(super::schedules::schedules()),
            Call::Challenge(act) => Reply::Challenged(act.clone(), Box::new(challenged())),
            Call::Task(task) if self.picture.tasks.iter().all(|card| card.id != *task) => {
                let text = format!("task `{task}` not found");
                return Some(Err(Failure { kind: Some(ErrorKind::NotFound), text }));
            }
            Call::Task(task) => {
                let mut detail = task_detail(*task);
                detail.task.by_rule.clone_from(&self.by_rule);
                Reply::Task(Box::new(detail))
            }
            Call::Whoami => Reply::Whoami(hello().actor),
            Call::Unlock(_) | Call::Lock | Call::Act(..) => return None,
        }))
    }

    /// Presses keys, half a second apart, with a frame drawn after each.
    pub(super) fn keys(&mut self, keys: &str) {
        for c in keys.chars() {
            self.key(match c {
                '\n' => Key::plain(KeyCode::Enter),
                '\u{1b}' => Key::plain(KeyCode::Esc),
                '\t' => Key::plain(KeyCode::Tab),
                c => Key::char(c),
            });
        }
    }

    pub(super) fn key(&mut self, key: Key) {
        self.steady += 500;
        let beat = BeatNotice { now: self.now().wall, head: self.app.scene.world.head };
        self.give(Message::Beat(beat));
        self.give(Message::Key(key));
        self.give(Message::Drawn);
    }

    /// Sends a changed approval through the feed.
    pub(super) fn approval_changes(&mut self, approval: Approval) {
        let seq = self.app.scene.world.head + 1;
        let event = recorded(
            seq,
            Actor::human("ben", Level::L2),
            Event::ApprovalClosed {
                approval: approval.id,
                agent: approval.agent.clone(),
                task: None,
                status: approval.status,
                note: None,
            },
        );
        let changed = vec![Changed::Approval { approval: Box::new(approval) }];
        self.give(Message::Item(Box::new(FeedItem { seq, event, changed })));
    }

    pub(super) fn task_changes(&mut self, task: TaskCard) {
        let seq = self.app.scene.world.head + 1;
        let event =
            recorded(seq, Actor::system("test"), moved(task.id.0, TaskState::Inbox, task.state));
        let changed = vec![Changed::Task { task }];
        self.give(Message::Item(Box::new(FeedItem { seq, event, changed })));
    }

    pub(super) fn buffer(&self, width: u16, height: u16) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        self.app.view(&mut buffer);
        buffer
    }

    pub(super) fn frame(&self, width: u16, height: u16) -> String {
        crate::text::of_buffer(&self.buffer(width, height))
    }

    /// Answers the last thing that was sent with a refusal.
    pub(super) fn refuse(&mut self, text: &str) {
        let Some(Request::Call(ticket, _)) = self.asked.pop() else { panic!("nothing sent") };
        let kind = Some(mc_proto::error::ErrorKind::Forbidden);
        let failure = Failure { kind, text: text.to_owned() };
        self.give(Message::Answer(ticket, Box::new(Err(failure))));
    }

    /// Returns the acts that were sent and are not answered.
    pub(super) fn acts(&self) -> Vec<&crate::request::Act> {
        let acts = self.asked.iter().filter_map(|request| match request {
            Request::Call(_, Call::Act(act, _)) => Some(act.as_ref()),
            _ => None,
        });
        acts.collect()
    }
}
