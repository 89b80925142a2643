//! What a complaint about an answer teaches about its schema, where only the part of the
//! schema is known that travels: how long texts may be is not in it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::writer::count;

/// Longest text where an answer is corrected that was too long, and nothing says how long.
const SHORT_CHARS: usize = 20;

/// Shortest text where an answer is corrected that was too short.
const LONGER_CHARS: usize = 60;

/// Items of a list where an answer is corrected that had too few.
const MORE_ITEMS: usize = 3;

/// Most complaints that are listened to.
const MAX_COMPLAINTS: usize = 64;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Measure {
    Chars,
    Items,
    Size,
}

/// A least and a most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) least: Option<i64>,
    pub(super) most: Option<i64>,
}

/// The rules that are learnt from, and whether they say the most or the least.
const RULES: [(&str, Measure, bool); 8] = [
    ("maxLength", Measure::Chars, true),
    ("minLength", Measure::Chars, false),
    ("maxItems", Measure::Items, true),
    ("minItems", Measure::Items, false),
    ("exclusiveMaximum", Measure::Size, true),
    ("exclusiveMinimum", Measure::Size, false),
    ("maximum", Measure::Size, true),
    ("minimum", Measure::Size, false),
];

/// What was learnt, for each place; for all others, what was said of any.
#[derive(Debug, Default)]
pub(super) struct Lessons {
    of_places: BTreeMap<(String, Measure), Bounds>,
    of_all: BTreeMap<Measure, Bounds>,
}

impl Lessons {
    /// Learns from complaints such as `minItems at "/list" (has 1 item, wants 2 to 3)`; with or
    /// without the numbers, within JSON or not.
    pub(super) fn from(complaint: &str) -> Self {
        let mut lessons = Self::default();
        let complaint = complaint.replace('\\', "");
        let mut parts = complaint.split(" at \"").peekable();
        for _ in 0..MAX_COMPLAINTS {
            let (Some(before), Some(after)) = (parts.next(), parts.peek()) else { break };
            let rule = RULES.iter().find(|(name, ..)| before.ends_with(name));
            let (Some((name, measure, is_most)), Some((place, said))) =
                (rule, after.split_once('"'))
            else {
                continue;
            };
            let bounds = said_bounds(said, *is_most, name.starts_with("exclusive"));
            let bounds = bounds.unwrap_or_else(|| usual(*measure, *is_most));
            let of_place = lessons.of_places.entry((general(place), *measure)).or_default();
            *of_place = narrower(*of_place, bounds);
            // What is too long in one place is likely to be too long in others.
            if *measure != Measure::Size {
                let of_all = lessons.of_all.entry(*measure).or_default();
                *of_all = match is_most {
                    true => Bounds { least: None, ..narrower(*of_all, bounds) },
                    false => Bounds { least: narrower(*of_all, bounds).least, ..*of_all },
                };
            }
        }
        lessons
    }

    /// The least and the most of a place, by a schema and by what was learnt.
    pub(super) fn bounds(
        &self,
        pointer: &str,
        measure: Measure,
        schema: &Value,
    ) -> (usize, Option<usize>) {
        let [least, most] = match measure {
            Measure::Chars => ["minLength", "maxLength"],
            Measure::Items => ["minItems", "maxItems"],
            Measure::Size => ["minimum", "maximum"],
        };
        let learnt = self.of(pointer, measure);
        let learnt = [learnt.least, learnt.most].map(|bound| usize::try_from(bound?).ok());
        let least = count(&schema[least]).max(learnt[0]).unwrap_or(0);
        (least, count(&schema[most]).into_iter().chain(learnt[1]).min())
    }

    /// What is known of a place.
    pub(super) fn of(&self, pointer: &str, measure: Measure) -> Bounds {
        let of_place = self.of_places.get(&(general(pointer), measure));
        *of_place.or_else(|| self.of_all.get(&measure)).unwrap_or(&Bounds::default())
    }
}

/// A place without the numbers of items: what holds for one holds for all.
fn general(pointer: &str) -> String {
    let segments = pointer.split('/').map(|segment| match segment.parse::<usize>() {
        Ok(_) => "*",
        Err(_) => segment,
    });
    segments.collect::<Vec<_>>().join("/")
}

/// The bounds after "wants", up to the next complaint.
fn said_bounds(said: &str, is_most: bool, is_exclusive: bool) -> Option<Bounds> {
    let (_, wants) = said.split_once("wants")?;
    let numbers =
        wants.split(|c: char| !c.is_ascii_digit() && c != '-').filter_map(|n| n.parse().ok());
    let numbers: Vec<i64> = numbers.take(2).collect();
    let open = i64::from(is_exclusive);
    match numbers.as_slice() {
        [] => None,
        [least, most] if wants.contains(" to ") => {
            Some(Bounds { least: Some(*least), most: Some(*most) })
        }
        [most, ..] if is_most => Some(Bounds { least: None, most: Some(most - open) }),
        [least, ..] => Some(Bounds { least: Some(least + open), most: None }),
    }
}

/// The bounds where a complaint has no numbers.
fn usual(measure: Measure, is_most: bool) -> Bounds {
    let count = match (measure, is_most) {
        (Measure::Chars, true) => SHORT_CHARS,
        (Measure::Chars, false) => LONGER_CHARS,
        (Measure::Items, true) => 1,
        (Measure::Items, false) => MORE_ITEMS,
        (Measure::Size, _) => return Bounds::default(),
    };
    let count = i64::try_from(count).ok();
    if is_most { Bounds { least: None, most: count } } else { Bounds { least: count, most: None } }
}

fn narrower(one: Bounds, other: Bounds) -> Bounds {
    let least = one.least.into_iter().chain(other.least).max();
    Bounds { least, most: one.most.into_iter().chain(other.most).min() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_teaches_with_numbers_without_and_within_json() {
        let said = "answer does not match: minItems at \"/list\" (has 1 item, wants 2 to 4), \
            maxLength at \"/a/0/b\", maximum at \"/n\": has 9, wants at most 5";
        for complaint in [said.to_owned(), serde_json::to_string(said).expect("is JSON")] {
            let lessons = Lessons::from(&complaint);

            let bounds = |least, most| Bounds { least, most };
            assert_eq!(lessons.of("/list", Measure::Items), bounds(Some(2), Some(4)));
            assert_eq!(lessons.of("/a/7/b", Measure::Chars), bounds(None, Some(20)));
            assert_eq!(lessons.of("/other", Measure::Chars), bounds(None, Some(20)));
            assert_eq!(lessons.of("/n", Measure::Size), bounds(None, Some(5)));
            assert_eq!(lessons.of("/m", Measure::Size), bounds(None, None));
        }
        assert_eq!(Lessons::from("").of("", Measure::Chars), Bounds::default());
    }
}
