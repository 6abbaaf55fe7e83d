//! The query language: one parser for the console, the command line and the wire.
//!
//! `query = term*`, all of which must hold; `term = ["-"] key op value ("," value)* | word |
//! "phrase"`, where a comma means or and the operators are `:` `=` `>` `>=` `<` `<=`. Examples:
//! `is:blocked -agent:heron cost>2 age>1h "api key"`, `state:review,blocked sort:-cost`. What is
//! not understood is an error with its place and the nearest word that is, never ignored.

mod parse;
mod subject;

use std::{borrow::Cow, cmp::Ordering};

pub use subject::Subject;

use crate::time::Timestamp;

/// What a term asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A condition: `is:open`.
    Is,
    /// Where it is in its life.
    State,
    /// The agent that it belongs to.
    Agent,
    /// Who made or decided it.
    By,
    /// Green, yellow or red.
    Risk,
    /// The rule that decided.
    Rule,
    /// 1 to 4, or critical to low.
    Prio,
    /// The type of a task.
    Type,
    /// The project.
    Project,
    /// A label; `label` means the same.
    Tag,
    /// What it cost, in dollars.
    Cost,
    /// What it may cost, in dollars.
    Budget,
    /// How long it is as it is: `age>1h`.
    Age,
    /// Not before: `since:2h`, `since:2026-03-01`.
    Since,
    /// Not after.
    Until,
    /// Until when it should be done: `due<2d`, `due<2026-03-01`.
    Due,
    /// Its id.
    Id,
    /// A word in its text.
    Text,
    /// What kind of thing it is.
    Kind,
    /// The tool.
    Tool,
    /// What it has at all: `has:due`.
    Has,
    /// Who must act: `needs:me`.
    Needs,
    /// The order: `sort:-cost,age`.
    Sort,
}

impl Key {
    /// Every key with its word.
    pub const ALL: &[(&str, Self)] = &[
        ("is", Self::Is),
        ("state", Self::State),
        ("agent", Self::Agent),
        ("by", Self::By),
        ("risk", Self::Risk),
        ("rule", Self::Rule),
        ("prio", Self::Prio),
        ("type", Self::Type),
        ("project", Self::Project),
        ("tag", Self::Tag),
        ("label", Self::Tag),
        ("cost", Self::Cost),
        ("budget", Self::Budget),
        ("age", Self::Age),
        ("since", Self::Since),
        ("until", Self::Until),
        ("due", Self::Due),
        ("id", Self::Id),
        ("text", Self::Text),
        ("kind", Self::Kind),
        ("tool", Self::Tool),
        ("has", Self::Has),
        ("needs", Self::Needs),
        ("sort", Self::Sort),
    ];

    /// Returns its word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, key)| *key == self).map_or("", |(word, _)| word)
    }
}

/// A condition of `is:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Is {
    /// Not over.
    Open,
    /// A human has to act.
    Waiting,
    /// A task that can't go on.
    Blocked,
    /// Should have gone on by now: blocked, overdue or over its budget.
    Stuck,
    /// Ended badly.
    Failed,
    /// Belongs to who asks.
    Mine,
    /// Nobody has looked.
    Unread,
    /// Ends by itself within 15 minutes.
    Expiring,
    /// Done, approved, resolved.
    Done,
}

impl Is {
    /// Every condition with its word.
    pub const ALL: &[(&str, Self)] = &[
        ("open", Self::Open),
        ("waiting", Self::Waiting),
        ("blocked", Self::Blocked),
        ("stuck", Self::Stuck),
        ("failed", Self::Failed),
        ("mine", Self::Mine),
        ("unread", Self::Unread),
        ("expiring", Self::Expiring),
        ("done", Self::Done),
    ];
}

/// How a number is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// `:` or `=`.
    Is,
    /// `>`.
    More,
    /// `>=`.
    AtLeast,
    /// `<`.
    Less,
    /// `<=`.
    AtMost,
}

impl Op {
    const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Is => order.is_eq(),
            Self::More => order.is_gt(),
            Self::AtLeast => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
        }
    }
}

/// A point in time, fixed or relative to when it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// So many milliseconds from now; negative is ago.
    FromNow(i64),
    /// A fixed point.
    At(Timestamp),
}

impl When {
    const fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::FromNow(millis) => Timestamp(now.0.saturating_add(millis)),
            Self::At(at) => at,
        }
    }
}

/// What a term demands; of several values one has to fit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Test {
    /// Conditions.
    Is(Vec<Is>),
    /// Words, in lower case; one may end in `*`.
    Word(Key, Vec<String>),
    /// Parts of the text, in lower case.
    Text(Vec<String>),
    /// Numbers; amounts in micro-dollars.
    Number(Key, Op, Vec<i64>),
    /// Times, compared as points on the line of time.
    Time(Key, Op, Vec<When>),
    /// Fields that are there.
    Has(Vec<Key>),
}

/// One term.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Term {
    /// Whether it must not hold.
    pub negated: bool,
    /// What it demands.
    pub test: Test,
}

/// A part of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sort {
    /// By what.
    pub key: Key,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// A query, understood.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Filter {
    /// All of them must hold.
    pub terms: Vec<Term>,
    /// The order, most important first; empty means the list's own.
    pub sort: Vec<Sort>,
}

/// A query that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// Where, in bytes from the start of the query.
    pub at: usize,
    /// How long the wrong part is, in bytes.
    pub len: usize,
    /// What is wrong and what would be right.
    pub message: String,
    /// The nearest word that is valid there.
    pub nearest: Option<String>,
}

/// Who asks, and when.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Now.
    pub now: Timestamp,
    /// The operator or agent who asks, for `is:mine`.
    pub me: Option<&'a str>,
}

/// What a subject says about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field<'a> {
    /// Nothing.
    None,
    /// One or more words.
    Words(Vec<Cow<'a, str>>),
    /// A number.
    Number(i64),
    /// A point in time.
    Time(Timestamp),
}

impl Field<'_> {
    fn is_there(&self) -> bool {
        match self {
            Field::None => false,
            Field::Words(words) => !words.is_empty(),
            Field::Number(_) | Field::Time(_) => true,
        }
    }
}

impl Filter {
    /// Reads a query about things like `S`.
    ///
    /// # Errors
    ///
    /// [`FilterError`] at the first part that is not understood or says nothing about an `S`.
    pub fn parse<S: Subject>(query: &str) -> Result<Self, FilterError> {
        parse::filter(query, &parse::Vocabulary::of::<S>())
    }

    /// Says whether it lets everything through in the list's own order.
    pub const fn is_empty(&self) -> bool {
        self.terms.is_empty() && self.sort.is_empty()
    }

    /// Says whether `subject` fits every term.
    pub fn matches<S: Subject>(&self, subject: &S, view: &View<'_>) -> bool {
        self.terms.iter().all(|term| term.test.holds(subject, view) != term.negated)
    }

    /// Returns which of two comes first; equal when the query names no order that tells.
    pub fn compare<S: Subject>(&self, a: &S, b: &S) -> Ordering {
        let by = |sort: &Sort| {
            let (a, b) = (a.field(sort.key), b.field(sort.key));
            // What has no value comes last either way.
            let there = b.is_there().cmp(&a.is_there());
            let order = order(&a, &b);
            there.then(if sort.descending { order.reverse() } else { order })
        };
        self.sort.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

fn order(a: &Field<'_>, b: &Field<'_>) -> Ordering {
    match (a, b) {
        (Field::Number(a), Field::Number(b)) => a.cmp(b),
        // The oldest has the greatest age, so that `sort:-age` begins with it.
        (Field::Time(a), Field::Time(b)) => b.cmp(a),
        (Field::Words(a), Field::Words(b)) => a.cmp(b),
        _ => Ordering::Equal,
    }
}

impl Test {
    fn holds<S: Subject>(&self, subject: &S, view: &View<'_>) -> bool {
        match self {
            Self::Is(any) => any.iter().any(|is| subject.is(*is, view)),
            Self::Text(any) => {
                let text = subject.text().to_lowercase();
                any.iter().any(|part| text.contains(part))
            }
            Self::Word(key, any) => match subject.field(*key) {
                Field::Words(words) => words.iter().any(|word| any.iter().any(|t| fits(word, t))),
                Field::Number(_) | Field::Time(_) | Field::None => false,
            },
            Self::Number(key, op, any) => match subject.field(*key) {
                Field::Number(found) => any.iter().any(|wanted| op.holds(found.cmp(wanted))),
                Field::Words(_) | Field::Time(_) | Field::None => false,
            },
            Self::Time(key, op, any) => match subject.field(*key) {
                Field::Time(found) => any.iter().any(|t| op.holds(found.cmp(&t.at(view.now)))),
                Field::Words(_) | Field::Number(_) | Field::None => false,
            },
            Self::Has(any) => any.iter().any(|key| subject.field(*key).is_there()),
        }
    }
}

fn fits(word: &str, wanted: &str) -> bool {
    let word = word.to_lowercase();
    match wanted.strip_suffix('*') {
        Some(head) => word.starts_with(head),
        None => word == wanted,
    }
}
