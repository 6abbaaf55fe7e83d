//! Slack's incoming webhooks.

use mc_core::delivery::Delivery;
use serde_json::json;

use super::{Surroundings, Trouble, http::Post};
use crate::{secret::Secret, text};

/// The webhook of a channel.
#[derive(Debug)]
pub(crate) struct Slack {
    pub(crate) url: Secret,
}

impl Slack {
    pub(super) fn send(&self, around: &Surroundings, delivery: &Delivery) -> Result<(), Trouble> {
        let text = escape(&text::plain(&around.squad, delivery));
        let body = json!({"text": text, "unfurl_links": false, "unfurl_media": false}).to_string();
        let post = Post { url: self.url.expose(), headers: &[], body: &body };
        around.http.post(&post).map(drop)
    }
}

/// Takes the meaning off the three characters that have one: no link, no mention of a channel.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_called_by_a_title() {
        assert_eq!(escape("<!channel> a & b"), "&lt;!channel&gt; a &amp; b");
    }
}
