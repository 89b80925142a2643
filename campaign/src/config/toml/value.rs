//! What is wrong with the kind of a value, in words, with the value that would be right.

use std::collections::BTreeSet;
use std::time::Duration;

use ::toml::Spanned;
use ::toml::de::DeValue;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::number;
use crate::config::{OnMissingItem, OverBudget, Replace, StructuredOutput, wait};

/// A kind of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number without a fraction.
    Whole,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// A time to wait.
    Wait,
    /// One of a few texts, as they are written.
    Choice(&'static str),
}

/// A time to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait(pub(super) Duration);

impl<'t> Deserialize<'t> for Wait {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        wait::read(&text).map(Self).ok_or_else(|| D::Error::custom("no time to wait"))
    }
}

/// A type that a setting can have.
pub(super) trait Setting<'t>: Deserialize<'t> {
    /// The kind of its values.
    const KIND: Kind;
}

macro_rules! settings {
    ($($kind:expr => $($of:ty),+;)+) => {
        $($(impl<'t> Setting<'t> for $of {
            const KIND: Kind = $kind;
        })+)+
    };
}

settings! {
    Kind::Whole => u32, u64, usize, i32;
    Kind::Number => f32, f64;
    Kind::Flag => bool;
    Kind::Wait => Wait;
    Kind::Text => String, Spanned<String>;
    Kind::Texts => Vec<Spanned<String>>, BTreeSet<String>;
    Kind::Choice("\"json-schema\" or \"tool\"") => StructuredOutput;
    Kind::Choice("\"first\" or \"newest\"") => Replace;
    Kind::Choice("\"skip\" or \"ask\"") => OnMissingItem;
    Kind::Choice("\"skip\" or \"wait\"") => OverBudget;
}

/// What is wrong with a value that is not of its setting's kind.
pub(super) fn wrong(name: &str, kind: Kind, value: &DeValue<'_>) -> String {
    let wanted = match kind {
        Kind::Whole => "a whole number",
        Kind::Number => "a number",
        Kind::Flag => "true or false",
        Kind::Text => "a text in quotes",
        Kind::Texts => "a list of texts",
        Kind::Wait => "a whole number and its unit in quotes, \"30m\", \"2h\" or \"3d\"",
        Kind::Choice(texts) => texts,
    };
    format!("{name} must be {wanted}{}", remedy(kind, value))
}

/// How the value would be right, if that can be told; otherwise what it is.
fn remedy(kind: Kind, value: &DeValue<'_>) -> String {
    match (kind, value) {
        (Kind::Whole | Kind::Number, DeValue::String(text)) => match meant(text, kind) {
            Some(number) => format!(", without quotes: write {number}"),
            None => format!(", and not the text \"{text}\""),
        },
        (Kind::Flag, DeValue::String(text)) => match text.to_lowercase().as_str() {
            flag @ ("true" | "false") => format!(", without quotes: write {flag}"),
            _ => format!(", and not the text \"{text}\""),
        },
        (Kind::Whole, DeValue::Float(number)) => match number::whole(number.as_str()) {
            Some(whole) => format!(", without a point: write {whole}"),
            None => format!(", and not {number}"),
        },
        (Kind::Whole, DeValue::Integer(number)) => {
            let least = if number.as_str().starts_with('-') { ", 0 or more" } else { "" };
            format!("{least}, and not {number}")
        }
        (Kind::Text | Kind::Choice(_), DeValue::Integer(_) | DeValue::Float(_)) => {
            format!(": write \"{}\"", shown(value))
        }
        (Kind::Text | Kind::Choice(_), DeValue::Array(values)) => match values.as_ref() {
            [one] => format!(", without brackets: write {}", shown(one.get_ref())),
            _ => ", and not a list".to_owned(),
        },
        (Kind::Wait, DeValue::String(text)) => match wait::meant(text) {
            Some(meant) => format!(": write \"{}\"", wait::written(meant)),
            None => format!(", and not \"{text}\""),
        },
        (Kind::Texts, DeValue::String(text)) => {
            let texts: Vec<&str> = text.split(',').map(str::trim).collect();
            format!(": write [\"{}\"]", texts.join("\", \""))
        }
        (Kind::Texts, DeValue::Array(values)) => {
            let other = values.iter().map(Spanned::get_ref);
            let other = other.into_iter().find(|value| !matches!(value, DeValue::String(_)));
            other.map_or(String::new(), |other| format!(", and {} is none", shown(other)))
        }
        _ => format!(", and not {}", shown(value)),
    }
}

/// A value as it is written, or what it is.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{text}\""),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(time) => format!("the time {time}"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// The number that a text was meant to be: a share is what a percentage is.
fn meant(text: &str, kind: Kind) -> Option<String> {
    let numbers = number::meant(text);
    match kind {
        Kind::Whole => numbers.iter().find_map(|one| number::whole(one)),
        _ if text.contains('%') => numbers.last().cloned(),
        _ => numbers.first().cloned(),
    }
}
