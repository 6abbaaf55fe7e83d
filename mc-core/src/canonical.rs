//! Canonical JSON and digests: one form for approvals, repetition and the journal.
//!
//! Canonical means: UTF-8, object keys sorted by their bytes, no white space, integers only as
//! written by `serde_json`.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Returns `value` in canonical JSON.
///
/// `serde_json` keeps object keys sorted in its `Value` (its `preserve_order` feature is off), so
/// one pass through `Value` sorts; what can't be JSON (a map with keys that are no text) is `null`.
pub fn json<T: Serialize + ?Sized>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or(Value::Null);
    value.to_string()
}

/// Returns SHA-256 of `bytes` in hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Returns SHA-256, in hex, of `domain`, a zero byte and `value` in canonical JSON.
pub fn digest<T: Serialize + ?Sized>(domain: &str, value: &T) -> String {
    let mut hash = Sha256::new();
    hash.update(domain.as_bytes());
    hash.update([0]);
    hash.update(json(value).as_bytes());
    hex(&hash.finalize())
}

/// Returns `bytes` in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().map_or('0', char::from);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_at_every_depth() {
        let value = json!({"b": 1, "a": {"d": [2, {"z": 0, "y": 0}], "c": null}});
        assert_eq!(json(&value), r#"{"a":{"c":null,"d":[2,{"y":0,"z":0}]},"b":1}"#);
    }

    #[test]
    fn a_digest_depends_on_its_domain() {
        assert_ne!(digest("a", &1), digest("b", &1));
        assert_eq!(digest("a", &json!({"x": 1, "y": 2})), digest("a", &json!({"y": 2, "x": 1})));
    }
}
