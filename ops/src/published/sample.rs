//! How much content a campaign has, and what it took: from a part of the content table, so that
//! it costs a cent at most, however large the table is.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use campaign::Price;
use contract::content;
use futures::future::try_join_all;
use processor::store::plain_item;
use serde::Serialize;

/// Parts of the table that are looked into, a page each: a megabyte at most.
const PAGES: i32 = 8;

/// What is read of an item.
const READ: [&str; 4] =
    [content::ITEM, content::INPUT_TOKENS, content::OUTPUT_TOKENS, content::PACKED];

/// What was found in a part of the table.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// Items that were looked at, whatever they are.
    looked_at: u64,
    /// Items of the table, by its own count, which is some hours old; `None` if all were looked
    /// at.
    of: Option<u64>,
    campaigns: BTreeMap<String, Sum>,
}

/// Contents of a campaign.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    contents: u64,
    input_tokens: u64,
    output_tokens: u64,
}

/// What it may come to, to write all contents of a campaign anew.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Estimate {
    /// Contents.
    pub(super) contents: u64,
    /// Whether they were counted, and not guessed from a part of the table.
    pub(super) is_exact: bool,
    /// Dollars at most, where the price is known: users with equal prompts share an answer.
    pub(super) most_usd: Option<f64>,
}

impl Sample {
    /// Looks into the table.
    pub(super) async fn take(client: &Client, table: &str) -> anyhow::Result<Self> {
        let failed = || format!("looking into the table {table}");
        let pages = (0..PAGES).map(|segment| page(client, table, segment));
        let mut sample = Self::default();
        let mut is_whole = true;
        for (looked_at, items, is_last) in try_join_all(pages).await.with_context(failed)? {
            sample.looked_at += looked_at;
            is_whole &= is_last;
            items.into_iter().for_each(|item| sample.count(item));
        }
        if !is_whole {
            let described = client.describe_table().table_name(table).send().await;
            let described = described.with_context(failed)?.table;
            let items = described.and_then(|table| table.item_count).unwrap_or_default();
            sample.of = Some(u64::try_from(items).unwrap_or_default().max(sample.looked_at));
        }
        Ok(sample)
    }

    fn count(&mut self, item: HashMap<String, AttributeValue>) {
        let item = plain_item(item);
        let key = item.get(content::ITEM).and_then(|key| key.as_s().ok());
        let Some(campaign) = key.and_then(|key| key.strip_prefix(content::ITEM_PREFIX)) else {
            return;
        };
        let number = |name: &str| item.get(name)?.as_n().ok()?.parse::<u64>().ok();
        let sum = self.campaigns.entry(campaign.to_owned()).or_default();
        sum.contents += 1;
        sum.input_tokens += number(content::INPUT_TOKENS).unwrap_or_default();
        sum.output_tokens += number(content::OUTPUT_TOKENS).unwrap_or_default();
    }

    /// What it may come to for a campaign of this price.
    pub(super) fn estimate(&self, campaign: &str, price: Option<Price>) -> Estimate {
        let sum = self.campaigns.get(campaign).copied().unwrap_or_default();
        let times = self.of.map_or(1.0, |all| all as f64 / self.looked_at.max(1) as f64);
        let most_usd = price.map(|price| price.usd(sum.input_tokens, sum.output_tokens) * times);
        let contents = (sum.contents as f64 * times).round() as u64;
        Estimate { contents, is_exact: self.of.is_none(), most_usd }
    }
}

/// The first page of a part of the table: items that were looked at, contents, and whether that
/// was all of the part.
async fn page(
    client: &Client,
    table: &str,
    segment: i32,
) -> anyhow::Result<(u64, Vec<HashMap<String, AttributeValue>>, bool)> {
    let names: Vec<String> = (0..READ.len()).map(|n| format!("#n{n}")).collect();
    let mut scan = client
        .scan()
        .table_name(table)
        .segment(segment)
        .total_segments(PAGES)
        .projection_expression(names.join(", "))
        .filter_expression("attribute_exists(#data)")
        .expression_attribute_names("#data", content::DATA);
    for (placeholder, name) in names.iter().zip(READ) {
        scan = scan.expression_attribute_names(placeholder, name);
    }
    let page = scan.send().await?;
    let looked_at = u64::try_from(page.scanned_count).unwrap_or_default();
    let is_last = page.last_evaluated_key.is_none_or(|key| key.is_empty());
    Ok((looked_at, page.items.unwrap_or_default(), is_last))
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::primitives::Blob;
    use contract::compact;
    use serde_json::json;

    use super::*;

    fn item(campaign: &str) -> HashMap<String, AttributeValue> {
        let number = |n: u64| AttributeValue::N(n.to_string());
        HashMap::from([
            (content::ITEM.to_owned(), AttributeValue::S(content::item_key(campaign))),
            (content::INPUT_TOKENS.to_owned(), number(1_000)),
            (content::OUTPUT_TOKENS.to_owned(), number(100)),
        ])
    }

    fn compact_item(campaign: &str) -> HashMap<String, AttributeValue> {
        let fields = json!({ "history": [], "input_tokens": 1_000, "output_tokens": 100 });
        let packed = compact::pack(&fields).expect("is JSON").expect("is small");
        let mut item = item(campaign);
        item.retain(|name, _| name == content::ITEM);
        item.insert(content::PACKED.to_owned(), AttributeValue::B(Blob::new(packed)));
        item
    }

    #[test]
    fn what_a_campaign_has_is_guessed_from_a_part_and_counted_where_that_is_all() {
        let price =
            Price { usd_per_million_input_tokens: 1.0, usd_per_million_output_tokens: 10.0 };
        let mut sample = Sample { looked_at: 10, ..Sample::default() };
        for item in [item("offer"), compact_item("offer"), item("other")] {
            sample.count(item);
        }

        let counted = sample.estimate("offer", Some(price));
        sample.of = Some(1_000);
        let guessed = sample.estimate("offer", Some(price));

        assert_eq!((counted.contents, counted.is_exact), (2, true));
        assert!((counted.most_usd.expect("is known") - 0.004).abs() < 1e-9);
        assert_eq!((guessed.contents, guessed.is_exact), (200, false));
        assert!((guessed.most_usd.expect("is known") - 0.4).abs() < 1e-9);
        assert_eq!(sample.estimate("offer", None).most_usd, None);
        assert_eq!(sample.estimate("new", Some(price)).contents, 0);
    }
}
