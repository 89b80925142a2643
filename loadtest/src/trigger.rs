//! Which events ask for content.

use std::fmt;
use std::str::FromStr;

/// A type of events, and the value that one of their fields must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Type of the events.
    pub event_type: String,
    /// Name and value of a field.
    pub field: Option<(String, String)>,
}

/// Why a text is no trigger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a trigger is EVENT_TYPE or EVENT_TYPE:FIELD=VALUE")]
pub struct BadTrigger;

impl FromStr for Trigger {
    type Err = BadTrigger;

    fn from_str(text: &str) -> Result<Self, BadTrigger> {
        let (event_type, field) = match text.split_once(':') {
            None => (text, None),
            Some((event_type, condition)) => {
                let (name, value) = condition.split_once('=').ok_or(BadTrigger)?;
                (event_type, Some((name.to_owned(), value.to_owned())))
            }
        };
        if event_type.is_empty() || field.as_ref().is_some_and(|(name, _)| name.is_empty()) {
            return Err(BadTrigger);
        }
        Ok(Self { event_type: event_type.to_owned(), field })
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.event_type)?;
        self.field.as_ref().map_or(Ok(()), |(name, value)| write!(f, ":{name}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_is_written_as_it_is_read() {
        for text in ["users.behaviors.Purchase", "users.behaviors.CustomEvent:name=a=b"] {
            assert_eq!(text.parse::<Trigger>().expect("is a trigger").to_string(), text);
        }
        for text in ["", ":name=x", "type:name", "type:=x"] {
            assert!(text.parse::<Trigger>().is_err(), "{text}");
        }
    }
}
