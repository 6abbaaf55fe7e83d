//! Checks of what callers send: lengths, emptiness, known names. Nothing is cut to fit.

use mc_core::refusal::{Refusal, RefusalKind};
use mc_proto::limits::{
    LABEL_BYTES, LIST_ITEMS, PAGE_DEFAULT, PAGE_ITEMS, SHORT_BYTES, TEXT_BYTES,
};

use crate::masking;

/// Refuses a text that is longer than `limit` bytes.
pub(super) fn at_most(field: &str, text: &str, limit: usize) -> Result<(), Refusal> {
    if text.len() <= limit {
        return Ok(());
    }
    let mut refusal =
        Refusal::invalid(field, format!("is {} bytes, the limit is {limit}", text.len()));
    refusal.kind = RefusalKind::TooLarge;
    Err(refusal)
}

/// Returns a text without secrets; refuses an empty or too long one.
pub(super) fn needed(field: &str, text: &str, limit: usize) -> Result<String, Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal::invalid(field, "must not be empty"));
    }
    optional(field, text, limit)
}

/// Returns a text without secrets; refuses a too long one.
pub(super) fn optional(field: &str, text: &str, limit: usize) -> Result<String, Refusal> {
    at_most(field, text, limit)?;
    Ok(masking::text(text))
}

/// Like [`optional`], for a text that may be absent.
pub(super) fn maybe(field: &str, text: Option<String>) -> Result<Option<String>, Refusal> {
    text.map(|text| optional(field, &text, TEXT_BYTES)).transpose()
}

/// Like [`maybe`], for the name of a session or model, or a word like it.
pub(super) fn label(field: &str, text: Option<String>) -> Result<Option<String>, Refusal> {
    text.map(|text| optional(field, &text, LABEL_BYTES)).transpose()
}

/// Returns a reason without secrets; refuses an empty or too long one.
pub(super) fn reason(text: &str) -> Result<String, Refusal> {
    needed("reason", text, SHORT_BYTES)
}

/// Returns the texts of a list without secrets; refuses too many or too long ones.
pub(super) fn texts(field: &str, list: Vec<String>) -> Result<Vec<String>, Refusal> {
    few(field, list.len())?;
    list.into_iter()
        .enumerate()
        .map(|(at, text)| optional(&format!("{field}[{at}]"), &text, SHORT_BYTES))
        .collect()
}

/// Refuses a list of more than 64 items.
pub(super) fn few(field: &str, items: usize) -> Result<(), Refusal> {
    if items <= LIST_ITEMS {
        return Ok(());
    }
    Err(Refusal::invalid(field, format!("has {items} items, the limit is {LIST_ITEMS}")))
}

/// Returns the length of a page.
pub(super) fn page(limit: Option<i64>) -> Result<i64, Refusal> {
    match limit {
        None => Ok(PAGE_DEFAULT),
        Some(limit) if (1..=PAGE_ITEMS).contains(&limit) => Ok(limit),
        Some(limit) => {
            Err(Refusal::invalid("limit", format!("is {limit}, must be 1 to {PAGE_ITEMS}")))
        }
    }
}

/// Reads the cursor of a list whose pages end with a number.
pub(super) fn cursor(cursor: Option<&str>) -> Result<Option<i64>, Refusal> {
    let wrong = || Refusal::invalid("cursor", "is not the `next_cursor` of a page");
    cursor.map(|text| text.parse().map_err(|_| wrong())).transpose()
}
