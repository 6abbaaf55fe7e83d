//! Places: what the policy says of a path, for tools and for shell commands alike.

use super::{
    Facts, Scoped,
    globs::Globs,
    judge::quote,
    net,
    path::{self, Base, Resolved},
};

/// What is done to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// It is read.
    Read,
    /// It is written, made, moved or removed.
    Write,
    /// It is run.
    Run,
}

/// Why a path is not simply used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Objection {
    /// The rule, such as `path.outside`.
    pub(crate) rule: &'static str,
    /// Why, in one sentence.
    pub(crate) reason: String,
    /// Whether it is refused outright.
    pub(crate) denied: bool,
}

/// The policy, and where relative paths begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places<'a> {
    pub(crate) policy: &'a Scoped,
    pub(crate) base: Base<'a>,
    pub(crate) facts: &'a Facts,
}

impl Places<'_> {
    /// Returns where `raw` leads, as written.
    pub(crate) fn resolve(&self, raw: &str) -> Option<Resolved> {
        path::resolve(raw, self.base)
    }

    /// Says what is wrong with using `raw`, as it is written and as its links lead; the worse of
    /// the two.
    pub(crate) fn objection(&self, raw: &str, how: Use) -> Option<Objection> {
        let Some(found) = self.resolve(raw) else {
            // What can't be resolved may still name a closed place.
            if let Some(place) = self.policy.closed_place(raw, self.base) {
                let text = format!("the call names {}, which nobody may touch", quote(place));
                return Some(Objection { rule: "deny.path", reason: text, denied: true });
            }
            let text = format!("{} can't be resolved without a shell or a workspace", quote(raw));
            return Some(Objection { rule: "path.unknown", reason: text, denied: false });
        };
        let real = self.facts.links.get(&found.absolute);
        let real = real.and_then(|real| path::resolve(real, self.base));
        let written = self.judge(raw, &found, how);
        let led = real.and_then(|real| self.judge(raw, &real, how)).map(|one| Objection {
            reason: format!("{} once its links are followed", one.reason),
            ..one
        });
        match (written, led) {
            (Some(written), Some(led)) if led.denied && !written.denied => Some(led),
            (written, led) => written.or(led),
        }
    }

    /// Says what is wrong with reaching the host of an address.
    pub(crate) fn objection_to_host(&self, url: &str) -> Option<String> {
        net::objection(url, &self.policy.doc.network)
    }

    /// Says whether the policy lets this path be written unasked.
    pub(crate) fn may_write(&self, raw: &str) -> bool {
        let globs = &self.policy.globs.write;
        let listed = |found: &Resolved| globs.find(found, self.base.workspace).is_some();
        self.resolve(raw).is_some_and(|found| listed(&found))
            && self.objection(raw, Use::Write).is_none()
    }

    /// Returns the first of `rules` that means a path, or all that lies in it.
    fn rule_for<'r>(&self, rules: &'r Globs, found: &Resolved) -> Option<&'r str> {
        let below = |path: &String| format!("{path}/_");
        let within = Resolved {
            absolute: below(&found.absolute),
            inside: found.inside.as_ref().filter(|inside| !inside.is_empty()).map(below),
            at_home: found.at_home.as_ref().map(below),
        };
        let workspace = self.base.workspace;
        rules.find(found, workspace).or_else(|| rules.find(&within, workspace))
    }

    fn judge(&self, raw: &str, found: &Resolved, how: Use) -> Option<Objection> {
        if found.absolute == "/dev/null" {
            return None;
        }
        let object = |rule, reason, denied| Some(Objection { rule, reason, denied });
        let (globs, workspace) = (&self.policy.globs, self.base.workspace);
        let raw = quote(raw);
        if let Some(place) = self.policy.closed_place(&found.absolute, self.base) {
            let text = format!("the call names {}, which nobody may touch", quote(place));
            return object("deny.path", text, true);
        }
        if how == Use::Write
            && let Some(rule) = self.rule_for(&self.policy.globs.write_deny, found)
        {
            let text = format!("{raw} must not be written (rule {})", quote(rule));
            return object("deny.write", text, true);
        }
        if globs.read.find(found, workspace).is_none()
            && globs.write.find(found, workspace).is_none()
            && found.inside.as_deref() != Some("")
        {
            let text = format!("{raw} lies outside the workspace and shared folders");
            return object("path.outside", text, false);
        }
        if globs.secret.find(found, workspace).is_some() {
            return object("path.secret", format!("{raw} is a place for secrets"), false);
        }
        let steers = how != Use::Read && self.rule_for(&globs.control, found).is_some();
        steers.then_some(())?;
        object("path.control", format!("{raw} steers agents, builds or history"), false)
    }
}
