//! Second factors: opened for one act, kept for exactly that act, and never sent with another.

use mc_core::actor::Level;
use mc_proto::{
    error::ErrorKind,
    method::session::{Challenged, SecondFactor},
};

use super::{App, Copied, IDLE_MS, Origin};
use crate::{
    overlays::{Overlay, factor::Factor},
    request::{Act, Call, Failure},
    text,
    theme::Token,
    widgets::Line,
};

/// How long a second factor is kept until its act is confirmed again, in milliseconds.
const KEPT_MS: u64 = 60_000;

/// What is known of the act that needs a second factor.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The factor, the act that it is for, and until when it is kept.
    given: Option<(Act, SecondFactor, u64)>,
    /// The last act that was sent, and whether a factor went with it.
    last: Option<(Act, bool)>,
}

impl Kept {
    /// Returns the factor for `act`, if one was given for exactly that; any other is forgotten.
    pub(super) fn for_act(&mut self, act: &Act, steady: u64) -> Option<SecondFactor> {
        let given = self.given.take();
        let fits = given.filter(|(of, _, until)| of == act && steady < *until);
        self.last = Some((act.clone(), fits.is_some()));
        fits.map(|(_, factor, _)| factor)
    }

    /// Returns the act that a refusal wants a factor for, or another one than was given.
    pub(super) fn wanted(&self, failure: &Failure) -> Option<Act> {
        let (act, was_given) = self.last.as_ref()?;
        let is_refused = failure.kind == Some(ErrorKind::Forbidden);
        let asks = failure.text.contains("your second factor");
        (is_refused && (asks || *was_given)).then(|| act.clone())
    }

    /// Forgets what was given: challenges end with their connection.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

impl App {
    /// Keeps a factor until its act is confirmed again.
    pub(super) fn keep(&mut self, act: Act, factor: SecondFactor) {
        self.factor.given = Some((act, factor, self.scene.now.steady + KEPT_MS));
        self.say_own("kept for 60 s, for exactly this act: nothing is sent yet, confirm it again");
    }

    /// Opens the dialog for the factor over the dialog that needs it.
    pub(super) fn challenged(&mut self, act: Act, open: Challenged) {
        let needs = matches!(
            self.overlays.last(),
            Some(Overlay::Decide(_) | Overlay::Bulk(_) | Overlay::Edit(_) | Overlay::Form(_))
        );
        // Whoever closed the dialog meanwhile wants no factor any more.
        if needs {
            let what = act.label();
            self.overlays.push(Overlay::Factor(Box::new(Factor::new(what, act, open))));
        }
    }

    /// A refusal that a factor can help against: asks what has to be proved.
    pub(super) fn ask_factor(&mut self, act: Act, failure: &Failure) {
        let asks = failure.text.contains("your second factor");
        let words = if asks {
            "a second factor is needed: give it, then confirm again"
        } else {
            failure.text.as_str()
        };
        if let Some(overlay) = self.overlays.last_mut() {
            overlay.answered(Some(words));
        }
        self.ask(Call::Challenge(Box::new(act)), Origin::Screen);
    }

    /// Says where a text went, or shows the file in the dialog.
    pub(super) fn copied(&mut self, result: Result<Copied, String>) {
        match result {
            Ok(Copied::Clipboard(way)) => self.say_own(format!("copied {way}")),
            Ok(Copied::File(path)) => match self.overlays.last_mut() {
                Some(Overlay::Factor(open)) => open.saved(&path),
                _ => self.say_own(format!("written to {path}")),
            },
            Err(why) => {
                let words = Line::new().own(Token::Crit, "not copied: ");
                self.say(words.says(Token::Fg, &text::line(&why)));
            }
        }
    }

    /// Takes in the signature that stood in a file.
    pub(super) fn signature(&mut self, result: &Result<String, String>) {
        let Some(Overlay::Factor(open)) = self.overlays.last_mut() else { return };
        let outcome = open.read(result);
        self.follow(outcome);
    }

    /// Returns in how many milliseconds the session is locked, if it is unlocked.
    pub(super) fn idle_in(&self, steady: u64) -> Option<u64> {
        let level = self.scene.me.as_ref().and_then(|me| me.level).unwrap_or_default();
        (level > Level::L0).then(|| (self.last_key + IDLE_MS).saturating_sub(steady))
    }

    /// Locks a session that nobody touches: what the console asks by itself must not keep it open.
    pub(super) fn lock_when_idle(&mut self) {
        if self.idle_in(self.scene.now.steady) == Some(0) && self.scene.obstacle().is_none() {
            // Asked once; the answer says the level.
            self.last_key = self.scene.now.steady;
            self.ask(Call::Lock, Origin::Screen);
            self.say_own("locked after 15 minutes without a key");
        }
    }
}
