//! `GET /local/users/{id}`: what is stored of one user, and what it makes.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use api::content::{Data, PlainJson};
use aws_sdk_dynamodb::types::AttributeValue;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use campaign::message::Message;
use campaign::{CompiledCampaign, Grounds, Items, Lack, Past, Rendering};
use contract::attributes::Attributes;
use contract::content;
use contract::user_record::{MAX_USER_ID_BYTES, can_be_looked_up};
use processor::attributes::Profile;
use processor::held::Held;
use processor::store::plain_item;
use serde_json::{Value, json};

use super::why::why;
use super::{Item, Page, answer, error, number, text, unreadable};
use crate::aws::TABLE;

/// Most items of a user that are shown: two for each campaign, the attributes, and the tombstone.
const MAX_ITEMS: i32 = 100;

/// Times that items are fetched for a prompt, as the processor does it.
const MAX_ITEM_ROUNDS: usize = 3;

pub(super) async fn show(State(page): State<Arc<Page>>, Path(user_id): Path<String>) -> Response {
    if user_id.len() > MAX_USER_ID_BYTES {
        return error(StatusCode::BAD_REQUEST, "bad_user", "no user id is as long");
    }
    let query = page
        .dynamodb
        .query()
        .table_name(TABLE)
        .consistent_read(true)
        .key_condition_expression("#user_id = :user")
        .expression_attribute_names("#user_id", content::USER_ID)
        .expression_attribute_values(":user", AttributeValue::S(user_id.clone()))
        .limit(MAX_ITEMS);
    let items = match query.send().await {
        Ok(found) => found.items.unwrap_or_default(),
        Err(failure) => return unreadable(&failure.into()),
    };
    let items: Vec<Item> = items.into_iter().map(plain_item).collect();
    let name_of = |item| text(item, content::ITEM)?.strip_prefix(content::ITEM_PREFIX);
    let stored: Vec<(&str, &Item)> =
        items.iter().filter_map(|item| Some((name_of(item)?, item))).collect();
    let nothing = Item::new();
    let is_stored = |name: &str| stored.iter().any(|(stored, _)| *stored == name);
    let held = page.campaigns().await;
    let others = held.campaigns.iter().map(|each| each.campaign.name.as_str());
    let others = others.filter(|name| !is_stored(name)).map(|name| (name, &nothing));
    let attributes = attributes(&items);
    let kept = |name: &str| {
        let key = content::asked_key(name);
        let asked = items.iter().find(|item| text(item, content::ITEM) == Some(key.as_str()));
        asked.and_then(|asked| text(asked, content::PROMPT))
    };
    let mut campaigns = Vec::with_capacity(stored.len());
    for (name, item) in stored.iter().copied().chain(others) {
        let known = (&attributes, kept(name));
        campaigns.push(page.campaign((&held, &user_id, name), item, known).await);
    }
    let deleted_at = items.iter().find_map(|item| number(item, content::DELETED_AT));
    answer(&json!({
        "user_id": user_id,
        "is_refused": !can_be_looked_up(&user_id),
        "deleted_at": deleted_at,
        "attributes": attributes,
        "campaigns": campaigns,
    }))
}

impl Page {
    /// What is stored of a user for a campaign, if anything, with the prompt that was kept, or
    /// else the one that events, attributes and items give now.
    async fn campaign(
        &self,
        (held, user_id, name): (&Held, &str, &str),
        item: &Item,
        (attributes, kept): (&Attributes, Option<&str>),
    ) -> Value {
        let history = text(item, content::HISTORY).unwrap_or("[]");
        let events: Vec<Past> = serde_json::from_str(history).unwrap_or_default();
        let campaign = held.campaigns.iter().find(|each| each.campaign.name == name);
        let stored_hash = text(item, content::PROMPT_HASH);
        // Read each time, so that its author sees what was changed.
        let message = Message::read(&self.campaigns_dir.join(name));
        let data = item.get(content::DATA).map(|data| PlainJson(Data::Stored(data)));
        let prompt = match (campaign, kept) {
            (Some(campaign), Some(kept)) => Some(json!({
                "system": campaign.system, "text": kept, "is_kept": true,
            })),
            (Some(campaign), None) => {
                Some(self.prompt(campaign, (&events, attributes), stored_hash).await)
            }
            (None, _) => None,
        };
        json!({
            "campaign": name,
            "prompt": prompt,
            "events": events,
            "content": data.and_then(|data| serde_json::to_value(data).ok()),
            "item": provenance(item),
            "why": why(campaign.map(Arc::as_ref), &events, item, &self.metrics),
            "api": self.looked_up(user_id, name).await.ok().map(|answer| answer.dynamodb),
            "message": message.map(|message| message.text),
        })
    }
}

impl Page {
    /// The prompt that events, attributes and items give now, and whether the stored content was
    /// written from it.
    async fn prompt(
        &self,
        campaign: &CompiledCampaign,
        (events, attributes): (&[Past], &Attributes),
        stored_hash: Option<&str>,
    ) -> Value {
        if events.is_empty() {
            return Value::Null;
        }
        let mut items = Items::default();
        for round in 0.. {
            match campaign.brief(&Grounds { events, attributes, items: &items }) {
                Ok(Rendering::Asks(brief)) => {
                    return json!({
                        "system": campaign.system,
                        "text": brief.told.prompt,
                        "is_of_content": stored_hash.map(|hash| hash == brief.hash),
                    });
                }
                Ok(Rendering::Wants(wanted)) if round < MAX_ITEM_ROUNDS => {
                    let now_ms = UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
                    let now_ms = u64::try_from(now_ms).unwrap_or(u64::MAX);
                    match self.items.find(wanted, now_ms).await {
                        Ok(found) => items.extend(found.items),
                        Err(error) => return json!({ "error": error.to_string() }),
                    }
                }
                Ok(Rendering::Wants(wanted)) => {
                    items.extend(wanted.into_iter().map(|key| (key, None)));
                }
                Ok(Rendering::Lacks(Lack::Item(key))) => {
                    return json!({ "error": format!("there is no item {key}") });
                }
                Ok(Rendering::Lacks(Lack::Parts(parts))) => {
                    let parts = parts.join(", ");
                    return json!({ "error": format!("what it needs is not there: {parts}") });
                }
                Ok(Rendering::Lacks(Lack::Blank)) => return Value::Null,
                Err(error) => return json!({ "error": error.to_string() }),
            }
        }
        Value::Null
    }
}

/// What is kept of a user's attributes.
fn attributes(items: &[Item]) -> Attributes {
    let stored = items.iter().find(|item| text(item, content::ITEM) == Some(content::ATTRIBUTES));
    let values = stored.and_then(|item| text(item, content::VALUES));
    let known = values.and_then(|values| serde_json::from_str(values).ok()).unwrap_or_default();
    Profile { known, ..Profile::default() }.attributes()
}

/// Where content comes from.
fn provenance(item: &Item) -> Value {
    let texts = [content::EVENT_ID, content::MODEL_ID, content::PROMPT_HASH];
    let numbers = [
        content::EVENT_TIME,
        content::GENERATED_AT,
        content::EXPIRES_AT,
        content::INPUT_TOKENS,
        content::OUTPUT_TOKENS,
        content::REVISION,
    ];
    let texts = texts.map(|name| (name.to_owned(), json!(text(item, name))));
    let numbers = numbers.map(|name| (name.to_owned(), json!(number(item, name))));
    texts.into_iter().chain(numbers).collect()
}
