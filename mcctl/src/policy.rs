//! `mcctl policy`: what is in force, what a call would get, whether a file is good.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mc_core::{
    agent::AgentName,
    id::TaskId,
    policy::{Decision, Outcome, Policy, PolicyDoc},
};
use mc_proto::method::admin::{
    Findings, Offered, PolicyActivate, PolicyGet, PolicyHistory, PolicyOffer, PolicyTest,
    PolicyValidate, PolicyVersion,
};
use serde_json::{Map, Value};
use similar::TextDiff;

use crate::{
    approval, changes,
    context::Context,
    failure::{Exit, Failure},
    paging::{self, Paging},
    replay,
    table::{Cell, Sheet, Table, Tone, cell},
    task::text_of,
    text, trace,
    words::word,
};

/// What can be asked about the policy.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Print the policy in force, or an earlier version.
    Get {
        /// Which, from `mcctl policy history` [default: the one in force].
        #[arg(value_name = "N")]
        number: Option<i64>,
    },
    /// Say what a tool call would get, and record nothing. Exit code 0 allow, 4 deny, 5 ask.
    #[command(visible_alias = "test")]
    Check(Box<CheckArgs>),
    /// Say what is wrong with a policy file.
    Validate {
        /// The file; `-` is standard input.
        file: PathBuf,
    },
    /// Bring a file into force, as a new version with your name and reason in the record.
    Activate {
        /// The file; `-` is standard input.
        file: PathBuf,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
    /// Show what counts differently in two versions, or in the one in force and a file: settings, lists
    /// and rules that are added, removed or changed. Exit code 1 when something does.
    Diff(DiffArgs),
    /// Print the JSON Schema of a policy file, for editors.
    Schema,
    /// Judge recorded calls again by a candidate file, and show every decision that would change.
    Replay(replay::ReplayArgs),
    /// List the versions of the policy, newest first.
    History(Paging),
}

/// What is compared.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// A version's number, or a file.
    #[arg(value_name = "N|FILE")]
    from: String,
    /// Another [default: FROM is compared with the policy in force].
    #[arg(value_name = "N|FILE")]
    to: Option<String>,
    /// Compare the texts line by line instead, comments and all.
    #[arg(long)]
    text: bool,
}

/// A tool call that is not made.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The tool.
    #[arg(required_unless_present_any = ["trace", "offer"])]
    tool: Option<String>,
    /// Look a recorded trace through instead, as `mcctl audit export` prints it, and say where work
    /// goes in circles; exit code 1 when it does.
    #[arg(long = "loop", value_name = "FILE", conflicts_with_all =
        ["tool", "arguments", "named", "arg", "cwd", "agent", "task"])]
    trace: Option<PathBuf>,
    /// Say instead to whom the rules of assignment would give this task, and why; exit code 1 when
    /// they give it to nobody.
    #[arg(long = "assign", value_name = "T-n", conflicts_with_all =
        ["tool", "arguments", "named", "arg", "cwd", "agent", "task", "trace"])]
    offer: Option<TaskId>,
    /// Its arguments as a JSON object.
    #[arg(value_name = "JSON", conflicts_with_all = ["arg", "named"])]
    arguments: Option<String>,
    /// The same, by name.
    #[arg(long = "arguments", value_name = "JSON", conflicts_with = "arg")]
    named: Option<String>,
    /// One argument as text; repeat for more.
    #[arg(long, value_name = "NAME=TEXT")]
    arg: Vec<String>,
    /// The directory that it would run in.
    #[arg(long, value_name = "DIR")]
    cwd: Option<String>,
    /// The agent that would ask [default: the caller, or a specialist].
    #[arg(long, value_name = "AGENT")]
    agent: Option<AgentName>,
    /// The task that it would serve.
    #[arg(long, value_name = "T-n")]
    task: Option<TaskId>,
    /// A candidate file instead of the policy in force.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// Carries a verb out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(verb: Verb, cx: &mut Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Get { number: version } => {
            cx.show(&PolicyGet { version }, |version, _| in_force(version))
        }
        Verb::Activate { file, note } => {
            let toml = text_of(None, Some(&file))?.unwrap_or_default();
            cx.show(&PolicyActivate { toml, note }, |version, _| {
                format!("version {} is in force\n", version.version)
            })
        }
        Verb::Diff(args) => diff(&args, cx),
        Verb::Schema => {
            cx.print(&schema(), |schema| format!("{schema:#}\n"))?;
            Ok(Exit::Done)
        }
        Verb::Check(args) => check(*args, cx),
        Verb::Validate { file } => validate(&file, cx),
        Verb::Replay(args) => replay::run(&args, cx),
        Verb::History(paging) => {
            let ask = |limit, cursor| PolicyHistory { limit, cursor };
            paging::list(cx, &paging, ask, |versions, _| history(versions))
        }
    }
}

fn check(args: CheckArgs, cx: &mut Context) -> Result<Exit, Failure> {
    if let Some(file) = &args.trace {
        let toml = match text_of(None, args.policy.as_deref())? {
            Some(toml) => toml,
            None => cx.call(&PolicyGet::default())?.text,
        };
        return trace::run(file, &toml, cx);
    }
    if let Some(task) = args.offer {
        let toml = text_of(None, args.policy.as_deref())?;
        let offered = cx.call(&PolicyOffer { task, toml })?;
        cx.print(&offered, offer)?;
        let is_given = offered.agent.is_some() && offered.not_now.is_none();
        return Ok(if is_given { Exit::Done } else { Exit::Unwell });
    }
    let test = PolicyTest {
        tool: args.tool.unwrap_or_default(),
        arguments: arguments(args.arguments.or(args.named).as_deref(), &args.arg)?,
        cwd: args.cwd,
        agent: args.agent,
        task: args.task,
        toml: text_of(None, args.policy.as_deref())?,
    };
    let decision = cx.call(&test)?;
    cx.print(&decision, verdict)?;
    Ok(match decision.outcome {
        Outcome::Allow => Exit::Done,
        Outcome::Ask => Exit::Waiting,
        Outcome::Deny => Exit::Denied,
    })
}

fn arguments(json: Option<&str>, pairs: &[String]) -> Result<Value, Failure> {
    if let Some(json) = json {
        return serde_json::from_str(json)
            .map_err(|error| Failure::Usage(format!("the arguments are no JSON: {error}")));
    }
    let mut map = Map::new();
    for pair in pairs {
        let (name, text) = pair
            .split_once('=')
            .ok_or_else(|| Failure::Usage(format!("--arg `{pair}`: write NAME=TEXT")))?;
        map.insert(name.to_owned(), Value::String(text.to_owned()));
    }
    Ok(Value::Object(map))
}

fn verdict(decision: &Decision) -> String {
    let toned = match decision.outcome {
        Outcome::Allow => Tone::Good,
        Outcome::Ask => Tone::Warn,
        Outcome::Deny => Tone::Bad,
    };
    let mut sheet = Sheet::default();
    sheet.toned("decision", word(decision.outcome), toned);
    sheet.toned("risk", word(decision.risk), approval::tone(decision.risk));
    sheet.line("rule", &decision.rule).line("because", &decision.reason);
    sheet.to_string()
}

fn offer(offered: &Offered) -> String {
    let mut sheet = Sheet::default();
    let who = offered.agent.as_ref().map_or("nobody", |agent| agent.as_str());
    let tone = if offered.agent.is_some() { Tone::Good } else { Tone::Warn };
    sheet.toned("goes to", who, tone);
    sheet.maybe("rule", offered.rule.as_ref()).line("because", &offered.why);
    sheet.maybe("but not now", offered.not_now.as_ref());
    sheet.to_string()
}

fn validate(file: &Path, cx: &mut Context) -> Result<Exit, Failure> {
    let toml = text_of(None, Some(file))?.unwrap_or_default();
    let findings = cx.call(&PolicyValidate { toml })?;
    cx.print(&findings, |findings| lines(file, findings))?;
    Ok(if findings.valid { Exit::Done } else { Exit::Unwell })
}

fn lines(file: &Path, findings: &Findings) -> String {
    let file = file.display();
    let mut out = String::new();
    for finding in &findings.findings {
        let text = text::line(&finding.message);
        put!(out, "{file}:{}:{}: {text}\n", finding.line, finding.column);
    }
    if findings.valid {
        let but = if findings.findings.is_empty() { "" } else { ", but for the above" };
        put!(out, "{file} is good{but}\n");
    }
    out
}

fn in_force(version: &PolicyVersion) -> String {
    let mut out = format!(
        "# version {}, in force since {} by {}\n# sha256 {}\n",
        version.version,
        text::when(version.at),
        text::line(&version.by),
        text::line(&version.sha256)
    );
    for finding in &version.refused {
        let text = text::line(&finding.message);
        let line = format!("# NOT IN FORCE: the file on disk, line {}: {text}\n", finding.line);
        out.push_str(&Tone::Bad.paint(&line));
    }
    out.push_str(text::block(&version.text).trim_end());
    out.push('\n');
    out
}

/// Prints what differs; exit code 1 when something does.
fn diff(args: &DiffArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let (old, new) = match &args.to {
        Some(to) => (text_by(&args.from, cx)?, text_by(to, cx)?),
        None => (cx.call(&PolicyGet::default())?.text, text_by(&args.from, cx)?),
    };
    let to = args.to.as_deref();
    let (from, to) = to.map_or(("in force", args.from.as_str()), |to| (args.from.as_str(), to));
    if args.text {
        let lines = TextDiff::from_lines(&old, &new);
        let lines = lines.unified_diff().context_radius(3).header(from, to).to_string();
        cx.print(&lines, |lines| text::block(lines))?;
        return Ok(if old == new { Exit::Done } else { Exit::Unwell });
    }
    let changes = changes::between(&compiled(from, &old)?, &compiled(to, &new)?)
        .map_err(|error| Failure::Failed(format!("can't compare: {error}")))?;
    cx.print(&changes, |changes| match changes.as_slice() {
        [] => "nothing counts differently; --text compares the texts\n".to_owned(),
        changes => changes::shown(changes),
    })?;
    Ok(if changes.is_empty() { Exit::Done } else { Exit::Unwell })
}

/// Returns a policy ready to be compared; one that would be refused says nothing that counts.
fn compiled(name: &str, toml: &str) -> Result<Policy, Failure> {
    let wrong = |why: String| {
        let next = "`mcctl policy validate` says where, --text compares the texts";
        Failure::Failed(format!("{name} is no good policy: {why}; {next}"))
    };
    let doc: PolicyDoc = toml::from_str(toml).map_err(|error| wrong(error.message().to_owned()))?;
    Policy::compile(doc).map_err(|errors| {
        let first = errors.first().map(|error| format!("`{}`: {}", error.field, error.message));
        wrong(first.unwrap_or_default())
    })
}

/// Returns the text of a version, or of a file.
fn text_by(name: &str, cx: &mut Context) -> Result<String, Failure> {
    match name.parse() {
        Ok(version) => Ok(cx.call(&PolicyGet { version: Some(version) })?.text),
        Err(_) => Ok(text_of(None, Some(Path::new(name)))?.unwrap_or_default()),
    }
}

fn schema() -> Value {
    schemars::schema_for!(PolicyDoc).to_value()
}

fn history(versions: &[PolicyVersion]) -> String {
    if versions.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["VERSION", "AT", "BY", "SHA256", "WHY"]);
    for version in versions {
        table.row([
            Cell::new(version.version, Tone::Strong),
            cell(text::when(version.at)),
            cell(&version.by),
            cell(version.sha256.get(..12).unwrap_or(&version.sha256)),
            cell(version.note.as_deref().unwrap_or_default()),
        ]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_json_or_pairs() {
        let pairs = ["command=a=b".to_owned()];
        assert_eq!(arguments(None, &pairs).unwrap()["command"], "a=b");
        assert_eq!(arguments(Some(r#"{"n":1}"#), &[]).unwrap()["n"], 1);
        assert!(arguments(Some("{"), &[]).is_err());
        assert!(arguments(None, &["x".to_owned()]).is_err());
    }

    #[test]
    fn an_offer_says_who_by_which_rule_why_and_what_stands_in_its_way() {
        let offered = serde_json::from_value(serde_json::json!({
            "task": "T-7", "rule": "assign.docs", "agent": "kite", "not_now": "it waits for T-3",
            "why": "type docs; kite is the only one free",
        }))
        .unwrap();
        let text = offer(&offered);
        for words in ["kite", "assign.docs", "type docs; kite is", "it waits for T-3"] {
            assert!(text.contains(words), "{text}");
        }
        let none = serde_json::from_value(serde_json::json!({"task": "T-7", "why": "no rule"}));
        assert!(offer(&none.unwrap()).contains("nobody"));
    }

    #[test]
    fn the_schema_for_editors_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/policy.schema.json");
        let made = format!("{:#}\n", schema());
        #[expect(clippy::disallowed_methods, reason = "a test's switch, not the product's")]
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(made == kept, "out of date: run `UPDATE_DOCS=1 cargo test -p mcctl`");
    }

    #[test]
    fn a_finding_names_file_line_and_column() {
        let findings = serde_json::from_value(serde_json::json!({
            "valid": false, "findings": [{"line": 3, "column": 7, "message": "no such key"}],
        }))
        .unwrap();
        assert_eq!(lines(Path::new("p.toml"), &findings), "p.toml:3:7: no such key\n");
    }
}
