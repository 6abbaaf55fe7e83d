//! Who governs, as the record keeps it: names, users and roles, and of every secret only a
//! fingerprint, so that a change is seen and nothing can be guessed from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{actor::Role, canonical};

/// Who governs, and under which users agents run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Operators {
    /// The operators, in the order of the file.
    pub operators: Vec<Operator>,
    /// The agents' users.
    pub agent_uids: Vec<u32>,
    /// The accounts from which operators may answer approvals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remotes: Vec<Remote>,
}

/// An account of a messenger, from which an operator may answer approvals that are not RED.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remote {
    /// The operator's name.
    pub operator: String,
    /// The user's number at Telegram.
    pub telegram: i64,
}

/// An operator without their secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Operator {
    /// Their name.
    pub name: String,
    /// Their uid.
    pub uid: u32,
    /// What they may do.
    pub role: Role,
    /// The fingerprint of the salted hash of their passphrase; see [`fingerprint`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<String>,
    /// The fingerprint of the secret of their authenticator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authenticator: Option<String>,
    /// The fingerprints of their SSH keys, as OpenSSH shows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

/// Returns 16 hexadecimal digits that change with a secret. The secret must have at least 128
/// random bits of its own, as a salted hash and the secret of an authenticator have.
pub fn fingerprint(secret: &str) -> String {
    canonical::digest("mc-operators", secret).chars().take(16).collect()
}

/// Returns what is different between `before` and `now`, in words.
pub fn changes(before: &Operators, now: &Operators) -> Vec<String> {
    let mut all = Vec::new();
    for one in &now.operators {
        match before.operators.iter().find(|other| other.name == one.name) {
            Some(was) => differences(&mut all, was, one),
            None => {
                all.push(format!("{} was added: {}, uid {}", one.name, word(one.role), one.uid));
            }
        }
    }
    let is_gone = |was: &&Operator| now.operators.iter().all(|one| one.name != was.name);
    let gone = before.operators.iter().filter(is_gone);
    all.extend(gone.map(|was| format!("{} was removed", was.name)));
    if before.agent_uids != now.agent_uids {
        let uids: Vec<String> = now.agent_uids.iter().map(ToString::to_string).collect();
        let uids = if uids.is_empty() { "nobody".to_owned() } else { uids.join(", ") };
        all.push(format!("agents run as {uids}"));
    }
    let mut answers = |these: &[Remote], but: &[Remote], may: &str| {
        let these = these.iter().filter(|one| !but.contains(one));
        all.extend(
            these.map(|one| format!("{} {may} from telegram {}", one.operator, one.telegram)),
        );
    };
    answers(&now.remotes, &before.remotes, "may answer");
    answers(&before.remotes, &now.remotes, "may no longer answer");
    all
}

fn differences(all: &mut Vec<String>, was: &Operator, now: &Operator) {
    let name = &now.name;
    if was.uid != now.uid {
        all.push(format!("{name} has uid {} instead of {}", now.uid, was.uid));
    }
    if was.role != now.role {
        all.push(format!("{name} is {} instead of {}", word(now.role), word(was.role)));
    }
    let mut secret = |what: &str, was: Option<&String>, now: Option<&String>| match (was, now) {
        (None, Some(_)) => all.push(format!("{name}: {what} set")),
        (Some(_), None) => all.push(format!("{name}: {what} removed")),
        (Some(was), Some(now)) if was != now => all.push(format!("{name}: {what} changed")),
        (None, None) | (Some(_), Some(_)) => {}
    };
    secret("passphrase", was.passphrase.as_ref(), now.passphrase.as_ref());
    secret("authenticator", was.authenticator.as_ref(), now.authenticator.as_ref());
    let new = now.keys.iter().filter(|key| !was.keys.contains(key));
    all.extend(new.map(|key| format!("the key {key} signs for {name}")));
    let old = was.keys.iter().filter(|key| !now.keys.contains(key));
    all.extend(old.map(|key| format!("the key {key} no longer signs for {name}")));
}

const fn word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ana() -> Operator {
        Operator {
            name: "ana".into(),
            uid: 1000,
            role: Role::Admin,
            passphrase: Some(fingerprint("$argon2id$a")),
            authenticator: None,
            keys: vec!["SHA256:a".into()],
        }
    }

    fn squad(operators: Vec<Operator>) -> Operators {
        Operators { operators, agent_uids: vec![2000], remotes: Vec::new() }
    }

    #[test]
    fn every_difference_is_told_once() {
        let before = squad(vec![ana(), Operator { name: "ben".into(), ..ana() }]);
        let now = Operator {
            uid: 1001,
            role: Role::Viewer,
            passphrase: Some(fingerprint("$argon2id$b")),
            authenticator: Some(fingerprint("secret")),
            keys: vec!["SHA256:b".into()],
            ..ana()
        };
        let carl = Operator { name: "carl".into(), role: Role::Operator, ..ana() };
        let remote = |telegram| Remote { operator: "ana".into(), telegram };
        let before = Operators { remotes: vec![remote(6), remote(7)], ..before };
        let now = Operators {
            agent_uids: vec![2000, 2001],
            remotes: vec![remote(7), remote(8)],
            ..squad(vec![now, carl])
        };
        assert_eq!(
            changes(&before, &now),
            [
                "ana has uid 1001 instead of 1000",
                "ana is viewer instead of admin",
                "ana: passphrase changed",
                "ana: authenticator set",
                "the key SHA256:b signs for ana",
                "the key SHA256:a no longer signs for ana",
                "carl was added: operator, uid 1000",
                "ben was removed",
                "agents run as 2000, 2001",
                "ana may answer from telegram 8",
                "ana may no longer answer from telegram 6",
            ]
        );
        assert_eq!(changes(&now, &now), [""; 0]);
    }

    #[test]
    fn a_fingerprint_shows_nothing_of_the_secret() {
        let print = fingerprint("GEZDGNBVGY3TQOJQ");
        assert_eq!(print.len(), 16);
        assert_ne!(print, fingerprint("GEZDGNBVGY3TQOJR"));
    }
}
