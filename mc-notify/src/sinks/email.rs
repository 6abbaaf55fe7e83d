//! Mail over SMTP.

use lettre::{
    Message, SmtpTransport, Transport as _,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls as Wire, TlsParameters},
    },
};
use mc_core::delivery::Delivery;
use serde::Deserialize;

use super::{Surroundings, Trouble, is_untrusted};
use crate::{secret::Secret, text};

/// The codes of a server that does not want this mail, while it may well want the next one.
const REFUSED: std::ops::RangeInclusive<u16> = 550..=554;

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Encryption {
    /// From the first byte.
    #[default]
    Tls,
    /// After a word in clear; never without.
    Starttls,
    /// Not at all: for a mail server on this machine.
    None,
}

impl Encryption {
    /// Returns the usual port.
    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::Starttls => 587,
            Self::None => 25,
        }
    }
}

/// A mail server, and from whom to whom.
#[derive(Debug)]
pub(crate) struct Email {
    pub(crate) server: String,
    pub(crate) port: u16,
    pub(crate) tls: Encryption,
    pub(crate) login: Option<(String, Secret)>,
    pub(crate) from: Mailbox,
    pub(crate) to: Vec<Mailbox>,
}

impl Email {
    pub(super) fn send(&self, around: &Surroundings, delivery: &Delivery) -> Result<(), Trouble> {
        let moot = |error: lettre::error::Error| Trouble::Moot(error.to_string());
        // The same id at every try: what arrives twice is seen to be one mail.
        let id = format!("<{}.{}@mission-control.invalid>", plain(&around.squad), delivery.id);
        let mut mail = Message::builder()
            .from(self.from.clone())
            .subject(text::subject(&around.squad, delivery))
            .message_id(Some(id))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        let mail = mail.body(text::plain(&around.squad, delivery)).map_err(moot)?;
        self.transport(around)?.send(&mail).map(drop).map_err(|error| trouble(&error))
    }

    fn transport(&self, around: &Surroundings) -> Result<SmtpTransport, Trouble> {
        let parameters = || {
            TlsParameters::new(self.server.clone())
                .map_err(|error| Trouble::Later(format!("TLS can't begin: {error}")))
        };
        let encryption = match self.tls {
            Encryption::Tls => Wire::Wrapper(parameters()?),
            Encryption::Starttls => Wire::Required(parameters()?),
            Encryption::None => Wire::None,
        };
        let mut transport = SmtpTransport::builder_dangerous(&self.server)
            .port(self.port)
            .tls(encryption)
            .timeout(Some(around.answer));
        if let Some((user, password)) = &self.login {
            let login = Credentials::new(user.clone(), password.expose().to_owned());
            transport = transport.credentials(login);
        }
        Ok(transport.build())
    }
}

/// Returns what went wrong by the server's code; its words could hold addresses.
fn trouble(error: &lettre::transport::smtp::Error) -> Trouble {
    if error.is_timeout() {
        return Trouble::Later("the mail server did not answer in time".to_owned());
    }
    if error.is_tls() || is_untrusted(error) {
        return Trouble::Later("the mail server's certificate is not trusted".to_owned());
    }
    let Some(code) = error.status().map(u16::from) else {
        return Trouble::Later("the mail server fails: no connection".to_owned());
    };
    let text = format!("the mail server fails: code {code}");
    if REFUSED.contains(&code) { Trouble::Content(text) } else { Trouble::Later(text) }
}

fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}
