//! The gateway's frames (protocol 4): requests, answers and events as JSON texts.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the gateway's protocol.
pub const PROTOCOL: u32 = 4;

/// What the bridge asks for, and no more: reading, aborting and sending.
const SCOPES: &[&str] = &["operator.read", "operator.write", "operator.approvals"];
/// What the second lock takes: only an admin is shown the questions of every session.
const LOCK_SCOPES: &[&str] =
    &["operator.read", "operator.write", "operator.approvals", "operator.admin"];
/// Says that this client answers questions before commands; without it none is sent.
const LOCK_CAP: &str = "exec-approvals";

/// What the bridge does beside carrying out orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Nothing.
    Orders,
    /// Answers the gateway's questions before commands.
    SecondLock,
}

impl Duty {
    /// Returns the scopes that it takes.
    pub const fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Orders => SCOPES,
            Self::SecondLock => LOCK_SCOPES,
        }
    }
}

/// What the gateway sends.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Incoming {
    /// An answer to a request.
    Res {
        /// The request's id.
        id: String,
        /// Whether it was done.
        ok: bool,
        /// The result.
        #[serde(default)]
        payload: Value,
        /// What went wrong.
        #[serde(default)]
        error: Option<GatewayRefusal>,
    },
    /// Something that happened.
    Event {
        /// What.
        event: String,
        /// Its details.
        #[serde(default)]
        payload: Value,
    },
    /// What a later version may send.
    #[serde(other)]
    Other,
}

/// Why the gateway did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct GatewayRefusal {
    /// The gateway's word for it.
    #[serde(default)]
    pub code: String,
    /// In words.
    #[serde(default)]
    pub message: String,
    /// More; `details.code` says which check of the handshake failed.
    #[serde(default)]
    pub details: Value,
}

/// The challenge that opens a connection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Challenge {
    /// To be signed.
    pub nonce: String,
    /// The gateway's clock, in milliseconds.
    pub ts: i64,
}

/// The first request.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Connect {
    min_protocol: u32,
    max_protocol: u32,
    /// Who connects.
    pub client: ClientInfo,
    /// Always `operator`.
    pub role: String,
    /// What it wants to do.
    pub scopes: Vec<String>,
    caps: Vec<String>,
    /// The token.
    pub auth: Auth,
    /// The signed challenge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
}

/// Who connects; the gateway takes only ids of its own list.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientInfo {
    /// One of the gateway's known clients.
    pub id: String,
    /// Our version.
    pub version: String,
    /// The operating system.
    pub platform: String,
    /// One of the gateway's known modes.
    pub mode: String,
    display_name: String,
}

/// The token of a connection.
#[derive(Clone, Default, Serialize)]
pub struct Auth {
    /// The device token, or the gateway's shared token for pairing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth { .. }")
    }
}

/// The device's proof.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// SHA-256 of the public key, in hex.
    pub id: String,
    /// The public key, in base64 of URLs.
    pub public_key: String,
    /// The signature, in base64 of URLs.
    pub signature: String,
    /// The challenge's time.
    pub signed_at: i64,
    /// The challenge's nonce.
    pub nonce: String,
}

impl Connect {
    /// Returns the request of this bridge, without token and proof.
    pub fn new(version: &str, duty: Duty) -> Self {
        Self {
            min_protocol: PROTOCOL,
            max_protocol: PROTOCOL,
            client: ClientInfo {
                id: "cli".to_owned(),
                version: version.to_owned(),
                platform: "linux".to_owned(),
                mode: "cli".to_owned(),
                display_name: "mission-control".to_owned(),
            },
            role: "operator".to_owned(),
            scopes: duty.scopes().iter().map(|scope| (*scope).to_owned()).collect(),
            caps: match duty {
                Duty::Orders => Vec::new(),
                Duty::SecondLock => vec![LOCK_CAP.to_owned()],
            },
            auth: Auth::default(),
            device: None,
        }
    }
}

/// Returns the text of a request.
///
/// # Errors
///
/// When `params` is not JSON.
pub fn request<P: Serialize>(
    id: &str,
    method: &str,
    params: &P,
) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Request<'a, P> {
        r#type: &'static str,
        id: &'a str,
        method: &'a str,
        params: &'a P,
    }
    serde_json::to_string(&Request { r#type: "req", id, method, params })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_events_and_unknown_frames_are_read() {
        let read = |text: &str| serde_json::from_str::<Incoming>(text).unwrap();
        assert_eq!(
            read(r#"{"type":"res","id":"1","ok":true,"payload":{"a":1}}"#),
            Incoming::Res { id: "1".into(), ok: true, payload: json!({"a": 1}), error: None }
        );
        let refused = read(
            r#"{"type":"res","id":"1","ok":false,"error":{"code":"NOT_FOUND","message":"no","retryable":false}}"#,
        );
        let Incoming::Res { error: Some(error), .. } = refused else { panic!("{refused:?}") };
        assert_eq!((error.code.as_str(), error.message.as_str()), ("NOT_FOUND", "no"));
        let event = read(r#"{"type":"event","event":"tick","payload":{"ts":1},"seq":4}"#);
        assert!(matches!(event, Incoming::Event { event, .. } if event == "tick"));
        assert_eq!(read(r#"{"type":"later","x":1}"#), Incoming::Other);
        assert!(serde_json::from_str::<Incoming>(r#"{"id":1}"#).is_err());
    }

    #[test]
    fn connecting_asks_for_the_least_scopes_in_camel_case() {
        let text = request("c1", "connect", &Connect::new("1.2.3", Duty::Orders)).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["params"]["minProtocol"], 4);
        assert_eq!(value["params"]["client"]["displayName"], "mission-control");
        assert_eq!(
            value["params"]["scopes"],
            json!(["operator.read", "operator.write", "operator.approvals"])
        );
        assert!(value["params"].get("device").is_none());
        assert_eq!(value["params"]["caps"], json!([]));
        let lock = serde_json::to_value(Connect::new("1.2.3", Duty::SecondLock)).unwrap();
        assert_eq!(lock["scopes"][3], "operator.admin");
        assert_eq!(lock["caps"], json!(["exec-approvals"]));
    }
}
