//! The numbers in a text, in every way in which they can be read.

use unicode_normalization::UnicodeNormalization as _;

/// What parts thousands or decimals.
const SEPARATORS: [char; 3] = ['.', ',', '\''];

/// Digits of a group of thousands.
const GROUP: usize = 3;

/// The zeros of scripts whose digits follow each other: Arabic, its eastern form, Devanagari,
/// Bengali, Thai.
const ZEROS: [u32; 5] = [0x660, 0x6f0, 0x966, 0x9e6, 0xe50];

/// A number as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) written: String,
    /// What it can mean: `1.000` is a thousand, or one.
    pub(super) readings: Vec<String>,
    /// The numbers that it is made of, if it may be several: `1 000`, a date.
    pub(super) parts: Vec<String>,
}

impl Number {
    /// All that it can mean.
    pub(super) fn all_readings(&self) -> impl Iterator<Item = &String> {
        self.readings.iter().chain(&self.parts)
    }
}

/// The numbers in a text.
pub(super) fn of(text: &str) -> Vec<Number> {
    // Blanks of any width become blanks, and digits of any width digits.
    let chars: Vec<char> = text.nfkc().map(as_ascii).collect();
    let mut numbers = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        if !chars[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let end = end_of(&chars, at);
        numbers.push(read(&chars[at..end]));
        at = end;
    }
    numbers
}

fn as_ascii(c: char) -> char {
    if c == '’' {
        return '\'';
    }
    let digit = ZEROS.iter().find_map(|zero| u32::from(c).checked_sub(*zero).filter(|n| *n < 10));
    digit.and_then(|digit| char::from_digit(digit, 10)).unwrap_or(c)
}

/// Where a number ends that begins here.
fn end_of(chars: &[char], from: usize) -> usize {
    let is_digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let mut at = from;
    while is_digit(at) {
        at += 1;
        let is_group = || (1..=GROUP).all(|n| is_digit(at + n)) && !is_digit(at + GROUP + 1);
        let goes_on = match chars.get(at) {
            Some(' ') => is_group(),
            Some(c) if SEPARATORS.contains(c) => is_digit(at + 1),
            _ => false,
        };
        at += usize::from(goes_on);
    }
    at
}

fn read(chars: &[char]) -> Number {
    let written: String = chars.iter().collect();
    let separators: Vec<char> = chars.iter().copied().filter(|c| !c.is_ascii_digit()).collect();
    let groups: Vec<&str> = written.split(|c: char| !c.is_ascii_digit()).collect();
    let parts: Vec<String> = groups.iter().map(|group| whole(group)).collect();
    let is_thousands = |groups: &[&str]| {
        let (first, rest) = groups.split_first().unwrap_or((&"", &[]));
        (1..=GROUP).contains(&first.len()) && rest.iter().all(|group| group.len() == GROUP)
    };
    let are_same = |signs: &[char]| signs.windows(2).all(|pair| pair[0] == pair[1]);
    let decimal = |whole_groups: &[&str], fraction: &str| {
        let (number, is_open) = (whole(&whole_groups.concat()), fraction.len() == GROUP);
        let fraction = if is_open { fraction } else { fraction.trim_end_matches('0') };
        if fraction.is_empty() { number } else { format!("{number}.{fraction}") }
    };
    let (readings, parts) = match (groups.as_slice(), separators.as_slice()) {
        ([_], _) => (parts, Vec::new()),
        ([first, fraction], [sign]) if *sign != ' ' => {
            let mut readings = vec![decimal(&[first], fraction)];
            if is_thousands(&groups) && *first != "0" {
                readings.push(whole(&groups.concat()));
            }
            (readings, Vec::new())
        }
        (groups, signs) if is_thousands(groups) && are_same(signs) => {
            let several = if signs[0] == ' ' { parts } else { Vec::new() };
            (vec![whole(&groups.concat())], several)
        }
        ([before @ .., fraction], [signs @ .., last])
            if is_thousands(before) && are_same(signs) && !signs.contains(last) && *last != ' ' =>
        {
            (vec![decimal(before, fraction)], Vec::new())
        }
        // A date, a version: each number by itself.
        _ => (Vec::new(), parts),
    };
    Number { written, readings, parts }
}

/// A whole number without zeros in front.
fn whole(digits: &str) -> String {
    let trimmed = digits.trim_start_matches('0');
    if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_however_it_is_written() {
        for (text, expected) in [
            ("7", "7"),
            ("007", "7"),
            ("S2E7", "2;7"),
            ("1,000", "1.000/1000"),
            ("1.000", "1.000/1000"),
            ("0.125", "0.125"),
            ("1,000,000", "1000000"),
            ("1'000’000", "1000000"),
            ("1.234,50", "1234.5"),
            ("1,234.50", "1234.5"),
            ("12 345,60", "12345.6"),
            ("1\u{202f}000", "1000+1+0"),
            ("2 100 000", "2100000+2+100+0"),
            ("19.90 €", "19.9"),
            ("249,00", "249"),
            ("27.11.2026", "+27+11+2026"),
            ("20:15", "20;15"),
            ("2026-01-02", "2026;1;2"),
            ("٣ and ７", "3;7"),
            ("3rd, 50%", "3;50"),
            ("5.", "5"),
            ("in 2026, 7 of", "2026;7"),
            ("none", ""),
        ] {
            let numbers = of(text).into_iter().map(|number| {
                let parts = number.parts.iter().map(|part| format!("+{part}"));
                number.readings.join("/") + &parts.collect::<String>()
            });
            assert_eq!(numbers.collect::<Vec<_>>().join(";"), expected, "{text}");
        }
    }
}
