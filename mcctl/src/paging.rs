//! Lists: one page, or all of them.

use clap::Args;
use mc_proto::{
    core::time::Timestamp,
    method::{Method, Page},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    context::Context,
    failure::{Exit, Failure},
    output,
};

/// Which page of a list.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Paging {
    /// How many items a page has, at most 200.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<i64>,
    /// Where the page begins: what the page before ended with.
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
    /// Every page.
    #[arg(long, conflicts_with = "cursor")]
    pub(crate) all: bool,
}

/// The largest page that the daemon gives.
const LARGEST: i64 = 200;

/// Lists what `ask` asks for, one page or all, and shows it with `view`.
///
/// # Errors
///
/// What the call or the output refuse.
pub(crate) fn list<M, T>(
    cx: &mut Context,
    paging: &Paging,
    ask: impl Fn(Option<i64>, Option<String>) -> M,
    view: impl FnOnce(&[T], Timestamp) -> String,
) -> Result<Exit, Failure>
where
    M: Method<Result = Page<T>>,
    T: Serialize + DeserializeOwned,
{
    let limit = if paging.all { paging.limit.or(Some(LARGEST)) } else { paging.limit };
    let mut page: Page<T> = cx.call(&ask(limit, paging.cursor.clone()))?;
    while let (true, Some(cursor)) = (paging.all, page.next_cursor.take()) {
        let next: Page<T> = cx.call(&ask(limit, Some(cursor)))?;
        page.items.extend(next.items);
        page.next_cursor = next.next_cursor;
    }
    let now = cx.now()?;
    cx.print(&page, |page| view(&page.items, now))?;
    if !cx.is_json() {
        foot(&page);
    }
    Ok(Exit::Done)
}

fn foot<T>(page: &Page<T>) {
    if page.items.is_empty() && page.total == 0 {
        output::note("nothing found");
    }
    if let Some(cursor) = &page.next_cursor {
        let cursor = crate::text::line(cursor);
        output::note(&format!(
            "{} of {} shown; --all, or --cursor {cursor}",
            page.items.len(),
            page.total
        ));
    }
}
