//! Plain JSON, for any program: the parameters of `tool.check` in and a decision out, then those
//! of `tool.finish`.

use mc_core::policy::Outcome;
use mc_proto::{
    method::run::{Check, ToolFinish},
    strict,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json, value::RawValue};

use super::{
    dialect::arguments_fit,
    event::{Event, Place, Told},
    verdict::{Allowed, Verdict},
};
use crate::failure::Exit;

/// Reads a call, or the end of one: then there is a `call`.
///
/// # Errors
///
/// What is wrong.
pub(super) fn read(input: &[u8]) -> Result<Told, String> {
    strict::check(input).map_err(|error| error.to_string())?;
    let raw: Box<RawValue> = serde_json::from_slice(input).map_err(|error| error.to_string())?;
    let fields: Value = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
    let (session, event) = if fields.get("call").is_some() {
        (None, Event::Finished(Box::new(typed::<ToolFinish>(&raw)?)))
    } else {
        let check = typed::<Check>(&raw)?;
        arguments_fit(&check.arguments)?;
        (check.session.clone(), Event::Call(Box::new(check)))
    };
    let place = Place { session, ..Place::default() };
    Ok(Told { name: String::new(), place, event })
}

fn typed<T: DeserializeOwned>(raw: &RawValue) -> Result<T, String> {
    serde_json::from_str(raw.get()).map_err(|error| error.to_string())
}

/// Returns the answer and the exit code: 0 allowed or noted, 4 denied, 5 waiting.
pub(super) fn say(verdict: &Verdict) -> (Option<Value>, Exit) {
    let (answer, exit) = match verdict {
        Verdict::Neutral => (json!({}), Exit::Done),
        Verdict::Allow(Allowed { call, approval, reason, arguments }) => (
            json!({"decision": Outcome::Allow, "reason": reason, "call": call,
                "approval": approval, "arguments": arguments}),
            Exit::Done,
        ),
        Verdict::Deny { reason, call } => {
            (json!({"decision": Outcome::Deny, "reason": reason, "call": call}), Exit::Denied)
        }
        Verdict::Waiting { approval, call, reason } => (
            json!({"decision": Outcome::Ask, "reason": reason, "call": call,
                "approval": approval}),
            Exit::Waiting,
        ),
    };
    (Some(without_nulls(answer)), exit)
}

fn without_nulls(mut answer: Value) -> Value {
    if let Some(fields) = answer.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    answer
}

#[cfg(test)]
mod tests {
    use mc_core::id::{ApprovalId, CallId};

    use super::*;

    #[test]
    fn a_call_and_the_end_of_one_are_told_apart_and_anything_else_is_refused() {
        let call = read(br#"{"tool":"read","arguments":{"path":"a"},"session":"s"}"#).unwrap();
        assert!(matches!(call.event, Event::Call(_)));
        assert_eq!(call.place.session.as_deref(), Some("s"));
        let end = read(br#"{"call":"C-7","status":"failed","error":"x"}"#).unwrap();
        assert!(matches!(end.event, Event::Finished(_)));
        for bad in [
            "",
            "[]",
            "null",
            "{}",
            "{\"tool\":\"x\"",
            r#"{"tool":"x"}"#,
            "\0",
            r#"{"tool":"x","arguments":{},"colour":1}"#,
            r#"{"tool":"x","tool":"y","arguments":{}}"#,
            r#"{"tool":"x","arguments":{"a":1,"a":2}}"#,
            r#"{"call":"C-7","status":"well"}"#,
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_answer_has_its_exit_code() {
        let (call, approval) = (CallId(7), ApprovalId(3));
        let allowed = Allowed { call, approval: None, reason: "ok".into(), arguments: None };
        let changed = Allowed { arguments: Some(json!({"path": "b"})), ..allowed.clone() };
        let rows = [
            (Verdict::Neutral, json!({}), Exit::Done),
            (
                Verdict::Allow(allowed),
                json!({"decision": "allow", "reason": "ok", "call": "C-7"}),
                Exit::Done,
            ),
            (
                Verdict::Allow(changed),
                json!({"decision": "allow", "reason": "ok", "call": "C-7",
                    "arguments": {"path": "b"}}),
                Exit::Done,
            ),
            (Verdict::denied("no"), json!({"decision": "deny", "reason": "no"}), Exit::Denied),
            (
                Verdict::Waiting { approval, call, reason: "later".into() },
                json!({"decision": "ask", "reason": "later", "call": "C-7", "approval": "A-3"}),
                Exit::Waiting,
            ),
        ];
        for (verdict, answer, exit) in rows {
            assert_eq!(say(&verdict), (Some(answer), exit));
        }
    }
}
