//! A policy that is ready to judge: checked as a whole, with every combination of its scopes.

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use jiff::tz::TimeZone;

use super::{
    acts::Act,
    assign, check,
    closed::Closed,
    doc::{PolicyDoc, QuietRules, TASK_DOLLARS},
    examples,
    rules::{Rule, RuleDoc},
    scope::{self, Layer, ScopeDoc, Within},
    scoped::{Compiler, Scoped},
};
use crate::{
    actor::Level,
    budget::{Breaker, Scope},
    money::MicroUsd,
    refusal::FieldError,
    time::QuietHours,
};

/// How many combinations of project, task type and agent a file may make.
const COMBINATIONS: usize = 4096;
/// How many own rules a file may have.
const RULES: usize = 500;

/// The policy in force. What counts everywhere is had from it as from a [`Scoped`], what counts in
/// one place from [`Policy::at`].
#[derive(Debug, Clone)]
pub struct Policy {
    doc: PolicyDoc,
    checklists: BTreeMap<String, Vec<String>>,
    general: Vec<String>,
    quiet: Option<QuietHours>,
    /// The number of each scope, from 1; 0 stands for none.
    numbers: [BTreeMap<String, usize>; 3],
    everywhere: Scoped,
    /// Every other combination, in the order of [`Policy::at`]; the first is what counts everywhere.
    narrower: Vec<Scoped>,
    /// Places that are denied beside the file's.
    protected: Vec<String>,
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

impl Deref for Policy {
    type Target = Scoped;

    fn deref(&self) -> &Scoped {
        &self.everywhere
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
        check::lists(&doc, &mut errors);
        check::numbers(&doc, &mut errors);
        scope::check(&doc, &mut errors);
        assign::check(&doc, &mut errors);
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
        let (everywhere, narrower) = Combiner::new(&doc, &mut errors).combine(&mut errors);
        let numbers = doc.layers().map(|(_, scopes)| {
            scopes.keys().enumerate().map(|(at, name)| (name.clone(), at + 1)).collect()
        });
        if !errors.is_empty() {
            return Err(errors);
        }
        let protected = Vec::new();
        let policy =
            Self { doc, checklists, general, quiet, numbers, everywhere, narrower, protected };
        let failed = examples::check(&policy);
        if failed.is_empty() { Ok(policy) } else { Err(failed) }
    }

    /// Denies further places: those where this daemon keeps its own files and sockets.
    #[must_use]
    pub fn protecting(mut self, paths: impl IntoIterator<Item = String>) -> Self {
        let paths: Vec<String> = paths.into_iter().filter(|path| path.len() > 1).collect();
        for scoped in std::iter::once(&mut self.everywhere).chain(&mut self.narrower) {
            scoped.doc.deny.paths.extend(paths.iter().cloned());
            scoped.closed.extend(paths.iter().map(String::as_str));
        }
        self.protected.extend(paths);
        self
    }

    /// Returns the places that were denied beside the file's.
    pub fn protected(&self) -> &[String] {
        &self.protected
    }

    /// Returns what counts in one place.
    pub fn at(&self, within: Within<'_>) -> &Scoped {
        let [projects, types, agents] = &self.numbers;
        let number = |all: &BTreeMap<String, usize>, name: Option<&str>| {
            name.and_then(|name| all.get(name)).copied().unwrap_or(0)
        };
        let project = number(projects, within.project);
        let task_type = number(types, within.task_type);
        let agent = number(agents, within.agent);
        let at = (project * (types.len() + 1) + task_type) * (agents.len() + 1) + agent;
        at.checked_sub(1).and_then(|at| self.narrower.get(at)).unwrap_or(&self.everywhere)
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

    /// Returns what the file caps the squad at in this scope; `None` in all others.
    pub const fn squad_cap(&self, scope: Scope) -> Option<MicroUsd> {
        match scope {
            Scope::SquadDay => self.doc.budgets.squad_day_uusd,
            Scope::SquadMonth => self.doc.budgets.squad_month_uusd,
            Scope::Run | Scope::Task | Scope::AgentDay => None,
        }
    }

    /// Returns when the breaker trips.
    pub fn breaker(&self) -> Breaker {
        let pace = self.doc.budgets.pace;
        Breaker { times: i64::try_from(pace.times).unwrap_or(i64::MAX), floor: pace.floor_uusd }
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
}

/// Lays scopes over each other, for every combination that the file can tell apart.
struct Combiner<'d> {
    doc: &'d PolicyDoc,
    /// What counts everywhere, without scopes and rules.
    base: PolicyDoc,
    compiler: Compiler,
    /// Each rule once, by where it stands in memory.
    rules: BTreeMap<*const RuleDoc, Arc<Rule>>,
}

impl<'d> Combiner<'d> {
    fn new(doc: &'d PolicyDoc, errors: &mut Vec<FieldError>) -> Self {
        let base = doc.without_scopes();
        let mut combiner =
            Self { doc, base, compiler: Compiler::default(), rules: BTreeMap::new() };
        combiner.add_rules("", &doc.rule, errors);
        for (place, scope) in doc.scopes() {
            combiner.check_scope(&place, scope, errors);
            combiner.add_rules(&format!("{place}."), &scope.rule, errors);
        }
        combiner
    }

    /// Checks what a scope says by itself, as if nothing else were said.
    fn check_scope(&mut self, place: &str, scope: &ScopeDoc, errors: &mut Vec<FieldError>) {
        let mut alone = PolicyDoc::default();
        alone.paths.write_deny.clear();
        scope.apply(&mut alone);
        let mut wrong = Vec::new();
        check::lists(&alone, &mut wrong);
        check::numbers(&alone, &mut wrong);
        self.compiler.paths(&alone.paths, &mut wrong);
        let told =
            |error: FieldError| FieldError::new(format!("{place}.{}", error.field), error.message);
        errors.extend(wrong.into_iter().map(told));
    }

    fn add_rules(&mut self, place: &str, docs: &'d [RuleDoc], errors: &mut Vec<FieldError>) {
        for (at, doc) in docs.iter().enumerate() {
            let place = format!("{place}rule[{at}]");
            if self.rules.values().any(|other| other.is_called(&doc.name)) {
                let text = format!("`{}` is the name of another rule already", doc.name);
                errors.push(FieldError::new(format!("{place}.name"), text));
            }
            if self.rules.len() == RULES {
                errors.push(FieldError::new(place, format!("is one rule more than {RULES}")));
                return;
            }
            let rule = Arc::new(Rule::new(&place, doc, errors));
            self.rules.insert(doc, rule);
        }
    }

    /// Returns what counts everywhere, and every narrower combination.
    fn combine(mut self, errors: &mut Vec<FieldError>) -> (Scoped, Vec<Scoped>) {
        let everywhere = self.scoped(&[], errors);
        let layers = self.doc.layers();
        let count: usize = layers.iter().map(|(_, scopes)| scopes.len() + 1).product();
        if count > COMBINATIONS {
            let [projects, types, agents] = layers.map(|(_, scopes)| scopes.len());
            let text = format!(
                "{projects} projects, {types} task types and {agents} agents make {count} \
                 combinations, the limit is {COMBINATIONS}: give several a common profile instead"
            );
            errors.push(FieldError::new("agent", text));
            return (everywhere, Vec::new());
        }
        let choices = layers.map(choices);
        let [projects, types, agents] = &choices;
        let mut narrower = Vec::with_capacity(count - 1);
        for project in projects {
            for task_type in types {
                for agent in agents.iter().skip(usize::from(project.or(*task_type).is_none())) {
                    let over = [*project, *task_type, *agent];
                    let over: Vec<&ScopeDoc> = over.into_iter().flatten().collect();
                    narrower.push(self.scoped(&over, errors));
                }
            }
        }
        (everywhere, narrower)
    }

    /// Lays scopes over what counts everywhere, the broadest first.
    fn scoped(&mut self, over: &[&'d ScopeDoc], errors: &mut Vec<FieldError>) -> Scoped {
        let mut doc = self.base.clone();
        let chains: Vec<&ScopeDoc> =
            over.iter().flat_map(|scope| self.doc.chain(scope).into_iter().rev()).collect();
        for scope in &chains {
            scope.apply(&mut doc);
        }
        let globs = self.compiler.paths(&doc.paths, errors);
        let narrow = chains.iter().rev().flat_map(|scope| &scope.rule);
        let ready = |doc: &RuleDoc| self.rules.get(&std::ptr::from_ref(doc)).map(Arc::clone);
        let rules = narrow.chain(&self.doc.rule).filter_map(ready).collect();
        let closed = Closed::new(&doc.deny.paths);
        Scoped { doc, globs, closed, rules }
    }
}

/// Returns no scope of a kind, and then each.
fn choices((_, scopes): Layer<'_>) -> Vec<Option<&ScopeDoc>> {
    std::iter::once(None).chain(scopes.values().map(Some)).collect()
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
