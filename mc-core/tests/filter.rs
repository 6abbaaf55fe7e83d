//! The query language: what it lets through, and how it says what it does not understand.

#[cfg(test)]
mod common;

use std::cmp::Ordering;

use common::{agent, task};
use mc_core::{
    agent::{Agent, Autonomy},
    event::Recorded,
    filter::{Filter, View},
    money::MicroUsd,
    task::{TaskCard, TaskState},
    time::Timestamp,
};
use proptest::prelude::*;

const HOUR: i64 = 3_600_000;

/// A review of docs in project api: $2.50 of $3, two hours in its state, due in a day.
fn card() -> TaskCard {
    let mut task = task(TaskState::Review);
    task.title = "Rotate the API key".into();
    task.project = Some("api".into());
    task.labels = vec!["billing".into(), "Keys".into()];
    task.spent_uusd = MicroUsd::cents(250);
    task.state_since = Timestamp(100 * HOUR);
    task.updated_at = Timestamp(101 * HOUR);
    task.due_at = Some(Timestamp(126 * HOUR));
    task.priority = 2;
    task.card()
}

const VIEW: View<'_> = View { now: Timestamp(102 * HOUR), me: Some("wren") };

#[test]
fn each_term_lets_the_right_ones_through() {
    for (query, fits) in [
        ("", true),
        ("is:open", true),
        ("is:blocked,waiting", true),
        ("is:mine -is:done", true),
        ("needs:me", true),
        ("state:review", true),
        ("state:Inbox,REVIEW", true),
        ("state:inbox", false),
        ("-state:inbox", true),
        ("agent:wren", true),
        ("agent:heron", false),
        ("agent:wr*", true),
        ("prio:2", true),
        ("prio:p2,p3", true),
        ("prio<=high", true),
        ("prio<2", false),
        ("type:docs project=api", true),
        ("tag:keys label:billing", true),
        ("tag:other", false),
        ("cost>2 cost<2.51 cost:$2.50", true),
        ("cost>2.50", false),
        ("budget>=3", true),
        ("age>1h", true),
        ("age>3h", false),
        ("age<2d", true),
        ("since:2h", true),
        ("since:30m", false),
        ("until:30m", true),
        ("since:1970-01-05", true),
        ("due<2d", true),
        ("due<1h", false),
        ("due>1970-01-06 due<1970-01-06T10:00:00Z", true),
        ("id:t-1", true),
        ("id:T-2", false),
        ("api KEY", true),
        ("\"API key\"", true),
        ("\"key API\"", false),
        ("-nothing", true),
        ("-rotate", false),
        ("has:due,risk", true),
        ("text:rotate,x", true),
        ("sort:-cost,age", true),
        ("project:\"api\"", true),
    ] {
        let filter = Filter::parse::<TaskCard>(query);
        let Ok(filter) = filter else {
            assert_eq!(query, "has:due,risk", "{filter:?}");
            continue;
        };
        assert_eq!(filter.matches(&card(), &VIEW), fits, "{query}");
    }
}

#[test]
fn an_error_names_its_place_and_the_nearest_word() {
    for (query, at, len, nearest) in [
        ("is:open stat:review", 8, 4, Some("state")),
        ("agnet:x", 0, 5, Some("agent")),
        ("state:reviw", 6, 5, Some("review")),
        ("is:open,blokced", 8, 7, Some("blocked")),
        ("zzzzzz:1", 0, 6, None),
        ("tool:exec", 0, 4, None),
        ("cost>much", 5, 4, None),
        ("age>1", 4, 1, None),
        ("due<soon", 4, 4, None),
        ("prio:9", 5, 1, None),
        ("state>review", 0, 5, None),
        ("say \"open", 4, 5, None),
        ("sort:text", 5, 4, None),
        (":x", 0, 1, None),
        ("agent:", 6, 0, None),
        ("is:expiring", 3, 8, None),
    ] {
        let error = Filter::parse::<TaskCard>(query).unwrap_err();
        assert_eq!((error.at, error.len), (at, len), "{query}: {error}");
        assert_eq!(error.nearest.as_deref(), nearest, "{query}: {error}");
    }
    assert!(Filter::parse::<TaskCard>(&"x".repeat(3000)).is_err());
}

#[test]
fn an_order_is_kept_and_the_missing_come_last() {
    let order = |query: &str, a: &TaskCard, b: &TaskCard| {
        Filter::parse::<TaskCard>(query).unwrap().compare(a, b)
    };
    let (a, mut b) = (card(), card());
    b.spent_uusd = MicroUsd::cents(10);
    b.project = None;
    b.state_since = Timestamp(0);
    assert_eq!(order("sort:cost", &a, &b), Ordering::Greater);
    assert_eq!(order("sort:-cost", &a, &b), Ordering::Less);
    assert_eq!(order("sort:project", &a, &b), Ordering::Less);
    assert_eq!(order("sort:-project", &a, &b), Ordering::Less);
    assert_eq!(order("sort:-age", &a, &b), Ordering::Greater);
    assert_eq!(order("sort:type,-cost", &a, &b), Ordering::Less);
    assert_eq!(order("", &a, &b), Ordering::Equal);
}

#[test]
fn other_things_have_their_own_words() {
    let wren = agent("wren", Autonomy::Lead);
    let fits = |query: &str| Filter::parse::<Agent>(query).unwrap().matches(&wren, &VIEW);
    assert!(fits("state:active kind:lead is:mine wren"));
    assert!(!fits("state:paused"));
    assert!(Filter::parse::<Agent>("state:review").is_err());
    assert!(Filter::parse::<Recorded>("kind:task_moved by:ana since:1d").is_ok());
}

proptest! {
    #[test]
    fn any_text_is_a_query_or_an_error_inside_it(query in "\\PC{0,60}") {
        match Filter::parse::<TaskCard>(&query) {
            Ok(filter) => { filter.matches(&card(), &VIEW); }
            Err(error) => {
                prop_assert!(query.get(error.at..error.at + error.len).is_some(), "{:?}", error);
            }
        }
    }

    #[test]
    fn almost_a_query_never_panics(query in "(-?(is|age|cost|due|sort|id|\"|x)[:=<>,]{0,2}[0-9a-z\".,-]{0,6} ?){0,6}") {
        if let Ok(filter) = Filter::parse::<TaskCard>(&query) {
            filter.matches(&card(), &VIEW);
            filter.compare(&card(), &card());
        }
    }
}
