//! A list that keeps its cursor: by id, in place, whatever arrives.
//!
//! New rows join below, rows that went stay until the operator moves; so nothing that arrives moves
//! the row under the cursor. Once the operator does something, no row is hidden above the cursor
//! while there is room for it, and who saw the first row goes on to see it.

use std::hash::Hash;

use crossterm::event::KeyCode;

/// The ids of a list in the order shown, and which one is under the cursor.
#[derive(Debug, Clone)]
pub struct Listing<Id> {
    ids: Vec<Id>,
    selected: Option<Id>,
    /// The row of the screen that the cursor is in, from 0; never more than its place in the list.
    row: usize,
    /// How many rows fit on the screen; 0 while that is not known.
    rows: usize,
}

impl<Id> Default for Listing<Id> {
    fn default() -> Self {
        Self { ids: Vec::new(), selected: None, row: 0, rows: 0 }
    }
}

impl<Id: Clone + Eq + Hash> Listing<Id> {
    /// Returns the ids in the order shown.
    pub fn ids(&self) -> &[Id] {
        &self.ids
    }

    /// Returns the id under the cursor.
    pub fn selected(&self) -> Option<&Id> {
        self.selected.as_ref()
    }

    /// Puts the cursor on `id`, if it is in the list.
    pub fn select(&mut self, id: &Id) -> bool {
        let found = self.ids.iter().position(|other| other == id);
        if let Some(at) = found {
            self.go_to(at);
        }
        found.is_some()
    }

    /// Takes in what the list holds now, sorted: what is new joins below, what went stays.
    pub fn merge(&mut self, current: &[Id]) {
        if self.ids.is_empty() {
            self.settle(current.to_vec());
            return;
        }
        self.drop_gone(current);
        let known: std::collections::HashSet<&Id> = self.ids.iter().collect();
        let new: Vec<Id> = current.iter().filter(|id| !known.contains(id)).cloned().collect();
        self.ids.extend(new);
        if self.selected.is_none() {
            self.selected = self.ids.first().cloned();
        }
    }

    /// Takes out what went, but the row under the cursor and those without which it would move up.
    fn drop_gone(&mut self, current: &[Id]) {
        let still: std::collections::HashSet<&Id> = current.iter().collect();
        if self.ids.iter().all(|id| still.contains(id)) {
            return;
        }
        let mut at = self.position().unwrap_or(0);
        let cursor = at;
        let mut kept = Vec::with_capacity(self.ids.len());
        for (index, id) in std::mem::take(&mut self.ids).into_iter().enumerate() {
            let is_above = index < cursor;
            if still.contains(&id) || index == cursor || (is_above && at <= self.row) {
                kept.push(id);
            } else if is_above {
                at -= 1;
            }
        }
        self.ids = kept;
    }

    /// Takes the list as it is now; the cursor stays on its id, else in its place.
    pub fn settle(&mut self, current: Vec<Id>) {
        let was = self.position().unwrap_or(0);
        let began_at_top = was <= self.row;
        self.ids = current;
        let at = self.position().unwrap_or_else(|| was.min(self.ids.len().saturating_sub(1)));
        self.selected = self.ids.get(at).cloned();
        self.row = if began_at_top && at < self.rows { at } else { self.row.min(at) };
        self.fill();
    }

    /// Shows as much above the cursor as fits: nobody is in this list now.
    pub fn loosen(&mut self) {
        self.row = self.position().unwrap_or(0);
    }

    /// Moves the cursor by `step` rows.
    pub fn step(&mut self, step: isize) {
        if let Some(at) = self.position() {
            let last = self.ids.len().saturating_sub(1);
            self.go_to(at.saturating_add_signed(step).min(last));
        } else {
            self.go_to(0);
        }
    }

    /// Moves the cursor to the first row.
    pub fn first(&mut self) {
        self.go_to(0);
    }

    /// Moves the cursor to the last row.
    pub fn last(&mut self) {
        self.go_to(self.ids.len().saturating_sub(1));
    }

    /// Moves the cursor by the keys that every list in a dialog has.
    pub fn turn(&mut self, key: KeyCode) {
        match key {
            KeyCode::Char('j') | KeyCode::Down => self.step(1),
            KeyCode::Char('k') | KeyCode::Up => self.step(-1),
            KeyCode::Char('g') | KeyCode::Home => self.first(),
            KeyCode::Char('G') | KeyCode::End => self.last(),
            _ => {}
        }
    }

    fn go_to(&mut self, at: usize) {
        let from = self.position().unwrap_or(0);
        self.selected = self.ids.get(at).cloned();
        self.row =
            if at >= from { self.row + (at - from) } else { self.row.saturating_sub(from - at) };
        if self.rows > 0 {
            self.row = self.row.min(self.rows - 1);
        }
        self.fill();
    }

    fn position(&self) -> Option<usize> {
        let selected = self.selected.as_ref()?;
        self.ids.iter().position(|id| id == selected)
    }

    /// Notes how many rows fit, so that the cursor's row stays on the screen. Called whenever the
    /// screen is laid out: with the same number of rows it moves nothing.
    pub fn fit(&mut self, rows: usize) {
        let rows = rows.max(1);
        let at = self.position().unwrap_or(0);
        self.row = self.row.min(rows - 1).min(at);
        if self.rows != rows {
            self.rows = rows;
            self.fill();
        }
    }

    /// Moves the cursor's row down as far as rows above it are hidden while others stand empty.
    fn fill(&mut self) {
        if self.rows == 0 {
            return;
        }
        let at = self.position().unwrap_or(0);
        let most_above = self.ids.len().saturating_sub(self.rows);
        self.row = self.row.max(at.saturating_sub(most_above));
    }

    /// Returns the ids that are shown in `rows` rows, and how many are above and below.
    pub fn window(&self, rows: usize) -> (&[Id], usize, usize) {
        let at = self.position().unwrap_or(0);
        let row = self.row.min(rows.saturating_sub(1));
        let top = at.saturating_sub(row);
        let end = (top + rows).min(self.ids.len());
        (self.ids.get(top..end).unwrap_or_default(), top, self.ids.len() - end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(ids: &[i32]) -> Listing<i32> {
        let mut listing = Listing::default();
        listing.settle(ids.to_vec());
        listing
    }

    #[test]
    fn arrivals_join_below_and_the_gone_stay_until_the_cursor_moves() {
        let mut list = listing(&[1, 2, 3]);
        list.step(1);
        list.merge(&[9, 1, 3, 2]);
        assert_eq!(list.ids(), [1, 2, 3, 9]);
        list.merge(&[9, 3]);
        assert_eq!((list.ids(), list.selected()), (&[1, 2, 3, 9][..], Some(&2)));
        list.merge(&[9]);
        assert_eq!((list.ids(), list.selected()), (&[1, 2, 9][..], Some(&2)));
        list.settle(vec![9]);
        assert_eq!(list.selected(), Some(&9));
    }

    #[test]
    fn the_cursor_is_always_in_the_window() {
        let mut list = listing(&(0..50).collect::<Vec<_>>());
        for step in [10, 30, -5, 100, -100, 3] {
            list.step(step);
            list.fit(7);
            let (shown, above, below) = list.window(7);
            assert!(list.selected().is_some_and(|id| shown.contains(id)), "{step}");
            assert_eq!(above + shown.len() + below, 50);
        }
        assert_eq!(listing(&[]).window(5), (&[][..], 0, 0));
    }

    #[test]
    fn no_row_is_hidden_above_the_cursor_while_others_stand_empty() {
        let mut list = listing(&[1]);
        list.fit(5);
        list.merge(&[2, 3, 4, 1]);
        list.settle(vec![2, 3, 4, 1]);
        assert_eq!((list.window(5), list.selected()), ((&[2, 3, 4, 1][..], 0, 0), Some(&1)));
        let mut list = listing(&(0..9).collect::<Vec<_>>());
        list.fit(4);
        list.step(8);
        list.settle(vec![0, 8]);
        assert_eq!(list.window(4), (&[0, 8][..], 0, 0));
        list.settle((0..9).collect());
        list.step(-8);
        list.settle([-1].into_iter().chain(0..9).collect());
        assert_eq!(list.window(4), (&[-1, 0, 1, 2][..], 0, 6), "who saw the first row sees it");
    }

    #[test]
    fn what_arrives_or_goes_moves_no_row_even_where_the_list_is_shorter_then() {
        let mut list = listing(&(0..9).collect::<Vec<_>>());
        list.fit(4);
        list.step(6);
        let before = list.window(4).1;
        list.merge(&[0, 1, 2, 3, 4, 5, 6]);
        list.fit(4);
        assert_eq!(list.window(4).1, before, "the rows below stand empty until a key");
        list.step(0);
        assert_eq!(list.window(4), (&[3, 4, 5, 6][..], 3, 0));
    }

    #[test]
    fn the_row_of_the_cursor_stays_when_the_order_changes() {
        let mut list = listing(&[1, 2, 3, 4]);
        list.step(2);
        list.settle(vec![8, 9, 1, 2, 3, 4]);
        let (shown, above, _) = list.window(3);
        assert_eq!((shown, above), (&[1, 2, 3][..], 2));
    }
}
