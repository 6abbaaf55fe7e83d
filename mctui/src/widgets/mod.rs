//! What screens are drawn with.

mod canvas;
mod field;
mod frame;
mod line;
mod listing;

pub use canvas::{Canvas, Look, rows};
pub use field::{Field, Manner};
pub use frame::{Places, Shape, Tab, Tall, Wide, hints, notice, status, tabs};
pub use line::Line;
pub use listing::Listing;
