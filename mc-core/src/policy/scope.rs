//! Scopes: what the file says for a project, a task type or an agent beside what counts everywhere.
//!
//! The narrowest wins: an agent's word goes before its task type's, that before the project's, that
//! before what counts everywhere. What is denied adds up instead, so that nothing narrower lifts a
//! denial. A section or a field is made known to scopes by its row in the `patch!` tables below.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Risk,
    doc::{
        ApprovalRules, BudgetRules, ByAutonomy, DenyRules, KindSpans, NetworkRules, PathRules,
        PolicyDoc, TargetRules, ToolRules,
    },
    rules::{Examples, RuleDoc},
};
use crate::{
    agent::{Agent, AgentName},
    loops::LoopRules,
    money::MicroUsd,
    refusal::FieldError,
    task::Task,
    time::Span,
    words,
};

/// Makes the form that a section has in a scope: `replace` takes the place of the broader value,
/// `add` adds to it, `global` can't be said in a scope. A field that is in no list does not compile.
macro_rules! patch {
    ($name:ident of $rules:ident:
        replace { $($field:ident: $type:ty,)* } add { $($more:ident: $list:ty,)* } global { $($fixed:ident,)* }
    ) => {
        #[doc = concat!("What a scope says of the section of [`", stringify!($rules), "`].")]
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $(
                /// Takes the place of what counts more broadly.
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>,
            )*
            $(
                /// Adds to what counts more broadly.
                #[serde(skip_serializing_if = "empty")]
                pub $more: $list,
            )*
        }

        impl $name {
            fn apply(&self, rules: &mut $rules) {
                let $rules { $($field,)* $($more,)* $($fixed: _,)* } = rules;
                $(if let Some(own) = &self.$field { own.clone_into($field); })*
                $($more.extend(self.$more.clone());)*
            }
        }
    };
}

fn empty<'a, T>(list: &'a T) -> bool
where
    &'a T: IntoIterator,
{
    list.into_iter().next().is_none()
}

patch! { ToolPatch of ToolRules:
    replace { allow: Vec<String>, }
    add { risk: BTreeMap<String, Risk>, deny: Vec<String>, }
    global {}
}

patch! { DenyPatch of DenyRules:
    replace {}
    add { paths: Vec<String>, }
    global {}
}

patch! { PathPatch of PathRules:
    replace {
        read: Vec<String>,
        write: Vec<String>,
        secret: Vec<String>,
        control: Vec<String>,
    }
    add { write_deny: Vec<String>, }
    global {}
}

patch! { NetworkPatch of NetworkRules:
    replace { allow: Vec<String>, control_ports: Vec<u16>, }
    add {}
    global {}
}

patch! { TargetPatch of TargetRules:
    replace { protected_branches: Vec<String>, live_words: Vec<String>, }
    add {}
    global {}
}

patch! { BudgetPatch of BudgetRules:
    replace {
        daily_cap_uusd: ByAutonomy,
        run_cap_uusd: ByAutonomy,
        task_default_uusd: MicroUsd,
    }
    add { task_uusd: BTreeMap<String, MicroUsd>, }
    global { squad_day_uusd, squad_month_uusd, warn_percent, tokens, pace, unsettled, }
}

patch! { ApprovalPatch of ApprovalRules:
    replace {
        green_expires: Span,
        yellow_expires: Span,
        red_expires: Span,
        kind_expires: KindSpans,
        hold: Span,
        red_needs: u8,
    }
    add {}
    global { remind_percent, last_call_percent, }
}

patch! { LoopPatch of LoopRules:
    replace {
        comments: u32,
        comments_within: Span,
        turns: u32,
        turns_within: Span,
        review_cycles: u32,
        same_error: u32,
        same_call: u32,
        circles: u32,
        circles_alike: u32,
        retries: u32,
        withdrawn: u32,
        lost_runs: u32,
        error_streak: u32,
    }
    add {}
    global {}
}

/// A scope as an operator writes it; what it does not say is as it counts more broadly.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScopeDoc {
    /// The profile that it builds on: what that says counts where this says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// Which tools there are and how dangerous they are.
    pub tools: ToolPatch,
    /// What is refused outright.
    pub deny: DenyPatch,
    /// Where agents may read and write.
    pub paths: PathPatch,
    /// Which hosts agents may reach.
    pub network: NetworkPatch,
    /// What means the real thing.
    pub targets: TargetPatch,
    /// What work may cost.
    pub budgets: BudgetPatch,
    /// How long approvals wait, and what they take.
    pub approvals: ApprovalPatch,
    /// How much repetition is let pass.
    pub loops: LoopPatch,
    /// Own rules, beside those that count more broadly.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rule: Vec<RuleDoc>,
    /// What calls in this scope must get, or the file is refused.
    #[serde(skip_serializing_if = "Examples::is_empty")]
    pub examples: Examples,
}

impl ScopeDoc {
    /// Lays what this scope says over what counts more broadly.
    pub(super) fn apply(&self, doc: &mut PolicyDoc) {
        let Self { tools, deny, paths, network, targets, budgets, approvals, loops, .. } = self;
        tools.apply(&mut doc.tools);
        deny.apply(&mut doc.deny);
        paths.apply(&mut doc.paths);
        network.apply(&mut doc.network);
        targets.apply(&mut doc.targets);
        budgets.apply(&mut doc.budgets);
        approvals.apply(&mut doc.approvals);
        loops.apply(&mut doc.loops);
    }
}

/// Where a call is made: what finds its scopes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Within<'a> {
    /// The project of the task.
    pub project: Option<&'a str>,
    /// The type of the task.
    pub task_type: Option<&'a str>,
    /// The agent.
    pub agent: Option<&'a str>,
}

impl<'a> Within<'a> {
    /// Returns where `agent` works on `task`.
    pub fn of(agent: &'a Agent, task: Option<&'a Task>) -> Self {
        Self {
            project: task.and_then(|task| task.project.as_deref()),
            task_type: task.map(|task| task.task_type.as_str()),
            agent: Some(agent.name.as_str()),
        }
    }
}

/// One kind of scope: its key in the file, and the scopes of that kind by name.
pub(super) type Layer<'d> = (&'static str, &'d BTreeMap<String, ScopeDoc>);

impl PolicyDoc {
    /// Returns the kinds of scopes, the broadest first.
    pub(super) const fn layers(&self) -> [Layer<'_>; 3] {
        [("project", &self.project), ("task_type", &self.task_type), ("agent", &self.agent)]
    }

    /// Returns every scope with its place in the file, profiles included.
    pub(super) fn scopes(&self) -> impl Iterator<Item = (String, &ScopeDoc)> {
        let kinds = std::iter::once(("profile", &self.profile)).chain(self.layers());
        kinds.flat_map(|(kind, all)| {
            all.iter().map(move |(name, scope)| (format!("{kind}.{name}"), scope))
        })
    }

    /// Returns a scope with the profiles that it builds on, itself first. A circle ends where it
    /// closes; [`check`] refuses it.
    pub(super) fn chain<'d>(&'d self, scope: &'d ScopeDoc) -> Vec<&'d ScopeDoc> {
        let mut chain = vec![scope];
        let mut next = scope.extends.as_ref();
        while let Some(base) = next.and_then(|name| self.profile.get(name)) {
            if chain.iter().any(|seen| std::ptr::eq(*seen, base)) {
                break;
            }
            chain.push(base);
            next = base.extends.as_ref();
        }
        chain
    }
}

/// Says what is wrong with the names of scopes and with what they build on.
pub(super) fn check(doc: &PolicyDoc, errors: &mut Vec<FieldError>) {
    for (place, scope) in doc.scopes() {
        let Some(base) = &scope.extends else { continue };
        if !doc.profile.contains_key(base) {
            let known: Vec<&str> = doc.profile.keys().map(String::as_str).collect();
            let text = words::unknown("profile", base, &known);
            errors.push(FieldError::new(format!("{place}.extends"), text));
        }
    }
    for name in doc.profile.keys() {
        if let Some(circle) = circle(doc, name) {
            let text = format!("goes in a circle: {circle}");
            errors.push(FieldError::new(format!("profile.{name}.extends"), text));
        }
    }
    for name in doc.agent.keys() {
        if let Err(error) = name.parse::<AgentName>() {
            errors.push(FieldError::new(format!("agent.{name}"), error.to_string()));
        }
    }
    let types: Vec<&str> = doc.tasks.types.iter().map(String::as_str).collect();
    for name in doc.task_type.keys().filter(|name| !types.contains(&name.as_str())) {
        let text = words::unknown("task type", name, &types);
        errors.push(FieldError::new(format!("task_type.{name}"), text));
    }
}

/// Returns the way from a profile back to itself: `a → b → a`.
fn circle(doc: &PolicyDoc, first: &str) -> Option<String> {
    let mut way = vec![first];
    loop {
        let next = doc.profile.get(*way.last()?)?.extends.as_deref()?;
        if next == first {
            return Some(format!("{} → {first}", way.join(" → ")));
        }
        if way.contains(&next) {
            // The circle lies further on and is told there.
            return None;
        }
        way.push(next);
    }
}
