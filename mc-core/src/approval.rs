//! Approvals: a question to a human, bound to exactly what will be done.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    actor::Level,
    agent::AgentName,
    canonical,
    id::{ApprovalId, CallId, RuleId, RunId, TaskId},
    money::MicroUsd,
    policy::Risk,
    time::Timestamp,
};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalKind {
    /// To run one tool call.
    #[default]
    ToolCall,
    /// To spend beyond a cap.
    BudgetOverride,
    /// To move a task.
    Transition,
    /// To start a sub-agent.
    Spawn,
    /// A decision that the agent can't make itself.
    Escalation,
}

/// How an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalStatus {
    /// Waits for a human.
    #[default]
    Pending,
    /// A human said yes.
    Approved,
    /// A human said no.
    Denied,
    /// Nobody answered in time.
    Expired,
    /// Was withdrawn, or voided by a stop.
    Canceled,
}

impl ApprovalStatus {
    /// Returns the word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Canceled => "canceled",
        }
    }
}

/// Exactly what is asked for. Its digest is what a decision is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Statement {
    /// Version of this form.
    pub version: i64,
    /// The approval's number.
    pub approval: ApprovalId,
    /// What is asked for.
    pub kind: ApprovalKind,
    /// Who asked.
    pub agent: AgentName,
    /// The run that asked.
    pub run: Option<RunId>,
    /// The task that it serves.
    pub task: Option<TaskId>,
    /// The tool; for other kinds than `tool_call` the kind's name.
    pub tool: String,
    /// The arguments whole, with secrets masked; a summary never stands in for them.
    pub arguments: Value,
    /// Hash of the arguments as received, in canonical form and before masking.
    pub arguments_sha256: String,
    /// The directory that it runs in, as the runtime named it; where it is a link, `links` says
    /// where it leads.
    pub cwd: Option<String>,
    /// The home directory that `~` stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// The program that the command names first, where it lies; `None` when nobody could look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// SHA-256 of that program's file, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program_sha256: Option<String>,
    /// Paths that the call names and that lead elsewhere than they are written, each with where it
    /// leads once all links are followed; its directory among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<(String, String)>,
    /// Scripts that the call runs, each by its real path with SHA-256 of its content, in hex.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scripts: Vec<(String, String)>,
    /// Names of passed environment variables with the hash of each value.
    pub env: Vec<(String, String)>,
    /// The policy version that asked.
    pub policy_version: i64,
    /// Random, so that no two statements are alike; in hex.
    pub nonce: String,
    /// Not valid before.
    pub not_before: Timestamp,
    /// Not valid from then on.
    pub expires_at: Timestamp,
}

impl Statement {
    /// Returns SHA-256 of the statement in canonical JSON, in hex.
    pub fn digest(&self) -> String {
        canonical::digest("mc-statement@v1", self)
    }
}

/// How many digits a confirmation code has.
const CODE_DIGITS: usize = 6;

/// Returns what a person types to confirm what they read: six digits in hex, of the statement's
/// digest, which holds its nonce, and of the name of the connection on which it was read. Whoever
/// made the request knows its digest, and can't type the code ahead.
pub fn confirmation_code(digest: &str, connection: &str) -> String {
    let whole = canonical::digest("mc-confirmation@v1", &[digest, connection]);
    whole.chars().take(CODE_DIGITS).collect()
}

/// A yes that is not enough by itself, because the policy wants two persons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Endorsement {
    /// The operator.
    pub by: String,
    /// At which assurance level.
    pub level: Level,
    /// When.
    pub at: Timestamp,
}

/// How an operator changed what was asked for: the statement is the changed one, this is what it
/// was before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Edited {
    /// The operator who changed it last.
    pub by: String,
    /// At which assurance level.
    pub level: Level,
    /// When.
    pub at: Timestamp,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The arguments that the agent asked for, with secrets masked.
    pub original: Value,
    /// Hash of the arguments that the agent asked for, before masking.
    pub original_sha256: String,
}

/// What an approval is about once an operator has changed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalEdit {
    /// The new statement.
    pub statement: Statement,
    /// Its digest.
    pub digest: String,
    /// The risk as judged anew, never lower than it was asked at.
    pub risk: Risk,
    /// The rule that asks.
    pub rule: String,
    /// Why it is asked, in one sentence.
    pub reason: String,
    /// The act in one line.
    pub summary: String,
    /// How many persons must say yes.
    pub needs: i64,
    /// Why it was changed.
    pub note: Option<String>,
}

/// A second notice about an approval that waits.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Reminder {
    /// Half of its time is over.
    HalfTime,
    /// It is about to expire.
    LastCall,
}

/// What a call really runs, where an operator changed its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rewritten {
    /// The arguments, redacted and cut to 500 characters.
    pub preview: String,
    /// Hash of the whole arguments in canonical form, in hex.
    pub arguments_sha256: String,
    /// Hash of the command among them, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_sha256: Option<String>,
}

/// For whom a standing rule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleScope {
    /// The agent that asked, on the task that it asked for.
    #[default]
    Task,
    /// The agent that asked, on any task.
    Agent,
    /// Every agent.
    Everywhere,
}

/// What a standing rule lets pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Covers {
    /// A single simple command whose first words are literally these.
    Command {
        /// The words, the program first.
        prefix: Vec<String>,
    },
    /// A call with exactly these arguments.
    Arguments {
        /// Hash of the arguments in canonical form, in hex.
        sha256: String,
    },
}

/// An approval that was remembered: calls that it covers are not asked again. Never for red calls,
/// shells, interpreters or wrappers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StandingRule {
    /// Its number.
    pub id: RuleId,
    /// The approval that it came from.
    pub approval: ApprovalId,
    /// For whom it counts.
    pub scope: RuleScope,
    /// The agent that had asked.
    pub agent: AgentName,
    /// The task that it had asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The tool.
    pub tool: String,
    /// What it lets pass.
    pub covers: Covers,
    /// The directory that the call must run in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// What it lets pass, in one line for lists.
    pub summary: String,
    /// Who made it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// How often it may still be used; `None` is without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses_left: Option<i64>,
    /// How often it was used.
    #[serde(default)]
    pub used: i64,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// Who revoked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_by: Option<String>,
}

/// A question to a human.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// Its number.
    pub id: ApprovalId,
    /// Grows by one with every change.
    pub rev: i64,
    /// What is asked for.
    pub kind: ApprovalKind,
    /// How it stands.
    pub status: ApprovalStatus,
    /// Who asked.
    pub agent: AgentName,
    /// The task that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The run that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The tool call that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// The session to wake when it is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The risk as judged.
    pub risk: Risk,
    /// The rule that asked.
    pub rule: String,
    /// Why it is asked, in one sentence: recorded fact.
    pub reason: String,
    /// The act in one line, for lists.
    pub summary: String,
    /// The agent's own words on why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub justification: Option<String>,
    /// The agent's own words on how it can be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<String>,
    /// What the agent thinks it will cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_cost_uusd: Option<MicroUsd>,
    /// Exactly what is asked for.
    pub statement: Statement,
    /// SHA-256 of the statement: what a decision is bound to.
    pub digest: String,
    /// What an identical call must match: agent, task, tool, arguments, directory, environment.
    pub call_key: String,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Whether the runtime that asked can put other arguments in the place of its own, so that an
    /// operator may change them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub can_rewrite: bool,
    /// How an operator changed it; `None` when it is what the agent asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Edited>,
    /// The last reminder that was sent while it waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminded: Option<Reminder>,
    /// When the next reminder is due; `None` when none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_at: Option<Timestamp>,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// At which assurance level it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_level: Option<Level>,
    /// When it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// The decision's note; a denial's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When it was used; an approval is used once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
    /// Whether the runtime no longer holds the call, so that the agent has to be told.
    #[serde(default)]
    pub dropped: bool,
    /// Those who said yes before the one that decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endorsements: Vec<Endorsement>,
    /// How many persons must say yes.
    #[serde(default = "one")]
    pub needs: i64,
    /// Whether long texts are cut, its request among them: `approval.get` has it whole, and only that
    /// fits the digest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
}

/// How long a text of a card is at most, in bytes.
const CARD_TEXT: usize = 1_000;
/// How long the request on a card is at most, in bytes.
const CARD_REQUEST: usize = 4_000;

impl Approval {
    /// Returns it for lists, where there are many: what is long is cut, and says so.
    #[must_use]
    pub fn card(mut self) -> Self {
        let mut is_cut = false;
        for text in [&mut self.justification, &mut self.rollback, &mut self.note] {
            if let Some(text) = text.as_mut().filter(|text| text.len() > CARD_TEXT) {
                *text = shortened(text, CARD_TEXT);
                is_cut = true;
            }
        }
        let edited = self.edited.as_mut().map(|edited| &mut edited.original);
        for request in [Some(&mut self.statement.arguments), edited].into_iter().flatten() {
            let json = canonical::json(request);
            if json.len() > CARD_REQUEST {
                *request = Value::String(shortened(&json, CARD_REQUEST));
                is_cut = true;
            }
        }
        let Statement { env, links, scripts, .. } = &mut self.statement;
        for list in [env, links, scripts] {
            if list.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
                > CARD_REQUEST
            {
                list.clear();
                is_cut = true;
            }
        }
        self.is_cut = is_cut;
        self
    }
}

fn shortened(text: &str, bytes: usize) -> String {
    let kept = text.get(..text.floor_char_boundary(bytes)).unwrap_or_default();
    format!("{kept}… (cut: {} bytes in all, `approval.get` has them)", text.len())
}

/// A cap that is to be raised, as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// The cap before and after: `$1.00 → $1.35`.
    pub caps: String,
    /// What counts as spent of it.
    pub spent: Option<MicroUsd>,
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.caps)?;
        self.spent.map_or(Ok(()), |spent| write!(f, " ({spent} counts as spent)"))
    }
}

impl Approval {
    /// Returns the cap before and after, of a request that wants more of a budget.
    pub fn raised(&self) -> Option<Raised> {
        if self.kind != ApprovalKind::BudgetOverride {
            return None;
        }
        let arguments = &self.statement.arguments;
        let amount = |path: &str| arguments.pointer(path).and_then(serde_json::Value::as_i64);
        let both = |before: &str, after: &str| Some((amount(before)?, amount(after)?));
        let dollars = both("/cap_uusd", "/raise/to/uusd")
            .map(|(cap, to)| format!("{} → {}", MicroUsd(cap), MicroUsd(to)));
        let tokens =
            both("/cap_tokens", "/raise/to/tokens").map(|(cap, to)| format!("{cap} → {to} tokens"));
        let caps: Vec<String> = dollars.into_iter().chain(tokens).collect();
        let spent = amount("/spent_uusd").map(MicroUsd);
        (!caps.is_empty()).then(|| Raised { caps: caps.join(" and "), spent })
    }

    /// Says whether its yes has done its work: a call uses it once, anything else it lets happen the
    /// moment it is said. What has happened no stop and no time takes back.
    pub fn is_spent(&self) -> bool {
        let happens_at_once = self.kind != ApprovalKind::ToolCall;
        self.used_at.is_some() || (self.status == ApprovalStatus::Approved && happens_at_once)
    }

    /// Says whether its agent took it back itself: an operator acts at a level, an agent at none.
    pub fn was_withdrawn(&self) -> bool {
        self.status == ApprovalStatus::Canceled
            && self.decided_level.is_none()
            && self.decided_by.as_deref() == Some(self.agent.as_str())
    }

    /// Returns when this share of its time is over, in percent.
    pub fn after_percent(&self, percent: u8) -> Timestamp {
        let whole = self.expires_at.0.saturating_sub(self.asked_at.0).max(0);
        Timestamp(self.asked_at.0.saturating_add(whole / 100 * i64::from(percent)))
    }
}

const fn one() -> i64 {
    1
}

/// Returns what an identical call must match.
pub fn call_key(
    agent: &AgentName,
    task: Option<TaskId>,
    tool: &str,
    arguments_sha256: &str,
    surroundings: (Option<&str>, &[(String, String)]),
) -> String {
    canonical::digest("mc-call@v1", &(agent, task, tool, arguments_sha256, surroundings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_of_one_digest_and_one_connection_and_tells_nothing_of_either() {
        let digest = canonical::digest("mc-statement@v1", "all of it");
        let code = confirmation_code(&digest, "c0ffee");
        assert_eq!(code, confirmation_code(&digest, "c0ffee"));
        assert_eq!(code.len(), CODE_DIGITS);
        assert!(code.bytes().all(|digit| digit.is_ascii_hexdigit()), "{code}");
        assert!(!digest.contains(&code), "{code} in {digest}");
        assert_ne!(code, confirmation_code(&digest, "c0ffef"), "another connection");
        assert_ne!(code, confirmation_code("00ff", "c0ffee"), "another request");
    }
}
