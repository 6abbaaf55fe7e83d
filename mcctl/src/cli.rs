//! The grammar of the command line and the switch from a noun to its file.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use mc_core::id::ApprovalId;
use mc_proto::method::{admin::ProtocolDescribe, session::Whoami};

use crate::{
    adapter, agent, alert, approval, artifact, audit, budget,
    context::Context,
    cost, decide, doctor,
    failure::{Exit, Failure},
    feed, hook, init, mcp, message, notify, openclaw, operator, output, policy, rule, run,
    schedule, squad,
    table::{Sheet, Tone},
    task,
    words::word,
};

/// Governs a squad of autonomous agents: tasks, approvals, money, and the emergency stop.
#[derive(Debug, Parser)]
#[command(
    name = "mcctl",
    version,
    propagate_version = true,
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 usage, 3 daemon unreachable, \
                  4 denied by policy, 5 waiting for approval.\n\
                  With MC_AGENT and MC_TOKEN_FILE set it speaks as that agent, else as the \
                  operator whose user runs it."
)]
pub(crate) struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// Answer in JSON: one document, or JSON Lines for streams.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The daemon's socket [default: `MC_SOCKET`, else below the home].
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// The directory of the squad [default: `MC_HOME`, else the user's or the system's places].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// The idempotency key of a command: the same key and content give the first answer again
    /// [default: a random one].
    #[arg(long, global = true, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Take the operator's passphrase from this file (mode 0600) instead of the terminal.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// The code that the authenticator shows now, for an act that needs it [default: asked for].
    #[arg(long, global = true, value_name = "CODE")]
    pub(crate) code: Option<String>,
    /// Sign an act that needs a second factor with this SSH key, or with the agent that holds it.
    #[arg(long, global = true, value_name = "KEY", conflicts_with_all = ["code", "signature"])]
    pub(crate) sign_key: Option<PathBuf>,
    /// Show what is to be signed, and take the signature from this file once it is there, or from
    /// standard input (`-`).
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "code")]
    pub(crate) signature: Option<PathBuf>,
    /// How long an answer may take, in seconds.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,
}

/// The nouns, and the short forms of what is needed in a hurry.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// How the squad stands.
    Status,
    /// Tasks: create, claim, move, ask about.
    #[command(subcommand)]
    Task(task::Verb),
    /// Recurring tasks: what creates a task each time it is due.
    #[command(subcommand)]
    Schedule(schedule::Verb),
    /// Threads of tasks.
    #[command(subcommand)]
    Message(message::Verb),
    /// Things made for tasks.
    #[command(subcommand)]
    Artifact(artifact::Verb),
    /// Agents: register, pause, drain, quarantine.
    #[command(subcommand)]
    Agent(agent::Verb),
    /// Adapters of runtimes, which speak for agents.
    #[command(subcommand)]
    Adapter(adapter::Verb),
    /// Who governs: add, remove, reset, second factors. For root.
    #[command(subcommand)]
    Operator(operator::Verb),
    /// Questions to a human.
    #[command(subcommand)]
    Approval(approval::Verb),
    /// Standing rules: approvals that were remembered.
    #[command(subcommand)]
    Rule(rule::Verb),
    /// Say yes to an approval, after reading its evidence.
    Approve(decide::Approve),
    /// Say no to an approval, with a reason that the agent gets.
    Deny(decide::Deny),
    /// Runs of agents' models.
    #[command(subcommand)]
    Run(run::Verb),
    /// Tool calls.
    #[command(subcommand)]
    Tool(run::ToolVerb),
    /// The policy: what is in force, what a call would get.
    #[command(subcommand)]
    Policy(policy::Verb),
    /// The squad as a whole.
    #[command(subcommand)]
    Squad(squad::Verb),
    /// EMERGENCY STOP: everything, now. Short for `squad stop`.
    Stop(squad::Reason),
    /// Follow what happens.
    Feed(feed::Follow),
    /// Alerts.
    #[command(subcommand)]
    Alert(alert::Verb),
    /// Notices to the caller.
    #[command(subcommand)]
    Notification(alert::NoticeVerb),
    /// Where notices to people go: the sinks of notify.toml.
    #[command(subcommand)]
    Notify(notify::Verb),
    /// Caps and what is spent of them.
    Budget(budget::Command),
    /// What work has cost, by whom and on what; prices, and the forecast of the day.
    Cost(cost::Command),
    /// The record.
    #[command(subcommand)]
    Audit(audit::Verb),
    /// Say as whom the daemon sees the caller.
    Whoami,
    /// Print the protocol as an OpenRPC document.
    Describe,
    /// Connect an OpenClaw gateway.
    #[command(subcommand)]
    Openclaw(openclaw::Verb),
    /// Answer one hook of a runtime: Claude Code, Codex, Gemini, or any program.
    Hook(hook::Hook),
    /// Serve an agent's verbs as MCP tools over standard input and output.
    Mcp,
    /// Look for weaknesses of this machine; exit code 1 when one is an error.
    Doctor,
    /// Set a squad up, without a daemon. Safe to run again.
    Init(Box<init::InitArgs>),
    /// Print a completion script.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Carries a command out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(command: Command, cx: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::Status => squad::status(cx),
        Command::Task(verb) => task::run(verb, cx),
        Command::Schedule(verb) => schedule::run(verb, cx),
        Command::Message(verb) => message::run(verb, cx),
        Command::Artifact(verb) => artifact::run(verb, cx),
        Command::Agent(verb) => agent::run(verb, cx),
        Command::Adapter(verb) => adapter::run(verb, cx),
        Command::Operator(verb) => operator::run(verb, cx),
        Command::Approval(verb) => approval::run(verb, cx),
        Command::Rule(verb) => rule::run(verb, cx),
        Command::Approve(approve) => decide::approve(&approve, cx),
        Command::Deny(deny) => decide::deny(deny, cx),
        Command::Run(verb) => run::run(verb, cx),
        Command::Tool(verb) => run::tools(verb, cx),
        Command::Policy(verb) => policy::run(verb, cx),
        Command::Squad(verb) => squad::run(verb, cx),
        Command::Stop(reason) => squad::emergency_stop(reason, cx),
        Command::Feed(follow) => feed::follow(follow, cx),
        Command::Alert(verb) => alert::run(verb, cx),
        Command::Notification(verb) => alert::notices(verb, cx),
        Command::Notify(verb) => notify::run(verb, cx),
        Command::Budget(command) => budget::run(command, cx),
        Command::Cost(command) => cost::run(command, cx),
        Command::Audit(verb) => audit::run(verb, cx),
        Command::Whoami => whoami(cx),
        Command::Describe => describe(cx),
        Command::Openclaw(verb) => openclaw::run(&verb, cx),
        Command::Hook(hook) => hook::run(&hook, cx),
        Command::Mcp => mcp::run(cx),
        Command::Doctor => doctor::run(cx),
        Command::Init(args) => init::run(&args, cx),
        Command::Completions { shell } => completions(shell),
    }
}

fn whoami(cx: &mut Context) -> Result<Exit, Failure> {
    cx.show(&Whoami {}, |me, _| {
        let mut sheet = Sheet::default();
        sheet.line("name", &me.name).line("kind", word(me.kind));
        sheet.maybe("role", me.role.map(word)).maybe("level", me.level);
        sheet.maybe("until", me.level_expires_at.map(crate::text::when));
        sheet.list("speaks for", &me.agents);
        if me.shared_uid {
            sheet.toned("SHARED UID", "agents run under this user: nothing above L1", Tone::Warn);
        }
        sheet.to_string()
    })
}

fn describe(cx: &mut Context) -> Result<Exit, Failure> {
    let document = cx.call(&ProtocolDescribe {})?;
    output::json(&document)?;
    Ok(Exit::Done)
}

fn completions(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mcctl", &mut script);
    output::raw(&script)?;
    Ok(Exit::Done)
}

/// Which approval.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OfApproval {
    /// The approval, such as A-3.
    #[arg(value_name = "A-n")]
    pub(crate) approval: ApprovalId,
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[&str] = &[
        "mcctl task create Title --type docs --assign wren --budget 2.50 --label x",
        "mcctl task list is:blocked --sort -updated --limit 5",
        "mcctl task show t-1",
        "mcctl task claim T-1",
        "mcctl task assign T-1 wren heron",
        "mcctl task start T-1 --plan a --plan b --plan c --fence 1",
        "mcctl task submit T-1 --deliverable d --checked builds --evidence e",
        "mcctl task request-changes T-1 --feedback f",
        "mcctl task complete T-1 --note n",
        "mcctl task block T-1 --reason r",
        "mcctl task unblock T-1 --note n --to assigned",
        "mcctl task cancel T-1 --reason r",
        "mcctl task reopen T-1 --reason r",
        "mcctl task report-blocker T-1 --reason r --tried t --needs n",
        "mcctl task subscribe T-1",
        "mcctl task unsubscribe T-1",
        "mcctl task comment T-1 hello --reply-to M-2",
        "mcctl task timeline T-1 --kind task_moved",
        "mcctl task answers T-1",
        "mcctl task transitions",
        "mcctl task update T-1 --title x",
        "mcctl task move T-1 blocked --reason r",
        "mcctl schedule add Title --cron @daily --zone UTC --type ops --catch-up all --even-if-open",
        "mcctl schedule update J-1 --even-if-open=false",
        "mcctl schedule update J-1 --title t --type ops --assign wren --budget 2 --clear label",
        "mcctl message list T-1",
        "mcctl artifact put T-1 report.md --file r.md",
        "mcctl artifact get T-1 report.md",
        "mcctl agent register wren --autonomy lead --runtime openclaw --daily-cap 3",
        "mcctl agent list",
        "mcctl agent quarantine wren --reason r",
        "mcctl agent heartbeat --status idle",
        "mcctl adapter enrol openclaw-plugin --runtime openclaw --agent wren",
        "mcctl approval list --status pending",
        "mcctl approval show A-3",
        "mcctl approval request --kind escalation --summary s --justification j",
        "mcctl approval cancel A-3",
        "mcctl approval edit A-3 --arg command=ls --arg depth:=3 --note n",
        "mcctl approval edit A-3 --file - --digest aa",
        "mcctl approve A-3 --yes --digest 00ff --note n",
        "mcctl approve A-3 --sign-key k",
        "mcctl approve A-3 --signature -",
        "mcctl operator key add ana k.pub",
        "mcctl operator key list",
        "mcctl operator key remove ana SHA256:x",
        "mcctl deny A-3 --note n",
        "mcctl run list --agent wren",
        "mcctl run show R-1",
        "mcctl tool list --run R-1",
        "mcctl policy get",
        "mcctl policy check exec --arg command=ls",
        "mcctl policy validate policy.toml",
        "mcctl policy replay policy.toml --since 24h",
        "mcctl policy history",
        "mcctl squad pause --reason r",
        "mcctl squad emergency-resume --reason r --task T-1",
        "mcctl stop --reason fire",
        "mcctl feed --since 3 --topic task --count 2",
        "mcctl alert list",
        "mcctl alert ack W-2",
        "mcctl notification ack N-5",
        "mcctl notify list --sink ops --status waiting",
        "mcctl notify status",
        "mcctl notify test ops",
        "mcctl notify retry ops",
        "mcctl notify retry",
        "mcctl budget",
        "mcctl budget --agent wren",
        "mcctl budget --run R-3",
        "mcctl budget set agent_day wren --cap 7.50 --reason r",
        "mcctl budget set squad_month --tokens 5000000 --reason r",
        "mcctl budget set task T-7 --clear --reason r",
        "mcctl budget release B-3 --spent 0.12 --reason r",
        "mcctl cost",
        "mcctl cost --by agent,model --since 2026-11-01 --until 2026-11-25",
        "mcctl cost --by task --limit 10",
        "mcctl cost forecast --agent wren",
        "mcctl cost prices claude-opus-5",
        "mcctl cost recompute --since 2026-11-01 --dry-run --reason r",
        "mcctl audit verify",
        "mcctl audit export --since 3",
        "mcctl whoami",
        "mcctl describe",
        "mcctl completions bash",
        "mcctl doctor",
        "mcctl openclaw install --config c --agent main=wren --agent dev --wait 0",
        "mcctl openclaw check",
        "mcctl init --passphrase-file p --squad x --agent wren:lead:openclaw --agent kea",
    ];

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_grammar_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_takes_the_common_options_behind_it() {
        let cli = parse("mcctl status --json --socket /s --home /h --timeout 2").unwrap();
        assert!(cli.global.json);
        assert_eq!(cli.global.socket, Some("/s".into()));
        assert_eq!(cli.global.home, Some("/h".into()));
        assert_eq!(cli.global.timeout, 2);
    }

    #[test]
    fn every_noun_has_its_verbs() {
        for line in GOOD {
            if let Err(error) = parse(line) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn what_makes_no_sense_is_a_usage_error() {
        for line in [
            "mcctl",
            "mcctl task",
            "mcctl task show 12",
            "mcctl task show A-3",
            "mcctl task create",
            "mcctl task claim",
            "mcctl approve A-3 --yes",
            "mcctl agent register Wren",
            "mcctl agent register all",
            "mcctl agent pause wren",
            "mcctl task create x --type docs --budget lots",
            "mcctl status --timeout 0",
            "mcctl init --system --single-user",
        ] {
            let error = parse(line).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
