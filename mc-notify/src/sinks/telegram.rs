//! Telegram: a bot that writes to one chat and, where answers are wanted, puts buttons below what
//! is asked. A button carries the digest of what is shown above it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use mc_core::{delivery::Delivery, id::ApprovalId};
use mc_proto::method::{approval::Verdict, remote::Shown};
use serde_json::{Value, json};

use super::{
    Surroundings, Trouble,
    http::{Http, Post},
};
use crate::{secret::Secret, text};

/// How many approvals of one delivery are put with buttons; the rest is in the console.
const ASKED: usize = 8;

/// The bot and the chat.
#[derive(Debug, Clone)]
pub(crate) struct Telegram {
    pub(crate) base: Secret,
    pub(crate) token: Secret,
    pub(crate) chat: i64,
    /// Who may answer by a button; nobody by default.
    pub(crate) decide_by: Vec<i64>,
}

/// An approval as the daemon lets it be put, or why it does not.
pub(crate) type Question = Result<Shown, String>;

impl Telegram {
    /// Returns the approvals of a delivery that are put with buttons.
    pub(super) fn asks(&self, delivery: &Delivery) -> Vec<ApprovalId> {
        if self.decide_by.is_empty() {
            return Vec::new();
        }
        delivery.notices.iter().filter_map(|one| one.approval).take(ASKED).collect()
    }

    /// Writes what is new, then what is asked, a message each.
    pub(super) fn send(
        &self,
        around: &Surroundings,
        delivery: &Delivery,
        questions: &[Question],
    ) -> Result<(), Trouble> {
        let shown = || questions.iter().filter_map(|one| one.as_ref().ok());
        let is_whole = delivery.notices.len() == 1 && shown().count() == 1;
        if !is_whole {
            let mut text = text::plain(&around.squad, delivery);
            for why in questions.iter().filter_map(|one| one.as_ref().err()) {
                text = format!("{text}\n{why}");
            }
            self.call(&around.http, "sendMessage", &self.message(&text))?;
        }
        for shown in shown() {
            let mut text = format!("[{}] {}", around.squad, shown.text);
            if !shown.can_approve {
                text.push_str("\nA yes takes more than an answer from here: go to the console.");
            }
            let mut body = self.message(&text);
            if let Some(body) = body.as_object_mut() {
                body.insert("reply_markup".to_owned(), buttons(shown));
            }
            self.call(&around.http, "sendMessage", &body)?;
        }
        Ok(())
    }

    /// Returns a message to the chat: plain text, so that nothing in it has a meaning.
    pub(crate) fn message(&self, text: &str) -> Value {
        json!({"chat_id": self.chat, "text": text, "link_preview_options": {"is_disabled": true}})
    }

    /// Returns the bot's number, which is no secret.
    pub(crate) fn bot(&self) -> &str {
        self.token.expose().split_once(':').map_or("", |(bot, _)| bot)
    }

    /// Calls a method of the bot's and returns its result.
    ///
    /// # Errors
    ///
    /// Any [`Trouble`]; neither the address nor the token is in it.
    pub(crate) fn call(&self, http: &Http, method: &str, body: &Value) -> Result<Value, Trouble> {
        let base = self.base.expose().trim_end_matches('/');
        let url = zeroize::Zeroizing::new(format!("{base}/bot{}/{method}", self.token.expose()));
        let answer = http.post(&Post { url: &url, headers: &[], body: &body.to_string() })?;
        let mut answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        Ok(answer.get_mut("result").map(Value::take).unwrap_or_default())
    }
}

fn buttons(shown: &Shown) -> Value {
    let button = |word: &str, decision| {
        let (approval, rev) = (shown.approval, shown.rev);
        let data = Button { decision, approval, rev, digest: shown.digest.clone() }.to_data();
        json!({"text": format!("{word} {approval}"), "callback_data": data})
    };
    let yes = shown.can_approve.then(|| button("Approve", Verdict::Approve));
    let row: Vec<Value> = yes.into_iter().chain([button("Deny", Verdict::Deny)]).collect();
    json!({"inline_keyboard": [row]})
}

/// What a button says when it is pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Button {
    pub(crate) decision: Verdict,
    pub(crate) approval: ApprovalId,
    pub(crate) rev: i64,
    /// In hex.
    pub(crate) digest: String,
}

impl Button {
    /// Returns it in at most 64 bytes, which is what Telegram carries.
    fn to_data(&self) -> String {
        let verdict = match self.decision {
            Verdict::Approve => "y",
            Verdict::Deny => "n",
        };
        let bytes: Vec<u8> = self.digest.as_bytes().chunks(2).filter_map(byte).collect();
        format!("{verdict}.{}.{}.{}", self.approval.0, self.rev, URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads it back; `None` for whatever no button of ours says.
    pub(crate) fn of_data(data: &str) -> Option<Self> {
        let mut parts = data.split('.');
        let decision = match parts.next()? {
            "y" => Verdict::Approve,
            "n" => Verdict::Deny,
            _ => return None,
        };
        let approval = ApprovalId(parts.next()?.parse().ok()?);
        let rev = parts.next()?.parse().ok()?;
        let bytes = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        let digest = text::hex(&bytes);
        (parts.next().is_none() && bytes.len() == 32).then_some(Self {
            decision,
            approval,
            rev,
            digest,
        })
    }
}

fn byte(hex: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_carries_the_whole_digest_in_64_bytes() {
        let digest = "00ff".repeat(16);
        let button = Button {
            decision: Verdict::Approve,
            approval: ApprovalId(9_999_999_999),
            rev: 9_999_999,
            digest,
        };
        let data = button.to_data();
        assert!(data.len() <= 64, "{} bytes: {data}", data.len());
        assert_eq!(Button::of_data(&data), Some(button));
        for wrong in ["", "y", "y.1.1.", "y.1.1.AA", "x.1.1.AA", &format!("{data}.1")] {
            assert_eq!(Button::of_data(wrong), None, "{wrong}");
        }
    }
}
