//! Mail over SMTP.

use std::time::Duration;

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

use super::{Surroundings, Trouble};
use crate::{secret::Secret, text};

/// How long each step with the server may take.
const STEP: Duration = Duration::from_secs(15);

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
        match self.transport()?.send(&mail) {
            Ok(_) => Ok(()),
            Err(error) if error.is_timeout() => {
                Err(Trouble::Later("the mail server did not answer in time".to_owned()))
            }
            Err(error) => Err(Trouble::Later(format!("the mail server fails: {}", code(&error)))),
        }
    }

    fn transport(&self) -> Result<SmtpTransport, Trouble> {
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
            .timeout(Some(STEP));
        if let Some((user, password)) = &self.login {
            let login = Credentials::new(user.clone(), password.expose().to_owned());
            transport = transport.credentials(login);
        }
        Ok(transport.build())
    }
}

/// Returns the server's code, or that there was none; its words could hold addresses.
fn code(error: &lettre::transport::smtp::Error) -> String {
    error.status().map_or_else(|| "no connection".to_owned(), |code| format!("code {code}"))
}

fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}
