//! A number within bounds, on a grid, that reads like one that somebody chose.
//!
//! All of it is counted in whole units of the finest decimal that a schema names, so that a
//! multiple of 0.05 is never 0.15000000000000002.

use serde_json::{Number, Value};

/// Most decimals that are counted.
const MAX_DECIMALS: u32 = 9;

/// How far a number goes from its only bound, in steps.
const REACH: i128 = 100;

/// How many of the first numbers are taken by chance.
const CHOICE: i128 = 9;

/// What says which numbers are taken.
const BOUNDS: [&str; 5] =
    ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];

/// A number that a schema in its normal form takes. `wishes` come first, `chance` decides
/// between others, and each `variant` is another number, as long as there are any.
pub(super) fn number(schema: &Value, wishes: &[i64], chance: u64, variant: usize) -> Option<Value> {
    let is_integer = schema["type"] == "integer";
    let finest = BOUNDS.iter().filter_map(|keyword| decimals(&schema[*keyword])).max();
    let finest = finest.unwrap_or(0);
    // Without a step, ever finer ones are tried until one lies within the bounds.
    let steps = match schema.get("multipleOf") {
        Some(_) => finest..=finest,
        None if is_integer => 0..=0,
        None => 0..=MAX_DECIMALS,
    };
    for fineness in steps {
        let scale = fineness.max(finest);
        let unit = 10_i128.pow(scale);
        let step = match scaled(&schema["multipleOf"], scale) {
            Some(step) if is_integer => lcm(step, unit)?,
            Some(step) => step,
            None => 10_i128.pow(scale - fineness),
        };
        let Some(grid) = Grid::of(schema, scale, step) else { continue };
        let mut wished = wishes.iter().map(|wish| i128::from(*wish) * unit);
        let wished = wished.find(|wish| variant == 0 && grid.holds(*wish));
        let chosen = wished.unwrap_or_else(|| grid.chosen(unit, chance, variant as i128));
        return as_json(chosen, scale);
    }
    None
}

/// The numbers that may be taken: `first`, `first + step` and so on to `last`.
struct Grid {
    first: i128,
    last: i128,
    step: i128,
}

impl Grid {
    fn of(schema: &Value, scale: u32, step: i128) -> Option<Self> {
        if step <= 0 {
            return None;
        }
        // Of the oldest draft, an exclusive bound is a flag beside the bound.
        let bounds = |keyword: &str, exclusive: &str| {
            let open = i128::from(schema[exclusive] == true);
            let closed = scaled(&schema[keyword], scale).map(|bound| (bound, open));
            let other = scaled(&schema[exclusive], scale).map(|bound| (bound, 1));
            closed.into_iter().chain(other)
        };
        let low = bounds("minimum", "exclusiveMinimum").map(|(n, open)| n + open).max();
        let high = bounds("maximum", "exclusiveMaximum").map(|(n, open)| n - open).min();
        let reach = step.checked_mul(REACH)?;
        let low = low.unwrap_or_else(|| high.map_or(0, |high| (high - reach).min(0)));
        let high = high.unwrap_or(low.max(0) + reach);
        let first = low.checked_add(step - 1)?.div_euclid(step) * step;
        let last = high.div_euclid(step) * step;
        (first <= last).then_some(Self { first, last, step })
    }

    fn holds(&self, number: i128) -> bool {
        (self.first..=self.last).contains(&number) && number % self.step == 0
    }

    /// The `nth` choice: small positive numbers first.
    fn chosen(&self, unit: i128, chance: u64, nth: i128) -> i128 {
        let count = (self.last - self.first) / self.step + 1;
        let small = (unit + self.step - 1).div_euclid(self.step) * self.step;
        let base = if small > self.last { self.last } else { small.max(self.first) };
        let from = (base - self.first) / self.step;
        let ahead = i128::from(chance) % (count - from).min(CHOICE);
        self.first + (from + ahead + nth) % count * self.step
    }
}

/// The decimals of a number; more than can be counted are cut.
fn decimals(number: &Value) -> Option<u32> {
    let written = plain(number)?;
    let decimals = written.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    Some(u32::try_from(decimals).unwrap_or(MAX_DECIMALS).min(MAX_DECIMALS))
}

/// A number in units of its decimals, if it is one.
fn scaled(number: &Value, scale: u32) -> Option<i128> {
    let written = plain(number)?;
    let (whole, decimals) = written.split_once('.').unwrap_or((&written, ""));
    let decimals: String =
        decimals.chars().chain(std::iter::repeat('0')).take(scale as usize).collect();
    format!("{whole}{decimals}").parse().ok().filter(|n: &i128| n.abs() < i128::MAX / 1_000_000)
}

/// A number as digits, without an exponent.
fn plain(number: &Value) -> Option<String> {
    let number = number.as_number()?;
    match number.as_f64() {
        Some(float) if number.is_f64() => Some(float.to_string()),
        _ => Some(number.to_string()),
    }
}

fn as_json(units: i128, scale: u32) -> Option<Value> {
    let unit = 10_i128.pow(scale);
    if units % unit == 0 {
        let whole = units / unit;
        let small = i64::try_from(whole).ok().map(Value::from);
        return small.or_else(|| u64::try_from(whole).ok().map(Value::from));
    }
    let sign = if units < 0 { "-" } else { "" };
    let (whole, rest) = (units.abs() / unit, units.abs() % unit);
    let written = format!("{sign}{whole}.{rest:0width$}", width = scale as usize);
    Number::from_f64(written.parse().ok()?).map(Value::Number)
}

/// The least number that is a multiple of both.
fn lcm(a: i128, b: i128) -> Option<i128> {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    if x == 0 { None } else { (a / x).checked_mul(b) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_is_within_its_bounds_and_on_its_grid_and_none_is_told() {
        for (schema, expected) in [
            (json!({ "type": "integer", "minimum": 10, "maximum": 10 }), json!(10)),
            (json!({ "type": "integer", "maximum": -3, "minimum": -4 }), json!(-3)),
            (json!({ "type": "integer", "multipleOf": 7, "minimum": 8, "maximum": 20 }), json!(14)),
            (json!({ "type": "integer", "multipleOf": 1.5, "minimum": 1, "maximum": 5 }), json!(3)),
            (
                json!({ "type": "number", "multipleOf": 0.05, "exclusiveMinimum": 0.1, "maximum": 0.15 }),
                json!(0.15),
            ),
            (json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 }), json!(0.9)),
            (json!({ "type": "number", "minimum": 2.25, "maximum": 2.25 }), json!(2.25)),
            (
                json!({ "type": "number", "minimum": 0.5, "exclusiveMaximum": true, "maximum": 0.6 }),
                json!(0.5),
            ),
            (
                json!({ "type": "integer", "minimum": 9_007_199_254_740_993_u64,
                        "maximum": 9_007_199_254_740_993_u64 }),
                json!(9_007_199_254_740_993_u64),
            ),
        ] {
            assert_eq!(number(&schema, &[], 0, 0), Some(expected), "{schema}");
        }
        assert_eq!(
            number(&json!({ "type": "integer", "minimum": 2, "maximum": 1 }), &[], 0, 0),
            None
        );
        assert_eq!(number(&json!({ "type": "number", "multipleOf": 1e-20 }), &[], 0, 0), None);
    }

    #[test]
    fn a_users_own_numbers_come_first_and_every_variant_is_another_number() {
        let schema = json!({ "type": "integer", "minimum": 1, "maximum": 5 });
        assert_eq!(number(&schema, &[7, 4], 3, 0), Some(json!(4)));

        let mut all: Vec<Value> = (1..=5).filter_map(|n| number(&schema, &[4], 3, n)).collect();
        all.sort_by_key(Value::as_i64);
        assert_eq!(all, [1, 2, 3, 4, 5].map(Value::from));
    }
}
