//! What writing an answer takes, by three ways: over a generic value, straight from the SDK's
//! value, and by passing on DynamoDB's own text without the SDK's value at all.
//!
//! The third includes finding the content in the text; the first two leave out what the SDK
//! takes to read it, which is given as the time to read the same text into a generic value.

use api::answer::Answer;
use api::content::{Content, Data};
use api::query::Format;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::embedded::{Embedded, data, user};

/// Answers that are written by each way.
const ANSWERS: u32 = 20_000;

/// A GetItem's answer, as far as it is passed on.
#[derive(Deserialize)]
struct GetItem<'a> {
    #[serde(rename = "Item", borrow)]
    item: Item<'a>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

pub(crate) async fn compare(_: &Embedded) -> Value {
    let (data, user_id) = (data(), user(1));
    let answer = || {
        let content = Content { data: Data::Stored(&data), is_fallback: false };
        let contents = vec![("new-episode", content)];
        Answer { user_id: &user_id, contents, by_campaign: false, format: Format::DynamoDb }
    };
    let text = answer().text();
    assert_eq!(over_a_value(&user_id, &data), text, "all ways write the same");
    assert_eq!(passed_on(&user_id, &text), text, "all ways write the same");
    json!({
        "over_a_generic_value_ns": ns(|| over_a_value(&user_id, &data).len()),
        "straight_ns": ns(|| answer().text().len()),
        "passed_on_ns": ns(|| passed_on(&user_id, &text).len()),
        "reading_into_a_generic_value_ns": ns(|| {
            let value: Value = serde_json::from_str(&text).expect("is JSON");
            value.as_object().map_or(0, Map::len)
        }),
    })
}

/// Processor time of one call.
fn ns(write: impl Fn() -> usize) -> f64 {
    let before = crate::cpu_seconds();
    let bytes: usize = (0..ANSWERS).map(|_| std::hint::black_box(write())).sum();
    assert!(bytes > 0);
    (crate::cpu_seconds() - before) * 1e9 / f64::from(ANSWERS)
}

fn over_a_value(user_id: &str, data: &AttributeValue) -> String {
    let item = json!({ "data": generic(data), "user_id": { "S": user_id } });
    json!({ "Item": item }).to_string()
}

fn generic(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::M(map) => {
            let entries = map.iter().map(|(name, value)| (name.clone(), generic(value)));
            json!({ "M": entries.collect::<Map<_, _>>() })
        }
        other => panic!("content of this benchmark is text: {other:?}"),
    }
}

fn passed_on(user_id: &str, text: &str) -> String {
    let found: GetItem<'_> = serde_json::from_str(text).expect("is an answer");
    let user_id = serde_json::to_string(user_id).expect("is JSON");
    format!("{{\"Item\":{{\"data\":{},\"user_id\":{{\"S\":{user_id}}}}}}}", found.item.data.get())
}
