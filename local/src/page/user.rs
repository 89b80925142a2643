//! `GET /local/users/{id}`: what is stored of one user, and what it makes.

use std::sync::Arc;

use api::content::{Data, PlainJson};
use aws_sdk_dynamodb::types::AttributeValue;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use campaign::message::Message;
use campaign::{CompiledCampaign, Grounds, Items, Past, Rendering};
use contract::attributes::Attributes;
use contract::content;
use contract::user_record::{MAX_USER_ID_BYTES, can_be_looked_up};
use serde_json::{Value, json};

use super::why::why;
use super::{Item, Page, answer, error, number, text, unreadable};
use crate::aws::TABLE;

/// Most items of a user that are shown: one for each campaign, and the tombstone.
const MAX_ITEMS: i32 = 50;

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
    let name_of = |item| text(item, content::ITEM)?.strip_prefix(content::ITEM_PREFIX);
    let stored: Vec<(&str, &Item)> =
        items.iter().filter_map(|item| Some((name_of(item)?, item))).collect();
    let nothing = Item::new();
    let is_stored = |name: &str| stored.iter().any(|(stored, _)| *stored == name);
    let others = page.campaigns.iter().map(|each| each.campaign.name.as_str());
    let others = others.filter(|name| !is_stored(name)).map(|name| (name, &nothing));
    let mut campaigns = Vec::with_capacity(stored.len());
    for (name, item) in stored.iter().copied().chain(others) {
        campaigns.push(page.campaign(&user_id, name, item).await);
    }
    let deleted_at = items.iter().find_map(|item| number(item, content::DELETED_AT));
    answer(&json!({
        "user_id": user_id,
        "is_refused": !can_be_looked_up(&user_id),
        "deleted_at": deleted_at,
        "campaigns": campaigns,
    }))
}

impl Page {
    /// What is stored of a user for a campaign, if anything, with the prompt that the events
    /// give now: prompts are not stored.
    async fn campaign(&self, user_id: &str, name: &str, item: &Item) -> Value {
        let history = text(item, content::HISTORY).unwrap_or("[]");
        let events: Vec<Past> = serde_json::from_str(history).unwrap_or_default();
        let campaign = self.campaigns.iter().find(|each| each.campaign.name == name);
        let stored_hash = text(item, content::PROMPT_HASH);
        // Read each time, so that its author sees what was changed.
        let message = Message::read(&self.campaigns_dir.join(name));
        let data = item.get(content::DATA).map(|data| PlainJson(Data::Stored(data)));
        json!({
            "campaign": name,
            "prompt": campaign.map(|campaign| prompt(campaign, &events, stored_hash)),
            "events": events,
            "content": data.and_then(|data| serde_json::to_value(data).ok()),
            "item": provenance(item),
            "why": why(campaign.map(Arc::as_ref), &events, item, &self.metrics),
            "api": self.looked_up(user_id, name).await.ok().map(|answer| answer.dynamodb),
            "message": message.map(|message| message.text),
        })
    }
}

/// The prompt that these events give, and whether the stored content was written from it.
fn prompt(campaign: &CompiledCampaign, events: &[Past], stored_hash: Option<&str>) -> Value {
    if events.is_empty() {
        return Value::Null;
    }
    let (attributes, items) = (Attributes::new(), Items::default());
    match campaign.brief(&Grounds { events, attributes: &attributes, items: &items }) {
        Ok(Rendering::Asks(brief)) => json!({
            "system": campaign.system,
            "text": brief.told.prompt,
            "is_of_content": stored_hash.map(|hash| hash == brief.hash),
        }),
        Ok(Rendering::Lacks(_) | Rendering::Wants(_)) => Value::Null,
        Err(error) => json!({ "error": error.to_string() }),
    }
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
