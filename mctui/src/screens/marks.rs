//! Marks: requests to decide together. A mark holds what was on the screen, so one that has
//! changed since then is no longer marked.

use mc_core::{
    approval::{Approval, ApprovalStatus},
    id::ApprovalId,
    policy::Risk,
};

use crate::{overlays::bound::Bound, scene::Scene, theme::Token, widgets::Line};

/// The marks, in the order in which they were set.
#[derive(Debug, Clone, Default)]
pub struct Marks(Vec<Bound>);

impl Marks {
    /// Returns the title of a list of `ids`: how many wait, how many are marked, and how many are
    /// decided and only stay for a while.
    pub fn title(&self, ids: &[ApprovalId], scene: &Scene) -> Line {
        let decided = ids.iter().filter_map(|id| scene.world.approvals.get(id));
        let decided = decided.filter(|one| one.status != ApprovalStatus::Pending).count();
        let title = format!("Waiting {}", scene.world.waiting().len());
        let counts = [(self.count(), Token::Warn, "marked"), (decided, Token::Dim, "decided")];
        let counts = counts.into_iter().filter(|(count, ..)| *count > 0);
        counts.fold(Line::new().own(Token::Strong, title), |line, (count, token, word)| {
            line.own(token, format!(" · {count} {word}"))
        })
    }

    /// Says whether `approval`, as it is now, is marked.
    pub fn has(&self, approval: &Approval) -> bool {
        self.0.contains(&Bound::to(approval))
    }

    /// Sets the mark of `approval`, or takes it off.
    ///
    /// # Errors
    ///
    /// Why it can't be marked.
    pub fn toggle(&mut self, approval: &Approval) -> Result<(), String> {
        if self.has(approval) {
            self.0.retain(|one| one.id != approval.id);
            return Ok(());
        }
        may_be_marked(approval)?;
        self.0.retain(|one| one.id != approval.id);
        self.0.push(Bound::to(approval));
        Ok(())
    }

    /// Marks all of `shown` that may be; says how many are marked, and how many are red.
    pub fn all<'a>(&mut self, shown: impl Iterator<Item = &'a Approval>) -> String {
        let mut red = 0;
        for approval in shown.filter(|one| one.status == ApprovalStatus::Pending) {
            if may_be_marked(approval).is_err() {
                red += 1;
            } else if !self.has(approval) {
                self.0.retain(|one| one.id != approval.id);
                self.0.push(Bound::to(approval));
            }
        }
        let marked = self.0.len();
        match red {
            0 => format!("{marked} marked"),
            _ => format!("{marked} marked; {red} RED not: each of those is decided by itself"),
        }
    }

    /// Takes all marks off; says whether there were any.
    pub fn clear(&mut self) -> bool {
        !std::mem::take(&mut self.0).is_empty()
    }

    /// Forgets marks of what was decided or has changed.
    pub fn prune(&mut self, scene: &Scene) {
        let is_same = |one: &Bound, now: &Approval| {
            now.status == ApprovalStatus::Pending && *one == Bound::to(now)
        };
        self.0
            .retain(|one| scene.world.approvals.get(&one.id).is_some_and(|now| is_same(one, now)));
    }

    /// Returns what is marked and still as it was.
    pub fn standing<'a>(&self, scene: &'a Scene) -> Vec<&'a Approval> {
        let known = |one: &Bound| scene.world.approvals.get(&one.id);
        let all = self.0.iter().filter_map(|one| known(one).filter(|now| *one == Bound::to(now)));
        all.collect()
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

fn may_be_marked(approval: &Approval) -> Result<(), String> {
    let id = approval.id;
    if approval.status != ApprovalStatus::Pending {
        return Err(format!("{id} is {} already", approval.status.as_str()));
    }
    match approval.risk {
        Risk::Red => Err(format!("{id} is RED: it is decided by itself, never in a set")),
        Risk::Yellow | Risk::Green => Ok(()),
    }
}
