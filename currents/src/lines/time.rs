//! The time of an event, and what people write in place of UNIX seconds.

use serde_json::value::RawValue;

/// UNIX seconds of the year 5138: above it are milliseconds since 1973.
const MAX_SECS: u64 = 100_000_000_000;

/// What a number can be that is too large, and how many make a second.
const SMALLER: [(&str, i64); 3] =
    [("milliseconds", 1_000), ("microseconds", 1_000_000), ("nanoseconds", 1_000_000_000)];

/// The UNIX seconds that a value says, or why it says none.
pub(super) fn seconds(value: &RawValue) -> Result<i64, String> {
    let text = value.get();
    if let Ok(time) = text.parse::<i64>() {
        return match unit(time.unsigned_abs()) {
            None => Ok(time),
            Some((unit, by)) => Err(format!(
                "\"time\" is UNIX seconds: {text} looks like {unit}, write {}",
                time / by
            )),
        };
    }
    let first = text.as_bytes().first();
    if let (Some(b'"'), Ok(said)) = (first, serde_json::from_str::<String>(text)) {
        return Err(match said.trim().parse::<f64>() {
            Ok(_) => "\"time\" is a text: write the number without quotes".to_owned(),
            Err(_) => "\"time\" is a text: UNIX seconds are wanted, such as 1764000000; \
                       `jq -c '.time |= fromdate'` makes them of 2025-11-24T16:00:00Z"
                .to_owned(),
        });
    }
    Err(match first {
        Some(b'-' | b'0'..=b'9') => format!("\"time\" is whole UNIX seconds, not {text}"),
        _ => "\"time\" is a number: UNIX seconds, such as 1764000000".to_owned(),
    })
}

/// What a number looks like that is too large for seconds, and how many make one.
fn unit(time: u64) -> Option<(&'static str, i64)> {
    let is_too_large = |by: i64| time / (by.unsigned_abs() / 1_000) >= MAX_SECS;
    SMALLER.into_iter().rev().find(|(_, by)| is_too_large(*by))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unix_seconds_are_a_time_and_what_else_is_written_is_named() {
        let read = |json: &str| seconds(serde_json::from_str(json).expect("is JSON"));

        for (json, time) in [("1764000000", 1_764_000_000), ("0", 0), ("-1", -1)] {
            assert_eq!(read(json), Ok(time));
        }
        for (json, what) in [
            ("1764000000000", "1764000000000 looks like milliseconds, write 1764000000"),
            ("1764000000000123", "looks like microseconds, write 1764000000"),
            ("1764000000000123456", "looks like nanoseconds, write 1764000000"),
            ("1764000000.5", "whole UNIX seconds, not 1764000000.5"),
            ("1e9", "whole UNIX seconds, not 1e9"),
            ("\"1764000000\"", "write the number without quotes"),
            ("\"2025-11-24T16:00:00Z\"", "`jq -c '.time |= fromdate'`"),
            ("true", "is a number: UNIX seconds"),
            ("{}", "is a number: UNIX seconds"),
        ] {
            let told = read(json).expect_err("is no time");
            assert!(told.contains(what), "{json}: {told}");
        }
    }
}
