//! What an event is about: its task, its agent, its name.

use super::{
    ApprovalDropped, ApprovalEdited, ApprovalEndorsed, ApprovalReminded, ApprovalUsed, Event,
    ToolChanged, ToolConfirmed, ToolUnconfirmed,
};
use crate::{agent::AgentName, delivery::Try, id::TaskId};

/// The kinds that are about the squad as a whole, its doors and its clock: neither about one task
/// nor about one agent.
macro_rules! of_the_squad {
    () => {
        Event::TokenRotated { .. }
            | Event::TokenRevoked { .. }
            | Event::AdapterEnrolled(_)
            | Event::RuntimeAttached(_)
            | Event::RuntimeDetached(_)
            | Event::RuleRevoked { .. }
            | Event::NotificationAcked { .. }
            | Event::SinksDeclared { .. }
            | Event::DeliveryFormed { .. }
            | Event::DeliveryTried { .. }
            | Event::DeliveryExpired { .. }
            | Event::NoticesExpired { .. }
            | Event::DeliveriesRetried { .. }
            | Event::ScheduleCreated { .. }
            | Event::ScheduleUpdated(_)
            | Event::ScheduleStatusChanged(_)
            | Event::ScheduleCame { .. }
            | Event::SquadCreated { .. }
            | Event::SquadStatusChanged { .. }
            | Event::SquadStopReported { .. }
            | Event::PolicyActivated { .. }
            | Event::OperatorUnlocked { .. }
            | Event::OperatorsChanged { .. }
            | Event::BudgetDayTurned { .. }
            | Event::ClockJumped { .. }
    };
}

/// Gives each kind its word, and leaves none out.
macro_rules! words {
    ($($kind:ident $word:literal)+) => {
        impl Event {
            /// Returns the word that names its kind on the wire and in the journal.
            pub const fn kind(&self) -> &'static str {
                match self { $(Self::$kind { .. } => $word,)+ }
            }
        }

        #[cfg(test)]
        const WORDS: &[&str] = &[$($word),+];
    };
}

#[expect(clippy::unnested_or_patterns, reason = "the kinds of the squad are said once, above")]
impl Event {
    /// Says whether it is in the record only, and no news in a feed that nobody filters: each act from
    /// a shell unlocks first, and the act tells it; that a sink is tried again and again is told once,
    /// by an alert.
    pub const fn is_routine(&self) -> bool {
        matches!(
            self,
            Self::OperatorUnlocked { success: true, .. }
                | Self::DeliveryTried { outcome: Try::Failed { .. }, .. }
        )
    }

    /// Returns the task that the event belongs to, for its timeline.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Self::TaskCreated { task } => Some(task.id),
            Self::TaskUpdated { task, .. }
            | Self::TaskMoved { task, .. }
            | Self::TaskClaimed { task, .. }
            | Self::TaskReleased { task, .. }
            | Self::TaskSubscribed { task, .. }
            | Self::TaskUnsubscribed { task, .. } => Some(*task),
            Self::MessagePosted { message } => Some(message.task),
            Self::ArtifactStored { artifact } => Some(artifact.task),
            Self::RunStarted { run } => run.task,
            Self::ToolChecked { call } => call.task,
            Self::ApprovalRequested { approval } => approval.task,
            Self::RunUsed { task, .. }
            | Self::RunFinished { task, .. }
            | Self::RunSentBack { task, .. }
            | Self::BudgetReleased { task, .. }
            | Self::BudgetSet { task, .. }
            | Self::BudgetRaised { task, .. }
            | Self::BudgetRaiseVoided { task, .. }
            | Self::BudgetWarned { task, .. }
            | Self::ToolChanged(ToolChanged { task, .. })
            | Self::ToolConfirmed(ToolConfirmed { task, .. })
            | Self::ToolUnconfirmed(ToolUnconfirmed { task, .. })
            | Self::ApprovalClosed { task, .. }
            | Self::ApprovalUsed(ApprovalUsed { task, .. })
            | Self::ApprovalDropped(ApprovalDropped { task, .. })
            | Self::ApprovalEndorsed(ApprovalEndorsed { task, .. })
            | Self::ApprovalEdited(ApprovalEdited { task, .. })
            | Self::ApprovalReminded(ApprovalReminded { task, .. })
            | Self::RuleUsed { task, .. }
            | Self::AlertChanged { task, .. }
            | Self::AlertRepeated { task, .. } => *task,
            Self::BudgetReserved { reservation } => reservation.payer.task,
            Self::BudgetBreached { breach } => breach.task,
            Self::CostCorrected { correction } => correction.payer.task,
            Self::RuleRemembered { rule } => rule.task,
            Self::AlertRaised { alert } => alert.task,
            Self::NotificationQueued { notification } => notification.task,
            Self::AgentRegistered { agent, .. } => agent.serves,
            Self::AgentUpdated { .. }
            | Self::AgentStatusChanged { .. }
            | Self::AgentEvidenceKept { .. }
            | of_the_squad!() => None,
        }
    }

    /// Returns the agent that the event is about, whoever acted.
    pub fn agent(&self) -> Option<&AgentName> {
        match self {
            Self::TaskClaimed { agent, .. }
            | Self::TaskReleased { agent, .. }
            | Self::AgentUpdated { agent, .. }
            | Self::AgentStatusChanged { agent, .. }
            | Self::AgentEvidenceKept { agent, .. }
            | Self::RunUsed { agent, .. }
            | Self::RunFinished { agent, .. }
            | Self::RunSentBack { agent, .. }
            | Self::BudgetReleased { agent, .. }
            | Self::BudgetWarned { agent, .. }
            | Self::ToolChanged(ToolChanged { agent, .. })
            | Self::ToolConfirmed(ToolConfirmed { agent, .. })
            | Self::ToolUnconfirmed(ToolUnconfirmed { agent, .. })
            | Self::ApprovalClosed { agent, .. }
            | Self::ApprovalUsed(ApprovalUsed { agent, .. })
            | Self::ApprovalDropped(ApprovalDropped { agent, .. })
            | Self::ApprovalEndorsed(ApprovalEndorsed { agent, .. })
            | Self::ApprovalEdited(ApprovalEdited { agent, .. })
            | Self::ApprovalReminded(ApprovalReminded { agent, .. })
            | Self::RuleUsed { agent, .. } => Some(agent),
            Self::BudgetReserved { reservation } => Some(&reservation.payer.agent),
            Self::BudgetBreached { breach } => Some(&breach.agent),
            Self::CostCorrected { correction } => Some(&correction.payer.agent),
            Self::RuleRemembered { rule } => Some(&rule.agent),
            Self::AgentRegistered { agent, .. } => Some(&agent.name),
            Self::RunStarted { run } => Some(&run.agent),
            Self::ToolChecked { call } => Some(&call.agent),
            Self::ApprovalRequested { approval } => Some(&approval.agent),
            Self::AlertRaised { alert } => alert.agent.as_ref(),
            Self::TaskCreated { .. }
            | Self::TaskUpdated { .. }
            | Self::TaskMoved { .. }
            | Self::TaskSubscribed { .. }
            | Self::TaskUnsubscribed { .. }
            | Self::MessagePosted { .. }
            | Self::ArtifactStored { .. }
            | Self::BudgetSet { .. }
            | Self::BudgetRaised { .. }
            | Self::BudgetRaiseVoided { .. }
            | Self::AlertChanged { .. }
            | Self::AlertRepeated { .. }
            | Self::NotificationQueued { .. }
            | of_the_squad!() => None,
        }
    }
}

words! {
    TaskCreated "task_created"
    TaskUpdated "task_updated"
    TaskMoved "task_moved"
    TaskClaimed "task_claimed"
    TaskReleased "task_released"
    TaskSubscribed "task_subscribed"
    TaskUnsubscribed "task_unsubscribed"
    MessagePosted "message_posted"
    ArtifactStored "artifact_stored"
    AgentRegistered "agent_registered"
    AgentUpdated "agent_updated"
    AgentStatusChanged "agent_status_changed"
    AgentEvidenceKept "agent_evidence_kept"
    TokenRotated "token_rotated"
    TokenRevoked "token_revoked"
    AdapterEnrolled "adapter_enrolled"
    RuntimeAttached "runtime_attached"
    RuntimeDetached "runtime_detached"
    RunStarted "run_started"
    RunUsed "run_used"
    RunFinished "run_finished"
    RunSentBack "run_sent_back"
    BudgetReserved "budget_reserved"
    BudgetReleased "budget_released"
    BudgetSet "budget_set"
    BudgetRaised "budget_raised"
    BudgetRaiseVoided "budget_raise_voided"
    BudgetWarned "budget_warned"
    BudgetBreached "budget_breached"
    CostCorrected "cost_corrected"
    ToolChecked "tool_checked"
    ToolChanged "tool_changed"
    ToolConfirmed "tool_confirmed"
    ToolUnconfirmed "tool_unconfirmed"
    ApprovalRequested "approval_requested"
    ApprovalClosed "approval_closed"
    ApprovalUsed "approval_used"
    ApprovalDropped "approval_dropped"
    ApprovalEndorsed "approval_endorsed"
    ApprovalEdited "approval_edited"
    ApprovalReminded "approval_reminded"
    RuleRemembered "rule_remembered"
    RuleUsed "rule_used"
    RuleRevoked "rule_revoked"
    AlertRaised "alert_raised"
    AlertChanged "alert_changed"
    AlertRepeated "alert_repeated"
    NotificationQueued "notification_queued"
    NotificationAcked "notification_acked"
    SinksDeclared "sinks_declared"
    DeliveryFormed "delivery_formed"
    DeliveryTried "delivery_tried"
    DeliveryExpired "delivery_expired"
    NoticesExpired "notices_expired"
    DeliveriesRetried "deliveries_retried"
    ScheduleCreated "schedule_created"
    ScheduleUpdated "schedule_updated"
    ScheduleStatusChanged "schedule_status_changed"
    ScheduleCame "schedule_came"
    SquadCreated "squad_created"
    SquadStatusChanged "squad_status_changed"
    SquadStopReported "squad_stop_reported"
    PolicyActivated "policy_activated"
    OperatorUnlocked "operator_unlocked"
    OperatorsChanged "operators_changed"
    BudgetDayTurned "budget_day_turned"
    ClockJumped "clock_jumped"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_the_one_that_the_journal_is_read_by() {
        for word in WORDS {
            let empty = serde_json::json!({ "kind": word });
            let error = serde_json::from_value::<Event>(empty).map(drop);
            let error = error.err().map_or(String::new(), |error| error.to_string());
            assert!(!error.contains("unknown variant"), "{word}: {error}");
        }
    }
}
