//! The ways out: one file a kind of sink. Each sends one delivery and says how it ended.

pub(crate) mod desktop;
pub(crate) mod email;
mod http;
pub(crate) mod ntfy;
pub(crate) mod slack;
pub(crate) mod telegram;
pub(crate) mod webhook;

use std::time::Duration;

use mc_core::{delivery::Delivery, id::ApprovalId};
use mc_proto::method::delivery::{Done, Outcome};

pub(crate) use self::http::Http;
use self::telegram::{Question, Telegram};

/// How often a receiver must say that it can't take a content before it is believed.
const BELIEVED: i64 = 5;

/// A way out.
#[derive(Debug)]
pub(crate) enum Sink {
    /// This machine's desktop.
    Desktop(desktop::Desktop),
    /// Slack.
    Slack(slack::Slack),
    /// A webhook of one's own.
    Webhook(webhook::Webhook),
    /// Telegram.
    Telegram(Telegram),
    /// ntfy.
    Ntfy(ntfy::Ntfy),
    /// Mail.
    Email(email::Email),
}

/// Why a try failed; neither addresses nor secrets stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It may work later.
    Later(String),
    /// It asks to be left alone for a while.
    Busy(String, Duration),
    /// The receiver can't take this content.
    Content(String),
    /// It makes no sense to try this one again.
    Moot(String),
}

impl Trouble {
    /// Writes into `done` what the daemon is told, after `failures` earlier tries.
    pub(crate) fn report(self, done: &mut Done, failures: i64) {
        done.outcome = match &self {
            Self::Moot(_) => Outcome::Refused,
            Self::Content(_) if failures >= BELIEVED => Outcome::Refused,
            Self::Later(_) | Self::Busy(..) | Self::Content(_) => Outcome::Failed,
        };
        if let Self::Busy(_, wait) = &self {
            done.retry_after_ms = u64::try_from(wait.as_millis()).ok();
        }
        let (Self::Later(text) | Self::Busy(text, _) | Self::Content(text) | Self::Moot(text)) =
            self;
        done.error = Some(text);
    }
}

/// What all ways out need.
#[derive(Debug)]
pub(crate) struct Surroundings {
    /// The squad's name.
    pub(crate) squad: String,
    /// The HTTP client.
    pub(crate) http: Http,
    /// How long a receiver may take to answer.
    pub(crate) answer: Duration,
}

impl Sink {
    /// Returns the bot whose buttons are answers, where there is one.
    pub(crate) fn takes_answers(&self) -> Option<&Telegram> {
        match self {
            Self::Telegram(sink) if !sink.decide_by.is_empty() => Some(sink),
            Self::Telegram(_)
            | Self::Desktop(_)
            | Self::Slack(_)
            | Self::Webhook(_)
            | Self::Ntfy(_)
            | Self::Email(_) => None,
        }
    }

    /// Returns the approvals of a delivery that are put for an answer.
    pub(crate) fn asks(&self, delivery: &Delivery) -> Vec<ApprovalId> {
        self.takes_answers().map(|sink| sink.asks(delivery)).unwrap_or_default()
    }

    /// Sends a delivery, with the questions that it asks where answers are taken.
    ///
    /// # Errors
    ///
    /// Any [`Trouble`].
    pub(crate) fn send(
        &self,
        around: &Surroundings,
        delivery: &Delivery,
        questions: &[Question],
    ) -> Result<(), Trouble> {
        match self {
            Self::Desktop(sink) => sink.send(around, delivery),
            Self::Slack(sink) => sink.send(around, delivery),
            Self::Webhook(sink) => sink.send(around, delivery),
            Self::Telegram(sink) => sink.send(around, delivery, questions),
            Self::Ntfy(sink) => sink.send(around, delivery),
            Self::Email(sink) => sink.send(around, delivery),
        }
    }
}

/// Says whether a connection failed because nobody vouches for who is at its other end.
fn is_untrusted(error: &(dyn std::error::Error + 'static)) -> bool {
    // An I/O error shows what it wraps, and not as its source.
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    if let Some(wrapped) = wrapped {
        return is_untrusted(wrapped);
    }
    let tls = error.downcast_ref::<rustls::Error>();
    matches!(tls, Some(rustls::Error::InvalidCertificate(_)))
        || error.source().is_some_and(is_untrusted)
}
