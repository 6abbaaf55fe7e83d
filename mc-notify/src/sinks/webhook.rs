//! A webhook of one's own, signed: `X-MC-Signature: v1=HEX` is HMAC-SHA256 with the shared secret
//! over `X-MC-Timestamp`, a dot, and the body.

use hmac::{Hmac, KeyInit as _, Mac as _};
use mc_core::delivery::{Delivery, Item};
use serde::Serialize;
use sha2::Sha256;

use super::{Surroundings, Trouble, http::Post};
use crate::{clock, secret::Secret, text};

/// The webhook.
#[derive(Debug)]
pub(crate) struct Webhook {
    pub(crate) url: Secret,
    pub(crate) secret: Secret,
}

/// What is posted; the same bytes at every try.
#[derive(Serialize)]
struct Body<'a> {
    id: String,
    squad: &'a str,
    kind: mc_core::alert::NotificationKind,
    severity: mc_core::alert::Severity,
    title: &'a str,
    notices: &'a [Item],
    at: mc_core::time::Timestamp,
}

impl Webhook {
    pub(super) fn send(&self, around: &Surroundings, delivery: &Delivery) -> Result<(), Trouble> {
        let body = serde_json::to_string(&Body {
            id: delivery.id.to_string(),
            squad: &around.squad,
            kind: delivery.kind,
            severity: delivery.severity,
            title: &delivery.title,
            notices: &delivery.notices,
            at: delivery.at,
        })
        .map_err(|error| Trouble::Moot(error.to_string()))?;
        let timestamp = clock::seconds();
        let headers = [
            ("idempotency-key", format!("{}/{}", ascii(&around.squad), delivery.id)),
            ("x-mc-delivery", delivery.id.to_string()),
            ("x-mc-attempt", (delivery.failures + 1).to_string()),
            ("x-mc-timestamp", timestamp.to_string()),
            ("x-mc-signature", format!("v1={}", sign(self.secret.expose(), timestamp, &body))),
        ];
        let post = Post { url: self.url.expose(), headers: &headers, body: &body };
        around.http.post(&post).map(drop)
    }
}

/// Returns the signature in hex.
fn sign(secret: &str, timestamp: u64, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        unreachable!("HMAC takes a key of any length")
    };
    mac.update(format!("{timestamp}.{body}").as_bytes());
    text::hex(&mac.finalize().into_bytes())
}

/// Returns a name as a header can carry it.
fn ascii(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_hmac_sha256_over_time_and_body() {
        // Made with `printf '1.{"id":"D-1"}' | openssl dgst -sha256 -hmac 0123456789abcdef`.
        let expected = "85abd13892b6d9e94e848949e7b0f09a5f17e3ddd0af35fec23668a4803568ff";
        assert_eq!(sign("0123456789abcdef", 1, r#"{"id":"D-1"}"#), expected);
    }
}
