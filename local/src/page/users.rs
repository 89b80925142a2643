//! `GET /local/users`: who got content last.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use axum::extract::State;
use axum::response::Response;
use contract::content;
use processor::store::Key;
use serde_json::{Value, json};

use super::{Item, Page, answer, number, text, unreadable};
use crate::aws::TABLE;

/// Items looked at after a start, when nothing was written yet.
const SCANNED_ITEMS: i32 = 100;

pub(super) async fn list(State(page): State<Arc<Page>>) -> Response {
    let keys = page.recent.keys();
    let items = if keys.is_empty() { page.some().await } else { page.of(&keys).await };
    match items {
        Ok(items) => {
            let users: Vec<Value> = items.iter().filter_map(row).collect();
            answer(&json!({ "users": users }))
        }
        Err(error) => unreadable(&error),
    }
}

impl Page {
    /// The items of these keys that are still there, in their order.
    async fn of(&self, keys: &[Key]) -> Result<Vec<Item>, aws_sdk_dynamodb::Error> {
        let places = keys.iter().map(|key| {
            let user_id = AttributeValue::S(key.user_id.clone());
            let item = AttributeValue::S(content::item_key(&key.campaign));
            HashMap::from([
                (content::USER_ID.to_owned(), user_id),
                (content::ITEM.to_owned(), item),
            ])
        });
        let wanted = KeysAndAttributes::builder().set_keys(Some(places.collect())).build()?;
        let request = self.dynamodb.batch_get_item().request_items(TABLE, wanted);
        let mut tables = request.send().await?.responses.unwrap_or_default();
        let mut found: HashMap<Option<(String, String)>, Item> =
            tables.remove(TABLE).unwrap_or_default().into_iter().map(|i| (place(&i), i)).collect();
        let in_order = keys.iter().filter_map(|key| {
            found.remove(&Some((key.user_id.clone(), content::item_key(&key.campaign))))
        });
        Ok(in_order.collect())
    }

    /// Some items that an earlier run left, the latest first.
    async fn some(&self) -> Result<Vec<Item>, aws_sdk_dynamodb::Error> {
        let scan = self.dynamodb.scan().table_name(TABLE).limit(SCANNED_ITEMS);
        let mut items = scan.send().await?.items.unwrap_or_default();
        items.sort_by_key(|item| std::cmp::Reverse(number(item, content::GENERATED_AT)));
        Ok(items)
    }
}

fn place(item: &Item) -> Option<(String, String)> {
    let (user_id, sort_key) = (text(item, content::USER_ID)?, text(item, content::ITEM)?);
    Some((user_id.to_owned(), sort_key.to_owned()))
}

/// One row, if the item holds content.
fn row(item: &Item) -> Option<Value> {
    let data = item.get(content::DATA)?;
    let history = text(item, content::HISTORY).unwrap_or_default();
    let events = serde_json::from_str::<Vec<Value>>(history).map_or(0, |events| events.len());
    Some(json!({
        "user_id": text(item, content::USER_ID)?,
        "campaign": text(item, content::ITEM)?.strip_prefix(content::ITEM_PREFIX)?,
        "says": first_text(data),
        "events": events,
        "event_time": number(item, content::EVENT_TIME),
        "generated_at": number(item, content::GENERATED_AT),
    }))
}

/// What stands for the whole of a content in a list: its first text, outer ones before inner
/// ones.
fn first_text(data: &AttributeValue) -> Option<&str> {
    let AttributeValue::M(map) = data else { return None };
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_unstable_by_key(|(name, value)| (value.is_m(), *name));
    entries.into_iter().find_map(|(_, value)| match value {
        AttributeValue::S(text) => Some(text.as_str()),
        inner => first_text(inner),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_is_listed_by_an_outer_text() {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let map = |entries: Vec<(&str, AttributeValue)>| {
            AttributeValue::M(entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
        };
        let inner = map(vec![("a", text("inner"))]);

        assert_eq!(
            first_text(&map(vec![("a", inner.clone()), ("b", text("outer"))])),
            Some("outer")
        );
        assert_eq!(first_text(&map(vec![("b", inner)])), Some("inner"));
        assert_eq!(first_text(&map(vec![])), None);
    }
}
