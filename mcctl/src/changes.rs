//! What differs between two policies as they count: every setting with what it is where a file leaves
//! it out, rules by their names, lists entry by entry.

use mc_core::{money::MicroUsd, policy::Policy};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{table::Tone, text};

/// One thing that is not as it was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Change {
    /// Where in the policy, such as `budgets.squad_day_uusd`, `paths.write` or `rule.no-push`.
    what: String,
    /// What was there; `None` where nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Value>,
    /// What is there; `None` where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Value>,
}

/// Returns everything that differs, in the order of its names.
///
/// # Errors
///
/// When a policy can't be written as JSON.
pub(crate) fn between(old: &Policy, new: &Policy) -> Result<Vec<Change>, serde_json::Error> {
    let (old, new) = (serde_json::to_value(old.doc())?, serde_json::to_value(new.doc())?);
    let mut all = Vec::new();
    walk("", &old, &new, &mut all);
    Ok(all)
}

/// Returns the changes, a line each.
pub(crate) fn shown(changes: &[Change]) -> String {
    let mut out = String::new();
    for Change { what, from, to } in changes {
        let value = |value: &Value| said(what, value);
        let (tone, verb, values) = match (from, to) {
            (None, Some(to)) => (Tone::Good, "added  ", value(to)),
            (Some(from), None) => (Tone::Bad, "removed", value(from)),
            (from, to) => {
                let side = |side: &Option<Value>| side.as_ref().map_or("-".to_owned(), value);
                (Tone::Warn, "changed", format!("{} → {}", side(from), side(to)))
            }
        };
        put!(out, "{}  {}: {}\n", tone.paint(verb), text::line(what), text::line(&values));
    }
    out
}

fn walk(what: &str, old: &Value, new: &Value, all: &mut Vec<Change>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => tables(what, old, new, all),
        (Value::Object(old), Value::Null) => tables(what, old, &Map::new(), all),
        (Value::Null, Value::Object(new)) => tables(what, &Map::new(), new, all),
        (Value::Array(old), Value::Array(new)) => lists(what, old, new, all),
        (Value::Array(old), Value::Null) => lists(what, old, &[], all),
        (Value::Null, Value::Array(new)) => lists(what, &[], new, all),
        (old, new) => note(what, some(old), some(new), all),
    }
}

fn tables(what: &str, old: &Map<String, Value>, new: &Map<String, Value>, all: &mut Vec<Change>) {
    let place = |key: &str| if what.is_empty() { key.to_owned() } else { format!("{what}.{key}") };
    let value = |table: &Map<String, Value>, key: &str| table.get(key).cloned().unwrap_or_default();
    let more = new.keys().filter(|key| !old.contains_key(*key));
    for key in old.keys().chain(more) {
        walk(&place(key), &value(old, key), &value(new, key), all);
    }
}

/// Entries that have names are compared by them, others are there or not. What only stands in another
/// order counts too: of rules the first that fits decides.
fn lists(what: &str, old: &[Value], new: &[Value], all: &mut Vec<Change>) {
    let before = all.len();
    let same = |one: &Value, other: &Value| match (name(one), name(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    };
    let place = |entry: &Value| match name(entry) {
        Some(name) => format!("{what}.{name}"),
        None => what.to_owned(),
    };
    for entry in old {
        match new.iter().find(|other| same(entry, other)) {
            Some(other) => walk(&place(entry), entry, other, all),
            None => note(&place(entry), some(entry), None, all),
        }
    }
    for entry in new.iter().filter(|entry| !old.iter().any(|other| same(entry, other))) {
        note(&place(entry), None, some(entry), all);
    }
    let kept = |list: &[Value], other: &[Value]| -> Vec<Value> {
        let kept = list.iter().filter(|one| other.iter().any(|other| same(one, other)));
        kept.map(|one| name(one).map_or_else(|| one.clone(), Value::from)).collect()
    };
    let (was, is) = (kept(old, new), kept(new, old));
    if was != is && (all.len() == before || old.iter().any(|one| name(one).is_some())) {
        note(&format!("{what} (order)"), Some(was.into()), Some(is.into()), all);
    }
}

fn name(entry: &Value) -> Option<&str> {
    entry.get("name").and_then(Value::as_str)
}

fn some(value: &Value) -> Option<Value> {
    Some(value.clone()).filter(|value| !value.is_null())
}

fn note(what: &str, from: Option<Value>, to: Option<Value>, all: &mut Vec<Change>) {
    all.push(Change { what: what.to_owned(), from, to });
}

/// Returns a value for people: amounts in dollars, a table as its entries.
fn said(what: &str, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if what.split('.').any(|part| part.ends_with("_uusd")) => {
            // In dollars where that says all of it.
            let micros = number.as_i64().filter(|micros| micros % 100 == 0);
            micros.map_or_else(
                || format!("{number} micro-dollars"),
                |micros| MicroUsd(micros).to_string(),
            )
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| said(what, item)).collect();
            items.join(" ")
        }
        Value::Object(map) => {
            let entries = map.iter().filter(|(key, _)| key.as_str() != "name");
            let entries: Vec<String> =
                entries.map(|(key, value)| format!("{key} {}", said(key, value))).collect();
            entries.join(", ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(old: &str, new: &str) -> Vec<String> {
        let policy = |text: &str| Policy::compile(toml::from_str(text).unwrap()).unwrap();
        let changes = between(&policy(old), &policy(new)).unwrap();
        let shown = anstream::adapter::strip_str(&shown(&changes)).to_string();
        shown.lines().map(str::to_owned).collect()
    }

    const RULES: &str = "[[rule]]\nname = \"a\"\nthen = \"ask\"\ncommand = [\"git\", \"push\"]\n\
                         [[rule]]\nname = \"b\"\nthen = \"deny\"\nhost = \"x.org\"\n";

    #[test]
    fn what_is_left_out_counts_as_its_default_and_comments_as_nothing() {
        let same = "# words\n[budgets]\ntask_default_uusd = 3_000_000 # as ever\n";
        assert_eq!(changed("", same), Vec::<String>::new());
        assert_eq!(
            changed("", "[budgets]\ntask_default_uusd = 4_000_000\nsquad_day_uusd = 50_000_000\n"),
            [
                "added    budgets.squad_day_uusd: $50.00",
                "changed  budgets.task_default_uusd: $3.00 → $4.00"
            ]
        );
        assert_eq!(
            changed("[budgets]\nsquad_day_uusd = 50_000_000\n", "[budgets.task_uusd]\nops = 1\n"),
            [
                "removed  budgets.squad_day_uusd: $50.00",
                "changed  budgets.task_uusd.ops: $3.00 → 1 micro-dollars"
            ]
        );
    }

    #[test]
    fn a_list_is_compared_entry_by_entry() {
        assert_eq!(
            changed("[deny]\npaths = [\"/a\", \"/b\"]\n", "[deny]\npaths = [\"/b\", \"/c\"]\n"),
            ["removed  deny.paths: /a", "added    deny.paths: /c"]
        );
        assert_eq!(
            changed("[deny]\npaths = [\"/a\", \"/b\"]\n", "[deny]\npaths = [\"/b\", \"/a\"]\n"),
            ["changed  deny.paths (order): /a /b → /b /a"]
        );
    }

    #[test]
    fn rules_are_compared_by_their_names_and_their_order_counts() {
        assert_eq!(
            changed("", RULES),
            [
                "added    rule.a: command git push, then ask",
                "added    rule.b: host x.org, then deny"
            ]
        );
        let other = RULES.replace("\"ask\"", "\"red\"");
        assert_eq!(changed(RULES, &other), ["changed  rule.a.then: ask → red"]);
        let (first, second) = RULES.split_at(RULES.rfind("[[").unwrap());
        assert_eq!(
            changed(RULES, &format!("{second}{first}")),
            ["changed  rule (order): a b → b a"]
        );
        assert_eq!(changed(RULES, first), ["removed  rule.b: host x.org, then deny"]);
    }

    #[test]
    fn a_scope_is_told_setting_by_setting() {
        let lines = changed("", "[project.shop.budgets]\ntask_default_uusd = 1_000_000\n");
        assert_eq!(lines, ["added    project.shop.budgets.task_default_uusd: $1.00"]);
    }
}
