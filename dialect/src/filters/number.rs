//! Filters of numbers.

use liquid_core::Result;
use liquid_core::model::Value;

use super::{Call, Filter, as_text, filter};
use crate::ruby::{self, Number};

pub(super) const FILTERS: &[Filter] = &[
    filter("plus", (1, 1), |call| computed(call, i64::checked_add, |a, b| a + b)),
    filter("minus", (1, 1), |call| computed(call, i64::checked_sub, |a, b| a - b)),
    filter("times", (1, 1), |call| computed(call, i64::checked_mul, |a, b| a * b)),
    filter("divided_by", (1, 1), |call| divided(call, floor_div, |a, b| a / b)),
    filter("modulo", (1, 1), |call| divided(call, floor_rem, |a, b| a - (a / b).floor() * b)),
    filter("abs", (0, 0), |call| {
        Ok(match call.number() {
            Number::Integer(number) => Number::Integer(number.saturating_abs()),
            Number::Float(number) => Number::Float(number.abs()),
        }
        .value())
    }),
    filter("ceil", (0, 0), |call| whole(call, f64::ceil)),
    filter("floor", (0, 0), |call| whole(call, f64::floor)),
    filter("round", (0, 1), round),
    filter("at_least", (1, 1), |call| limited(call, |a, b| a < b)),
    filter("at_most", (1, 1), |call| limited(call, |a, b| a > b)),
    filter("money", (0, 0), |call| as_text(delimited(&format!("{:.2}", call.number().as_f64())))),
    filter("number_with_delimiter", (0, 0), |call| {
        let text = call.text();
        let is_number = !text.is_empty() && text.parse::<f64>().is_ok();
        as_text(if is_number { delimited(&text) } else { text.into_owned() })
    }),
];

/// Most digits behind the point that a number is rounded to.
const MAX_DIGITS: i64 = 15;

/// Division that rounds down, as Ruby's; by 1 below 0 the smallest number stays itself.
fn floor_div(a: i64, b: i64) -> i64 {
    let is_below = a.wrapping_rem(b) != 0 && (a < 0) != (b < 0);
    a.wrapping_div(b) - i64::from(is_below)
}

/// What such a division leaves, of the divisor's sign.
fn floor_rem(a: i64, b: i64) -> i64 {
    let rest = a.wrapping_rem(b);
    if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
}

/// Computes in whole numbers, where both are and the result fits.
fn computed(
    call: &Call<'_>,
    in_whole: fn(i64, i64) -> Option<i64>,
    otherwise: fn(f64, f64) -> f64,
) -> Result<Value> {
    let (a, b) = (call.number(), Number::of(call.argument(0)));
    if let (Number::Integer(a), Number::Integer(b)) = (a, b)
        && let Some(result) = in_whole(a, b)
    {
        return Ok(Value::scalar(result));
    }
    Ok(Number::Float(otherwise(a.as_f64(), b.as_f64())).value())
}

/// Divides; by nothing is nothing, where Ruby would print an error into the text.
fn divided(
    call: &Call<'_>,
    in_whole: fn(i64, i64) -> i64,
    otherwise: fn(f64, f64) -> f64,
) -> Result<Value> {
    let (a, b) = (call.number(), Number::of(call.argument(0)));
    if b.as_f64() == 0.0 {
        call.complain(format!("{} is divided by 0", ruby::text(call.input)));
        return Ok(Value::Nil);
    }
    Ok(match (a, b) {
        (Number::Integer(a), Number::Integer(b)) => Value::scalar(in_whole(a, b)),
        (a, b) => Number::Float(otherwise(a.as_f64(), b.as_f64())).value(),
    })
}

fn whole(call: &Call<'_>, rounded: fn(f64) -> f64) -> Result<Value> {
    Ok(match call.number() {
        Number::Integer(number) => Value::scalar(number),
        Number::Float(number) => Value::scalar(rounded(number) as i64),
    })
}

fn round(call: &Call<'_>) -> Result<Value> {
    let digits = call.whole(0, 0).clamp(-MAX_DIGITS, MAX_DIGITS);
    let number = call.number();
    if digits <= 0 {
        let unit = 10_f64.powi(-digits as i32);
        return Ok(match number {
            Number::Integer(number) if digits == 0 => Value::scalar(number),
            number => Value::scalar(((number.as_f64() / unit).round() * unit) as i64),
        });
    }
    Ok(match number {
        Number::Integer(number) => Value::scalar(number),
        // Decimals are rounded as they are written: half of 0.005 goes up.
        Number::Float(number) => {
            let unit = 10_f64.powi(digits as i32);
            let scaled: f64 = format!("{:.14e}", number * unit).parse().unwrap_or(number * unit);
            Value::scalar(scaled.round() / unit)
        }
    })
}

fn limited(call: &Call<'_>, is_beyond: fn(f64, f64) -> bool) -> Result<Value> {
    let (number, limit) = (call.number(), Number::of(call.argument(0)));
    let is_beyond = is_beyond(number.as_f64(), limit.as_f64());
    Ok(if is_beyond { limit } else { number }.value())
}

/// A number with commas between thousands.
fn delimited(number: &str) -> String {
    let (sign, unsigned) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if !whole.bytes().all(|b| b.is_ascii_digit()) {
        return number.to_owned();
    }
    let mut grouped = String::new();
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{grouped}{point}{fraction}")
}
