//! The document about the wire, made from the types: OpenRPC for programs, Markdown for people.

use std::fmt::Write as _;

use mc_core::{actor::Role, policy::Act};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    error::ErrorKind,
    limits,
    method::{Kind, METHODS, MethodInfo, Who, session::PROTOCOL},
};

/// Returns the OpenRPC document.
pub fn openrpc() -> Value {
    let mut schemas = SchemaSettings::draft07()
        .with(|s| "/components/schemas".clone_into(s.definitions_path.to_mut()))
        .into_generator();
    let methods: Vec<Value> = METHODS.iter().map(|row| method(row, &mut schemas)).collect();
    let errors: Vec<Value> = ErrorKind::ALL
        .iter()
        .map(|kind| json!({"code": kind.code(), "message": kind.as_str()}))
        .collect();
    json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "Mission Control",
            "version": PROTOCOL.to_string(),
            "description": "JSON-RPC 2.0 over Unix sockets, one object a line.",
        },
        "methods": methods,
        "components": {"schemas": schemas.take_definitions(true), "errors": errors},
    })
}

fn method(row: &MethodInfo, schemas: &mut SchemaGenerator) -> Value {
    json!({
        "name": row.name,
        "summary": row.doc,
        "paramStructure": "by-name",
        "params": [{"name": "params", "schema": (row.params)(schemas)}],
        "result": {"name": "result", "schema": (row.result)(schemas)},
        "x-who": row.who,
        "x-kind": row.kind,
        "x-role": role(row),
        "x-acts": row.need.map_or(&[][..], |need| need.acts),
    })
}

/// Returns the least role of an operator who may call a method; `None` for what only agents do.
fn role(row: &MethodInfo) -> Option<Role> {
    (row.who != Who::Agent).then(|| row.need.map_or(Role::Viewer, |need| need.role))
}

/// Returns docs/ROLES.md: who may do what, at which level.
pub fn roles() -> String {
    let mut text = String::from(ROLES_HEAD);
    // Writing to a `String` can't fail; the results are dropped for that reason.
    for act in Act::ALL {
        let rows = METHODS.iter().filter(|row| row.need.is_some_and(|n| n.acts.contains(&act)));
        let methods: Vec<String> = rows.map(|row| format!("`{}`", row.name)).collect();
        let (word, level) = (word(act), act.default_level());
        let methods = if methods.is_empty() { "-".to_owned() } else { methods.join(", ") };
        writeln!(text, "| `{word}` | {level} | {methods} |").ok();
    }
    text.push_str("\n## Methods\n\n| method | agents | operators | act |\n|---|---|---|---|\n");
    for row in METHODS {
        let agents = if row.who == Who::Human { "no such method" } else { "yes" };
        let operators = role(row).map_or("no".to_owned(), word);
        let acts = row.need.map_or(&[][..], |need| need.acts);
        let acts: Vec<String> = acts.iter().map(|act| format!("`{}`", word(act))).collect();
        let acts = if acts.is_empty() { "-".to_owned() } else { acts.join(" or ") };
        writeln!(text, "| `{}` | {agents} | {operators} | {acts} |", row.name).ok();
    }
    text
}

/// Returns the word of one of our enums, as on the wire.
fn word<T: Serialize>(value: T) -> String {
    let word = serde_json::to_value(value).ok();
    word.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

const ROLES_HEAD: &str = "\
# Who may do what

Made from the one table of methods, which the daemon enforces and `protocol.describe` tells
(`x-who`, `x-role`, `x-acts`). Roles: `viewer` looks, `operator` does everything daily, `admin` also
governs. Each includes the one before. What the levels prove stands in [SECURITY.md](SECURITY.md).

## Acts

The level is the least one of the connection, where `[levels]` in `policy.toml` says nothing else. In a
single-user squad none is above L1. Where a method can be several acts, its parameters decide: the
risk of what is approved, whether it is remembered, where a task goes and whether it is blocked.

| act | level | methods |
|---|---|---|
";

/// Returns docs/API.md.
pub fn markdown() -> String {
    let document = openrpc();
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    let mut text = String::from(HEAD);
    // Writing to a `String` can't fail; the results are dropped for that reason.
    for (name, bytes) in LIMITS {
        writeln!(text, "| {name} | {bytes} |").ok();
    }
    text.push_str("\n## Methods\n");
    for row in METHODS {
        let who = match row.who {
            Who::All => "everybody",
            Who::Human => "operators",
            Who::Agent => "agents",
            Who::Helper => "the notification helper",
        };
        let kind = match row.kind {
            Kind::Query => "query",
            Kind::Command => "command",
            Kind::Connection => "connection",
        };
        writeln!(text, "\n### `{}`\n\n{} For {who}; {kind}.\n", row.name, row.doc).ok();
        let mut schemas_of_row = SchemaGenerator::default();
        fields(&mut text, &(row.params)(&mut schemas_of_row).to_value());
        let result = (row.result)(&mut schemas_of_row).to_value();
        writeln!(text, "\nAnswers {}.", type_of(&result)).ok();
    }
    text.push_str("\n## Types\n");
    for (name, schema) in schemas.into_iter().flatten() {
        writeln!(text, "\n### {name}\n").ok();
        describe_type(&mut text, schema);
    }
    text
}

const HEAD: &str = "\
# The wire

Made from the types; a test checks that it is current, and `UPDATE_DOCS=1 cargo test -p mc-proto` makes
it anew. Programs get the same from `protocol.describe` as an OpenRPC document.

Unix stream sockets, one JSON object a line, JSON-RPC 2.0. The first request is `session.hello`.
Every command may carry `idempotency_key`; an adapter's calls carry `agent`. Times are RFC 3339 UTC
with milliseconds, money is integer micro-dollars in fields that end in `_uusd`.

## Limits

| what | bytes, items or levels |
| --- | --- |
";

const LIMITS: &[(&str, usize)] = &[
    ("frame", limits::FRAME_BYTES),
    ("first frame", limits::FIRST_FRAME_BYTES),
    ("nesting", limits::JSON_DEPTH),
    ("keys of one object", limits::JSON_KEYS),
    ("tool arguments", limits::ARGUMENT_BYTES),
    ("text", limits::TEXT_BYTES),
    ("short text", limits::SHORT_BYTES),
    ("title", limits::TITLE_BYTES),
    ("list", limits::LIST_ITEMS),
    ("idempotency key", limits::KEY_BYTES),
];

fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next())
}

fn describe_type(text: &mut String, schema: &Value) {
    if let Some(doc) = schema.get("description").and_then(Value::as_str) {
        writeln!(text, "{}\n", one_line(doc)).ok();
    }
    if schema.get("properties").is_some() {
        fields(text, schema);
    }
    for variant in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        let doc = variant.get("description").and_then(Value::as_str).unwrap_or_default();
        let word = variant.get("const").or_else(|| variant.pointer("/properties/kind/const"));
        let word = word.or_else(|| variant.pointer("/properties/type/const"));
        let word = word.and_then(Value::as_str).unwrap_or("object");
        writeln!(text, "- `{word}`: {}", one_line(doc)).ok();
    }
}

fn fields(text: &mut String, schema: &Value) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    if properties.is_empty() {
        return;
    }
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    text.push_str("| field | type | |\n| --- | --- | --- |\n");
    for (name, field) in properties {
        let optional = if required.contains(&name.as_str()) { "" } else { "?" };
        let doc = field.get("description").and_then(Value::as_str).unwrap_or_default();
        writeln!(text, "| `{name}`{optional} | {} | {} |", type_of(field), one_line(doc)).ok();
    }
}

fn type_of(schema: &Value) -> String {
    if let Some(name) = reference(schema) {
        return name.to_owned();
    }
    if let Some(parts) =
        ["anyOf", "allOf", "oneOf"].iter().find_map(|key| schema.get(key)?.as_array())
    {
        let parts: Vec<String> = parts.iter().map(type_of).filter(|part| part != "null").collect();
        return parts.join(" or ");
    }
    match schema.get("type") {
        Some(Value::String(kind)) if kind == "array" => {
            format!("list of {}", schema.get("items").map_or_else(|| "any".into(), type_of))
        }
        Some(Value::String(kind)) => kind.clone(),
        Some(Value::Array(kinds)) => {
            let kinds: Vec<&str> =
                kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect();
            if kinds == ["array"] {
                return format!(
                    "list of {}",
                    schema.get("items").map_or_else(|| "any".into(), type_of)
                );
            }
            kinds.join(" or ")
        }
        _ => "any".to_owned(),
    }
}

fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_described() {
        let document = openrpc();
        assert_eq!(document["methods"].as_array().unwrap().len(), METHODS.len());
        let text = markdown();
        for row in METHODS {
            assert!(text.contains(&format!("### `{}`", row.name)), "{}", row.name);
        }
    }
}
