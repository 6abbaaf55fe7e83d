//! The desktop of this machine, where there is one. A desktop that is not there is nobody's fault
//! and is not tried again: such a notice is of the moment.

use std::{sync::mpsc, time::Duration};

use mc_core::{alert::Severity, delivery::Delivery};
use notify_rust::{Notification, Urgency};

use super::{Surroundings, Trouble};
use crate::text;

/// How long the desktop may take: a bus that never answers would block for ever.
const ANSWER: Duration = Duration::from_secs(3);

/// The desktop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Desktop;

impl Desktop {
    #[expect(clippy::unused_self, reason = "every way out is called alike")]
    pub(super) fn send(self, around: &Surroundings, delivery: &Delivery) -> Result<(), Trouble> {
        let mut notice = Notification::new();
        notice.appname("Mission Control").summary(&text::subject(&around.squad, delivery));
        notice.urgency(urgency(delivery.severity));
        let (told, answer) = mpsc::channel();
        std::thread::spawn(move || {
            // Who no longer waits does not need the answer.
            told.send(notice.show().map(drop).map_err(|error| error.to_string())).ok();
        });
        match answer.recv_timeout(ANSWER) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Trouble::Moot("there is no desktop".to_owned())),
            Err(_) => Err(Trouble::Moot("the desktop did not answer within 3 s".to_owned())),
        }
    }
}

const fn urgency(severity: Severity) -> Urgency {
    match severity {
        Severity::Info => Urgency::Low,
        Severity::Warning | Severity::Error => Urgency::Normal,
        Severity::Critical => Urgency::Critical,
    }
}
