//! The numbers of things: each kind is counted by itself, and a refused command gives back what it took.

use mc_core::id::{
    AlertId, ApprovalId, CallId, DeliveryId, MessageId, NotificationId, ReservationId, RuleId,
    RunId, ScheduleId, TaskId,
};

use super::Desk;
use crate::store::{
    StoreError,
    queries::{self, Reader},
};

const TABLES: [(&str, &str); 11] = [
    ("tasks", "id"),
    ("runs", "id"),
    ("tool_calls", "id"),
    ("approvals", "id"),
    ("messages", "id"),
    ("alerts", "id"),
    ("notifications", "id"),
    ("standing_rules", "id"),
    ("reservations", "id"),
    ("deliveries", "id"),
    ("task_schedules", "id"),
];

/// The last number given of each kind, in the order of the tables.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::store) struct Numbers([i64; TABLES.len()]);

impl Numbers {
    /// Reads where the numbers stand.
    pub(super) fn load(db: Reader<'_>) -> Result<Self, StoreError> {
        let mut numbers = Self::default();
        for (number, (table, id)) in numbers.0.iter_mut().zip(TABLES) {
            *number = queries::last_number(db, table, id)?;
        }
        Ok(numbers)
    }

    fn next(&mut self, kind: usize) -> i64 {
        self.0.get_mut(kind).map_or(0, |number| {
            *number += 1;
            *number
        })
    }
}

impl Desk<'_> {
    /// Gives the next task number.
    pub fn next_task(&mut self) -> TaskId {
        TaskId(self.state.numbers.next(0))
    }

    /// Gives the next run number.
    pub fn next_run(&mut self) -> RunId {
        RunId(self.state.numbers.next(1))
    }

    /// Gives the next tool call number.
    pub fn next_call(&mut self) -> CallId {
        CallId(self.state.numbers.next(2))
    }

    /// Gives the next approval number.
    pub fn next_approval(&mut self) -> ApprovalId {
        ApprovalId(self.state.numbers.next(3))
    }

    /// Gives the next message number.
    pub fn next_message(&mut self) -> MessageId {
        MessageId(self.state.numbers.next(4))
    }

    /// Gives the next alert number.
    pub fn next_alert(&mut self) -> AlertId {
        AlertId(self.state.numbers.next(5))
    }

    /// Gives the next notification number.
    pub fn next_notification(&mut self) -> NotificationId {
        NotificationId(self.state.numbers.next(6))
    }

    /// Gives the next number of a standing rule.
    pub fn next_rule(&mut self) -> RuleId {
        RuleId(self.state.numbers.next(7))
    }

    /// Gives the next number of a reservation.
    pub fn next_reservation(&mut self) -> ReservationId {
        ReservationId(self.state.numbers.next(8))
    }

    /// Gives the next number of a delivery.
    pub fn next_delivery(&mut self) -> DeliveryId {
        DeliveryId(self.state.numbers.next(9))
    }

    /// Gives the next number of a schedule.
    pub fn next_schedule(&mut self) -> ScheduleId {
        ScheduleId(self.state.numbers.next(10))
    }
}
