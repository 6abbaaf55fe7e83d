//! Views: filters that are wanted often, by one key.

use super::{
    Overlay,
    menu::{Choice, Menu},
};
use crate::{
    app::Place,
    query::Query,
    scene::{Intent, Scene},
    theme::Token,
    widgets::Line,
};

/// The name and the filter of each view.
const VIEWS: &[(&str, &str)] = &[
    ("everything", ""),
    ("blocked", "is:blocked"),
    ("waits for a person", "is:waiting"),
    ("not closed", "is:open"),
    ("urgent", "prio<=2"),
    ("dear, over $1", "cost>1"),
    ("old, over a day", "age>1d"),
    ("decided", "state:approved,denied,expired,canceled"),
    ("red and yellow", "risk:red,yellow"),
];

/// Returns the menu of the views that mean something on `place`.
pub fn menu(place: Place, scene: &Scene) -> Intent {
    let is_right = |filter: &str| Query::read(filter).problem(place).is_none();
    let choices = VIEWS.iter().filter(|(_, filter)| is_right(filter)).map(|(name, filter)| {
        let is_this = scene.query.text() == *filter;
        let mark = if is_this { "  (now)" } else { "" };
        let label = Line::new()
            .own(Token::Fg, format!("{name:<22}"))
            .own(Token::Dim, format!("{filter}{mark}"));
        Choice { label, opens: Some(Intent::Filter((*filter).to_owned())) }
    });
    Intent::Look(Box::new(Overlay::Menu(Menu::new("Views", choices.collect()))))
}
