//! `mcctl agent`: who works, what each may do, and what stops it.

mod evidence;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mc_core::{
    agent::{Agent, AgentName, AgentPatch, AgentStatus, Autonomy, Liveness, Runtime},
    budget::Scope,
    id::TaskId,
    money::{MicroUsd, counted},
    time::Timestamp,
};
use mc_proto::method::{
    Method,
    agent::{
        AgentView, Beat, Drain, Get, Health, Heartbeat, List, Pause, Quarantine, Register, Resume,
        RevokeToken, RotateToken, Stop, Touched, Tree, TreeNode, TreeResult, Update,
    },
    squad::{Budget, BudgetGet},
};
use serde::Serialize;

use crate::{
    context::Context,
    failure::{Exit, Failure},
    output,
    paging::{self, Paging},
    secret,
    table::{Cell, Sheet, Table, Tone, cell, maybe},
    text,
    words::{dollars, label, money, one_of, word},
};

/// The words of [`Autonomy`].
pub(crate) const AUTONOMIES: &[&str] = &["intern", "specialist", "lead"];
/// The words of [`Runtime`].
pub(crate) const RUNTIMES: &[&str] = &["openclaw", "claude-code", "codex", "mcp", "other"];

/// What can be done with agents.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Register an agent; its token is shown once.
    Register(Box<RegisterArgs>),
    /// List agents.
    List(Paging),
    /// Show an agent.
    Show(OfAgent),
    /// The agents as parents and children.
    Tree,
    /// All that is needed to judge an agent, as it stood when it was quarantined last.
    Evidence(evidence::Args),
    /// Change fields of an agent.
    Update(Box<UpdateArgs>),
    /// No run, no tool call; a running turn is aborted.
    Pause(WithReason),
    /// Let an agent work again.
    Resume(WithReason),
    /// Let an agent finish its task, then pause it.
    Drain(WithReason),
    /// Stop an agent at once and block its tasks.
    Quarantine(WithReason),
    /// Retire an agent.
    Stop(WithReason),
    /// As an agent: say that you are alive, and hear what there is to do.
    Heartbeat(HeartbeatArgs),
    /// Give an agent or adapter a new token; the old one is good for 10 more minutes.
    RotateToken {
        /// The agent or adapter.
        name: String,
        /// Write the token to this file (mode 0600) instead of showing it.
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
    },
    /// End all tokens of an agent or adapter at once.
    RevokeToken {
        /// The agent or adapter.
        name: String,
    },
}

/// Which agent.
#[derive(Debug, Args)]
pub(crate) struct OfAgent {
    /// The agent's name.
    agent: AgentName,
}

/// Which agent, and why.
#[derive(Debug, Args)]
pub(crate) struct WithReason {
    /// The agent's name.
    agent: AgentName,
    /// Why; goes into the record.
    #[arg(long)]
    reason: String,
}

/// What an agent may do and spend.
#[derive(Debug, Args)]
pub(crate) struct Powers {
    /// The name for people.
    #[arg(long)]
    display_name: Option<String>,
    /// The absolute path of its workspace.
    #[arg(long, value_name = "DIR")]
    workspace: Option<String>,
    /// A task type that it may claim [default: all]; repeat for more.
    #[arg(long = "task-type", value_name = "TYPE")]
    task_types: Vec<String>,
    /// A tool that it may use, and no other [default: as the policy says]; repeat for more.
    #[arg(long = "allow-tool", value_name = "TOOL")]
    tools_allow: Vec<String>,
    /// A tool that it may never use; repeat for more.
    #[arg(long = "deny-tool", value_name = "TOOL")]
    tools_deny: Vec<String>,
    /// What it may spend in a day, in dollars.
    #[arg(long, value_name = "USD", value_parser = dollars, allow_negative_numbers = true)]
    daily_cap: Option<MicroUsd>,
    /// What one run may spend, in dollars.
    #[arg(long, value_name = "USD", value_parser = dollars, allow_negative_numbers = true)]
    run_cap: Option<MicroUsd>,
    /// A free label; repeat for more.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
}

/// A new agent.
#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    /// A unique slug.
    name: AgentName,
    /// How far it may go by itself.
    #[arg(long, default_value = "specialist", value_parser = one_of::<Autonomy>(AUTONOMIES))]
    autonomy: Autonomy,
    /// What runs it.
    #[arg(long, default_value = "other", value_parser = one_of::<Runtime>(RUNTIMES))]
    runtime: Runtime,
    #[command(flatten)]
    powers: Powers,
    /// It may register children.
    #[arg(long)]
    can_spawn: bool,
    /// The agent that spawns it.
    #[arg(long, value_name = "AGENT")]
    parent: Option<AgentName>,
    /// What it is spawned for.
    #[arg(long)]
    purpose: Option<String>,
    /// The task that it is spawned for.
    #[arg(long, value_name = "T-n")]
    task: Option<TaskId>,
    /// Write the token to this file (mode 0600) instead of showing it.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// What changes.
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// The agent's name.
    agent: AgentName,
    /// The revision that was seen [default: the newest].
    #[arg(long)]
    rev: Option<i64>,
    /// How far it may go by itself.
    #[arg(long, value_parser = one_of::<Autonomy>(AUTONOMIES))]
    autonomy: Option<Autonomy>,
    #[command(flatten)]
    powers: Powers,
    /// Whether it may register children.
    #[arg(long, value_name = "true|false")]
    can_spawn: Option<bool>,
}

/// How an agent feels.
#[derive(Debug, Args)]
pub(crate) struct HeartbeatArgs {
    /// How you feel.
    #[arg(long, default_value = "healthy",
          value_parser = one_of::<Health>(&["healthy", "busy", "idle"]))]
    status: Health,
    /// The session that is alive.
    #[arg(long)]
    session: Option<String>,
    /// The task that you hold.
    #[arg(long, value_name = "T-n")]
    task: Option<TaskId>,
}

/// Carries a verb out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(verb: Verb, cx: &mut Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Register(args) => register(*args, cx),
        Verb::List(paging) => {
            // Agents are told their own budget by a heartbeat; to them the list says what it knows.
            let days = if cx.is_json() { None } else { cx.call(&BudgetGet::default()).ok() };
            let days = days.map(|all| all.budgets).unwrap_or_default();
            let view = |agents: &[AgentView], now: Timestamp| rows(agents, &days, now);
            paging::list(cx, &paging, |limit, cursor| List { limit, cursor }, view)
        }
        Verb::Show(OfAgent { agent }) => show(agent, cx),
        Verb::Evidence(args) => evidence::run(&args, cx),
        Verb::Tree => cx.show(&Tree {}, |tree, _| roots(tree)),
        Verb::Update(args) => update(*args, cx),
        Verb::Pause(a) => change(&Pause { agent: a.agent, reason: a.reason }, cx),
        Verb::Resume(a) => change(&Resume { agent: a.agent, reason: a.reason }, cx),
        Verb::Drain(a) => change(&Drain { agent: a.agent, reason: a.reason }, cx),
        Verb::Quarantine(a) => change(&Quarantine { agent: a.agent, reason: a.reason }, cx),
        Verb::Stop(a) => change(&Stop { agent: a.agent, reason: a.reason }, cx),
        Verb::Heartbeat(args) => heartbeat(args, cx),
        Verb::RotateToken { name, token_file } => rotate(name, token_file.as_deref(), cx),
        Verb::RevokeToken { name } => {
            cx.show(&RevokeToken { agent: name }, |done, _| format!("{}\n", text::line(&done.text)))
        }
    }
}

fn register(args: RegisterArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let powers = args.powers;
    let register = Register {
        name: args.name,
        autonomy: args.autonomy,
        runtime: args.runtime,
        display_name: powers.display_name,
        workspace: powers.workspace,
        task_types: powers.task_types,
        tools_allow: powers.tools_allow,
        tools_deny: powers.tools_deny,
        daily_cap_uusd: powers.daily_cap,
        run_cap_uusd: powers.run_cap,
        can_spawn: args.can_spawn,
        parent: args.parent,
        purpose: args.purpose,
        task: args.task,
        labels: powers.labels.into_iter().collect(),
    };
    let registered = cx.call(&register)?;
    let text = format!("agent {} is registered\n", registered.agent.name);
    keep_token(cx, &registered, &registered.token, (args.token_file.as_deref(), text))
}

fn rotate(name: String, file: Option<&Path>, cx: &mut Context) -> Result<Exit, Failure> {
    let rotated = cx.call(&RotateToken { agent: name })?;
    let text = format!("the old tokens end at {}\n", text::when(rotated.old_until));
    keep_token(cx, &rotated, &rotated.token, (file, text))
}

/// Writes a new token to `file`, or shows it this once, with the `text` beside it.
///
/// # Errors
///
/// When it can't be written.
pub(crate) fn keep_token<T: Serialize>(
    cx: &Context,
    answer: &T,
    token: &str,
    (file, text): (Option<&Path>, String),
) -> Result<Exit, Failure> {
    let Some(file) = file else {
        cx.print(answer, |_| {
            format!("{text}token  {token}\nThis is shown once: keep it in a file of mode 0600.\n")
        })?;
        return Ok(Exit::Done);
    };
    secret::write(file, &format!("{token}\n"))?;
    let mut answer = serde_json::to_value(answer)
        .map_err(|error| Failure::Failed(format!("can't write the answer as JSON: {error}")))?;
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("token");
        fields.insert("token_file".to_owned(), file.display().to_string().into());
    }
    cx.print(&answer, |_| format!("{text}token  in {}\n", file.display()))?;
    Ok(Exit::Done)
}

fn update(args: UpdateArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
    let powers = args.powers;
    let set = AgentPatch {
        display_name: powers.display_name,
        autonomy: args.autonomy,
        workspace: powers.workspace,
        task_types: some(powers.task_types),
        tools_allow: some(powers.tools_allow),
        tools_deny: some(powers.tools_deny),
        daily_cap_uusd: powers.daily_cap,
        run_cap_uusd: powers.run_cap,
        can_spawn: args.can_spawn,
        labels: (!powers.labels.is_empty()).then(|| powers.labels.into_iter().collect()),
    };
    if set == AgentPatch::default() {
        return Err(Failure::Usage("nothing to change: give at least one field".to_owned()));
    }
    let rev = match args.rev {
        Some(rev) => rev,
        None => cx.call(&Get { agent: args.agent.clone() })?.agent.rev,
    };
    cx.show(&Update { agent: args.agent, rev, set }, |agent, _| sheet(agent).to_string())
}

fn change<M: Method<Result = Touched>>(call: &M, cx: &mut Context) -> Result<Exit, Failure> {
    cx.show(call, |touched, _| {
        let mut sheet = Sheet::default();
        let status = touched.agent.status;
        sheet.line("agent", &touched.agent.name);
        sheet.toned("status", word(status), tone(status));
        sheet.list("tasks moved", &touched.tasks);
        sheet.list("approvals canceled", &touched.approvals);
        sheet.list("runs told to end", &touched.runs);
        sheet.to_string()
    })
}

fn heartbeat(args: HeartbeatArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let beat = Heartbeat { status: args.status, session: args.session, current_task: args.task };
    cx.show(&beat, |beat, _| orders(beat))
}

fn orders(beat: &Beat) -> String {
    let mut sheet = Sheet::default();
    for order in &beat.orders {
        sheet.toned("ORDER", word(order), Tone::Bad);
    }
    for notice in &beat.notifications {
        sheet.line("notice", format!("{}  {}", notice.id, notice.text));
    }
    for approval in &beat.decisions {
        let note = approval.note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
        let status = approval.status.as_str();
        sheet.line("decided", format!("{}  {status}{note}", approval.id));
    }
    for card in &beat.assigned {
        sheet.line("yours", format!("{}  {}  {}", card.id, card.state, card.title));
    }
    for card in &beat.claimable {
        sheet.line("claimable", format!("{}  p{}  {}", card.id, card.priority, card.title));
    }
    sheet.line("left", format!("{} today, {} a run", beat.budget.day_uusd, beat.budget.run_uusd));
    sheet.maybe("left on task", beat.budget.task_uusd);
    sheet.to_string()
}

const fn tone(status: AgentStatus) -> Tone {
    match status {
        AgentStatus::Active => Tone::Good,
        AgentStatus::Paused | AgentStatus::Drained => Tone::Warn,
        AgentStatus::Quarantined => Tone::Bad,
        AgentStatus::Stopped => Tone::Dim,
    }
}

fn rows(agents: &[AgentView], days: &[Budget], now: Timestamp) -> String {
    if agents.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        "AGENT", "AUTONOMY", "STATUS", "LIVE", "HEARD", "WORKED", "TASK", "TODAY", "OF", "RUNTIME",
        "ATTACHED",
    ]);
    for view in agents {
        let AgentView { agent, last_heartbeat, attached, today_uusd, today_state, .. } = view;
        // What counts for the cap: with what its sub-agents spent and what overrides granted.
        let of = |day: &&Budget| {
            day.scope == Scope::AgentDay && day.of.split(' ').next() == Some(agent.name.as_str())
        };
        let (today, cap) = match days.iter().find(of) {
            Some(day) => (
                money(day.spent_uusd.minus(day.unpriced_uusd), day.state),
                day.cap_uusd.unwrap_or(agent.daily_cap_uusd),
            ),
            None => (money(*today_uusd, *today_state), agent.daily_cap_uusd),
        };
        table.row([
            Cell::new(&agent.name, Tone::Strong),
            cell(word(agent.autonomy)),
            Cell::new(word(agent.status), tone(agent.status)),
            live(view, now),
            maybe(last_heartbeat.map(|at| text::age(now, at))),
            maybe(agent.last_work_at.map(|at| text::age(now, at))),
            maybe(agent.current_task),
            cell(today),
            cell(cap),
            cell(word(agent.runtime)),
            maybe((!attached.is_empty()).then(|| attached.join(", "))),
        ]);
    }
    table.to_string()
}

/// Returns whether an agent is heard of, or that it works without getting on.
fn live(view: &AgentView, now: Timestamp) -> Cell {
    match view.silent_since {
        Some(since) => Cell::new(format!("SILENT {}", text::age(now, since)), Tone::Bad),
        None => Cell::new(word(view.liveness), live_tone(view.liveness)),
    }
}

const fn live_tone(liveness: Liveness) -> Tone {
    match liveness {
        Liveness::Online => Tone::Good,
        Liveness::Late => Tone::Warn,
        Liveness::Offline => Tone::Dim,
    }
}

fn sheet(agent: &Agent) -> Sheet {
    let mut sheet = Sheet::default();
    sheet.line("agent", &agent.name).maybe("name", agent.display_name.as_ref());
    sheet.line("autonomy", word(agent.autonomy));
    sheet.toned("status", word(agent.status), tone(agent.status));
    sheet.maybe("because", agent.status_reason.as_ref());
    sheet.line("runtime", word(agent.runtime)).maybe("workspace", agent.workspace.as_ref());
    sheet.list("task types", &agent.task_types);
    sheet.list("only tools", &agent.tools_allow).list("never tools", &agent.tools_deny);
    sheet.maybe("task", agent.current_task).maybe("run", agent.current_run);
    sheet.maybe("parent", agent.parent.as_ref()).maybe("purpose", agent.purpose.as_ref());
    let (day, run) = (agent.daily_cap_uusd, agent.run_cap_uusd);
    let ends_first = if run > day { ": the day's cap ends a run first" } else { "" };
    sheet.line("caps", format!("{day} a day, {run} a run{ends_first}"));
    sheet.line("spent", money(agent.spent_uusd, agent.cost_state));
    sheet.line("errors in a row", agent.error_streak);
    sheet.line("revision", agent.rev);
    sheet
}

fn show(agent: AgentName, cx: &mut Context) -> Result<Exit, Failure> {
    let known = cx.call(&Get { agent: agent.clone() })?;
    if cx.is_json() {
        return cx.print(&known, |_| String::new()).map(|()| Exit::Done);
    }
    let ask = BudgetGet { agent: Some(agent), ..BudgetGet::default() };
    let day = cx.call(&ask)?.budgets.into_iter().find(|one| one.scope == Scope::AgentDay);
    let now = cx.now()?;
    cx.print(&known, |known| view(known, day.as_ref(), now))?;
    Ok(Exit::Done)
}

/// Returns how an agent's day stands with its cap: with what sub-agents spent and hold of it.
fn of_day(day: &Budget) -> Option<String> {
    let cap = day.cap_uusd?;
    let part = |amount: MicroUsd, what: &str| {
        if amount > MicroUsd::ZERO { format!(", {amount} {what}") } else { String::new() }
    };
    Some(format!(
        "{} of {cap}{}{}{}",
        counted(day.spent_uusd, day.unpriced_uusd),
        part(day.sub_agents_uusd, "of it by its sub-agents"),
        part(day.reserved_uusd, "more reserved"),
        part(day.granted_uusd, "of the cap by overrides, for today"),
    ))
}

fn view(view: &AgentView, day: Option<&Budget>, now: Timestamp) -> String {
    let mut sheet = sheet(&view.agent);
    sheet.toned("live", word(view.liveness), live_tone(view.liveness));
    sheet.maybe("heard", view.last_heartbeat.map(|at| format!("{} ago", text::age(now, at))));
    let worked = view.agent.last_work_at;
    sheet.maybe("worked", worked.map(|at| format!("{} ago", text::age(now, at))));
    if let Some(since) = view.silent_since {
        let text = format!("says that it works, and did nothing for {}", text::age(now, since));
        sheet.toned("SILENT", text, Tone::Bad);
    }
    sheet.list("attached", &view.attached);
    sheet.line("today", money(view.today_uusd, view.today_state));
    sheet.maybe("day's budget", day.and_then(of_day));
    sheet.to_string()
}

fn roots(tree: &TreeResult) -> String {
    let mut out = String::new();
    for root in &tree.roots {
        branch(root, 0, &mut out);
    }
    if out.is_empty() {
        output::note("no agents yet: `mcctl agent register NAME`");
    }
    out
}

/// Deeper than any tree that the daemon allows; a guard against a daemon that is not ours.
const DEEPEST: usize = 16;

fn branch(node: &TreeNode, depth: usize, out: &mut String) {
    let agent = &node.agent.agent;
    let status = tone(agent.status).paint(&word(agent.status));
    let purpose = agent.purpose.as_deref().map(|text| format!("  {}", text::line(text)));
    put!(
        out,
        "{:indent$}{}  {}  {status}{}\n",
        "",
        agent.name,
        word(agent.autonomy),
        purpose.unwrap_or_default(),
        indent = depth * 2
    );
    if depth < DEEPEST {
        node.children.iter().for_each(|child| branch(child, depth + 1, out));
    }
}
