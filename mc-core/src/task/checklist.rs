//! The review checklists of each task type: what its assignee goes through before Review.
//!
//! These are the defaults; `policy.toml` may replace any of them.

/// What a deliverable of any other type is checked for.
const GENERAL: &[&str] =
    &["does what the task asks", "checked by hand", "no secrets inside", "limits and gaps named"];

const CONTENT: &[&str] = &[
    "intent and audience met",
    "structure is clear",
    "sources cited",
    "call to action present",
    "spelling checked",
    "tone fits",
    "media described",
    "links work",
];

const SOCIAL: &[&str] = &[
    "intent and audience met",
    "length fits the channel",
    "facts checked",
    "call to action present",
    "spelling checked",
    "tone fits",
    "media described",
    "links work",
];

const EMAIL: &[&str] = &[
    "intent and audience met",
    "subject and preview line set",
    "recipients and segment named",
    "call to action present",
    "unsubscribe and sender present",
    "spelling checked",
    "links work",
    "rendered as plain text too",
];

const RESEARCH: &[&str] = &[
    "sources cited",
    "method described",
    "confidence stated",
    "counterpoints named",
    "findings summarised",
    "recommendations given",
    "data is current",
];

const ENGINEERING: &[&str] = &[
    "builds",
    "tests pass",
    "no secrets inside",
    "errors handled",
    "edge cases covered",
    "rollback plan",
    "performance impact known",
    "docs updated",
    "style followed",
];

const DOCS: &[&str] = &[
    "intent and audience met",
    "structure is clear",
    "steps tried out",
    "examples work",
    "spelling checked",
    "links work",
];

const OPS: &[&str] = &[
    "change described",
    "tried outside production",
    "rollback plan",
    "monitoring in place",
    "no secrets inside",
    "people told",
    "runbook updated",
];

/// Returns the checklist of `task_type`; a type without its own has a general one, never an empty
/// one.
pub fn template(task_type: &str) -> &'static [&'static str] {
    match task_type {
        "content" => CONTENT,
        "social" => SOCIAL,
        "email_marketing" => EMAIL,
        "customer_research" | "seo_research" => RESEARCH,
        "engineering" => ENGINEERING,
        "docs" => DOCS,
        "ops" => OPS,
        _ => GENERAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TASK_TYPES;

    #[test]
    fn every_known_type_has_its_own_checklist_without_repetition() {
        for task_type in TASK_TYPES {
            let items = template(task_type);
            assert_ne!(items, GENERAL, "{task_type}");
            let mut sorted = items.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), items.len(), "{task_type}");
        }
    }

    #[test]
    fn an_unknown_type_has_the_general_checklist() {
        assert_eq!(template("juggling"), GENERAL);
    }
}
