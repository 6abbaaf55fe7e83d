//! Notices for a person who is not looking: what is worth one, when it is sent, in which words.
//!
//! Pure: time comes in. The words hold ids, risks and counts of our own and nothing that an agent
//! wrote, because terminals and desktops read them.

use std::collections::BTreeSet;

use mc_core::{
    alert::Severity,
    event::{Event, Recorded},
    id::{AlertId, ApprovalId, TaskId},
    message::Message,
    policy::Risk,
    squad::SquadStatus,
    time::Timestamp,
};

use crate::{link::Now, world::World};

/// Between two notices, in milliseconds.
const PAUSE_MS: u64 = 10_000;
/// Where the terminal tells nothing about focus, a person without a key for this long is away.
const AWAY_MS: u64 = 30_000;
/// An approval with less time than this is about to expire, in milliseconds.
const EXPIRING_MS: i64 = 60_000;
/// A link that is down for this long is worth a notice, in milliseconds.
const LOST_MS: u64 = 30_000;

/// Something worth a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Asked(ApprovalId, Risk),
    Expiring(ApprovalId, Risk),
    Critical(AlertId),
    /// Somebody names the operator in the thread of a task.
    Question(TaskId),
    Squad(SquadStatus),
    Lost,
}

impl Edge {
    /// Says whether it rings: what can't wait.
    const fn rings(self) -> bool {
        matches!(
            self,
            Self::Asked(_, Risk::Red)
                | Self::Expiring(..)
                | Self::Critical(_)
                | Self::Squad(SquadStatus::Halted)
        )
    }

    fn words(self) -> String {
        let risk = |risk: Risk| match risk {
            Risk::Green => "GREEN",
            Risk::Yellow => "YELLOW",
            Risk::Red => "RED",
        };
        match self {
            Self::Asked(id, of) => format!("{id} {} waits", risk(of)),
            Self::Expiring(id, of) => format!("{id} {} expires within a minute", risk(of)),
            Self::Critical(id) => format!("{id} critical"),
            Self::Question(task) => format!("{task} asks you"),
            Self::Squad(SquadStatus::Running) => "squad resumed".to_owned(),
            Self::Squad(SquadStatus::Paused) => "squad paused".to_owned(),
            Self::Squad(SquadStatus::Halted) => "squad STOPPED".to_owned(),
            Self::Lost => "no link for 30 s".to_owned(),
        }
    }
}

/// A notice to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// In our own words.
    pub text: String,
    /// Whether it rings.
    pub rings: bool,
}

/// What waits to be told, and whether anybody looks.
#[derive(Debug, Clone, Default)]
pub struct Away {
    has_focus: Option<bool>,
    last_key: u64,
    waiting: Vec<Edge>,
    last_sent: Option<u64>,
    told_expiring: BTreeSet<ApprovalId>,
    lost_since: Option<u64>,
    is_loss_told: bool,
}

impl Away {
    /// The terminal told whether it has the focus.
    pub fn focus(&mut self, has_focus: bool) {
        self.has_focus = Some(has_focus);
    }

    /// A key was pressed: somebody is here.
    pub const fn key(&mut self, steady: u64) {
        self.last_key = steady;
    }

    /// The link went down, or is up again.
    pub fn link(&mut self, is_up: bool, steady: u64) {
        if is_up {
            self.lost_since = None;
            self.is_loss_told = false;
        } else {
            self.lost_since.get_or_insert(steady);
        }
    }

    /// Takes in an event; `me` is the operator, whose own acts are no news.
    pub fn hear(&mut self, recorded: &Recorded, me: Option<&str>) {
        let edge = match &recorded.event {
            Event::ApprovalRequested { approval } if approval.risk != Risk::Green => {
                Edge::Asked(approval.id, approval.risk)
            }
            Event::AlertRaised { alert } if alert.severity == Severity::Critical => {
                Edge::Critical(alert.id)
            }
            Event::MessagePosted { message } if is_to(message, me) => Edge::Question(message.task),
            Event::SquadStatusChanged { to, .. } if me != Some(recorded.actor.name.as_str()) => {
                Edge::Squad(*to)
            }
            _ => return,
        };
        self.waiting.push(edge);
    }

    /// Looks at what time alone has made worth a notice.
    fn look(&mut self, now: Now, time: Timestamp, world: &World) {
        for approval in world.waiting() {
            let left = approval.expires_at.0 - time.0;
            if (1..=EXPIRING_MS).contains(&left) && self.told_expiring.insert(approval.id) {
                self.waiting.push(Edge::Expiring(approval.id, approval.risk));
            }
        }
        let is_long = |since: u64| now.steady.saturating_sub(since) >= LOST_MS;
        if self.lost_since.is_some_and(is_long) && !std::mem::replace(&mut self.is_loss_told, true)
        {
            self.waiting.push(Edge::Lost);
        }
    }

    fn is_here(&self, steady: u64) -> bool {
        self.has_focus.unwrap_or(steady.saturating_sub(self.last_key) < AWAY_MS)
    }

    /// Returns the notice that is due, what has gathered merged into one; none while somebody is
    /// here to see the counters, and at most one in ten seconds.
    pub fn due(&mut self, now: Now, time: Timestamp, world: &World) -> Option<Notice> {
        self.look(now, time, world);
        if self.is_here(now.steady) {
            self.waiting.clear();
            return None;
        }
        if self.waiting.is_empty() || self.due_in(now.steady)? > 0 {
            return None;
        }
        self.last_sent = Some(now.steady);
        let edges = std::mem::take(&mut self.waiting);
        let rings = edges.iter().any(|edge| edge.rings());
        Some(Notice { text: format!("MC: {}", merged(&edges)), rings })
    }

    /// Returns when the next notice may go, in milliseconds.
    pub fn due_in(&self, steady: u64) -> Option<u64> {
        let pause = |sent: u64| (sent + PAUSE_MS).saturating_sub(steady);
        (!self.waiting.is_empty()).then(|| self.last_sent.map_or(0, pause))
    }

    /// Returns when the next approval is about to expire, in milliseconds.
    pub fn expires_in(&self, time: Timestamp, world: &World) -> Option<u64> {
        let untold = |id: &ApprovalId| !self.told_expiring.contains(id);
        let waiting = world.waiting().into_iter().filter(|one| untold(&one.id));
        let soonest = waiting.map(|one| one.expires_at.0 - EXPIRING_MS - time.0).min()?;
        u64::try_from(soonest.max(0)).ok()
    }
}

/// Says whether a message names the operator, by this word or by their name, and is not their own.
fn is_to(message: &Message, me: Option<&str>) -> bool {
    let names_me = |name: &String| name == "operator" || Some(name.as_str()) == me;
    me != Some(message.author.name.as_str()) && message.mentions.iter().any(names_me)
}

/// One thing in words, several as counts.
fn merged(edges: &[Edge]) -> String {
    if let [one] = edges {
        return one.words();
    }
    let count = |is: fn(&Edge) -> bool| edges.iter().filter(|edge| is(edge)).count();
    let red = count(|edge| matches!(edge, Edge::Asked(_, Risk::Red)));
    let asked = count(|edge| matches!(edge, Edge::Asked(..)));
    let expiring = count(|edge| matches!(edge, Edge::Expiring(..)));
    let critical = count(|edge| matches!(edge, Edge::Critical(_)));
    let questions = count(|edge| matches!(edge, Edge::Question(_)));
    let mut words = Vec::new();
    let mut add = |count: usize, one: &str, many: &str| match count {
        0 => {}
        1 => words.push(format!("1 {one}")),
        _ => words.push(format!("{count} {many}")),
    };
    add(asked, "approval waits", "approvals wait");
    add(red, "RED", "RED");
    add(expiring, "expires within a minute", "expire within a minute");
    add(critical, "critical alert", "critical alerts");
    add(questions, "question to you", "questions to you");
    let mut rest = edges.iter().filter(|edge| matches!(edge, Edge::Squad(_) | Edge::Lost));
    words.extend(rest.next_back().map(|edge| edge.words()));
    words.join(", ")
}

/// How a notice leaves through the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Way {
    /// Not at all.
    Off,
    /// By ringing.
    #[default]
    Bell,
    /// By OSC 9: iTerm2, `WezTerm`, ghostty, Windows Terminal.
    Osc9,
    /// By OSC 777: foot, urxvt, ghostty.
    Osc777,
    /// By OSC 99: kitty.
    Osc99,
}

/// Returns the bytes that tell `notice` to the terminal. Inside tmux they are wrapped so that they
/// pass, and ring too, because tmux lets nothing pass by default.
pub fn bytes(notice: &Notice, way: Way, is_tmux: bool) -> Vec<u8> {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || " -,.:".contains(*c);
    let text: String = notice.text.chars().filter(is_plain).take(120).collect();
    let told = match way {
        Way::Off => return Vec::new(),
        Way::Bell => String::new(),
        Way::Osc9 => format!("\x1b]9;{text}\x1b\\"),
        Way::Osc777 => format!("\x1b]777;notify;Mission Control;{text}\x1b\\"),
        Way::Osc99 => format!("\x1b]99;i=mc;{text}\x1b\\"),
    };
    let mut all = if is_tmux && !told.is_empty() {
        format!("\x1bPtmux;{}\x1b\\", told.replace('\x1b', "\x1b\x1b"))
    } else {
        told
    };
    if notice.rings || (is_tmux && way != Way::Bell) {
        all.push('\x07');
    }
    all.into_bytes()
}

#[cfg(test)]
mod tests {
    use mc_core::{actor::Actor, id::MessageId, message::MessageKind};

    use super::*;

    fn now(steady: u64) -> Now {
        Now { steady, wall: Timestamp(0) }
    }

    fn due(away: &mut Away, steady: u64) -> Option<String> {
        away.due(now(steady), Timestamp(0), &World::default()).map(|notice| notice.text)
    }

    fn asked(id: i64, risk: Risk) -> Edge {
        Edge::Asked(ApprovalId(id), risk)
    }

    #[test]
    fn who_looks_hears_nothing_and_who_is_away_at_most_once_in_ten_seconds() {
        let mut away = Away::default();
        away.key(100_000);
        away.waiting.push(asked(1, Risk::Red));
        assert_eq!(due(&mut away, 110_000), None, "a key ten seconds ago: somebody is here");
        assert_eq!(due(&mut away, 140_000), None, "what was on the screen is no news later");
        away.waiting.push(asked(2, Risk::Red));
        assert_eq!(due(&mut away, 141_000).as_deref(), Some("MC: A-2 RED waits"));
        away.waiting.extend([asked(3, Risk::Yellow), asked(4, Risk::Red)]);
        assert_eq!((due(&mut away, 145_000), away.due_in(145_000)), (None, Some(6_000)));
        let merged = due(&mut away, 151_000);
        assert_eq!(merged.as_deref(), Some("MC: 2 approvals wait, 1 RED"));
        away.focus(true);
        away.waiting.push(asked(5, Risk::Red));
        assert_eq!(due(&mut away, 200_000), None);
        away.focus(false);
        away.key(200_000);
        away.waiting.push(asked(6, Risk::Yellow));
        assert!(due(&mut away, 200_001).is_some(), "the terminal knows better than the last key");
    }

    #[test]
    fn who_names_the_operator_is_told_of_and_who_talks_among_themselves_is_not() {
        let mut away = Away::default();
        let mut say = |author: Actor, mentions: &[&str]| {
            let message = Message {
                id: MessageId(1),
                task: TaskId(7),
                author: author.clone(),
                kind: MessageKind::Comment,
                text: "which way?".to_owned(),
                mentions: mentions.iter().map(|&name| name.to_owned()).collect(),
                reply_to: None,
                artifacts: Vec::new(),
                at: Timestamp(0),
            };
            let event = Event::MessagePosted { message: Box::new(message) };
            let (seq, at) = (1, Timestamp(0));
            let cause = "message.post".to_owned();
            let recorded = Recorded { seq, at, actor: author, cause, reason: None, event };
            away.hear(&recorded, Some("ana"));
            due(&mut away, 100_000)
        };
        assert_eq!(say(Actor::agent("wren"), &["crow"]), None);
        assert_eq!(say(Actor::system("loops"), &[]), None);
        assert_eq!(say(Actor::agent("wren"), &["operator"]).as_deref(), Some("MC: T-7 asks you"));
        let two = [Edge::Question(TaskId(1)), Edge::Question(TaskId(2))];
        assert_eq!(merged(&two), "2 questions to you");
        assert!(!two[0].rings());
    }

    #[test]
    fn a_link_that_is_down_for_long_is_told_once() {
        let mut away = Away::default();
        away.link(false, 100_000);
        away.link(false, 120_000);
        assert_eq!(due(&mut away, 129_000), None);
        assert_eq!(due(&mut away, 130_000).as_deref(), Some("MC: no link for 30 s"));
        assert_eq!(due(&mut away, 200_000), None);
        away.link(true, 201_000);
        away.link(false, 202_000);
        assert!(due(&mut away, 232_000).is_some());
    }

    #[test]
    fn the_bytes_are_what_terminals_read_and_hold_no_foreign_sequence() {
        let notice = |rings| Notice { text: "MC: A-1 RED\x1b]0;x\x07 waits".to_owned(), rings };
        let sent =
            |way, is_tmux, rings| String::from_utf8(bytes(&notice(rings), way, is_tmux)).unwrap();
        assert_eq!(sent(Way::Off, true, true), "");
        assert_eq!(
            (sent(Way::Bell, false, true).as_str(), sent(Way::Bell, true, false).as_str()),
            ("\x07", "")
        );
        assert_eq!(sent(Way::Osc9, false, false), "\x1b]9;MC: A-1 RED0x waits\x1b\\");
        assert_eq!(
            sent(Way::Osc777, true, false),
            "\x1bPtmux;\x1b\x1b]777;notify;Mission Control;MC: A-1 RED0x waits\x1b\x1b\\\x1b\\\x07"
        );
        assert_eq!(sent(Way::Osc99, false, true), "\x1b]99;i=mc;MC: A-1 RED0x waits\x1b\\\x07");
    }
}
