//! `GET /local/users`: who got content last, with the subject line of each.

use std::collections::HashMap;
use std::sync::Arc;

use api::answer::Answer;
use api::content::{Content, Data};
use api::query::Format;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use axum::extract::State;
use axum::response::Response;
use campaign::message::{ApiAnswer, Message};
use contract::content;
use processor::store::Key;
use serde_json::{Value, json};

use super::render::Letters;
use super::{Item, Page, answer, number, text, unreadable};
use crate::aws::TABLE;

/// Items looked at after a start, when nothing was written yet.
const SCANNED_ITEMS: i32 = 100;

pub(super) async fn list(State(page): State<Arc<Page>>) -> Response {
    let keys = page.recent.keys();
    let items = if keys.is_empty() { page.some().await } else { page.of(&keys).await };
    match items {
        Ok(items) => {
            let rows: Vec<Row<'_>> = items.iter().filter_map(Row::of).collect();
            let subjects = page.renderer.subjects(page.letters(&rows).await).await;
            let users = rows.iter().zip(subjects).map(|(row, subject)| row.shown(subject));
            answer(&json!({ "users": users.collect::<Vec<_>>() }))
        }
        Err(error) => unreadable(&error),
    }
}

/// One row: an item that holds content.
struct Row<'i> {
    user_id: &'i str,
    campaign: &'i str,
    data: &'i AttributeValue,
    item: &'i Item,
}

impl Page {
    /// What renders the subject lines of these rows.
    async fn letters(&self, rows: &[Row<'_>]) -> Letters {
        let held = self.campaigns().await;
        let names = held.campaigns.iter().map(|each| &each.campaign.name);
        let read = |name: &String| Message::read(&self.campaigns_dir.join(name));
        let messages = names.filter_map(|name| Some((name.clone(), read(name)?))).collect();
        Letters { messages, to: rows.iter().map(Row::letter).collect() }
    }

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

impl<'i> Row<'i> {
    fn of(item: &'i Item) -> Option<Self> {
        let data = item.get(content::DATA)?;
        let campaign = text(item, content::ITEM)?.strip_prefix(content::ITEM_PREFIX)?;
        Some(Self { user_id: text(item, content::USER_ID)?, campaign, data, item })
    }

    /// The user, the campaign, and what the api says of this content.
    fn letter(&self) -> (String, String, ApiAnswer) {
        let said = |format| {
            let content = Content { data: Data::Stored(self.data), is_fallback: false };
            let contents = vec![(self.campaign, content)];
            let answer = Answer { user_id: self.user_id, contents, by_campaign: false, format };
            serde_json::to_value(answer).unwrap_or_default()
        };
        let answer = ApiAnswer { dynamodb: said(Format::DynamoDb), plain: said(Format::Plain) };
        (self.user_id.to_owned(), self.campaign.to_owned(), answer)
    }

    fn shown(&self, subject: Option<String>) -> Value {
        json!({
            "user_id": self.user_id,
            "campaign": self.campaign,
            "subject": subject,
            "says": first_text(self.data),
            "generated_at": number(self.item, content::GENERATED_AT),
        })
    }
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
