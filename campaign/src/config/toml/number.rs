//! Numbers as they are written in texts, in other languages and with units, and how TOML has
//! them.

/// Longest unit behind a number, in characters.
const MAX_UNIT_CHARS: usize = 8;

/// The numbers that somebody can have meant: of `0,6` it is `0.6`, of `1,000` it is `1000` or
/// `1.000`, of `70%` it is `70` or `0.7`.
pub(super) fn meant(written: &str) -> Vec<String> {
    let written = written.trim();
    let unsigned = written.trim_start_matches(['+', '-', '$', '€', '£']).trim();
    let is_part = |c: char| c.is_ascii_digit() || ".,_".contains(c);
    let (digits, unit) =
        unsigned.split_at(unsigned.find(|c| !is_part(c)).unwrap_or(unsigned.len()));
    let unit = unit.trim();
    let is_unit = unit.chars().count() <= MAX_UNIT_CHARS && !unit.contains(char::is_numeric);
    if !is_unit || !digits.contains(|c: char| c.is_ascii_digit()) {
        return Vec::new();
    }
    let mut numbers: Vec<String> = with_a_point(digits).iter().map(|one| filled(one)).collect();
    if unit == "%" {
        let shares: Vec<f64> = numbers.iter().filter_map(|one| one.parse().ok()).collect();
        numbers.extend(shares.into_iter().map(|number| (number / 100.0).to_string()));
    }
    let sign = if written.starts_with('-') { "-" } else { "" };
    numbers.into_iter().map(|number| format!("{sign}{number}")).collect()
}

/// A number without its fraction of nothing.
pub(super) fn whole(number: &str) -> Option<String> {
    let number: f64 = number.replace('_', "").parse().ok()?;
    (number.fract() == 0.0 && number.abs() < 1e15).then(|| format!("{number:.0}"))
}

/// Digits whose commas are points, or mark thousands.
fn with_a_point(digits: &str) -> Vec<String> {
    match digits.split_once(',') {
        None => vec![digits.to_owned()],
        Some((_, rest)) if rest.contains([',', '.']) => vec![digits.replace(',', "")],
        Some((whole, rest)) if rest.len() == 3 && !whole.is_empty() && whole != "0" => {
            vec![format!("{whole}{rest}"), format!("{whole}.{rest}")]
        }
        Some((whole, rest)) => vec![format!("{whole}.{rest}")],
    }
}

/// A number with a digit on both sides of its point, and none too many in front.
fn filled(number: &str) -> String {
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    match fraction {
        Some("") => format!("{whole}.0"),
        Some(fraction) => format!("{whole}.{fraction}"),
        None => whole.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_in_what_people_write() {
        for (written, expected) in [
            ("0,6", &["0.6"][..]),
            ("249,00", &["249.00"]),
            ("1,000", &["1000", "1.000"]),
            ("1,000,000", &["1000000"]),
            (".6", &["0.6"]),
            ("5.", &["5.0"]),
            ("-.5", &["-0.5"]),
            ("007", &["7"]),
            ("70%", &["70", "0.7"]),
            ("$1.00", &["1.00"]),
            ("30 days", &["30"]),
            ("700", &["700"]),
            ("claude-3-haiku", &[]),
            ("2026-01-01", &[]),
            ("", &[]),
        ] {
            assert_eq!(meant(written), expected, "{written}");
        }
        assert_eq!(whole("700.0").as_deref(), Some("700"));
        assert_eq!(whole("1.5"), None);
    }
}
