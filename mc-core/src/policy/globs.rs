//! Lists of globs, compiled.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::path::Resolved;
use crate::refusal::FieldError;

/// Where a glob without a root counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
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
    /// Compiles a list; what is wrong with it is told as of `field`.
    pub(super) fn new(
        reach: Reach,
        field: &str,
        patterns: &[String],
        errors: &mut Vec<FieldError>,
    ) -> Self {
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

    /// Compiles the one glob of a rule; one that warns or forbids counts anywhere.
    pub(super) fn one(
        is_careful: bool,
        field: &str,
        pattern: &str,
        errors: &mut Vec<FieldError>,
    ) -> Self {
        let reach = if is_careful { Reach::Anywhere } else { Reach::Workspace };
        let mut wrong = Vec::new();
        let globs = Self::new(reach, field, &[pattern.to_owned()], &mut wrong);
        errors.extend(wrong.into_iter().map(|error| FieldError::new(field, error.message)));
        globs
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
