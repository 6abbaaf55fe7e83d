//! A policy that is ready to judge: checked as a whole, its globs compiled.

use std::{collections::BTreeMap, time::Duration};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use jiff::tz::TimeZone;

use super::{
    Risk,
    acts::Act,
    doc::{PathRules, PolicyDoc, QuietRules, TASK_DOLLARS},
    path::Resolved,
    tools,
};
use crate::{
    actor::Level,
    agent::Autonomy,
    approval::ApprovalKind,
    money::MicroUsd,
    refusal::FieldError,
    time::{QuietHours, Span},
};

/// The policy in force.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(super) doc: PolicyDoc,
    pub(super) globs: PathGlobs,
    checklists: BTreeMap<String, Vec<String>>,
    general: Vec<String>,
    quiet: Option<QuietHours>,
}

/// The path rules, compiled.
#[derive(Debug, Clone)]
pub(super) struct PathGlobs {
    pub(super) read: Globs,
    pub(super) write: Globs,
    pub(super) write_deny: Globs,
    pub(super) secret: Globs,
    pub(super) control: Globs,
}

/// Where a glob without a root counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Only within the workspace: rules that allow.
    Workspace,
    /// Anywhere, when it begins with `**/`: rules that warn or forbid.
    Anywhere,
}

/// A list of globs and its set.
#[derive(Debug, Clone)]
pub(super) struct Globs {
    patterns: Vec<String>,
    set: GlobSet,
    reach: Reach,
}

impl Globs {
    fn new(reach: Reach, field: &str, patterns: &[String], errors: &mut Vec<FieldError>) -> Self {
        let mut builder = GlobSetBuilder::new();
        let mut kept = Vec::new();
        for (at, pattern) in patterns.iter().enumerate() {
            let mut fail = |text: String| {
                errors.push(FieldError::new(format!("{field}[{at}]"), text));
            };
            if pattern.split('/').any(|part| part == "..") {
                fail(format!("`{pattern}` must not hold `..`"));
                continue;
            }
            match GlobBuilder::new(pattern).literal_separator(true).build() {
                Ok(glob) => {
                    builder.add(glob);
                    kept.push(pattern.clone());
                }
                Err(error) => fail(format!("`{pattern}` is no glob: {}", error.kind())),
            }
        }
        let set = builder.build().unwrap_or_else(|error| {
            errors.push(FieldError::new(field, format!("can't be compiled: {error}")));
            GlobSet::empty()
        });
        Self { patterns: kept, set, reach }
    }

    /// Returns the pattern that means `path`.
    ///
    /// A system-wide pattern such as `/var/**` says nothing about the inside of a workspace that
    /// happens to lie there, unless it names the workspace itself.
    pub(super) fn find(&self, path: &Resolved, workspace: Option<&str>) -> Option<&str> {
        let workspace = workspace.map_or("/", |top| top.trim_end_matches('/'));
        let from_root = |pattern: &str| match (&path.inside, pattern.starts_with('/')) {
            (Some(_), rooted) => rooted && pattern.starts_with(workspace),
            (None, rooted) => rooted || self.reach == Reach::Anywhere,
        };
        self.first(&path.absolute, from_root)
            .or_else(|| {
                let free = |pattern: &str| !pattern.starts_with(['/', '~']);
                self.first(path.inside.as_deref()?, free)
            })
            .or_else(|| self.first(path.at_home.as_deref()?, |pattern| pattern.starts_with('~')))
    }

    fn first(&self, form: &str, counts: impl Fn(&str) -> bool) -> Option<&str> {
        let found = self.set.matches(form).into_iter();
        found
            .filter_map(|at| self.patterns.get(at).map(String::as_str))
            .find(|pattern| counts(pattern))
    }
}

impl Default for Policy {
    fn default() -> Self {
        #[expect(
            clippy::expect_used,
            reason = "the defaults are constants, and a test compiles them"
        )]
        Self::compile(PolicyDoc::default()).expect("the default policy compiles")
    }
}

impl Policy {
    /// Checks `doc` as a whole and makes it ready.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, with the name of each field as in the file (`paths.write[2]`).
    pub fn compile(mut doc: PolicyDoc) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let globs = compile_paths(&doc.paths, &mut errors);
        check_lists(&doc, &mut errors);
        check_numbers(&doc, &mut errors);
        let quiet = compile_quiet(&doc.quiet_hours, &mut errors);
        for (task_type, dollars) in TASK_DOLLARS {
            let cap = MicroUsd::cents(dollars * 100);
            doc.budgets.task_uusd.entry((*task_type).to_owned()).or_insert(cap);
        }
        for act in Act::ALL {
            doc.levels.entry(act).or_insert(act.default_level());
        }
        let of_type = |name: &String| (name.clone(), doc.tasks.checklist(name));
        let checklists = doc.tasks.types.iter().map(of_type).collect();
        let general = doc.tasks.checklist("");
        if errors.is_empty() {
            Ok(Self { doc, globs, checklists, general, quiet })
        } else {
            Err(errors)
        }
    }

    /// Denies further places: those where this daemon keeps its own files and sockets.
    #[must_use]
    pub fn protecting(mut self, paths: impl IntoIterator<Item = String>) -> Self {
        self.doc.deny.paths.extend(paths.into_iter().filter(|path| path.len() > 1));
        self
    }

    /// Returns the policy as it was written, with every default filled in.
    pub const fn doc(&self) -> &PolicyDoc {
        &self.doc
    }

    /// Returns the lowest assurance level at which a human may do this.
    pub fn min_level(&self, act: Act) -> Level {
        self.doc.levels.get(&act).copied().unwrap_or_else(|| act.default_level())
    }

    /// Returns every act with its level, in the order of the documents.
    pub fn levels(&self) -> impl Iterator<Item = (Act, Level)> {
        Act::ALL.into_iter().map(|act| (act, self.min_level(act)))
    }

    /// Returns what an agent of this autonomy may spend in a day.
    pub const fn daily_cap(&self, autonomy: Autonomy) -> MicroUsd {
        self.doc.budgets.daily_cap_uusd.of(autonomy)
    }

    /// Returns what one run of an agent of this autonomy may spend.
    pub const fn run_cap(&self, autonomy: Autonomy) -> MicroUsd {
        self.doc.budgets.run_cap_uusd.of(autonomy)
    }

    /// Returns what a task of this type may cost.
    pub fn task_cap(&self, task_type: &str) -> MicroUsd {
        let budgets = &self.doc.budgets;
        budgets.task_uusd.get(task_type).copied().unwrap_or(budgets.task_default_uusd)
    }

    /// Returns how long an approval of this kind and risk waits before it expires: the shorter of
    /// both.
    pub fn approval_expiry(&self, kind: ApprovalKind, risk: Risk) -> Duration {
        let rules = &self.doc.approvals;
        let by_kind = rules.kind_expires.of(kind).map_or(Duration::MAX, Span::duration);
        by_kind.min(self.expiry_by_risk(risk))
    }

    const fn expiry_by_risk(&self, risk: Risk) -> Duration {
        let rules = &self.doc.approvals;
        match risk {
            Risk::Green => rules.green_expires.duration(),
            Risk::Yellow => rules.yellow_expires.duration(),
            Risk::Red => rules.red_expires.duration(),
        }
    }

    /// Returns how long a runtime may hold a call that waits.
    pub const fn hold(&self) -> Duration {
        self.doc.approvals.hold.duration()
    }

    /// Returns the quiet hours; `None` when there are none.
    pub const fn quiet_hours(&self) -> Option<&QuietHours> {
        self.quiet.as_ref()
    }

    /// Says whether a task may have this type.
    pub fn has_task_type(&self, task_type: &str) -> bool {
        self.doc.tasks.types.iter().any(|known| known == task_type)
    }

    /// Returns the review checklist of a task type; never empty.
    pub fn checklist(&self, task_type: &str) -> &[String] {
        self.checklists.get(task_type).unwrap_or(&self.general)
    }

    /// Returns the risk of a tool before its arguments are seen; unknown tools are yellow.
    pub fn tool_risk(&self, tool: &str) -> Risk {
        let known = || tools::known(tool).map(|(risk, _)| risk);
        self.set_risk(tool).or_else(known).unwrap_or(Risk::Yellow)
    }

    /// Returns the risk that the file itself gives a tool.
    pub(super) fn set_risk(&self, tool: &str) -> Option<Risk> {
        let rules = &self.doc.tools.risk;
        let own = rules.iter().find(|(name, _)| name.eq_ignore_ascii_case(tool)).or_else(|| {
            let fitting = rules.iter().filter(|(name, _)| tools::names(name, tool));
            fitting.max_by_key(|(name, _)| name.len())
        });
        own.map(|(_, risk)| *risk)
    }

    /// Returns the rule that protects a branch of this name; case doesn't matter.
    pub(crate) fn protected_branch(&self, name: &str) -> Option<&str> {
        let rules = &self.doc.targets.protected_branches;
        rules.iter().map(String::as_str).find(|rule| tools::names(rule, name))
    }

    /// Says whether a yellow tool stands on the allowlist.
    pub(super) fn is_tool_allowed(&self, tool: &str) -> bool {
        self.doc.tools.allow.iter().any(|name| tools::names(name, tool))
    }

    /// Returns what nobody may touch, beside what is always denied.
    pub(crate) fn denied_paths(&self) -> &[String] {
        &self.doc.deny.paths
    }
}

fn compile_paths(rules: &PathRules, errors: &mut Vec<FieldError>) -> PathGlobs {
    PathGlobs {
        read: Globs::new(Reach::Workspace, "paths.read", &rules.read, errors),
        write: Globs::new(Reach::Workspace, "paths.write", &rules.write, errors),
        write_deny: Globs::new(Reach::Anywhere, "paths.write_deny", &rules.write_deny, errors),
        secret: Globs::new(Reach::Anywhere, "paths.secret", &rules.secret, errors),
        control: Globs::new(Reach::Anywhere, "paths.control", &rules.control, errors),
    }
}

fn check_lists(doc: &PolicyDoc, errors: &mut Vec<FieldError>) {
    let mut fail = |field: String, text: String| errors.push(FieldError::new(field, text));
    for (at, host) in doc.network.allow.iter().enumerate() {
        let name = host.strip_prefix("*.").unwrap_or(host);
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
        if name.is_empty() || !name.bytes().all(is_plain) || name.starts_with('.') {
            let text = format!("`{host}` is no host: write `example.org` or `*.example.org`");
            fail(format!("network.allow[{at}]"), text);
        }
    }
    for (at, path) in doc.deny.paths.iter().enumerate() {
        if path.trim().len() < 2 {
            fail(format!("deny.paths[{at}]"), format!("`{path}` would deny everything"));
        }
    }
    let is_slug = |name: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        (1..=32).contains(&name.len()) && name.bytes().all(plain)
    };
    for (at, name) in doc.tasks.types.iter().enumerate() {
        if !is_slug(name) {
            let text = format!("`{name}` is no task type: use 1 to 32 of a-z, 0-9 and `_`");
            fail(format!("tasks.types[{at}]"), text);
        }
    }
    if doc.tasks.types.is_empty() {
        fail("tasks.types".into(), "name at least one type".into());
    }
    for (name, items) in &doc.tasks.checklists {
        let is_blank = |item: &String| item.trim().is_empty();
        if items.is_empty() || items.iter().any(is_blank) {
            fail(format!("tasks.checklists.{name}"), "give at least one item, none empty".into());
        }
    }
    for name in doc.tools.risk.keys().chain(&doc.tools.allow).chain(&doc.tools.deny) {
        if name.is_empty() || name == "*" {
            fail("tools".into(), format!("`{name}` would mean every tool"));
        }
    }
}

fn check_numbers(doc: &PolicyDoc, errors: &mut Vec<FieldError>) {
    let (approvals, limits) = (&doc.approvals, &doc.limits);
    let week = Span::hours(7 * 24);
    for (field, span, least, most) in [
        ("approvals.green_expires", approvals.green_expires, Span::seconds(10), week),
        ("approvals.yellow_expires", approvals.yellow_expires, Span::seconds(10), week),
        ("approvals.red_expires", approvals.red_expires, Span::seconds(10), week),
        ("approvals.hold", approvals.hold, Span::seconds(0), Span::seconds(330)),
        ("limits.child_ttl", limits.child_ttl, Span::minutes(1), week),
        ("limits.lease", limits.lease, Span::seconds(1), Span::minutes(1)),
    ] {
        if !(least..=most).contains(&span) {
            let text = format!("is {span}, expected {least} to {most}");
            errors.push(FieldError::new(field, text));
        }
    }
    let kinds = approvals.kind_expires;
    for (name, span) in [
        ("tool_call", kinds.tool_call),
        ("budget_override", kinds.budget_override),
        ("transition", kinds.transition),
        ("spawn", kinds.spawn),
        ("escalation", kinds.escalation),
    ] {
        if let Some(span) = span.filter(|span| !(Span::seconds(10)..=week).contains(span)) {
            let text = format!("is {span}, expected {} to {week}", Span::seconds(10));
            errors.push(FieldError::new(format!("approvals.kind_expires.{name}"), text));
        }
    }
    let (remind, last) = (approvals.remind_percent, approvals.last_call_percent);
    if !(1..100).contains(&remind) || !(1..100).contains(&last) || remind >= last {
        let text = format!(
            "is {remind}, expected 1 to 98 and less than `last_call_percent` ({last}, at most 99)"
        );
        errors.push(FieldError::new("approvals.remind_percent", text));
    }
    let mut within = |field: String, number: u64, least: u64, most: u64| {
        if !(least..=most).contains(&number) {
            let text = format!("is {number}, expected {least} to {most}");
            errors.push(FieldError::new(field, text));
        }
    };
    within("approvals.red_needs".into(), u64::from(approvals.red_needs), 1, 2);
    within("limits.argument_bytes".into(), limits.argument_bytes, 1024, 256 * 1024);
    within("limits.pending_per_agent".into(), limits.pending_per_agent, 1, 1000);
    within("limits.pending_per_squad".into(), limits.pending_per_squad, 1, 10_000);
    within("limits.active_agents".into(), limits.active_agents, 1, 10_000);
    within("limits.children_per_task".into(), limits.children_per_task, 0, 100);
    within("limits.spawn_depth".into(), limits.spawn_depth, 0, 10);
    for (at, share) in doc.budgets.warn_percent.iter().enumerate() {
        within(format!("budgets.warn_percent[{at}]"), u64::from(*share), 1, 100);
    }
    for (field, amount) in amounts(doc) {
        if amount < MicroUsd::ZERO {
            errors.push(FieldError::new(field, format!("{amount} is below zero")));
        }
    }
}

fn compile_quiet(rules: &QuietRules, errors: &mut Vec<FieldError>) -> Option<QuietHours> {
    let mut fail = |field: &str, text: String| {
        errors.push(FieldError::new(format!("quiet_hours.{field}"), text));
    };
    // The zones of the world are a table that comes with the machine, not something that happens.
    let zone = rules.zone.as_ref().and_then(|name| {
        let wrong = |_| fail("zone", format!("`{name}` is no time zone like `Europe/Berlin`"));
        TimeZone::get(name).map_err(wrong).ok()
    });
    match (rules.from, rules.to) {
        (Some(from), Some(to)) if from == to => {
            fail("to", "is the same as `from`: leave both out for no quiet hours".into());
            None
        }
        (Some(from), Some(to)) => Some(QuietHours { from, to, zone }),
        (Some(_), None) => {
            fail("from", "has no `to`: quiet hours need both".into());
            None
        }
        (None, Some(_)) => {
            fail("to", "has no `from`: quiet hours need both".into());
            None
        }
        (None, None) => None,
    }
}

fn amounts(doc: &PolicyDoc) -> Vec<(String, MicroUsd)> {
    let budgets = &doc.budgets;
    let mut all = vec![("budgets.task_default_uusd".to_owned(), budgets.task_default_uusd)];
    for (name, caps) in
        [("daily_cap_uusd", budgets.daily_cap_uusd), ("run_cap_uusd", budgets.run_cap_uusd)]
    {
        all.push((format!("budgets.{name}.intern"), caps.intern));
        all.push((format!("budgets.{name}.specialist"), caps.specialist));
        all.push((format!("budgets.{name}.lead"), caps.lead));
    }
    let of_type = |(name, cap): (&String, &MicroUsd)| (format!("budgets.task_uusd.{name}"), *cap);
    all.extend(budgets.task_uusd.iter().map(of_type));
    let squad = [
        ("budgets.squad_day_uusd", budgets.squad_day_uusd),
        ("budgets.squad_month_uusd", budgets.squad_month_uusd),
    ];
    all.extend(squad.into_iter().filter_map(|(name, cap)| Some((name.to_owned(), cap?))));
    all
}
