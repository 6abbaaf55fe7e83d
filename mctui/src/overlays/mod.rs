//! What opens over a screen: dialogs, menus, help, and Emergency above all of them.

pub mod decide;
pub mod emergency;
pub mod form;
pub mod forms;
pub mod help;
pub mod menu;
pub mod unlock;

use ratatui::layout::Rect;

use crate::{
    keymap::Key,
    request::{Act, Call, Code},
    scene::Scene,
    widgets::Canvas,
};

/// Something that is open over a screen and has the keys.
#[derive(Debug)]
pub enum Overlay {
    /// A decision on an approval.
    Decide(decide::Decide),
    /// Fields to fill, and a confirmation.
    Form(form::Form),
    /// One of several.
    Menu(menu::Menu),
    /// The passphrase.
    Unlock(unlock::Unlock),
    /// The keys.
    Help(help::Help),
}

/// What a dialog wants after a key.
#[derive(Debug)]
pub enum Outcome {
    /// Stays open.
    Stay,
    /// Closes.
    Close,
    /// Closes and opens another.
    Become(Box<Overlay>),
    /// Sends this; stays open until it is answered.
    Send(Box<Act>),
    /// Asks this; stays open until it is answered.
    Ask(Call),
    /// Closes and keeps the code of a second factor for the next act.
    Keep(Code),
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
            Self::Help(dialog) => dialog.press(key),
        }
    }

    /// Takes in a paste.
    pub fn paste(&mut self, pasted: &str) -> Outcome {
        match self {
            Self::Decide(dialog) => dialog.paste(pasted),
            Self::Form(dialog) => dialog.paste(pasted),
            Self::Unlock(dialog) => dialog.paste(pasted),
            Self::Help(_) | Self::Menu(_) => Outcome::Stay,
        }
    }

    /// Takes in how the world has changed below it.
    pub fn watch(&mut self, scene: &Scene) {
        if let Self::Decide(dialog) = self {
            dialog.watch(scene);
        }
    }

    /// Says whether every printable key goes into a field.
    pub fn is_typing(&self) -> bool {
        match self {
            Self::Decide(dialog) => dialog.is_typing(),
            Self::Form(dialog) => dialog.is_typing(),
            Self::Unlock(_) | Self::Help(_) => true,
            Self::Menu(_) => false,
        }
    }

    /// Notes the answer to what it sent: closes on success, else shows why not.
    pub fn answered(&mut self, failure: Option<&str>) -> bool {
        let Some(failure) = failure else { return true };
        match self {
            Self::Decide(dialog) => dialog.failed(failure),
            Self::Form(dialog) => dialog.failed(failure),
            Self::Unlock(dialog) => dialog.failed(failure),
            Self::Menu(_) | Self::Help(_) => {}
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
            Self::Help(dialog) => dialog.view(canvas, area),
        }
    }
}
