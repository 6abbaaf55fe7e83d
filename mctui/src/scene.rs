//! What all screens share: the world, the link, the filter and the clock.

use mc_core::{actor::Role, filter::View, id::TaskId, task::TaskCard};
use mc_proto::method::session::WhoAmI;

use crate::{
    link::{LinkState, Now},
    overlays::Overlay,
    query::Query,
    world::World,
};

/// The passphrase of the demo's operator: everybody may know it.
pub const DEMO_PASSPHRASE: &str = "demo";

/// How times are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Times {
    /// How long ago.
    #[default]
    Ages,
    /// The time of day in UTC.
    Clock,
}

/// A call that was sent and has no answer yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its number.
    pub ticket: u64,
    /// What it is, in our words.
    pub label: String,
    /// The task whose card shows `~` meanwhile.
    pub task: Option<TaskId>,
    /// When it was sent, on the steady clock.
    pub since: u64,
}

/// What all screens share.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// What the daemon told.
    pub world: World,
    /// How the link stands.
    pub link: LinkState,
    /// This moment.
    pub now: Now,
    /// Who we are to the daemon.
    pub me: Option<WhoAmI>,
    /// The filter in force.
    pub query: Query,
    /// How times are shown.
    pub times: Times,
    /// Acts that were sent and not confirmed.
    pub pending: Vec<Pending>,
    /// Whether this is the demo.
    pub is_demo: bool,
    /// The socket, for the start page.
    pub socket: String,
    /// The halt file, for Emergency.
    pub halt_file: String,
}

impl Scene {
    /// Returns the daemon's time.
    pub fn time(&self) -> mc_core::time::Timestamp {
        self.link.daemon_time(self.now)
    }

    /// Returns how long ago `at` was, or its time of day.
    pub fn when(&self, at: mc_core::time::Timestamp) -> String {
        match self.times {
            Times::Ages => crate::format::age(self.time().since(at)),
            Times::Clock => crate::format::minute(at),
        }
    }

    /// Returns why nothing can be done at the moment, if so.
    pub fn obstacle(&self) -> Option<String> {
        let viewer = self.me.as_ref().is_some_and(|me| me.role == Some(Role::Viewer));
        self.link.obstacle(self.now).or_else(|| {
            viewer.then(|| "you are a viewer: you see everything and change nothing".to_owned())
        })
    }

    /// Says whether `task` has an act that is not confirmed.
    pub fn is_pending(&self, task: TaskId) -> bool {
        self.pending.iter().any(|pending| pending.task == Some(task))
    }

    /// Returns who asks, and when, for the filter.
    pub fn view(&self) -> View<'_> {
        View { now: self.time(), me: self.me.as_ref().map(|me| me.name.as_str()) }
    }

    /// Says whether the filter lets `task` through.
    pub fn shows(&self, task: &TaskCard) -> bool {
        self.query.matches_task(task, &self.view())
    }
}

/// What a screen wants after a key.
#[derive(Debug)]
pub enum Intent {
    /// Open a task.
    OpenTask(TaskId),
    /// Open an approval.
    OpenApproval(mc_core::id::ApprovalId),
    /// Open an agent on the fleet.
    OpenAgent(mc_core::agent::AgentName),
    /// Open an alert.
    OpenAlert(mc_core::id::AlertId),
    /// Open a dialog.
    Show(Box<Overlay>),
    /// Open something to look at, which needs no link and no role.
    Look(Box<Overlay>),
    /// Put this into the clipboard.
    Copy(String),
    /// Write this to a file that only we can read.
    Save(String),
    /// Write the screen as it stands under the menu.
    Shot,
    /// Filter the view.
    Filter(String),
    /// Say something in the notice line.
    Say(String),
}
