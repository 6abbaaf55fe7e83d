//! Telegram: a bot that writes to one chat.

use mc_core::delivery::Delivery;
use serde_json::json;

use super::{Surroundings, Trouble, http::Post};
use crate::{secret::Secret, text};

/// The bot and the chat.
#[derive(Debug)]
pub(crate) struct Telegram {
    pub(crate) base: Secret,
    pub(crate) token: Secret,
    pub(crate) chat: i64,
}

impl Telegram {
    pub(super) fn send(&self, around: &Surroundings, delivery: &Delivery) -> Result<(), Trouble> {
        let body = json!({
            "chat_id": self.chat,
            "text": text::plain(&around.squad, delivery),
            "link_preview_options": {"is_disabled": true},
        })
        .to_string();
        let base = self.base.expose().trim_end_matches('/');
        let url = zeroize::Zeroizing::new(format!("{base}/bot{}/sendMessage", self.token.expose()));
        around.http.post(&Post { url: &url, headers: &[], body: &body }).map(drop)
    }
}
