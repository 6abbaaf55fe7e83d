//! The risk of a call: that of its tool, raised by its arguments, never lowered by anybody's words.

use std::borrow::Cow;

use super::{
    Call, Risk, Scoped, Wanted,
    arguments::{self, Leaf},
    commands::{self, Commands},
    net,
    path::Base,
    places::{Places, Use},
    rules::{Rule, Ruled, Seen, Then},
    tools::{self, Class},
};
use crate::{agent::Agent, redact, shell::Verdict};

/// What was found out about a call.
#[derive(Debug, Clone)]
pub(super) struct Judgement<'r> {
    /// How dangerous it is.
    pub(super) risk: Risk,
    /// The rule that says so.
    pub(super) rule: Cow<'static, str>,
    /// Why, in one sentence.
    pub(super) reason: String,
    /// Why it is refused outright.
    pub(super) denied: Option<(Cow<'static, str>, String)>,
    /// The own rule that asks for it, or lets it pass where it is yellow.
    pub(super) answer: Option<&'r Rule>,
    /// Whether a yellow call stands on an allowlist.
    pub(super) is_listed: bool,
    /// What its arguments mean.
    pub(super) class: Class,
    /// What its command was found to be.
    pub(super) verdict: Option<Verdict>,
}

/// A rule and why it applies.
pub(super) type Finding = (&'static str, String);

/// Returns a text of the call for a sentence: masked, short and in quotes.
pub(crate) fn quote(text: &str) -> String {
    format!("`{}`", redact::preview(text, 80))
}

struct Case<'a> {
    policy: &'a Scoped,
    call: &'a Call<'a>,
    class: Class,
    leaves: Vec<Leaf<'a>>,
    places: Places<'a>,
    /// The paths that it names, as written.
    paths: Vec<&'a str>,
    commands: Option<Commands>,
}

impl<'a> Case<'a> {
    fn new(policy: &'a Scoped, call: &'a Call<'a>, workspace: Option<&'a str>) -> Self {
        let class = tools::known(call.tool).map_or(Class::Other, |(_, class)| class);
        let base = Base { workspace, cwd: call.cwd, home: call.home };
        let places = Places { policy, base, facts: call.facts };
        let leaves = arguments::leaves(call.arguments);
        let paths = arguments::paths(call, class, &leaves);
        let commands = commands::judge(call, class, &leaves, &places);
        Self { policy, call, class, leaves, places, paths, commands }
    }

    /// What the call does to the paths that it names; a tool that is no reader may well write.
    const fn how(&self) -> Use {
        if matches!(self.class, Class::Read) { Use::Read } else { Use::Write }
    }
}

/// Judges `call` of `agent`.
pub(super) fn judge<'r>(policy: &'r Scoped, call: &Call<'_>, agent: &Agent) -> Judgement<'r> {
    let case = Case::new(policy, call, agent.workspace.as_deref());
    let raised = RAISES.iter().find_map(|raise| raise(&case));
    let listed_by_agent = agent.tools_allow.iter().any(|name| tools::names(name, call.tool));
    let is_listed = (listed_by_agent || policy.is_tool_allowed(call.tool)) && may_write(&case);
    let denied = DENIES.iter().find_map(|deny| deny(&case));
    let ruled = ruled(policy, &case);
    let by_rule = |rule: &Rule| (Cow::from(rule.id.clone()), rule.reason());
    let (risk, rule, reason) = match raised {
        Some((rule, reason)) => (Risk::Red, rule, reason),
        None => unraised(&case),
    };
    let (risk, (rule, reason)) = match ruled.raise {
        Some((higher, own)) if higher > risk => (higher, by_rule(own)),
        _ => (risk, (rule.into(), reason)),
    };
    let denied = denied.map(|(rule, reason)| (rule.into(), reason));
    let verdict = case.commands.and_then(|commands| commands.verdict);
    Judgement {
        risk,
        rule,
        reason,
        denied: denied.or_else(|| ruled.deny.map(by_rule)),
        answer: ruled.answer,
        is_listed,
        class: case.class,
        verdict,
    }
}

/// Asks the own rules about a call.
fn ruled<'r>(policy: &'r Scoped, case: &Case<'_>) -> Ruled<'r> {
    if policy.rules.is_empty() {
        return Ruled::default();
    }
    let seen = Seen {
        call: case.call,
        class: case.class,
        leaves: &case.leaves,
        paths: &case.paths,
        verdict: case.commands.as_ref().and_then(|commands| commands.verdict.as_ref()),
        base: case.places.base,
    };
    Ruled::of(&policy.rules, &seen)
}

impl Judgement<'_> {
    /// Says whether an own rule wants to be asked each time.
    pub(super) fn asks_each_time(&self) -> bool {
        self.answer.is_some_and(|rule| rule.then == Then::Ask)
    }
}

/// Says what the disk must tell before a call of an agent with this workspace can be judged well.
pub fn wanted(policy: &Scoped, call: &Call<'_>, workspace: Option<&str>) -> Wanted {
    let case = Case::new(policy, call, workspace);
    let named = case.paths.iter().copied().chain(call.cwd);
    let named = named.filter_map(|raw| Some(case.places.resolve(raw)?.absolute));
    let mut wanted = Wanted { paths: named.collect(), ..Wanted::default() };
    if case.class == Class::Own {
        return Wanted::default();
    }
    if let Some(verdict) = case.commands.and_then(|commands| commands.verdict) {
        wanted.paths.extend(verdict.paths);
        wanted.paths.extend(verdict.scripts.iter().cloned());
        wanted.programs.extend(verdict.programs.into_iter().take(1));
        wanted.scripts.extend(verdict.scripts);
    }
    wanted
}

/// The risk of a call that nothing raises: that of its commands, or that of its tool.
fn unraised(case: &Case<'_>) -> (Risk, &'static str, String) {
    let tool = of_tool(case.policy.tool_risk(case.call.tool), case.call.tool);
    match &case.commands {
        Some(found) if found.risk >= tool.0 || case.class == Class::Shell => {
            let set = case.policy.set_risk(case.call.tool).unwrap_or(found.risk);
            if set > found.risk {
                of_tool(set, case.call.tool)
            } else {
                (found.risk, found.rule, found.reason.clone())
            }
        }
        _ => tool,
    }
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

fn may_write(case: &Case<'_>) -> bool {
    let files = !writes(case.class) || case.paths.iter().all(|raw| case.places.may_write(raw));
    files && case.commands.as_ref().is_none_or(|commands| commands.writes_where_allowed)
}

/// A check over a call.
type Check = fn(&Case<'_>) -> Option<Finding>;

/// What is refused outright.
const DENIES: &[Check] =
    &[arguments_are_small, tool_is_not_denied, no_denied_command, no_denied_place, no_denied_write];

/// What makes a call red.
const RAISES: &[Check] = &[
    disk_has_answered,
    no_red_command,
    no_secret,
    paths_are_known,
    paths_are_harmless,
    hosts_are_listed,
    no_live_target,
];

fn arguments_are_small(case: &Case<'_>) -> Option<Finding> {
    let limit = case.policy.doc.limits.argument_bytes;
    let size = u64::try_from(case.call.arguments.to_string().len()).unwrap_or(u64::MAX);
    let reason = || format!("the arguments are {size} bytes, the limit is {limit}");
    (size > limit).then(|| ("limit.arguments", reason()))
}

fn tool_is_not_denied(case: &Case<'_>) -> Option<Finding> {
    let tool = case.call.tool;
    let is_denied = case.policy.doc.tools.deny.iter().any(|name| tools::names(name, tool));
    is_denied.then(|| ("deny.tool", format!("the policy denies {} to everybody", quote(tool))))
}

fn no_denied_command(case: &Case<'_>) -> Option<Finding> {
    Some(case.commands.as_ref().filter(|commands| commands.denied)?.finding())
}

fn no_denied_place(case: &Case<'_>) -> Option<Finding> {
    if case.class == Class::Own {
        return None;
    }
    // What is run was read word by word; the rest is searched.
    let is_acted_on = |leaf: &&Leaf<'_>| {
        let was_read = case.class == Class::Shell && leaf.is_command();
        !leaf.is_prose() && !was_read
    };
    let texts = case.leaves.iter().filter(is_acted_on).map(|leaf| leaf.text);
    let mut all = texts.chain(case.paths.iter().copied()).chain(case.call.cwd);
    let written = all.find_map(|text| case.policy.closed_place(text, case.places.base));
    if let Some(place) = written {
        let text = format!("the call names {}, which nobody may touch", quote(place));
        return Some(("deny.path", text));
    }
    let led = case.paths.iter().find_map(|raw| {
        case.places.objection(raw, Use::Read).filter(|objection| objection.denied)
    })?;
    Some((led.rule, led.reason))
}

fn no_denied_write(case: &Case<'_>) -> Option<Finding> {
    if !writes(case.class) {
        return None;
    }
    let objections = case.paths.iter().filter_map(|raw| case.places.objection(raw, Use::Write));
    let denied = objections.into_iter().find(|objection| objection.denied)?;
    Some((denied.rule, denied.reason))
}

fn disk_has_answered(case: &Case<'_>) -> Option<Finding> {
    let late = case.call.facts.is_late;
    late.then(|| ("path.unseen", "the disk did not answer in time".to_owned()))
}

fn no_red_command(case: &Case<'_>) -> Option<Finding> {
    Some(case.commands.as_ref().filter(|commands| commands.risk == Risk::Red)?.finding())
}

fn no_secret(case: &Case<'_>) -> Option<Finding> {
    let arguments = case.call.arguments;
    let is_masked = |leaf: &Leaf<'_>| redact::is_masked(leaf.text);
    let found = case.class != Class::Own
        && (redact::value_has_secret(arguments) || case.leaves.iter().any(is_masked));
    found.then(|| ("secret.argument", "the arguments hold what looks like a secret".to_owned()))
}

fn paths_are_known(case: &Case<'_>) -> Option<Finding> {
    let none = writes(case.class) && case.paths.is_empty();
    none.then(|| ("path.unknown", "the call writes and names no file".to_owned()))
}

fn paths_are_harmless(case: &Case<'_>) -> Option<Finding> {
    let found = case.paths.iter().find_map(|raw| case.places.objection(raw, case.how()))?;
    // What only a write is refused for is red for a tool that may write.
    let rule = if found.rule == "deny.write" { "path.write_deny" } else { found.rule };
    Some((rule, found.reason))
}

fn hosts_are_listed(case: &Case<'_>) -> Option<Finding> {
    // A command's own addresses are judged where it is read.
    if matches!(case.class, Class::Own | Class::Shell) {
        return None;
    }
    let addresses = case.leaves.iter().filter(|leaf| leaf.is_address());
    let rules = &case.policy.doc.network;
    addresses.into_iter().find_map(|leaf| {
        let objection = net::objection(leaf.text, rules)?;
        Some(("net.host", format!("{objection}: {}", quote(leaf.text))))
    })
}

fn no_live_target(case: &Case<'_>) -> Option<Finding> {
    // A file may be called main.rs; a host, a branch or an environment may not.
    if matches!(case.class, Class::Own | Class::Shell | Class::Read | Class::Write | Class::Patch) {
        return None;
    }
    let is_target = |leaf: &&Leaf<'_>| !leaf.is_prose() && !leaf.is_address();
    let hosts = case.leaves.iter().filter(|leaf| leaf.is_address()).map(|leaf| host(leaf.text));
    let others = case.leaves.iter().filter(is_target).map(|leaf| leaf.text);
    let live = &case.policy.doc.targets.live_words;
    let word = others.chain(hosts).find_map(|text| arguments::live_target(text, live))?;
    Some(("target.live", format!("{} means a live target", quote(word))))
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}
