//! Values as Ruby sees them, in which Braze's Liquid is written: what they print, what is a
//! number, what is true, equal, or less.
//!
//! <https://github.com/Shopify/liquid/blob/main/lib/liquid/utils.rb>

use std::borrow::Cow;
use std::cmp::Ordering;

use liquid_core::ValueView;
use liquid_core::model::{ArrayView, KStringCow, ObjectView, ScalarCow, State, Value};

use crate::{moment, unknown};

/// Significant digits of a number that is computed: Ruby's Liquid computes in decimals, so
/// that 0.1 and 0.2 are 0.3.
const DIGITS: usize = 16;

/// Bytes of a text that a filter goes through in a step.
const BYTES_PER_STEP: usize = 128;

/// Items of a list that are copied in a step.
const ITEMS_PER_STEP: usize = 4;

/// What a value is.
pub(crate) enum Kind<'v> {
    /// Nothing.
    Nil,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Float(f64),
    /// A text.
    Text(Cow<'v, str>),
    /// A list.
    List(&'v dyn ArrayView),
    /// An object.
    Map(&'v dyn ObjectView),
    /// The word `empty` or `blank`.
    Word(State),
}

/// How the template language calls texts.
pub(crate) const TEXT: &str = "string";

/// Tells what a value is.
pub(crate) fn kind(value: &dyn ValueView) -> Kind<'_> {
    if value.is_nil() {
        return Kind::Nil;
    }
    if let Some(list) = value.as_array() {
        return Kind::List(list);
    }
    if let Some(map) = value.as_object() {
        return Kind::Map(map);
    }
    if let Some(word) = value.as_state() {
        return Kind::Word(word);
    }
    value.as_scalar().map_or(Kind::Nil, scalar)
}

fn scalar(scalar: ScalarCow<'_>) -> Kind<'_> {
    if let Some(flag) = scalar.to_bool() {
        return Kind::Bool(flag);
    }
    match scalar.type_name() {
        "whole number" => scalar.to_integer().map_or(Kind::Nil, Kind::Integer),
        "fractional number" => scalar.to_float().map_or(Kind::Nil, Kind::Float),
        _ => Kind::Text(scalar.into_cow_str()),
    }
}

/// What a value prints.
pub(crate) fn text(value: &dyn ValueView) -> Cow<'_, str> {
    match kind(value) {
        Kind::Nil | Kind::Word(_) => Cow::Borrowed(""),
        Kind::Bool(flag) => Cow::Borrowed(if flag { "true" } else { "false" }),
        Kind::Integer(number) => Cow::Owned(number.to_string()),
        Kind::Float(number) => Cow::Owned(float(number)),
        Kind::Text(text) if text.starts_with(unknown::MARK) => Cow::Borrowed(unknown::SHOWN),
        Kind::Text(text) => text,
        Kind::List(list) => Cow::Owned(list.values().map(text).collect()),
        Kind::Map(_) if moment::is_time(value) => {
            Cow::Owned(moment::of(value).map_or(String::new(), |time| moment::text(&time)))
        }
        Kind::Map(_) => Cow::Owned(inspected(value)),
    }
}

/// What a value prints inside an object.
fn inspected(value: &dyn ValueView) -> String {
    match kind(value) {
        Kind::Nil => "nil".to_owned(),
        Kind::Text(text) => format!("{text:?}"),
        Kind::List(list) => {
            let items: Vec<String> = list.values().map(inspected).collect();
            format!("[{}]", items.join(", "))
        }
        Kind::Map(map) => {
            let entries = self::entries(map);
            let entries = entries
                .iter()
                .map(|(name, value)| format!("{:?}=>{}", name.as_str(), inspected(*value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        _ => text(value).into_owned(),
    }
}

/// Tells whether an object is somewhere in a value.
pub(crate) fn has_object(value: &dyn ValueView) -> bool {
    match value.as_array() {
        Some(list) => list.values().any(has_object),
        None => value.is_object() && !moment::is_time(value),
    }
}

/// The names and values of an object, always in the same order: equal objects make equal texts.
pub(crate) fn entries(map: &dyn ObjectView) -> Vec<(KStringCow<'_>, &dyn ValueView)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
    entries
}

/// A number that is not whole, as Ruby prints it: always with a point.
pub(crate) fn float(number: f64) -> String {
    let size = number.abs();
    if !number.is_finite() {
        return if number.is_nan() {
            "NaN"
        } else if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned();
    }
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let point = if digits.contains('.') { "" } else { ".0" };
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
        return format!("{digits}{point}e{sign}{exponent:0>2}");
    }
    let text = number.to_string();
    if text.contains('.') { text } else { text + ".0" }
}

/// A number, as filters take it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    /// A whole one.
    Integer(i64),
    /// Another one.
    Float(f64),
}

/// Tells whether a value is a number, or a text or time that is one as a whole.
pub(crate) fn is_number(value: &dyn ValueView) -> bool {
    match kind(value) {
        Kind::Integer(_) | Kind::Float(_) => true,
        Kind::Text(text) => text.trim().parse::<f64>().is_ok_and(f64::is_finite),
        Kind::Map(_) => moment::is_time(value),
        _ => false,
    }
}

impl Number {
    /// The number that a value is, or that a text begins with; everything else is none, 0.
    pub(crate) fn of(value: &dyn ValueView) -> Self {
        match kind(value) {
            Kind::Integer(number) => Self::Integer(number),
            Kind::Float(number) => Self::Float(number),
            Kind::Text(text) => Self::parse(text.trim()),
            Kind::Map(_) => {
                let time = moment::of(value);
                Self::Integer(time.map_or(0, |time| time.timestamp().as_second()))
            }
            _ => Self::Integer(0),
        }
    }

    fn parse(text: &str) -> Self {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if let Some((whole, rest)) = unsigned.split_once('.')
            && is_digits(whole)
            && is_digits(rest)
        {
            return Self::Float(text.parse().unwrap_or_default());
        }
        let signed = text.strip_prefix(['-', '+']).unwrap_or(text);
        let digits = signed.bytes().take_while(u8::is_ascii_digit).count();
        let end = text.len() - signed.len() + digits;
        Self::Integer(text[..end].parse().unwrap_or_default())
    }

    /// As a number that need not be whole.
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Integer(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    /// As a value.
    pub(crate) fn value(self) -> Value {
        match self {
            Self::Integer(number) => Value::scalar(number),
            Self::Float(number) => Value::scalar(decimal(number)),
        }
    }
}

/// A number without the digits that only its binary form has.
fn decimal(number: f64) -> f64 {
    format!("{number:.*e}", DIGITS - 1).parse().unwrap_or(number)
}

/// Everything but nothing and `false` is true.
pub(crate) fn is_true(value: &dyn ValueView) -> bool {
    !matches!(kind(value), Kind::Nil | Kind::Bool(false))
}

/// Tells whether two values are equal, where `empty` and `blank` are what they say.
pub(crate) fn is_equal(a: &dyn ValueView, b: &dyn ValueView) -> bool {
    match (kind(a), kind(b)) {
        (Kind::Word(word), _) => is_word(b, word),
        (_, Kind::Word(word)) => is_word(a, word),
        (Kind::Nil, Kind::Nil) => true,
        (Kind::Bool(a), Kind::Bool(b)) => a == b,
        (Kind::Text(a), Kind::Text(b)) => a == b,
        (Kind::List(a), Kind::List(b)) => {
            a.size() == b.size() && a.values().zip(b.values()).all(|(a, b)| is_equal(a, b))
        }
        (Kind::Map(a), Kind::Map(b)) => {
            let has = |(name, value): (KStringCow<'_>, &dyn ValueView)| {
                b.get(name.as_str()).is_some_and(|other| is_equal(value, other))
            };
            a.size() == b.size() && a.iter().all(has)
        }
        (Kind::Integer(a), Kind::Integer(b)) => a == b,
        (a, b) => numbers(&a, &b).is_some_and(|(a, b)| a == b),
    }
}

/// Tells whether a value is `empty`, or `blank`.
fn is_word(value: &dyn ValueView, word: State) -> bool {
    let is_blank = matches!(word, State::Blank);
    match kind(value) {
        Kind::Nil => is_blank,
        Kind::Bool(flag) => is_blank && !flag,
        Kind::Text(text) if is_blank => text.trim().is_empty(),
        Kind::Text(text) => text.is_empty(),
        Kind::List(list) => list.size() == 0,
        Kind::Map(map) => map.size() == 0,
        Kind::Integer(_) | Kind::Float(_) => false,
        Kind::Word(other) => std::mem::discriminant(&other) == std::mem::discriminant(&word),
    }
}

/// Compares two numbers or two texts; Ruby compares nothing else.
pub(crate) fn compare(a: &dyn ValueView, b: &dyn ValueView) -> Option<Ordering> {
    match (kind(a), kind(b)) {
        (Kind::Integer(a), Kind::Integer(b)) => Some(a.cmp(&b)),
        (Kind::Text(a), Kind::Text(b)) => Some(a.cmp(&b)),
        (a, b) => numbers(&a, &b).and_then(|(a, b)| a.partial_cmp(&b)),
    }
}

fn numbers(a: &Kind<'_>, b: &Kind<'_>) -> Option<(f64, f64)> {
    let number = |kind: &Kind<'_>| match kind {
        Kind::Integer(number) => Some(*number as f64),
        Kind::Float(number) => Some(*number),
        _ => None,
    };
    Some((number(a)?, number(b)?))
}

/// Orders values for a list: numbers, then texts, then everything else, nothing at the end.
/// It is an order of all values, whatever a user's list holds.
pub(crate) fn order(a: &dyn ValueView, b: &dyn ValueView) -> Ordering {
    let rank = |kind: &Kind<'_>| match kind {
        Kind::Integer(_) | Kind::Float(_) => 0,
        Kind::Text(_) => 1,
        Kind::Nil => 3,
        _ => 2,
    };
    match (kind(a), kind(b)) {
        (Kind::Integer(a), Kind::Integer(b)) => a.cmp(&b),
        (Kind::Text(a), Kind::Text(b)) => a.cmp(&b),
        (a_kind, b_kind) => match (numbers(&a_kind, &b_kind), rank(&a_kind).cmp(&rank(&b_kind))) {
            (Some((a, b)), _) => a.total_cmp(&b),
            (None, Ordering::Equal) => text(a).cmp(&text(b)),
            (None, other) => other,
        },
    }
}

/// Steps that a value costs to be copied or looked through, besides the first.
pub(crate) fn weight(value: &dyn ValueView) -> usize {
    if let Some(list) = value.as_array() {
        return list.values().map(|item| 1 + weight(item)).sum::<usize>() / ITEMS_PER_STEP;
    }
    if let Some(map) = value.as_object() {
        return map.values().map(|value| 1 + weight(value)).sum::<usize>() / ITEMS_PER_STEP;
    }
    length(value) / BYTES_PER_STEP
}

/// Bytes of a text; of anything else, none.
pub(crate) fn length(value: &dyn ValueView) -> usize {
    if value.type_name() == TEXT { value.to_kstr().len() } else { 0 }
}

/// Tells whether a list has a value, a text a text in it, an object a name.
pub(crate) fn contains(whole: &dyn ValueView, part: &dyn ValueView) -> bool {
    if part.is_nil() {
        return false;
    }
    match kind(whole) {
        Kind::Text(whole) => whole.contains(&*text(part)),
        Kind::List(list) => list.values().any(|item| is_equal(item, part)),
        Kind::Map(map) => map.contains_key(&text(part)),
        _ => false,
    }
}
