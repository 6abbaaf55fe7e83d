//! What an event is about: its task, its agent, its name.

use super::Event;
use crate::{agent::AgentName, id::TaskId};

#[expect(clippy::too_many_lines, reason = "tables: a line for each kind of event")]
impl Event {
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
            | Self::BudgetWarned { task, .. }
            | Self::ToolChanged { task, .. }
            | Self::ToolConfirmed { task, .. }
            | Self::ToolUnconfirmed { task, .. }
            | Self::ApprovalClosed { task, .. }
            | Self::ApprovalUsed { task, .. }
            | Self::ApprovalDropped { task, .. }
            | Self::ApprovalEndorsed { task, .. }
            | Self::ApprovalEdited { task, .. }
            | Self::ApprovalReminded { task, .. }
            | Self::RuleUsed { task, .. }
            | Self::AlertChanged { task, .. } => *task,
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
            | Self::TokenRotated { .. }
            | Self::TokenRevoked { .. }
            | Self::AdapterEnrolled { .. }
            | Self::RuntimeAttached { .. }
            | Self::RuntimeDetached { .. }
            | Self::NotificationAcked { .. }
            | Self::SinksDeclared { .. }
            | Self::DeliveryFormed { .. }
            | Self::DeliveryTried { .. }
            | Self::DeliveryExpired { .. }
            | Self::NoticesExpired { .. }
            | Self::DeliveriesRetried { .. }
            | Self::ScheduleCreated { .. }
            | Self::ScheduleUpdated { .. }
            | Self::ScheduleStatusChanged { .. }
            | Self::ScheduleCame { .. }
            | Self::SquadCreated { .. }
            | Self::SquadStatusChanged { .. }
            | Self::SquadStopReported { .. }
            | Self::PolicyActivated { .. }
            | Self::OperatorUnlocked { .. }
            | Self::OperatorsChanged { .. }
            | Self::RuleRevoked { .. }
            | Self::ClockJumped { .. } => None,
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
            | Self::ToolChanged { agent, .. }
            | Self::ToolConfirmed { agent, .. }
            | Self::ToolUnconfirmed { agent, .. }
            | Self::ApprovalClosed { agent, .. }
            | Self::ApprovalUsed { agent, .. }
            | Self::ApprovalDropped { agent, .. }
            | Self::ApprovalEndorsed { agent, .. }
            | Self::ApprovalEdited { agent, .. }
            | Self::ApprovalReminded { agent, .. }
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
            | Self::TokenRotated { .. }
            | Self::TokenRevoked { .. }
            | Self::AdapterEnrolled { .. }
            | Self::RuntimeAttached { .. }
            | Self::RuntimeDetached { .. }
            | Self::AlertChanged { .. }
            | Self::NotificationQueued { .. }
            | Self::NotificationAcked { .. }
            | Self::SinksDeclared { .. }
            | Self::DeliveryFormed { .. }
            | Self::DeliveryTried { .. }
            | Self::DeliveryExpired { .. }
            | Self::NoticesExpired { .. }
            | Self::DeliveriesRetried { .. }
            | Self::ScheduleCreated { .. }
            | Self::ScheduleUpdated { .. }
            | Self::ScheduleStatusChanged { .. }
            | Self::ScheduleCame { .. }
            | Self::SquadCreated { .. }
            | Self::SquadStatusChanged { .. }
            | Self::SquadStopReported { .. }
            | Self::PolicyActivated { .. }
            | Self::OperatorUnlocked { .. }
            | Self::OperatorsChanged { .. }
            | Self::RuleRevoked { .. }
            | Self::BudgetSet { .. }
            | Self::BudgetRaised { .. }
            | Self::ClockJumped { .. } => None,
        }
    }

    /// Returns the word that names its kind on the wire and in the journal.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::TaskCreated { .. } => "task_created",
            Self::TaskUpdated { .. } => "task_updated",
            Self::TaskMoved { .. } => "task_moved",
            Self::TaskClaimed { .. } => "task_claimed",
            Self::TaskReleased { .. } => "task_released",
            Self::TaskSubscribed { .. } => "task_subscribed",
            Self::TaskUnsubscribed { .. } => "task_unsubscribed",
            Self::MessagePosted { .. } => "message_posted",
            Self::ArtifactStored { .. } => "artifact_stored",
            Self::AgentRegistered { .. } => "agent_registered",
            Self::AgentUpdated { .. } => "agent_updated",
            Self::AgentStatusChanged { .. } => "agent_status_changed",
            Self::AgentEvidenceKept { .. } => "agent_evidence_kept",
            Self::TokenRotated { .. } => "token_rotated",
            Self::TokenRevoked { .. } => "token_revoked",
            Self::AdapterEnrolled { .. } => "adapter_enrolled",
            Self::RuntimeAttached { .. } => "runtime_attached",
            Self::RuntimeDetached { .. } => "runtime_detached",
            Self::RunStarted { .. } => "run_started",
            Self::RunUsed { .. } => "run_used",
            Self::RunFinished { .. } => "run_finished",
            Self::RunSentBack { .. } => "run_sent_back",
            Self::BudgetReserved { .. } => "budget_reserved",
            Self::BudgetReleased { .. } => "budget_released",
            Self::BudgetSet { .. } => "budget_set",
            Self::BudgetRaised { .. } => "budget_raised",
            Self::BudgetWarned { .. } => "budget_warned",
            Self::BudgetBreached { .. } => "budget_breached",
            Self::CostCorrected { .. } => "cost_corrected",
            Self::ToolChecked { .. } => "tool_checked",
            Self::ToolChanged { .. } => "tool_changed",
            Self::ToolConfirmed { .. } => "tool_confirmed",
            Self::ToolUnconfirmed { .. } => "tool_unconfirmed",
            Self::ApprovalRequested { .. } => "approval_requested",
            Self::ApprovalClosed { .. } => "approval_closed",
            Self::ApprovalUsed { .. } => "approval_used",
            Self::ApprovalDropped { .. } => "approval_dropped",
            Self::ApprovalEndorsed { .. } => "approval_endorsed",
            Self::ApprovalEdited { .. } => "approval_edited",
            Self::ApprovalReminded { .. } => "approval_reminded",
            Self::RuleRemembered { .. } => "rule_remembered",
            Self::RuleUsed { .. } => "rule_used",
            Self::RuleRevoked { .. } => "rule_revoked",
            Self::AlertRaised { .. } => "alert_raised",
            Self::AlertChanged { .. } => "alert_changed",
            Self::NotificationQueued { .. } => "notification_queued",
            Self::NotificationAcked { .. } => "notification_acked",
            Self::SinksDeclared { .. } => "sinks_declared",
            Self::DeliveryFormed { .. } => "delivery_formed",
            Self::DeliveryTried { .. } => "delivery_tried",
            Self::DeliveryExpired { .. } => "delivery_expired",
            Self::NoticesExpired { .. } => "notices_expired",
            Self::DeliveriesRetried { .. } => "deliveries_retried",
            Self::ScheduleCreated { .. } => "schedule_created",
            Self::ScheduleUpdated { .. } => "schedule_updated",
            Self::ScheduleStatusChanged { .. } => "schedule_status_changed",
            Self::ScheduleCame { .. } => "schedule_came",
            Self::SquadCreated { .. } => "squad_created",
            Self::SquadStatusChanged { .. } => "squad_status_changed",
            Self::SquadStopReported { .. } => "squad_stop_reported",
            Self::PolicyActivated { .. } => "policy_activated",
            Self::OperatorUnlocked { .. } => "operator_unlocked",
            Self::OperatorsChanged { .. } => "operators_changed",
            Self::ClockJumped { .. } => "clock_jumped",
        }
    }
}
