//! What was learnt of the kinds, as attributes of a lane's item.
//!
//! Every sum is a number of its own, `learnt#<period>#<kind>#<sum>`, because numbers
//! can be added to without being read.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::dynamodb::Item;
use crate::estimate::{Lesson, Sums};

const PREFIX: &str = "learnt#";

/// Where a sum is.
type Place = fn(&mut Sums) -> &mut f64;

/// Names of the sums, and where they are.
const SUMS: [(&str, Place); 6] = [
    ("calls", |sums| &mut sums.calls),
    ("estimated", |sums| &mut sums.estimated_input),
    ("input", |sums| &mut sums.input),
    ("output", |sums| &mut sums.output),
    ("took_ms", |sums| &mut sums.took_ms),
    ("squares", |sums| &mut sums.squares),
];

/// What is to be added to which attribute.
pub(super) fn attributes(learnt: &[Lesson]) -> impl Iterator<Item = (String, AttributeValue)> + '_ {
    learnt.iter().flat_map(|Lesson { kind, period, sums }| {
        SUMS.iter().map(move |(name, sum)| {
            let value = format!("{:.0}", sum(&mut sums.clone()));
            (format!("{PREFIX}{period}#{kind}#{name}"), AttributeValue::N(value))
        })
    })
}

/// What an item holds of this period and the one before, and the names of what is past.
pub(super) fn read(item: &Item, period: u64) -> (Vec<Lesson>, Vec<String>) {
    let mut learnt: BTreeMap<(u64, &str), Sums> = BTreeMap::new();
    let mut past = Vec::new();
    for (name, value) in item {
        let Some((of, kind, sum)) = parse(name) else { continue };
        if of + 1 < period {
            past.push(name.clone());
            continue;
        }
        let value = value.as_n().ok().and_then(|value| value.parse().ok());
        if let (Some((_, place)), Some(value)) = (SUMS.iter().find(|(name, _)| *name == sum), value)
        {
            *place(learnt.entry((of, kind)).or_default()) = value;
        }
    }
    let learnt = learnt.into_iter().map(|((period, kind), sums)| {
        let kind = kind.to_owned();
        Lesson { kind, period, sums }
    });
    (learnt.collect(), past)
}

/// Period, kind and sum of an attribute.
fn parse(name: &str) -> Option<(u64, &str, &str)> {
    let (period, rest) = name.strip_prefix(PREFIX)?.split_once('#')?;
    let (kind, sum) = rest.rsplit_once('#')?;
    Some((period.parse().ok()?, kind, sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(period: u64, calls: f64) -> Lesson {
        let sums = Sums { calls, output: 150.0, squares: 1e15, ..Sums::default() };
        Lesson { kind: "new#episode".to_owned(), period, sums }
    }

    #[test]
    fn what_is_written_is_read_and_what_is_past_is_named() {
        let all = [learnt(7, 1.0), learnt(8, 2.0), learnt(9, 3.0)];
        let item: Item = attributes(&all).collect();

        let (read, past) = read(&item, 9);
        assert_eq!(read, all[1..]);
        assert_eq!(past.len(), SUMS.len());
        assert!(past.iter().all(|name| name.starts_with("learnt#7#new#episode#")), "{past:?}");
    }
}
