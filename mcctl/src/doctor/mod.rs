//! `mcctl doctor`: looks for what weakens the promises of this set-up, and says what to do.

mod checks;
mod daemon;
mod machine;
mod places;

use mc_proto::home::Home;
use serde::Serialize;

use self::machine::{Machine, ThisMachine};
use crate::{
    context::Context,
    environment,
    failure::{Exit, Failure},
    identity::{FILE, IdentityFile, Mode},
    table::{Sheet, Tone},
};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Weight {
    /// Good to know.
    Note,
    /// Weakens a promise.
    Warning,
    /// Breaks a promise.
    Error,
}

/// One weakness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    /// How bad it is.
    weight: Weight,
    /// The check that found it.
    check: &'static str,
    /// What was seen.
    what: String,
    /// Why it matters.
    why: &'static str,
    /// What to do.
    todo: String,
}

/// What the checks look at.
#[derive(Debug, Clone)]
struct Subject {
    home: Home,
    identity: IdentityFile,
    /// The user that looks.
    uid: u32,
    /// The directory of the programs.
    programs: Option<std::path::PathBuf>,
    /// The socket of an SSH agent within reach.
    ssh_agent: Option<std::path::PathBuf>,
}

impl Subject {
    /// Returns how bad it is that agents can act as the operator: one user for all is a choice
    /// that was made knowingly, and weakens what it would break elsewhere.
    fn weight(&self) -> Weight {
        match self.identity.mode {
            Mode::SingleUser => Weight::Warning,
            Mode::System => Weight::Error,
        }
    }
}

/// Looks, and shows what was found.
///
/// # Errors
///
/// When the output can't be written.
pub(crate) fn run(cx: &mut Context) -> Result<Exit, Failure> {
    let home = Home::find(cx.global().home.as_deref());
    let mut findings = local(&home);
    findings.extend(daemon::check(&home, cx));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.weight));
    let errors = findings.iter().filter(|finding| finding.weight == Weight::Error).count();
    let answer = serde_json::json!({
        "findings": findings, "errors": errors, "config": home.config,
    });
    cx.print(&answer, |_| view(&findings, errors))?;
    Ok(if errors == 0 { Exit::Done } else { Exit::Unwell })
}

/// Returns what is found without the daemon.
fn local(home: &Home) -> Vec<Finding> {
    let unreadable = |what: String, todo: String| {
        let why = "without it nobody can prove to be an operator, and nothing else can be checked";
        // In a squad with users of their own an operator must not read it.
        let weight = if is_forbidden(home) { Weight::Warning } else { Weight::Error };
        vec![Finding { weight, check: "identity", what, why, todo }]
    };
    match IdentityFile::load(&home.config) {
        Ok(Some(identity)) => look(&ThisMachine, &subject(home.clone(), identity)),
        Ok(None) => unreadable(
            format!("there is no {} in {}", FILE, home.config.display()),
            "set the squad up with `mcctl init`, or name its place with --home".to_owned(),
        ),
        Err(failure) => unreadable(
            failure.to_string(),
            "run `mcctl doctor` as the user who owns the configuration, or as root".to_owned(),
        ),
    }
}

/// Says whether the identity file is there for others than this user.
fn is_forbidden(home: &Home) -> bool {
    let opened = std::fs::File::open(home.config.join(FILE));
    opened.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

fn subject(home: Home, identity: IdentityFile) -> Subject {
    let exe = std::env::current_exe().ok();
    Subject {
        home,
        identity,
        uid: rustix::process::getuid().as_raw(),
        programs: exe.and_then(|exe| exe.parent().map(Into::into)),
        ssh_agent: environment::ssh_agent(),
    }
}

/// Runs every check that needs no daemon.
fn look(machine: &impl Machine, subject: &Subject) -> Vec<Finding> {
    let mut findings = checks::all(machine, subject);
    findings.extend(places::all(machine, subject));
    findings
}

fn view(findings: &[Finding], errors: usize) -> String {
    let mut out = String::new();
    for finding in findings {
        let (word, tone) = match finding.weight {
            Weight::Error => ("ERROR", Tone::Bad),
            Weight::Warning => ("warning", Tone::Warn),
            Weight::Note => ("note", Tone::Dim),
        };
        let what = crate::text::line(&finding.what);
        put!(out, "{}  {what}  {}\n", tone.paint(word), Tone::Dim.paint(finding.check));
        let mut sheet = Sheet::default();
        sheet.line("  why", finding.why).line("  do", &finding.todo);
        put!(out, "{sheet}");
    }
    match (findings.len(), errors) {
        (0, _) => out.push_str("nothing found\n"),
        (all, errors) => put!(out, "{all} findings, {errors} of them errors\n"),
    }
    out
}
