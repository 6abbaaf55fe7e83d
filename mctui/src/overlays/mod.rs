//! What opens over a screen: dialogs, menus, help, and Emergency above all of them.

pub mod bound;
pub mod bulk;
pub mod catalog;
pub mod copy;
pub mod decide;
pub mod edit;
pub mod emergency;
pub mod factor;
pub mod find;
pub mod form;
pub mod forms;
pub mod help;
pub mod links;
pub mod menu;
pub mod remember;
pub mod report;
pub mod resume;
pub mod rules;
pub mod schedules;
pub mod spend;
mod stopped;
pub mod told;
pub mod unlock;
pub mod views;

use mc_proto::method::session::SecondFactor;
use ratatui::layout::Rect;

use crate::{
    keymap::Key,
    request::{Act, Call, Request},
    scene::{Intent, Scene},
    widgets::Canvas,
};

/// Something that is open over a screen and has the keys.
#[derive(Debug)]
pub enum Overlay {
    /// A decision on an approval.
    Decide(decide::Decide),
    /// A decision on a marked set.
    Bulk(bulk::Bulk),
    /// Other arguments for a request.
    Edit(edit::Edit),
    /// Fields to fill, and a confirmation.
    Form(form::Form),
    /// One of several.
    Menu(menu::Menu),
    /// The passphrase.
    Unlock(unlock::Unlock),
    /// The second factor.
    Factor(Box<factor::Factor>),
    /// The keys.
    Help(help::Help),
    /// What became of something, to read.
    Report(report::Report),
    /// The standing rules.
    Rules(rules::Rules),
    /// The tasks that a stop blocked.
    Resume(resume::Resume),
    /// The schedules.
    Schedules(schedules::Schedules),
    /// The runs behind a number.
    Spend(spend::Spend),
    /// Find everywhere.
    Find(find::Find),
}

/// What a dialog wants after a key.
#[derive(Debug)]
pub enum Outcome {
    /// Stays open.
    Stay,
    /// Closes.
    Close,
    /// Closes and goes on to this.
    Go(Box<Intent>),
    /// Stays and opens another over itself.
    Over(Box<Overlay>),
    /// Sends this; stays open until it is answered.
    Send(Box<Act>),
    /// Asks this; stays open until it is answered.
    Ask(Call),
    /// Closes and keeps the second factor for exactly this act.
    Keep(Box<Act>, SecondFactor),
    /// Stays and asks the terminal for something.
    Do(Request),
    /// Stays and rings: the key was refused.
    Refuse(&'static str),
}

impl Overlay {
    /// Takes in a key.
    pub fn press(&mut self, key: Key, scene: &Scene) -> Outcome {
        match self {
            Self::Decide(dialog) => dialog.press(key, scene),
            Self::Form(dialog) => dialog.press(key, scene),
            Self::Menu(dialog) => dialog.press(key),
            Self::Unlock(dialog) => dialog.press(key),
            Self::Factor(dialog) => dialog.press(key),
            Self::Help(dialog) => dialog.press(key),
            Self::Bulk(dialog) => dialog.press(key, scene),
            Self::Edit(dialog) => dialog.press(key, scene),
            Self::Report(dialog) => dialog.press(key),
            Self::Rules(dialog) => dialog.press(key),
            Self::Resume(dialog) => dialog.press(key),
            Self::Schedules(dialog) => dialog.press(key),
            Self::Spend(dialog) => dialog.press(key),
            Self::Find(dialog) => dialog.press(key, scene),
        }
    }

    /// Takes in a paste.
    pub fn paste(&mut self, pasted: &str) -> Outcome {
        match self {
            Self::Decide(dialog) => dialog.paste(pasted),
            Self::Form(dialog) => dialog.paste(pasted),
            Self::Unlock(dialog) => dialog.paste(pasted),
            Self::Factor(dialog) => dialog.paste(pasted),
            Self::Bulk(dialog) => dialog.paste(pasted),
            Self::Edit(dialog) => dialog.paste(pasted),
            Self::Find(dialog) => dialog.paste(pasted),
            Self::Help(_)
            | Self::Menu(_)
            | Self::Report(_)
            | Self::Resume(_)
            | Self::Rules(_)
            | Self::Schedules(_)
            | Self::Spend(_) => Outcome::Stay,
        }
    }

    /// Takes in how the world has changed below it.
    pub fn watch(&mut self, scene: &Scene) {
        match self {
            Self::Decide(dialog) => dialog.watch(scene),
            Self::Bulk(dialog) => dialog.watch(scene),
            Self::Edit(dialog) => dialog.watch(scene),
            Self::Rules(dialog) => dialog.list.watch(scene),
            Self::Resume(dialog) => dialog.watch(scene),
            Self::Schedules(dialog) => dialog.list.watch(scene),
            Self::Factor(dialog) => dialog.watch(scene),
            Self::Find(dialog) => dialog.watch(scene),
            _ => {}
        }
    }

    /// Starts the time anew in which a decision ignores keys: something else had covered it.
    pub fn reopen(&mut self, steady: u64) {
        match self {
            Self::Decide(dialog) => dialog.reopen(steady),
            Self::Bulk(dialog) => dialog.reopen(steady),
            Self::Edit(dialog) => dialog.reopen(steady),
            _ => {}
        }
    }

    /// Notes that it was drawn in `area`, uncovered; says whether that changes what it shows.
    pub fn drawn(&mut self, area: Rect) -> bool {
        match self {
            Self::Bulk(dialog) => dialog.drawn(area),
            Self::Report(dialog) => dialog.drawn(area),
            _ => false,
        }
    }

    /// Returns the standing rules, if it is their list.
    pub fn as_rules(&mut self) -> Option<&mut rules::Rules> {
        if let Self::Rules(rules) = self { Some(rules) } else { None }
    }

    /// Returns the schedules, if it is their list.
    pub fn as_schedules(&mut self) -> Option<&mut schedules::Schedules> {
        if let Self::Schedules(schedules) = self { Some(schedules) } else { None }
    }

    /// Returns the runs behind a number, if it is their list.
    pub fn as_spend(&mut self) -> Option<&mut spend::Spend> {
        if let Self::Spend(spend) = self { Some(spend) } else { None }
    }

    /// Says whether every printable key goes into a field.
    pub fn is_typing(&self) -> bool {
        match self {
            Self::Decide(dialog) => dialog.is_typing(),
            Self::Form(dialog) => dialog.is_typing(),
            Self::Unlock(_) | Self::Factor(_) | Self::Help(_) | Self::Find(_) => true,
            Self::Bulk(dialog) => dialog.is_typing(),
            Self::Edit(dialog) => dialog.is_typing(),
            Self::Menu(_)
            | Self::Report(_)
            | Self::Resume(_)
            | Self::Rules(_)
            | Self::Schedules(_)
            | Self::Spend(_) => false,
        }
    }

    /// Notes the answer to what it sent: closes on success, else shows why not.
    pub fn answered(&mut self, failure: Option<&str>) -> bool {
        let Some(failure) = failure else { return true };
        match self {
            Self::Decide(dialog) => dialog.failed(failure),
            Self::Form(dialog) => dialog.failed(failure),
            Self::Unlock(dialog) => dialog.failed(failure),
            Self::Bulk(dialog) => dialog.failed(failure),
            Self::Edit(dialog) => dialog.failed(failure),
            Self::Menu(_)
            | Self::Help(_)
            | Self::Report(_)
            | Self::Resume(_)
            | Self::Rules(_)
            | Self::Schedules(_)
            | Self::Spend(_)
            | Self::Find(_)
            | Self::Factor(_) => {}
        }
        false
    }

    /// Draws it.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        match self {
            Self::Decide(dialog) => dialog.view(canvas, area),
            Self::Form(dialog) => dialog.view(canvas, area),
            Self::Menu(dialog) => dialog.view(canvas, area),
            Self::Unlock(dialog) => dialog.view(canvas, area),
            Self::Factor(dialog) => dialog.view(canvas, area),
            Self::Help(dialog) => dialog.view(canvas, area),
            Self::Bulk(dialog) => dialog.view(canvas, area),
            Self::Edit(dialog) => dialog.view(canvas, area),
            Self::Report(dialog) => dialog.view(canvas, area),
            Self::Rules(dialog) => dialog.view(canvas, area),
            Self::Resume(dialog) => dialog.view(canvas, area),
            Self::Schedules(dialog) => dialog.view(canvas, area),
            Self::Spend(dialog) => dialog.view(canvas, area),
            Self::Find(dialog) => dialog.view(canvas, area),
        }
    }
}
