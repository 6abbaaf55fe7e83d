//! The filter of a view: words and `key:value` terms, all of which must hold.

use mc_core::{policy::Risk, task::TaskCard};

use crate::scene::Scene;

/// One thing that must hold, or must not.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    negated: bool,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Word(String),
    State(Vec<String>),
    Agent(Vec<String>),
    Priority(Vec<String>),
    Risk(Vec<String>),
    Is(Vec<String>),
    Cost(std::cmp::Ordering, i64),
}

/// A filter; the empty one lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    text: String,
    terms: Vec<Term>,
    /// What is wrong with the text, if anything.
    pub problem: Option<String>,
}

const KEYS: &[&str] = &["state", "agent", "prio", "risk", "is", "cost"];
const IS: &[&str] = &["open", "blocked", "waiting", "review", "unassigned"];

impl Query {
    /// Reads a filter. What can't be read is told in [`Query::problem`], never silently ignored.
    pub fn read(text: &str) -> Self {
        let mut query = Self { text: text.to_owned(), ..Self::default() };
        for word in text.split_whitespace() {
            match read_term(word) {
                Ok(term) => query.terms.push(term),
                Err(problem) => query.problem = Some(problem),
            }
        }
        query
    }

    /// Returns the text as typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Says whether it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Says whether `task` passes.
    pub fn matches_task(&self, task: &TaskCard, scene: &Scene) -> bool {
        self.terms.iter().all(|term| term.test.of_task(task, scene) != term.negated)
    }

    /// Says whether something that is only words passes.
    pub fn matches_text(&self, texts: &[&str]) -> bool {
        self.terms.iter().all(|term| {
            let hit = match &term.test {
                Test::Word(word) => texts.iter().any(|text| contains(text, word)),
                Test::State(any) | Test::Agent(any) | Test::Risk(any) | Test::Is(any) => {
                    any.iter().any(|value| texts.iter().any(|text| contains(text, value)))
                }
                Test::Priority(_) | Test::Cost(..) => false,
            };
            hit != term.negated
        })
    }
}

impl Test {
    fn of_task(&self, task: &TaskCard, scene: &Scene) -> bool {
        match self {
            Self::Word(word) => {
                let id = task.id.to_string();
                contains(&task.title, word)
                    || contains(&id, word)
                    || contains(&task.task_type, word)
                    || task.assignees.iter().any(|agent| contains(agent, word))
                    || task.labels.iter().any(|label| contains(label, word))
                    || task.project.as_ref().is_some_and(|project| contains(project, word))
            }
            Self::State(any) => any.iter().any(|state| contains(task.state.as_str(), state)),
            Self::Agent(any) => {
                any.iter().any(|name| task.assignees.iter().any(|agent| agent.as_str() == name))
            }
            Self::Priority(any) => any.iter().any(|value| *value == task.priority.to_string()),
            Self::Risk(any) => {
                let risk = scene.world.approval_of(task.id).map(|approval| approval.risk);
                let word = match risk {
                    Some(Risk::Green) => "green",
                    Some(Risk::Yellow) => "yellow",
                    Some(Risk::Red) => "red",
                    None => return false,
                };
                any.iter().any(|value| value == word)
            }
            Self::Is(any) => any.iter().any(|value| match value.as_str() {
                "open" => !task.state.is_final(),
                "waiting" => task.state == mc_core::task::TaskState::NeedsApproval,
                "unassigned" => task.assignees.is_empty(),
                word => task.state.as_str() == word,
            }),
            Self::Cost(order, uusd) => task.spent_uusd.0.cmp(uusd) == *order,
        }
    }
}

fn contains(text: &str, word: &str) -> bool {
    text.to_lowercase().contains(word)
}

fn read_term(word: &str) -> Result<Term, String> {
    let (negated, word) = word.strip_prefix('-').map_or((false, word), |rest| (true, rest));
    let lower = word.to_lowercase();
    let Some(at) = lower.find([':', '>', '<']) else {
        return Ok(Term { negated, test: Test::Word(lower) });
    };
    let (key, rest) = lower.split_at(at);
    let op = rest.chars().next().unwrap_or(':');
    let rest = rest.get(1..).unwrap_or_default();
    let values: Vec<String> =
        rest.split(',').filter(|value| !value.is_empty()).map(str::to_owned).collect();
    let test = match (key, op) {
        ("state", ':') => Test::State(values),
        ("agent", ':') => Test::Agent(values),
        ("prio", ':') => Test::Priority(values),
        ("risk", ':') => Test::Risk(values),
        ("is", ':') => {
            if let Some(bad) = values.iter().find(|value| !IS.contains(&value.as_str())) {
                return Err(format!("`is:{bad}`? one of {}", IS.join(" ")));
            }
            Test::Is(values)
        }
        ("cost", '>' | '<') => {
            let order =
                if op == '>' { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Less };
            let dollars: f64 = rest.parse().map_err(|_| format!("`{rest}` is no amount"))?;
            Test::Cost(order, dollars_to_micros(dollars))
        }
        _ => return Err(format!("`{key}`? one of {}", KEYS.join(" "))),
    };
    Ok(Term { negated, test })
}

#[expect(clippy::cast_possible_truncation, reason = "an amount that was typed by a person")]
fn dollars_to_micros(dollars: f64) -> i64 {
    (dollars * 1_000_000.0) as i64
}
