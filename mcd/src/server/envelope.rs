//! One frame: strict JSON in the envelope of JSON-RPC 2.0, a request or an answer.

use std::borrow::Cow;

use mc_core::refusal::FieldError;
use mc_proto::{
    error::{ErrorKind, RpcError},
    frame::{Frame, RequestId},
    limits::KEY_BYTES,
    strict,
};
use serde_json::value::RawValue;

use super::orders::Reply;

/// A frame that is well formed.
pub(super) enum Read<'a> {
    /// A request: id, method, parameters.
    Request(RequestId, Cow<'a, str>, Option<&'a RawValue>),
    /// An answer to a request of the daemon.
    Reply(i64, Reply),
}

/// What is wrong with a frame, and its id where that can be read.
pub(super) type Refused = (Option<RequestId>, RpcError);

/// Reads one frame.
///
/// # Errors
///
/// `parse` for what is no JSON, `invalid_request` for what is no request.
#[expect(clippy::result_large_err, reason = "a refusal goes straight into the answer")]
pub(super) fn read(line: &[u8]) -> Result<Read<'_>, Refused> {
    if let Err(wrong) = strict::check(line) {
        return Err(unreadable(line, &wrong));
    }
    let invalid = |id: Option<RequestId>, text: &str| {
        (id, RpcError::new(ErrorKind::InvalidRequest, text.to_owned()))
    };
    let frame: Frame<'_> = serde_json::from_slice(line).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.split(" at line ").next().unwrap_or_default();
        invalid(id_of(line), &format!("no JSON-RPC 2.0 request: {reason}"))
    })?;
    if frame.jsonrpc != "2.0" {
        return Err(invalid(frame.id, "`jsonrpc` must be \"2.0\""));
    }
    if matches!(&frame.id, Some(RequestId::Text(text)) if text.len() > KEY_BYTES) {
        return Err(invalid(None, "the id is longer than 128 bytes"));
    }
    match (frame.method, frame.id) {
        (Some(method), Some(id)) if frame.result.is_none() && frame.error.is_none() => {
            Ok(Read::Request(id, method, frame.params))
        }
        (Some(_), None) => Err(invalid(None, "the request has no `id`")),
        (None, Some(RequestId::Number(id))) if frame.params.is_none() => {
            match (frame.result, frame.error) {
                (Some(result), None) => Ok(Read::Reply(id, Ok(result.get().into()))),
                (None, Some(error)) => Ok(Read::Reply(id, Err(error))),
                _ => Err(invalid(None, "expected `method`, or one of `result` and `error`")),
            }
        }
        (_, id) => Err(invalid(id, "expected `method`, or one of `result` and `error`")),
    }
}

/// Says what is wrong with JSON that is none, or none that is taken: a number without end, a key
/// that stands twice.
fn unreadable(line: &[u8], wrong: &strict::Wrong) -> Refused {
    let reason = wrong.error.to_string();
    let is_json = wrong.error.is_data() || reason.starts_with("number out of range");
    let id = id_of(line).filter(|_| is_json);
    let kind = if is_json { ErrorKind::InvalidRequest } else { ErrorKind::Parse };
    let mut error = RpcError::new(kind, format!("the frame can't be read: {wrong}"));
    if let Some(field) = wrong.at.as_ref().filter(|_| is_json) {
        let reason = reason.split(" at line ").next().unwrap_or_default();
        error.data.fields.push(FieldError::new(field, reason));
    }
    (id, error)
}

/// Finds the id of a frame that is wrong otherwise, so that its sender can tell which it was.
fn id_of(line: &[u8]) -> Option<RequestId> {
    #[derive(serde::Deserialize)]
    struct Id {
        id: RequestId,
    }
    let found: Id = serde_json::from_slice(line).ok()?;
    Some(found.id).filter(|id| !matches!(id, RequestId::Text(text) if text.len() > KEY_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(line: &str) -> ErrorKind {
        match read(line.as_bytes()) {
            Ok(_) => panic!("{line} was taken"),
            Err((_, error)) => error.kind(),
        }
    }

    #[test]
    fn bad_frames_get_the_error_of_the_protocol() {
        use ErrorKind::{InvalidRequest, Parse};
        let deep = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{}1{}}}"#,
            "[".repeat(40),
            "]".repeat(40)
        );
        let cases = [
            ("", Parse),
            ("nonsense", Parse),
            (r#"{"jsonrpc":"2.0","id":1"#, Parse),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"} {}"#, Parse),
            ("\u{0}", Parse),
            ("[]", InvalidRequest),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, InvalidRequest),
            ("7", InvalidRequest),
            ("null", InvalidRequest),
            ("{}", InvalidRequest),
            (r#"{"id":1,"method":"ping"}"#, InvalidRequest),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, InvalidRequest),
            (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, InvalidRequest),
            (r#"{"jsonrpc":"2.0","method":"ping"}"#, InvalidRequest),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, InvalidRequest),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, InvalidRequest),
            (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, InvalidRequest),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, InvalidRequest),
            (r#"{"jsonrpc":"2.0","id":1}"#, InvalidRequest),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","role":"admin"}"#, InvalidRequest),
            (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, InvalidRequest),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#, InvalidRequest),
            (deep.as_str(), InvalidRequest),
        ];
        for (line, expected) in cases {
            assert_eq!(kind(line), expected, "{line}");
        }
        let not_utf8: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}";
        assert!(read(not_utf8).is_err());
    }

    #[test]
    fn a_number_without_end_is_refused_by_the_name_of_its_field() {
        let line = br#"{"jsonrpc":"2.0","id":7,"method":"run.usage","params":{"cost_uusd":1e400}}"#;
        let Err((id, error)) = read(line) else { panic!("1e400 was taken") };
        assert_eq!((id, error.kind()), (Some(RequestId::Number(7)), ErrorKind::InvalidRequest));
        assert_eq!(error.data.fields[0].field, "cost_uusd");
        assert_eq!(error.data.fields[0].message, "number out of range");
    }

    #[test]
    fn a_wrong_frame_is_answered_with_its_id_where_it_has_one() {
        let line = br#"{"jsonrpc":"2.0","id":"x7","method":"ping","extra":1}"#;
        let Err((id, _)) = read(line) else { panic!("an unknown field was taken") };
        assert_eq!(id, Some(RequestId::Text("x7".into())));
        let long = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#, "x".repeat(129));
        assert!(matches!(read(long.as_bytes()), Err((None, _))));
    }

    #[test]
    fn requests_and_replies_are_told_apart() {
        let line = br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{}}"#;
        assert!(matches!(read(line), Ok(Read::Request(RequestId::Number(1), ..))));
        let line = br#"{"jsonrpc":"2.0","id":3,"result":{"ended":true}}"#;
        assert!(matches!(read(line), Ok(Read::Reply(3, Ok(_)))));
    }
}
