//! Frames: one JSON object a line, and the JSON-RPC 2.0 envelope around it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::RpcError;

/// An id of a request: whatever the caller chose, handed back as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RequestId {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

/// A frame as it is read, before its parameters are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frame<'a> {
    /// Always `2.0`.
    #[serde(borrow)]
    pub jsonrpc: std::borrow::Cow<'a, str>,
    /// Absent on notifications.
    #[serde(default)]
    pub id: Option<RequestId>,
    /// Present on requests and notifications.
    #[serde(default, borrow)]
    pub method: Option<std::borrow::Cow<'a, str>>,
    /// The parameters of a request.
    #[serde(default, borrow)]
    pub params: Option<&'a RawValue>,
    /// The result, on an answer.
    #[serde(default, borrow)]
    pub result: Option<&'a RawValue>,
    /// The error, on an answer.
    #[serde(default)]
    pub error: Option<RpcError>,
}

/// Returns a request as one line with its newline.
///
/// # Errors
///
/// When `params` is not JSON.
pub fn request<P: Serialize + ?Sized>(
    id: i64,
    method: &str,
    params: &P,
) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Request<'a, P: ?Sized> {
        jsonrpc: &'static str,
        id: i64,
        method: &'a str,
        params: &'a P,
    }
    line(&Request { jsonrpc: "2.0", id, method, params })
}

/// Returns a notification as one line with its newline.
///
/// # Errors
///
/// When `params` is not JSON.
pub fn notification<P: Serialize + ?Sized>(
    method: &str,
    params: &P,
) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Notification<'a, P: ?Sized> {
        jsonrpc: &'static str,
        method: &'a str,
        params: &'a P,
    }
    line(&Notification { jsonrpc: "2.0", method, params })
}

/// Appends the answer to request `id` as one line; `result` is JSON already.
pub fn answer(out: &mut Vec<u8>, id: &RequestId, result: &str) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    push_id(out, Some(id));
    out.extend_from_slice(br#","result":"#);
    out.extend_from_slice(result.as_bytes());
    out.extend_from_slice(b"}\n");
}

/// Appends an error as one line; without an id where the request had none that could be read.
pub fn error(out: &mut Vec<u8>, id: Option<&RequestId>, error: &RpcError) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    push_id(out, id);
    out.extend_from_slice(br#","error":"#);
    out.extend_from_slice(serde_json::to_string(error).unwrap_or_default().as_bytes());
    out.extend_from_slice(b"}\n");
}

fn push_id(out: &mut Vec<u8>, id: Option<&RequestId>) {
    match id {
        None => out.extend_from_slice(b"null"),
        Some(RequestId::Number(number)) => out.extend_from_slice(number.to_string().as_bytes()),
        Some(RequestId::Text(text)) => out.extend_from_slice(
            serde_json::to_string(text).unwrap_or_else(|_| "null".to_owned()).as_bytes(),
        ),
    }
}

fn line<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string(value)?;
    text.push('\n');
    Ok(text)
}
