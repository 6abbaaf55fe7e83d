//! Own rules: what a person adds to the judgement of calls, with examples that prove it.
//!
//! A rule makes a call more careful, or lets a yellow one pass. It never lowers what is red and
//! never lifts a denial: whatever it says, the judgement of the call comes first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Call, Risk,
    arguments::Leaf,
    globs::Globs,
    net,
    path::{self, Base},
    tools::{self, Class},
};
use crate::{refusal::FieldError, shell::Verdict};

/// A rule as an operator writes it. Everything that it names must fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleDoc {
    /// Its name, unique in the file: answers say `rule.NAME`.
    pub name: String,
    /// The tool, or a beginning of its name with `*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The first words of a command, the program first: `["terraform", "destroy"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// A host that is reached, or all below a domain as `*.example.org`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// A path that is read, written or run, as a glob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What it does.
    pub then: Then,
    /// Why, for whoever reads the answer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What calls must get, or the file is refused.
    #[serde(default, skip_serializing_if = "Examples::is_empty")]
    pub examples: Examples,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// Lets the call pass where it is judged yellow.
    Allow,
    /// Asks a human.
    Ask,
    /// Refuses.
    Deny,
    /// Makes the call yellow at least.
    Yellow,
    /// Makes the call red.
    Red,
}

impl Then {
    /// Whether it makes calls more careful: then one fitting part of a call is enough.
    const fn is_careful(self) -> bool {
        !matches!(self, Self::Allow)
    }
}

/// What calls must get: checked when the file is read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Examples {
    /// Must be allowed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Example>,
    /// Must be asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ask: Vec<Example>,
    /// Must be denied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<Example>,
}

impl Examples {
    /// Says whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.ask.is_empty() && self.deny.is_empty()
    }
}

/// A call: a command line, or a tool with its arguments (`{ tool = "write", path = "a.txt" }`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a command line, or a table with `tool` and its arguments")]
pub enum Example {
    /// A command line.
    Command(String),
    /// A tool with its arguments.
    Tool {
        /// The tool.
        tool: String,
        /// Its arguments by name.
        #[serde(flatten)]
        arguments: Map<String, Value>,
    },
}

/// A rule that is ready to be looked for.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// What answers say.
    pub(super) id: String,
    pub(super) then: Then,
    why: String,
    tool: Option<String>,
    command: Vec<String>,
    host: Option<String>,
    path: Option<Globs>,
}

/// What a rule looks at.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) class: Class,
    pub(super) leaves: &'a [Leaf<'a>],
    pub(super) paths: &'a [&'a str],
    pub(super) verdict: Option<&'a Verdict>,
    pub(super) base: Base<'a>,
}

impl Rule {
    /// Makes a rule ready.
    pub(super) fn new(place: &str, doc: &RuleDoc, errors: &mut Vec<FieldError>) -> Self {
        check(place, doc, errors);
        let glob = |pattern: &String| {
            let field = format!("{place}.path");
            Globs::one(doc.then.is_careful(), &field, pattern, errors)
        };
        Self {
            id: format!("rule.{}", doc.name),
            then: doc.then,
            why: doc.why.clone(),
            tool: doc.tool.clone(),
            command: doc.command.clone(),
            host: doc.host.clone(),
            path: doc.path.as_ref().map(glob),
        }
    }

    /// Says whether the rule has this name.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.id.strip_prefix("rule.") == Some(name)
    }

    /// Says why the rule speaks, in one sentence.
    pub(super) fn reason(&self) -> String {
        let does = match self.then {
            Then::Allow => "lets this pass",
            Then::Ask => "wants to be asked for this",
            Then::Deny => "denies this",
            Then::Yellow => "makes this yellow",
            Then::Red => "makes this red",
        };
        match self.why.as_str() {
            "" => format!("an own rule {does}"),
            why => format!("an own rule {does}: {why}"),
        }
    }

    /// Says whether the rule is about this call. A careful rule is about a call of which any part
    /// fits, one that allows only about a call of which every part does.
    pub(super) fn is_about(&self, seen: &Seen<'_>) -> bool {
        let tool = self.tool.as_ref().is_none_or(|name| tools::names(name, seen.call.tool));
        tool && seen.class != Class::Own
            && (self.command.is_empty() || self.fits_command(seen))
            && self.host.as_ref().is_none_or(|host| self.fits_host(host, seen))
            && self.path.as_ref().is_none_or(|globs| self.fits_path(globs, seen))
    }

    fn fits_command(&self, seen: &Seen<'_>) -> bool {
        let Some(verdict) = seen.verdict else { return false };
        if self.then.is_careful() {
            return verdict.commands.iter().any(|words| begins(&self.command, words));
        }
        // One simple command, no wrapper and no shell, with literally these words.
        let words = verdict.words.as_ref();
        words.is_some_and(|words| words.starts_with(&self.command)) && verdict.commands.len() == 1
    }

    fn fits_host(&self, rule: &str, seen: &Seen<'_>) -> bool {
        let leaves = seen.leaves.iter().filter(|leaf| leaf.is_address()).map(|leaf| leaf.text);
        let words = seen.verdict.into_iter().flat_map(|verdict| verdict.commands.iter().flatten());
        let addresses = words.map(String::as_str).filter(|word| word.contains("://"));
        let mut all = leaves
            .filter(|_| seen.class != Class::Shell)
            .chain(addresses)
            .map(|url| net::host(url).is_some_and(|host| net::allows(rule, &host)))
            .peekable();
        self.holds(&mut all)
    }

    fn fits_path(&self, globs: &Globs, seen: &Seen<'_>) -> bool {
        let named = seen.paths.iter().filter_map(|raw| path::resolve(raw, seen.base));
        let run = seen.verdict.into_iter().flat_map(|verdict| verdict.paths.iter());
        let run = run.filter_map(|absolute| path::resolve(absolute, seen.base));
        let mut all = named
            .chain(run)
            .map(|found| {
                let led = seen.call.facts.links.get(&found.absolute);
                let led = led.and_then(|real| path::resolve(real, seen.base));
                let mut fits = std::iter::once(found)
                    .chain(led)
                    .map(|one| globs.find(&one, seen.base.workspace).is_some());
                if self.then.is_careful() { fits.any(|fit| fit) } else { fits.all(|fit| fit) }
            })
            .peekable();
        self.holds(&mut all)
    }

    /// Says whether enough of the parts fit; none at all are never enough.
    fn holds(&self, parts: &mut std::iter::Peekable<impl Iterator<Item = bool>>) -> bool {
        if parts.peek().is_none() {
            return false;
        }
        if self.then.is_careful() { parts.any(|fits| fits) } else { parts.all(|fits| fits) }
    }
}

/// Says whether a command begins with these words. Options may stand between them, each with a
/// value, and the program counts by its name wherever it lies.
fn begins(rule: &[String], words: &[String]) -> bool {
    let Some(((program, rule), (first, words))) = rule.split_first().zip(words.split_first())
    else {
        return false;
    };
    let name = first.rsplit('/').next().unwrap_or(first);
    (program == first || program == name) && follow(rule, words)
}

fn follow(rule: &[String], words: &[String]) -> bool {
    let Some((wanted, rest)) = rule.split_first() else { return true };
    match words.split_first() {
        Some((word, behind)) if word == wanted => follow(rest, behind),
        Some((word, behind)) if word.starts_with('-') => {
            let value = behind.split_first().map_or(behind, |(_, after)| after);
            follow(rule, behind) || follow(rule, value)
        }
        Some(_) | None => false,
    }
}

fn check(place: &str, doc: &RuleDoc, errors: &mut Vec<FieldError>) {
    let mut fail = |field: &str, text: String| {
        errors.push(FieldError::new(format!("{place}.{field}"), text));
    };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
    if !(1..=48).contains(&doc.name.len()) || !doc.name.bytes().all(plain) {
        fail("name", format!("`{}` is no name: use 1 to 48 of a-z, 0-9, `_`, `-`", doc.name));
    }
    if doc.why.len() > 300 {
        fail("why", "is longer than 300 bytes".into());
    }
    let names_nothing = doc.command.is_empty() && doc.host.is_none() && doc.path.is_none();
    if names_nothing && doc.tool.is_none() {
        fail("then", "the rule is about nothing: name a tool, command, host or path".into());
    }
    if doc.tool.as_ref().is_some_and(|name| name.is_empty() || name == "*") {
        fail("tool", "would mean every tool: leave it out, or name one".into());
    }
    if doc.command.first().is_some_and(|word| word.is_empty() || word.contains([' ', '/'])) {
        fail("command", "begins with the name of a program; give each word by itself".into());
    }
    if let Some(text) = doc.host.as_deref().and_then(net::no_host) {
        fail("host", text);
    }
}

/// What the rules of a scope make of a call.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ruled<'r> {
    /// Refuses it.
    pub(super) deny: Option<&'r Rule>,
    /// Raises its risk to this.
    pub(super) raise: Option<(Risk, &'r Rule)>,
    /// Asks for it, or lets it pass where it is yellow: the narrowest that says either.
    pub(super) answer: Option<&'r Rule>,
}

impl<'r> Ruled<'r> {
    /// Asks every rule, the narrowest first.
    pub(super) fn of(rules: &'r [std::sync::Arc<Rule>], seen: &Seen<'_>) -> Self {
        let mut ruled = Self::default();
        for rule in rules.iter().filter(|rule| rule.is_about(seen)).map(AsRef::as_ref) {
            match rule.then {
                Then::Deny => ruled.deny = ruled.deny.or(Some(rule)),
                Then::Yellow => ruled.raise = ruled.raise.or(Some((Risk::Yellow, rule))),
                Then::Red if ruled.raise.is_none_or(|(risk, _)| risk < Risk::Red) => {
                    ruled.raise = Some((Risk::Red, rule));
                }
                Then::Red => {}
                Then::Ask | Then::Allow => ruled.answer = ruled.answer.or(Some(rule)),
            }
        }
        ruled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_command_begins_with_the_words_of_a_rule_also_behind_options() {
        for (rule, command, fits) in [
            ("git push", "git push origin x", true),
            ("git push", "git -C /x push", true),
            ("git push", "git --no-pager -c a=b push", true),
            ("git push", "/usr/bin/git push", true),
            ("git push", "git commit -m push", false),
            ("git push", "git", false),
            ("git push", "gitx push", false),
            ("terraform", "terraform", true),
            ("rm -r", "rm -f -r x", true),
        ] {
            assert_eq!(begins(&words(rule), &words(command)), fits, "{rule}: {command}");
        }
    }
}
