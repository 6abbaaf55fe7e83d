//! HTTP as all sinks need it: one POST, no redirect followed, everything bounded in time and size.

use std::{io::Read as _, time::Duration};

use ureq::{
    Agent,
    tls::{RootCerts, TlsConfig},
};

use super::{Trouble, is_untrusted};

/// How long a connection may take at most.
const CONNECT: Duration = Duration::from_secs(5);
/// How much of an answer is read, in bytes.
const ANSWER: u64 = 64 * 1024;

/// The HTTP client.
#[derive(Debug, Clone)]
pub(crate) struct Http(Agent);

/// What is posted.
pub(crate) struct Post<'a> {
    /// Where to; never logged.
    pub(crate) url: &'a str,
    /// Headers beside the media type.
    pub(crate) headers: &'a [(&'static str, String)],
    /// The body, JSON.
    pub(crate) body: &'a str,
}

impl Http {
    /// Returns a client that trusts what this machine trusts, and gives all of a request so long.
    pub(crate) fn within(whole: Duration) -> Self {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .timeout_connect(Some(CONNECT.min(whole)))
            .timeout_global(Some(whole))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_response_header_size(16 * 1024)
            .user_agent(concat!("mission-control/", env!("CARGO_PKG_VERSION")))
            .build();
        Self(config.new_agent())
    }

    /// Posts JSON and returns the beginning of the answer.
    ///
    /// # Errors
    ///
    /// A [`Trouble`] for everything but a 2xx.
    pub(crate) fn post(&self, post: &Post<'_>) -> Result<String, Trouble> {
        let mut request = self.0.post(post.url).header("content-type", "application/json");
        for (name, value) in post.headers {
            request = request.header(*name, value);
        }
        let answer = request.send(post.body).map_err(|error| Trouble::Later(words(&error)))?;
        let status = answer.status().as_u16();
        let asked = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let asked = asked.and_then(|text| text.trim().parse().ok());
        let mut body = Vec::new();
        // What does not come counts as not said; the status decides.
        answer.into_body().into_reader().take(ANSWER).read_to_end(&mut body).ok();
        match status {
            200..=299 => Ok(String::from_utf8_lossy(&body).into_owned()),
            300..=399 => {
                Err(Trouble::Later(format!("answered {status}; redirects are not followed")))
            }
            429 | 503 => Err(match asked.or_else(|| retry_after(&body)) {
                Some(seconds) => {
                    let text = format!("answered {status} and asks for {seconds} s of rest");
                    Trouble::Busy(text, Duration::from_secs(seconds))
                }
                None => Trouble::Later(format!("answered {status}")),
            }),
            400 | 413 | 422 => Err(Trouble::Content(format!("answered {status}"))),
            _ => Err(Trouble::Later(format!("answered {status}"))),
        }
    }
}

/// Returns the rest that Telegram asks for in its body, in seconds.
fn retry_after(body: &[u8]) -> Option<u64> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    body.pointer("/parameters/retry_after")?.as_u64()
}

/// Returns what went wrong, without the address.
#[expect(clippy::wildcard_enum_match_arm, reason = "the words of the rest hold addresses")]
fn words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(what) => format!("no answer in time ({what})"),
        ureq::Error::Io(error) if is_untrusted(error) => {
            "its certificate is not trusted".to_owned()
        }
        ureq::Error::Io(error) => format!("no connection: {}", error.kind()),
        ureq::Error::HostNotFound => "its host has no address".to_owned(),
        ureq::Error::ConnectionFailed => "no connection".to_owned(),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => "its certificate is not trusted".to_owned(),
        ureq::Error::BodyExceedsLimit(_) => "its answer is too long".to_owned(),
        _ => "it does not speak HTTP as expected".to_owned(),
    }
}
