//! The policy as it counts in one place: its sections laid over each other, its globs compiled.

use std::{sync::Arc, time::Duration};

use super::{
    Risk,
    closed::Closed,
    doc::{PathRules, PolicyDoc},
    globs::{Globs, Reach},
    path::Base,
    rules::Rule,
    tools,
};
use crate::{
    agent::Autonomy, approval::ApprovalKind, money::MicroUsd, refusal::FieldError, time::Span,
};

/// What counts in one place, for a project, a task type and an agent together.
#[derive(Debug, Clone)]
pub struct Scoped {
    pub(super) doc: PolicyDoc,
    pub(super) globs: PathGlobs,
    /// What nobody may touch.
    pub(super) closed: Closed,
    /// Every rule that counts here, the narrowest first.
    pub(super) rules: Vec<Arc<Rule>>,
}

/// The path rules, compiled.
#[derive(Debug, Clone)]
pub(super) struct PathGlobs {
    pub(super) read: Arc<Globs>,
    pub(super) write: Arc<Globs>,
    pub(super) write_deny: Arc<Globs>,
    pub(super) secret: Arc<Globs>,
    pub(super) control: Arc<Globs>,
}

/// Compiles lists of globs, each once however many scopes have it.
#[derive(Debug, Default)]
pub(super) struct Compiler {
    known: Vec<(Reach, Vec<String>, Arc<Globs>)>,
}

impl Compiler {
    /// Compiles the path rules.
    pub(super) fn paths(&mut self, rules: &PathRules, errors: &mut Vec<FieldError>) -> PathGlobs {
        let mut list = |reach, field: &str, patterns: &[String]| {
            self.list(reach, (&format!("paths.{field}"), patterns), errors)
        };
        PathGlobs {
            read: list(Reach::Workspace, "read", &rules.read),
            write: list(Reach::Workspace, "write", &rules.write),
            write_deny: list(Reach::Anywhere, "write_deny", &rules.write_deny),
            secret: list(Reach::Anywhere, "secret", &rules.secret),
            control: list(Reach::Anywhere, "control", &rules.control),
        }
    }

    fn list(
        &mut self,
        reach: Reach,
        (field, patterns): (&str, &[String]),
        errors: &mut Vec<FieldError>,
    ) -> Arc<Globs> {
        let is_same = |one: &&(Reach, Vec<String>, Arc<Globs>)| one.0 == reach && one.1 == patterns;
        if let Some((.., globs)) = self.known.iter().find(is_same) {
            return Arc::clone(globs);
        }
        let globs = Arc::new(Globs::new(reach, field, patterns, errors));
        self.known.push((reach, patterns.to_vec(), Arc::clone(&globs)));
        globs
    }
}

impl Scoped {
    /// Says whether own rules count here.
    pub(crate) fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Returns what is written for this place, with every default filled in.
    pub const fn doc(&self) -> &PolicyDoc {
        &self.doc
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
        let by_kind =
            self.doc.approvals.kind_expires.of(kind).map_or(Duration::MAX, Span::duration);
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

    /// Returns the closed place that `text` names, if any.
    pub(crate) fn closed_place(&self, text: &str, base: Base<'_>) -> Option<&str> {
        self.closed.named(text, base)
    }
}
