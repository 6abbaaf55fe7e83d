//! `mcctl alert` and `mcctl notification`: what a person or an agent has to know.

use clap::{Args, Subcommand};
use mc_core::{
    alert::{Alert, AlertStatus, Notification, Severity},
    id::{AlertId, NotificationId},
    time::Timestamp,
};
use mc_proto::method::squad::{
    AlertAck, AlertList, AlertResolve, NotificationAck, NotificationList,
};

use crate::{
    context::Context,
    failure::{Exit, Failure},
    paging::{self, Paging},
    table::{Cell, Table, Tone, cell, maybe, rest},
    text,
    words::{one_of, word},
};

/// What can be done with alerts.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List alerts, newest first.
    List {
        /// Only with this status.
        #[arg(long, value_parser = one_of::<AlertStatus>(&["open", "acknowledged", "resolved"]))]
        status: Option<AlertStatus>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Say that somebody has seen it.
    Ack(OfAlert),
    /// Say that it is over.
    Resolve(OfAlert),
}

/// Which alert.
#[derive(Debug, Args)]
pub(crate) struct OfAlert {
    /// The alert, such as W-2.
    #[arg(value_name = "W-n")]
    alert: AlertId,
    /// A note.
    #[arg(long)]
    note: Option<String>,
}

/// What can be done with notices.
#[derive(Debug, Subcommand)]
pub(crate) enum NoticeVerb {
    /// List the caller's notices, newest first.
    List {
        /// Only those that were not acknowledged.
        #[arg(long)]
        unread: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// Say that notices arrived.
    Ack {
        /// The notice, such as N-5; more can follow.
        #[arg(value_name = "N-n", required = true)]
        notifications: Vec<NotificationId>,
    },
}

/// Carries a verb out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(verb: Verb, cx: &mut Context) -> Result<Exit, Failure> {
    let one = |alert: &Alert, now: Timestamp| alerts(std::slice::from_ref(alert), now);
    match verb {
        Verb::List { status, paging } => {
            let ask = |limit, cursor| AlertList { status, limit, cursor };
            paging::list(cx, &paging, ask, alerts)
        }
        Verb::Ack(of) => cx.show(&AlertAck { alert: of.alert, note: of.note }, one),
        Verb::Resolve(of) => cx.show(&AlertResolve { alert: of.alert, note: of.note }, one),
    }
}

/// Carries a verb out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn notices(verb: NoticeVerb, cx: &mut Context) -> Result<Exit, Failure> {
    match verb {
        NoticeVerb::List { unread, paging } => {
            let ask = |limit, cursor| NotificationList { unread, limit, cursor };
            paging::list(cx, &paging, ask, rows)
        }
        NoticeVerb::Ack { notifications } => {
            for notification in notifications {
                let one = |notice: &Notification, now| rows(std::slice::from_ref(notice), now);
                cx.show(&NotificationAck { notification }, one)?;
            }
            Ok(Exit::Done)
        }
    }
}

const fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Info => Tone::Plain,
        Severity::Warning => Tone::Warn,
        Severity::Error | Severity::Critical => Tone::Bad,
    }
}

fn alerts(alerts: &[Alert], now: Timestamp) -> String {
    if alerts.is_empty() {
        return String::new();
    }
    let mut table =
        Table::new(&["ID", "SEVERITY", "KIND", "STATUS", "AGE", "AGENT", "TASK", "WHAT"]);
    for alert in alerts {
        table.row([
            Cell::new(alert.id, Tone::Strong),
            Cell::new(word(alert.severity), tone(alert.severity)),
            cell(word(alert.kind)),
            cell(word(alert.status)),
            cell(text::age(now, alert.at)),
            maybe(alert.agent.as_ref()),
            maybe(alert.task),
            rest(what(alert)),
        ]);
    }
    table.to_string()
}

/// Returns what is wrong and what to do about it, both whole.
fn what(alert: &Alert) -> String {
    match &alert.next {
        Some(next) => format!("{}; next: {next}", alert.text),
        None => alert.text.clone(),
    }
}

fn rows(notices: &[Notification], now: Timestamp) -> String {
    if notices.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["ID", "KIND", "AGE", "READ", "TASK", "APPROVAL", "TEXT"]);
    for notice in notices {
        table.row([
            Cell::new(notice.id, Tone::Strong),
            cell(word(notice.kind)),
            cell(text::age(now, notice.at)),
            cell(if notice.acked_at.is_some() { "yes" } else { "no" }),
            maybe(notice.task),
            maybe(notice.approval),
            rest(&notice.text),
        ]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_and_what_to_do_stand_whole_in_the_list() {
        let text = "a model has no price, and what it used counts as the dearest one ".repeat(3);
        let alert: Alert = serde_json::from_value(serde_json::json!({
            "id": "W-1", "severity": "warning", "kind": "delivery", "text": text.trim(),
            "next": "set its price with `mcctl cost price` and then correct what was counted",
            "status": "open", "at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
        }))
        .unwrap();
        let shown = alerts(&[alert], "2026-01-01T00:01:00Z".parse().unwrap());
        assert!(shown.contains(text.trim()), "{shown}");
        assert!(shown.contains(
            "; next: set its price with `mcctl cost price` and then correct what was counted"
        ));
    }
}
