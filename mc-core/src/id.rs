//! The ids of things: a letter, a dash and a number given in journal order (`T-142`).

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A text that is not the id that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id like `{example}`")]
pub struct IdError {
    /// What was given.
    pub text: String,
    /// What a good one looks like.
    pub example: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta] $name:ident $prefix:literal $example:literal)*) => {$(
        #[$doc]
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl $name {
            /// What stands before the number.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let wrong = || IdError { text: text.chars().take(40).collect(), example: $example };
                let digits = text
                    .get(..$prefix.len())
                    .filter(|head| head.eq_ignore_ascii_case($prefix))
                    .and_then(|_| text.get($prefix.len()..))
                    .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
                    .ok_or_else(wrong)?;
                digits.parse().map(Self).map_err(|_| wrong())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": concat!("^", $prefix, "[0-9]+$"),
                    "examples": [$example],
                })
            }
        }
    )*};
}

id! {
    /// A task.
    TaskId "T-" "T-142"
    /// An approval.
    ApprovalId "A-" "A-37"
    /// A run of an agent.
    RunId "R-" "R-40"
    /// A tool call.
    CallId "C-" "C-77"
    /// A message in a thread.
    MessageId "M-" "M-9"
    /// An alert.
    AlertId "W-" "W-2"
    /// A standing rule: an approval that was remembered.
    RuleId "S-" "S-3"
    /// A promise that an amount may be spent.
    ReservationId "B-" "B-6"
    /// A notification.
    NotificationId "N-" "N-5"
    /// A delivery: what one sink is sent at once.
    DeliveryId "D-" "D-7"
    /// A schedule: what creates a task again and again.
    ScheduleId "J-" "J-2"
    /// An event of the journal; its number is the journal sequence.
    EventId "e" "e1234"
}

/// The journal sequence: gapless, from 1.
pub type Seq = i64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_shows() {
        assert_eq!(TaskId(142).to_string(), "T-142");
        assert_eq!("T-142".parse(), Ok(TaskId(142)));
        assert_eq!("t-142".parse(), Ok(TaskId(142)));
        assert_eq!("e7".parse(), Ok(EventId(7)));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "T-", "T", "A-1", "T--1", "T-1x", "T-99999999999999999999", "é-1"] {
            let parsed = text.parse::<TaskId>();
            if text == "T-" {
                assert!(parsed.is_err(), "{text}");
            }
            assert!(parsed.is_err(), "{text} was read as {parsed:?}");
        }
    }
}
