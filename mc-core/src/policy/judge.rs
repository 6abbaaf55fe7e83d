//! The risk of a call: that of its tool, raised by its arguments, never lowered by anybody's words.

use super::{
    Call, Policy, Risk,
    arguments::{self, Leaf},
    net,
    path::{self, Base, Resolved},
    tools::{self, Class},
};
use crate::{agent::Agent, redact};

/// What was found out about a call.
#[derive(Debug, Clone)]
pub(super) struct Judgement {
    /// How dangerous it is.
    pub(super) risk: Risk,
    /// The rule that says so.
    pub(super) rule: &'static str,
    /// Why, in one sentence.
    pub(super) reason: String,
    /// Why it is refused outright.
    pub(super) denied: Option<Finding>,
    /// Whether a yellow call stands on an allowlist.
    pub(super) is_listed: bool,
    /// What its arguments mean.
    pub(super) class: Class,
}

/// A rule and why it applies.
pub(super) type Finding = (&'static str, String);

/// Returns a text of the call for a sentence: masked, short and in quotes.
pub(super) fn quote(text: &str) -> String {
    format!("`{}`", redact::preview(text, 80))
}

struct Case<'a> {
    policy: &'a Policy,
    call: &'a Call<'a>,
    class: Class,
    leaves: Vec<Leaf<'a>>,
    base: Base<'a>,
}

/// Judges `call` of `agent`.
pub(super) fn judge(policy: &Policy, call: &Call<'_>, agent: &Agent) -> Judgement {
    let known = tools::known(call.tool);
    let class = known.map_or(Class::Other, |(_, class)| class);
    let risk = policy.tool_risk(call.tool);
    let base = Base { workspace: agent.workspace.as_deref(), cwd: call.cwd, home: call.home };
    let leaves = arguments::leaves(call.arguments);
    let case = Case { policy, call, class, leaves, base };
    let paths: Vec<(&str, Option<Resolved>)> = arguments::paths(call, class, &case.leaves)
        .into_iter()
        .map(|raw| (raw, path::resolve(raw, base)))
        .collect();
    let raised = RAISES.iter().find_map(|raise| raise(&case, &paths));
    let listed_by_agent = agent.tools_allow.iter().any(|name| tools::names(name, call.tool));
    let is_listed = (listed_by_agent || policy.is_tool_allowed(call.tool))
        && (!writes(class) || may_write(&case, &paths));
    let denied = DENIES.iter().find_map(|deny| deny(&case, &paths));
    let (risk, rule, reason) = match raised {
        Some((rule, reason)) => (Risk::Red, rule, reason),
        None => of_tool(risk, call.tool),
    };
    Judgement { risk, rule, reason, denied, is_listed, class }
}

fn of_tool(risk: Risk, tool: &str) -> (Risk, &'static str, String) {
    let tool = quote(tool);
    match risk {
        Risk::Red => (risk, "risk.red", format!("{tool} reaches outside or can't be undone")),
        Risk::Yellow => (risk, "risk.yellow", format!("{tool} can do harm")),
        Risk::Green => (risk, "risk.green", format!("{tool} is internal and reversible")),
    }
}

const fn writes(class: Class) -> bool {
    matches!(class, Class::Write | Class::Patch)
}

fn may_write(case: &Case<'_>, paths: &[(&str, Option<Resolved>)]) -> bool {
    let may = |found: &Resolved| case.policy.globs.write.find(found, case.base.workspace).is_some();
    paths.iter().all(|(_, found)| found.as_ref().is_some_and(may))
}

/// A check over a call and its paths, resolved where that is possible.
type Check = fn(&Case<'_>, &[(&str, Option<Resolved>)]) -> Option<Finding>;

/// What is refused outright.
const DENIES: &[Check] =
    &[arguments_are_small, tool_is_not_denied, no_denied_place, no_denied_write];

/// What makes a call red.
const RAISES: &[Check] =
    &[no_shell, no_secret, paths_are_known, paths_are_harmless, hosts_are_listed, no_live_target];

fn arguments_are_small(case: &Case<'_>, _: &[(&str, Option<Resolved>)]) -> Option<Finding> {
    let limit = case.policy.doc.limits.argument_bytes;
    let size = u64::try_from(case.call.arguments.to_string().len()).unwrap_or(u64::MAX);
    let reason = || format!("the arguments are {size} bytes, the limit is {limit}");
    (size > limit).then(|| ("limit.arguments", reason()))
}

fn tool_is_not_denied(case: &Case<'_>, _: &[(&str, Option<Resolved>)]) -> Option<Finding> {
    let tool = case.call.tool;
    let is_denied = case.policy.doc.tools.deny.iter().any(|name| tools::names(name, tool));
    is_denied.then(|| ("deny.tool", format!("the policy denies {} to everybody", quote(tool))))
}

fn no_denied_place(case: &Case<'_>, paths: &[(&str, Option<Resolved>)]) -> Option<Finding> {
    let more = case.policy.denied_paths();
    let is_acted_on =
        |leaf: &&Leaf<'_>| case.class == Class::Shell || leaf.is_command() || !leaf.is_prose();
    let texts = case.leaves.iter().filter(is_acted_on).map(|leaf| leaf.text);
    let resolved = paths.iter().filter_map(|(_, found)| Some(found.as_ref()?.absolute.as_str()));
    let raw = paths.iter().map(|(raw, _)| *raw);
    let mut all = texts.chain(resolved).chain(raw).chain(case.call.cwd);
    if case.class == Class::Own {
        return None;
    }
    let place = all.find_map(|text| path::denied(text, more, case.base))?;
    Some(("deny.path", format!("the call names {}, which nobody may touch", quote(place))))
}

fn no_denied_write(case: &Case<'_>, paths: &[(&str, Option<Resolved>)]) -> Option<Finding> {
    if !writes(case.class) {
        return None;
    }
    let rules = &case.policy.globs.write_deny;
    let rule_of = |found: &Resolved| rules.find(found, case.base.workspace).map(str::to_owned);
    let (raw, rule) =
        paths.iter().find_map(|(raw, found)| Some((raw, rule_of(found.as_ref()?)?)))?;
    let reason = format!("{} must not be written (rule {})", quote(raw), quote(&rule));
    Some(("deny.write", reason))
}

fn no_shell(case: &Case<'_>, _: &[(&str, Option<Resolved>)]) -> Option<Finding> {
    let runs = case.class == Class::Shell
        || (case.class != Class::Own && case.leaves.iter().any(|leaf| leaf.is_command()));
    let reason = "it runs a command, and commands are always asked for";
    runs.then(|| ("shell.unclassified", reason.to_owned()))
}

fn no_secret(case: &Case<'_>, _: &[(&str, Option<Resolved>)]) -> Option<Finding> {
    let found = case.class != Class::Own && redact::value_has_secret(case.call.arguments);
    found.then(|| ("secret.argument", "the arguments hold what looks like a secret".to_owned()))
}

fn paths_are_known(case: &Case<'_>, paths: &[(&str, Option<Resolved>)]) -> Option<Finding> {
    if writes(case.class) && paths.is_empty() {
        return Some(("path.unknown", "the call writes and names no file".to_owned()));
    }
    let (raw, _) = paths.iter().find(|(_, found)| found.is_none())?;
    let reason = format!("{} can't be resolved without a shell or a workspace", quote(raw));
    Some(("path.unknown", reason))
}

fn paths_are_harmless(case: &Case<'_>, paths: &[(&str, Option<Resolved>)]) -> Option<Finding> {
    let (globs, workspace) = (&case.policy.globs, case.base.workspace);
    paths.iter().find_map(|(raw, found)| {
        let found = found.as_ref()?;
        let raw = quote(raw);
        if globs.read.find(found, workspace).is_none()
            && globs.write.find(found, workspace).is_none()
            && found.inside.as_deref() != Some("")
        {
            Some(("path.outside", format!("{raw} lies outside the workspace and shared folders")))
        } else if globs.secret.find(found, workspace).is_some() {
            Some(("path.secret", format!("{raw} is a place for secrets")))
        } else if case.class != Class::Read && globs.control.find(found, workspace).is_some() {
            Some(("path.control", format!("{raw} steers agents, builds or history")))
        } else if case.class != Class::Read && globs.write_deny.find(found, workspace).is_some() {
            // A tool that is no known reader may well write.
            Some(("path.write_deny", format!("{raw} must not be written")))
        } else {
            None
        }
    })
}

fn hosts_are_listed(case: &Case<'_>, _: &[(&str, Option<Resolved>)]) -> Option<Finding> {
    if case.class == Class::Own {
        return None;
    }
    let addresses = case.leaves.iter().filter(|leaf| leaf.is_address());
    let rules = &case.policy.doc.network;
    addresses.into_iter().find_map(|leaf| {
        let objection = net::objection(leaf.text, rules)?;
        Some(("net.host", format!("{objection}: {}", quote(leaf.text))))
    })
}

fn no_live_target(case: &Case<'_>, _: &[(&str, Option<Resolved>)]) -> Option<Finding> {
    // A file may be called main.rs; a host, a branch or an environment may not.
    if matches!(case.class, Class::Own | Class::Read | Class::Write | Class::Patch) {
        return None;
    }
    let is_target = |leaf: &&Leaf<'_>| !leaf.is_prose() && !leaf.is_address();
    let hosts = case.leaves.iter().filter(|leaf| leaf.is_address()).map(|leaf| host(leaf.text));
    let others = case.leaves.iter().filter(is_target).map(|leaf| leaf.text);
    let word = others.chain(hosts).find_map(arguments::live_target)?;
    Some(("target.live", format!("{} means a live target", quote(word))))
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}
