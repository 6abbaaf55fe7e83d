//! How Claude Code, Codex CLI and Gemini CLI talk: their events as a table, one envelope, and the
//! few ways in which an answer is put.

use mc_core::{canonical, run::RunStatus};
use mc_proto::{
    limits::{ARGUMENT_BYTES, TEXT_BYTES},
    method::run::{Check, Ended},
    strict,
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    event::{Event, Place, Report, Told},
    verdict::{Allowed, Verdict},
};
use crate::text;

/// What an event of a runtime is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    Call,
    Ended(Ended),
    TurnBegins,
    TurnStops,
    TurnEnds,
}

/// How an answer to an event is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `hookSpecificOutput.permissionDecision`.
    Permission,
    /// The same for a no. A yes is silence: a runtime that doesn't know it fails on it.
    Refusal,
    /// `hookSpecificOutput.decision.behavior`.
    Behavior,
    /// `decision` and `reason`; a no is this word.
    Plain(&'static str),
}

/// One runtime's language.
#[derive(Debug)]
pub(super) struct Dialect {
    /// The events that are served.
    events: &'static [(&'static str, Means, Form)],
    /// Events that begin nothing: they get a neutral answer. What is in neither list is blocked, for
    /// it may well come before a call.
    harmless: &'static [&'static str],
    /// Begins of event names that only another runtime has.
    foreign: &'static [&'static str],
    /// Fields that every call has.
    needed: &'static [&'static str],
    /// Fields that only another runtime's calls have.
    never: &'static [&'static str],
    /// Events whose answer may hold other arguments.
    rewrites: &'static [&'static str],
    /// Whether those are laid over the call's own, instead of taking their place.
    lays_over: bool,
}

const BLOCK: Form = Form::Plain("block");
const DENY: Form = Form::Plain("deny");

pub(super) const CLAUDE_CODE: Dialect = Dialect {
    events: &[
        ("PreToolUse", Means::Call, Form::Permission),
        ("PermissionRequest", Means::Call, Form::Behavior),
        ("PostToolUse", Means::Ended(Ended::Succeeded), BLOCK),
        ("PostToolUseFailure", Means::Ended(Ended::Failed), BLOCK),
        ("UserPromptSubmit", Means::TurnBegins, BLOCK),
        ("Stop", Means::TurnStops, BLOCK),
        ("SubagentStop", Means::TurnStops, BLOCK),
        ("SessionEnd", Means::TurnEnds, BLOCK),
    ],
    harmless: &[
        "SessionStart",
        "Setup",
        "Notification",
        "SubagentStart",
        "StopFailure",
        "PermissionDenied",
        "PreCompact",
        "PostCompact",
        "TeammateIdle",
        "TaskCreated",
        "TaskCompleted",
        "InstructionsLoaded",
        "ConfigChange",
        "CwdChanged",
        "FileChanged",
        "WorktreeRemove",
        "Elicitation",
        "ElicitationResult",
    ],
    foreign: GEMINIS,
    needed: &[],
    never: &["turn_id"],
    rewrites: &["PreToolUse", "PermissionRequest"],
    lays_over: false,
};

pub(super) const CODEX: Dialect = Dialect {
    events: &[
        ("PreToolUse", Means::Call, Form::Refusal),
        ("PermissionRequest", Means::Call, Form::Behavior),
        ("PostToolUse", Means::Ended(Ended::Succeeded), BLOCK),
        ("UserPromptSubmit", Means::TurnBegins, BLOCK),
        ("Stop", Means::TurnStops, BLOCK),
        ("SubagentStop", Means::TurnStops, BLOCK),
        ("Interrupt", Means::TurnEnds, BLOCK),
    ],
    harmless: &[
        "SessionStart",
        "SessionEnd",
        "SubagentStart",
        "PreCompact",
        "PostCompact",
        "Notification",
    ],
    foreign: GEMINIS,
    needed: &["turn_id"],
    never: &[],
    rewrites: &["PreToolUse"],
    lays_over: false,
};

pub(super) const GEMINI: Dialect = Dialect {
    events: &[
        ("BeforeTool", Means::Call, DENY),
        ("AfterTool", Means::Ended(Ended::Succeeded), DENY),
        ("BeforeAgent", Means::TurnBegins, DENY),
        ("AfterAgent", Means::TurnStops, DENY),
        ("SessionEnd", Means::TurnEnds, DENY),
    ],
    harmless: &[
        "SessionStart",
        "BeforeModel",
        "AfterModel",
        "BeforeToolSelection",
        "PreCompress",
        "Notification",
    ],
    foreign: &["PreToolUse", "PostToolUse", "PermissionRequest", "UserPromptSubmit"],
    needed: &["timestamp"],
    never: &["turn_id", "permission_mode"],
    rewrites: &["BeforeTool"],
    lays_over: true,
};

const GEMINIS: &[&str] =
    &["BeforeTool", "AfterTool", "BeforeAgent", "AfterAgent", "BeforeModel", "AfterModel"];

/// What the three runtimes' events have in common. Fields that are not read here may follow.
#[derive(Deserialize)]
struct Envelope<'a> {
    session_id: String,
    hook_event_name: String,
    cwd: Option<String>,
    model: Option<Value>,
    agent_id: Option<String>,
    tool_name: Option<String>,
    #[serde(borrow)]
    tool_input: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_response: Option<&'a RawValue>,
    error: Option<Value>,
    duration_ms: Option<i64>,
}

impl Dialect {
    /// Reads an event.
    ///
    /// # Errors
    ///
    /// What is wrong: no JSON, half of it, another runtime's, or an event that is not known.
    pub(super) fn read(&self, input: &[u8]) -> Result<Told, String> {
        let told: Envelope<'_> = serde_json::from_slice(input).map_err(|e| e.to_string())?;
        let name = told.hook_event_name.as_str();
        if self.foreign.iter().any(|other| name.starts_with(other)) {
            return Err(format!("`{name}` is another runtime's event"));
        }
        if told.session_id.is_empty() {
            return Err("`session_id` is empty".to_owned());
        }
        let row = self.events.iter().find(|row| row.0 == name);
        let event = match row.map(|row| row.1) {
            Some(Means::Call) => {
                self.is_ours(input)?;
                Event::Call(Box::new(call(&told)?))
            }
            Some(Means::Ended(status)) => Event::Ended(Box::new(report(&told, status)?)),
            Some(Means::TurnBegins) => Event::TurnBegins,
            Some(Means::TurnStops) => Event::TurnStops,
            Some(Means::TurnEnds) if name == "Interrupt" => Event::TurnEnds(RunStatus::Aborted),
            Some(Means::TurnEnds) => Event::TurnEnds(RunStatus::Succeeded),
            None if self.harmless.contains(&name) => Event::Other,
            None => {
                return Err(format!(
                    "`{name}` is no event that is known here, and may come before a call: take it \
                     out of the runtime's hooks, or update mcctl"
                ));
            }
        };
        Ok(Told { name: name.to_owned(), place: place(&told), event })
    }

    /// Checks that a call is written by the runtime that this hook was set up for.
    fn is_ours(&self, input: &[u8]) -> Result<(), String> {
        let fields: Value = serde_json::from_slice(input).map_err(|error| error.to_string())?;
        let has = |name: &&&str| fields.get(**name).is_some_and(|value| !value.is_null());
        if let Some(missing) = self.needed.iter().find(|name| !has(name)) {
            return Err(format!("`{missing}` is missing: this is another runtime's event"));
        }
        match self.never.iter().find(has) {
            Some(other) => Err(format!("`{other}` is there: this is another runtime's event")),
            None => Ok(()),
        }
    }

    /// Says whether the answer to the event `name` may hold other arguments.
    pub(super) fn rewrites(&self, name: &str) -> bool {
        self.rewrites.contains(&name)
    }

    /// Takes back a yes to arguments that the runtime can't be given: where they are laid over the
    /// call's own, one that a person took out would stay.
    pub(super) fn within_reach(&self, event: &Event, verdict: Verdict) -> Verdict {
        let (Event::Call(check), Verdict::Allow(Allowed { call, arguments: Some(changed), .. })) =
            (event, &verdict)
        else {
            return verdict;
        };
        let mut own = check.arguments.as_object().into_iter().flatten();
        let left = own.find(|(name, _)| self.lays_over && changed.get(name).is_none());
        let Some((name, _)) = left else { return verdict };
        let reason = format!(
            "A person allowed this call without its argument {}, which this runtime can't take \
             out. The call did not run: make it again without that argument.",
            text::line(name)
        );
        Verdict::Deny { reason, call: Some(*call) }
    }

    /// Returns the answer to the event `name`; `None` to say nothing.
    pub(super) fn say(&self, name: &str, verdict: &Verdict) -> Option<Value> {
        let (_, _, form) = self.events.iter().find(|row| row.0 == name)?;
        match verdict {
            Verdict::Neutral => None,
            Verdict::Allow(allowed) => allow(name, *form, allowed),
            Verdict::Deny { reason, .. } | Verdict::Waiting { reason, .. } => {
                Some(deny(name, *form, reason))
            }
        }
    }
}

fn allow(name: &str, form: Form, allowed: &Allowed) -> Option<Value> {
    let changed = allowed.arguments.as_ref();
    Some(match form {
        Form::Refusal if changed.is_none() => return None,
        Form::Permission | Form::Refusal => {
            let mut said = json!({"hookEventName": name, "permissionDecision": "allow",
                "permissionDecisionReason": allowed.reason});
            put(&mut said, "updatedInput", changed);
            json!({"hookSpecificOutput": said})
        }
        Form::Behavior => {
            let mut decision = json!({"behavior": "allow"});
            put(&mut decision, "updatedInput", changed);
            json!({"hookSpecificOutput": {"hookEventName": name, "decision": decision}})
        }
        Form::Plain(_) => {
            let mut said = json!({"decision": "allow", "reason": allowed.reason});
            let specific = changed.map(|new| json!({"hookEventName": name, "tool_input": new}));
            put(&mut said, "hookSpecificOutput", specific.as_ref());
            said
        }
    })
}

fn put(into: &mut Value, field: &str, value: Option<&Value>) {
    if let Some(value) = value {
        into[field] = value.clone();
    }
}

fn deny(name: &str, form: Form, reason: &str) -> Value {
    match form {
        Form::Permission | Form::Refusal => json!({"hookSpecificOutput": {"hookEventName": name,
            "permissionDecision": "deny", "permissionDecisionReason": reason}}),
        Form::Behavior => json!({"hookSpecificOutput": {"hookEventName": name,
            "decision": {"behavior": "deny", "message": reason}}}),
        Form::Plain(no) => json!({"decision": no, "reason": reason}),
    }
}

fn place(told: &Envelope<'_>) -> Place {
    let session = &told.session_id;
    let model = told.model.as_ref().and_then(Value::as_str).map(ToOwned::to_owned);
    match &told.agent_id {
        Some(agent) => Place {
            session: Some(format!("{session}/{agent}")),
            parent: Some(session.clone()),
            model,
        },
        None => Place { session: Some(session.clone()), parent: None, model },
    }
}

fn tool(told: &Envelope<'_>) -> Result<String, String> {
    let tool = told.tool_name.as_deref().filter(|tool| !tool.is_empty());
    Ok(tool.ok_or("`tool_name` is missing")?.to_owned())
}

fn call(told: &Envelope<'_>) -> Result<Check, String> {
    let raw = told.tool_input.ok_or("`tool_input` is missing")?;
    // What two readers could read differently is not judged at all.
    strict::check(raw.get().as_bytes()).map_err(|error| format!("`tool_input`: {error}"))?;
    let arguments: Value = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
    if !arguments.is_object() {
        return Err("`tool_input` is no object".to_owned());
    }
    arguments_fit(&arguments)?;
    Ok(Check {
        session: place(told).session,
        tool: tool(told)?,
        arguments,
        cwd: told.cwd.clone(),
        ..Check::default()
    })
}

/// Checks that `arguments` are no longer than what is ever judged.
///
/// # Errors
///
/// That they are.
pub(super) fn arguments_fit(arguments: &Value) -> Result<(), String> {
    let length = canonical::json(arguments).len();
    if length <= ARGUMENT_BYTES {
        return Ok(());
    }
    Err(format!(
        "the arguments are {length} bytes, and more than 128 KiB are never let through: do it in \
         several smaller steps"
    ))
}

fn report(told: &Envelope<'_>, status: Ended) -> Result<Report, String> {
    let raw = told.tool_input.map_or("null", RawValue::get);
    let arguments = serde_json::from_str(raw).map_err(|error| error.to_string())?;
    let result = told.tool_response.map(|raw| raw.get().to_owned());
    let failed = told.error.as_ref().filter(|error| !error.is_null()).cloned().or_else(|| {
        let response: Value = serde_json::from_str(told.tool_response?.get()).ok()?;
        response.get("error").filter(|error| !error.is_null()).cloned()
    });
    Ok(Report {
        tool: tool(told)?,
        arguments,
        status: if failed.is_some() { Ended::Failed } else { status },
        duration_ms: told.duration_ms,
        result,
        error: failed.map(|error| prefix(&words(&error)).to_owned()),
    })
}

fn words(error: &Value) -> String {
    error.as_str().map_or_else(|| error.to_string(), ToOwned::to_owned)
}

/// Returns as much of `text` as the record takes.
pub(super) fn prefix(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use mc_core::id::CallId;

    use super::*;

    fn allowed(arguments: Option<Value>) -> Allowed {
        Allowed { call: CallId(7), approval: None, reason: "ok".into(), arguments }
    }

    #[test]
    fn changed_arguments_are_put_where_the_runtime_looks_for_them() {
        let new = json!({"command": "ls"});
        let say = |dialect: &Dialect, name: &str| {
            assert!(dialect.rewrites(name), "{name}");
            dialect.say(name, &Verdict::Allow(allowed(Some(new.clone())))).unwrap()
        };
        for dialect in [&CLAUDE_CODE, &CODEX] {
            let said = &say(dialect, "PreToolUse")["hookSpecificOutput"];
            assert_eq!(
                (&said["permissionDecision"], &said["updatedInput"]),
                (&json!("allow"), &new)
            );
        }
        let said = &say(&CLAUDE_CODE, "PermissionRequest")["hookSpecificOutput"]["decision"];
        assert_eq!(*said, json!({"behavior": "allow", "updatedInput": new}));
        let said = say(&GEMINI, "BeforeTool");
        assert_eq!(said["decision"], "allow");
        let specific = json!({"hookEventName": "BeforeTool", "tool_input": new});
        assert_eq!(said["hookSpecificOutput"], specific);
        assert!(!CODEX.rewrites("PermissionRequest"), "it runs the call as it was");
    }

    #[test]
    fn an_argument_that_cannot_be_taken_out_is_a_no() {
        let check = Check { arguments: json!({"command": "ls", "dir": "/"}), ..Check::default() };
        let event = Event::Call(Box::new(check));
        let yes = |arguments| Verdict::Allow(allowed(Some(arguments)));
        let (less, other) = (json!({"command": "ls"}), json!({"command": "ls", "dir": "a"}));
        let gemini = GEMINI.within_reach(&event, yes(less.clone()));
        assert!(matches!(gemini, Verdict::Deny { call: Some(CallId(7)), .. }), "{gemini:?}");
        assert_eq!(GEMINI.within_reach(&event, yes(other.clone())), yes(other));
        assert_eq!(CLAUDE_CODE.within_reach(&event, yes(less.clone())), yes(less));
    }

    #[test]
    fn a_yes_is_put_as_the_event_wants_it() {
        let yes = |dialect: &Dialect, name: &str| dialect.say(name, &Verdict::Allow(allowed(None)));
        for dialect in [&CLAUDE_CODE, &CODEX] {
            let answer = yes(dialect, "PermissionRequest").unwrap();
            assert_eq!(answer["hookSpecificOutput"]["decision"], json!({"behavior": "allow"}));
        }
        let answer = yes(&CLAUDE_CODE, "PreToolUse").unwrap();
        assert_eq!(answer["hookSpecificOutput"]["permissionDecision"], "allow");
        assert_eq!(yes(&CODEX, "PreToolUse"), None, "Codex calls a spoken yes a failed hook");
        assert_eq!(yes(&GEMINI, "BeforeTool").unwrap()["decision"], "allow");
    }

    #[test]
    fn a_no_is_put_as_the_event_wants_it() {
        let no =
            |dialect: &Dialect, name: &str| dialect.say(name, &Verdict::denied("why")).unwrap();
        assert_eq!(
            no(&CODEX, "PreToolUse"),
            json!({"hookSpecificOutput": {"hookEventName": "PreToolUse",
                "permissionDecision": "deny", "permissionDecisionReason": "why"}})
        );
        assert_eq!(no(&CODEX, "UserPromptSubmit"), json!({"decision": "block", "reason": "why"}));
        assert_eq!(no(&GEMINI, "BeforeAgent"), json!({"decision": "deny", "reason": "why"}));
    }

    #[test]
    fn an_unknown_event_is_blocked_and_a_harmless_one_is_let_be() {
        let event = |name: &str| {
            json!({"session_id": "s", "hook_event_name": name, "tool_name": "Read",
                "tool_input": {"file_path": "a"}, "turn_id": "t", "timestamp": "x"})
            .to_string()
        };
        for dialect in [&CLAUDE_CODE, &CODEX, &GEMINI] {
            for name in dialect.harmless {
                assert_eq!(dialect.read(event(name).as_bytes()).unwrap().event, Event::Other);
            }
            for name in ["PreToolUseV2", "pretooluse", "PreToolUse ", "BeforeTools", "Pre", ""] {
                let why = dialect.read(event(name).as_bytes()).unwrap_err();
                assert!(why.contains("event"), "{why}");
            }
        }
    }

    #[test]
    fn a_long_call_is_refused() {
        let event = |name: &str, path: &str| {
            json!({"session_id": "s", "hook_event_name": name, "tool_name": "Read",
                "tool_input": {"file_path": path}})
            .to_string()
        };
        // The rest of the object: `{"file_path":""}`.
        let most = "x".repeat(ARGUMENT_BYTES - 16);
        assert!(CLAUDE_CODE.read(event("PreToolUse", &most).as_bytes()).is_ok());
        assert!(CLAUDE_CODE.read(event("PreToolUse", &(most + "x")).as_bytes()).is_err());
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        let text = "\u{e9}".repeat(TEXT_BYTES);
        assert_eq!(prefix(&text).len(), TEXT_BYTES);
        assert_eq!(prefix(&format!("a{text}")).len(), TEXT_BYTES - 1);
    }
}
