//! ntfy: a topic on ntfy.sh or on a server of one's own.

use mc_core::{alert::Severity, delivery::Delivery};
use serde_json::json;

use super::{Surroundings, Trouble, http::Post};
use crate::{secret::Secret, text};

/// The topic; who knows its name reads it.
#[derive(Debug)]
pub(crate) struct Ntfy {
    pub(crate) url: Secret,
    pub(crate) topic: Secret,
    pub(crate) token: Option<Secret>,
}

impl Ntfy {
    pub(super) fn send(&self, around: &Surroundings, delivery: &Delivery) -> Result<(), Trouble> {
        let body = json!({
            "topic": self.topic.expose(),
            "title": text::subject(&around.squad, delivery),
            "message": text::plain(&around.squad, delivery),
            "priority": priority(delivery.severity),
        })
        .to_string();
        let token = self.token.as_ref();
        let headers: Vec<_> = token
            .map(|token| ("authorization", format!("Bearer {}", token.expose())))
            .into_iter()
            .collect();
        let post = Post { url: self.url.expose(), headers: &headers, body: &body };
        around.http.post(&post).map(drop)
    }
}

const fn priority(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 2,
        Severity::Warning => 3,
        Severity::Error => 4,
        Severity::Critical => 5,
    }
}
