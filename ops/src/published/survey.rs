//! What a recall would take out of service: a scan of the content table.
//!
//! A scan and no index: an index by prompt or time would cost a write unit for each content that
//! is ever written, and this is asked for on a bad day. It is told what the scan took.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use campaign::folded;
use contract::content;
use futures::future::try_join_all;
use registry::head::{Provenance, Recall};

use crate::progress::Progress;

/// Parts of the table that are scanned at a time.
const SEGMENTS: i32 = 8;

/// Prompts that are remembered, whose answers are forgotten: some 100 MB of hashes.
const MAX_FORGOTTEN: usize = 1_000_000;

/// Users that are shown.
const MAX_SAMPLES: usize = 3;

/// What is read of an item.
const READ: [&str; 6] = [
    content::USER_ID,
    content::DATA,
    content::PUBLICATION,
    content::PROMPT_HASH,
    content::GENERATED_AT,
    content::ITEM,
];

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Contents of the campaign.
    pub(super) contents: u64,
    /// Users whose content is meant.
    pub(super) users: Vec<String>,
    /// Prompts of what is meant.
    pub(super) prompts: BTreeSet<String>,
    /// Whether there are more prompts than are remembered.
    pub(super) is_cut: bool,
    /// Read units of DynamoDB that it took.
    pub(super) read_units: f64,
}

/// What is looked for.
pub(super) struct Wanted<'w> {
    /// The recall.
    pub(super) recall: &'w Recall,
    /// A text that the content holds, as people compare texts.
    pub(super) containing: Option<&'w str>,
}

/// Looks through the table.
pub(super) async fn survey(
    client: &Client,
    table: &str,
    wanted: &Wanted<'_>,
) -> anyhow::Result<Survey> {
    let mut all = Survey::default();
    let looked = RefCell::new((Progress::default(), 0));
    let told = |more: u64| {
        let (progress, looked) = &mut *looked.borrow_mut();
        *looked += more;
        progress.tell("items looked at:", *looked);
    };
    let parts = (0..SEGMENTS).map(|segment| scan(client, table, wanted, (segment, &told)));
    for part in try_join_all(parts).await? {
        all.contents += part.contents;
        all.read_units += part.read_units;
        all.users.extend(part.users);
        all.prompts.extend(part.prompts);
        all.is_cut |= part.is_cut;
    }
    Ok(all)
}

async fn scan(
    client: &Client,
    table: &str,
    wanted: &Wanted<'_>,
    (segment, told): (i32, &dyn Fn(u64)),
) -> anyhow::Result<Survey> {
    let names: Vec<String> = (0..READ.len()).map(|n| format!("#n{n}")).collect();
    let key = AttributeValue::S(content::item_key(&wanted.recall.campaign));
    let mut found = Survey::default();
    let mut from = None;
    loop {
        let mut scan = client
            .scan()
            .table_name(table)
            .segment(segment)
            .total_segments(SEGMENTS)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .projection_expression(names.join(", "))
            .filter_expression("#item = :item AND attribute_exists(#data)")
            .expression_attribute_names("#item", content::ITEM)
            .expression_attribute_names("#data", content::DATA)
            .expression_attribute_values(":item", key.clone())
            .set_exclusive_start_key(from);
        for (placeholder, name) in names.iter().zip(READ) {
            scan = scan.expression_attribute_names(placeholder, name);
        }
        let page = scan.send().await.with_context(|| format!("scanning the table {table}"))?;
        let units = page.consumed_capacity.as_ref().and_then(|used| used.capacity_units);
        found.read_units += units.unwrap_or_default();
        told(u64::try_from(page.scanned_count).unwrap_or_default());
        for item in page.items.unwrap_or_default() {
            found.take(&item, wanted);
        }
        from = page.last_evaluated_key.filter(|key| !key.is_empty());
        if from.is_none() {
            return Ok(found);
        }
    }
}

impl Survey {
    fn take(&mut self, item: &HashMap<String, AttributeValue>, wanted: &Wanted<'_>) {
        self.contents += 1;
        let text = |name: &str| item.get(name)?.as_s().ok().map(String::as_str);
        let number = |name: &str| item.get(name)?.as_n().ok()?.parse::<i64>().ok();
        let prompt_hash = text(content::PROMPT_HASH).unwrap_or_default();
        let publication = number(content::PUBLICATION).unwrap_or_default();
        let provenance = Provenance {
            publication: u64::try_from(publication).unwrap_or_default(),
            prompt_hash,
            generated_at: number(content::GENERATED_AT).unwrap_or_default(),
        };
        let holds =
            |part: &str| item.get(content::DATA).is_some_and(|data| contains(data, &folded(part)));
        if !wanted.recall.is_of(&wanted.recall.campaign, provenance)
            || !wanted.containing.is_none_or(holds)
        {
            return;
        }
        self.users.extend(text(content::USER_ID).map(str::to_owned));
        if self.prompts.len() >= MAX_FORGOTTEN {
            self.is_cut |= !self.prompts.contains(prompt_hash);
        } else if !prompt_hash.is_empty() {
            self.prompts.insert(prompt_hash.to_owned());
        }
    }

    /// What was found, for a person.
    pub(super) fn told(&self) -> String {
        let samples: Vec<&str> = self.users.iter().take(MAX_SAMPLES).map(String::as_str).collect();
        let such = match samples.is_empty() {
            true => String::new(),
            false => format!(", such as of {}", samples.join(", ")),
        };
        format!(
            "{} of {} contents{such}; looking took {:.0} read units.",
            self.users.len(),
            self.contents,
            self.read_units
        )
    }
}

/// Tells whether a folded text stands anywhere in a value.
fn contains(value: &AttributeValue, part: &str) -> bool {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => folded(text).contains(part),
        AttributeValue::L(values) => values.iter().any(|value| contains(value, part)),
        AttributeValue::M(values) => values.values().any(|value| contains(value, part)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use registry::head::{Recalled, Unknown};

    use super::*;

    fn item(user: &str, hash: &str, heading: &str) -> HashMap<String, AttributeValue> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let list = AttributeValue::L(vec![text(heading)]);
        HashMap::from([
            (content::USER_ID.to_owned(), text(user)),
            (content::PROMPT_HASH.to_owned(), text(hash)),
            (content::GENERATED_AT.to_owned(), AttributeValue::N("5".to_owned())),
            (
                content::DATA.to_owned(),
                AttributeValue::M(HashMap::from([("heading".to_owned(), list)])),
            ),
        ])
    }

    #[test]
    fn what_holds_a_text_is_found_with_its_prompt() {
        let recall = Recall {
            campaign: "offer".to_owned(),
            at: 9,
            of: Recalled::All,
            unknown: Unknown::new(),
        };
        let mut found = Survey::default();
        let wanted = Wanted { recall: &recall, containing: Some("it's FREE") };

        for (user, hash, heading) in
            [("u1", "a", "It&#39;s free"), ("u2", "a", "It\u{2019}s Free"), ("u3", "b", "Welcome")]
        {
            found.take(&item(user, hash, heading), &wanted);
        }

        assert_eq!(
            (found.contents, &found.users[..]),
            (3, &["u1".to_owned(), "u2".to_owned()][..])
        );
        assert_eq!(found.prompts, BTreeSet::from(["a".to_owned()]));
        assert!(
            found.told().starts_with("2 of 3 contents, such as of u1, u2;"),
            "{}",
            found.told()
        );
    }

    #[test]
    fn what_was_written_after_the_recall_is_not_meant() {
        let recall = Recall {
            campaign: "offer".to_owned(),
            at: 4,
            of: Recalled::All,
            unknown: Unknown::new(),
        };
        let mut found = Survey::default();

        found.take(&item("u1", "a", "x"), &Wanted { recall: &recall, containing: None });

        assert_eq!((found.contents, found.users.len()), (1, 0));
    }
}
