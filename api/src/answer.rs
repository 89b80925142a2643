//! How content is written for Braze.
//!
//! Always one JSON object: Braze adds the status code to an object only, and an
//! array or bare text would be inserted as it stands.

use aws_sdk_dynamodb::types::AttributeValue;
use http::{Response, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::query::Format;

/// Marks content that was not written for this user.
const FALLBACK: &str = "fallback";

/// How long Braze and what lies between may keep an answer. Braze itself caches
/// for at least five minutes.
const CACHE_CONTROL: &str = "private, max-age=60";

/// Writes a user's stored content.
pub fn stored(user_id: &str, data: &AttributeValue, format: Format) -> Response<String> {
    let body = match format {
        Format::DynamoDb => {
            json!({ "Item": { "data": dynamodb_json(data), "user_id": { "S": user_id } } })
        }
        Format::Plain => json!({ "user_id": user_id, "data": plain_json(data) }),
    };
    response(StatusCode::OK, &body)
}

/// Writes the campaign's fallback content, marked as such.
pub fn fallback(user_id: &str, content: &Map<String, Value>, format: Format) -> Response<String> {
    response(StatusCode::OK, &body(user_id, content, Some(FALLBACK), format))
}

/// The body of an answer with this content; `source` says where it comes from if not from
/// the user's events.
pub fn body(
    user_id: &str,
    content: &Map<String, Value>,
    source: Option<&str>,
    format: Format,
) -> Value {
    let content = Value::Object(content.clone());
    match format {
        Format::DynamoDb => {
            let mut item = json!({
                "data": as_dynamodb_json(&content),
                "user_id": { "S": user_id },
            });
            if let Some(source) = source {
                item["source"] = json!({ "S": source });
            }
            json!({ "Item": item })
        }
        Format::Plain => {
            let mut body = json!({ "user_id": user_id, "data": content });
            if let Some(source) = source {
                body["source"] = source.into();
            }
            body
        }
    }
}

/// Writes an error for whoever set the call up; never anything of a user.
pub fn error(status: StatusCode, code: &str, message: &str) -> Response<String> {
    response(status, &json!({ "error": { "code": code, "message": message } }))
}

fn response(status: StatusCode, body: &Value) -> Response<String> {
    let mut response = Response::new(body.to_string());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    let caching = if status.is_success() { CACHE_CONTROL } else { "no-store" };
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static(caching));
    response
}

fn dynamodb_json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(flag) => json!({ "BOOL": flag }),
        AttributeValue::L(values) => {
            json!({ "L": values.iter().map(dynamodb_json).collect::<Vec<_>>() })
        }
        AttributeValue::M(map) => {
            let entries = map.iter().map(|(name, value)| (name.clone(), dynamodb_json(value)));
            json!({ "M": entries.collect::<Map<_, _>>() })
        }
        // Content is written from JSON, which has no other types.
        _ => json!({ "NULL": true }),
    }
}

fn plain_json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => Value::String(text.clone()),
        AttributeValue::N(number) => number.parse().map_or(Value::Null, Value::Number),
        AttributeValue::Bool(flag) => Value::Bool(*flag),
        AttributeValue::L(values) => Value::Array(values.iter().map(plain_json).collect()),
        AttributeValue::M(map) => {
            Value::Object(map.iter().map(|(name, v)| (name.clone(), plain_json(v))).collect())
        }
        _ => Value::Null,
    }
}

fn as_dynamodb_json(value: &Value) -> Value {
    match value {
        Value::Null => json!({ "NULL": true }),
        Value::Bool(flag) => json!({ "BOOL": flag }),
        Value::Number(number) => json!({ "N": number.to_string() }),
        Value::String(text) => json!({ "S": text }),
        Value::Array(values) => {
            json!({ "L": values.iter().map(as_dynamodb_json).collect::<Vec<_>>() })
        }
        Value::Object(map) => {
            let entries = map.iter().map(|(name, value)| (name.clone(), as_dynamodb_json(value)));
            json!({ "M": entries.collect::<Map<_, _>>() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> AttributeValue {
        AttributeValue::S(text.to_owned())
    }

    fn map(entries: Vec<(&str, AttributeValue)>) -> AttributeValue {
        AttributeValue::M(entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
    }

    fn content() -> AttributeValue {
        map(vec![
            ("emailTitle", text("Title")),
            ("heading", text("Heading")),
            (
                "details",
                map(vec![
                    ("cta", text("Watch")),
                    ("intro", text("Intro")),
                    ("episodeDetails", text("Next")),
                ]),
            ),
        ])
    }

    #[test]
    fn stored_content_has_exactly_the_shape_of_the_golden_file() {
        let golden: Value =
            serde_json::from_str(include_str!("../../contract/golden/api-answer.json"))
                .expect("golden file is JSON");

        let answer = stored("5f1a2b3c4d5e6f7a8b9c0d1e", &content(), Format::DynamoDb);

        assert_eq!(serde_json::from_str::<Value>(answer.body()).expect("is JSON"), golden);
        assert_eq!(answer.headers()["content-type"], "application/json");
    }

    #[test]
    fn plain_content_is_natural_json() {
        let answer = stored("u", &content(), Format::Plain);

        let body: Value = serde_json::from_str(answer.body()).expect("is JSON");
        assert_eq!(body["data"]["details"]["cta"], "Watch");
        assert_eq!(body["user_id"], "u");
    }

    #[test]
    fn fallback_content_has_the_same_shape_and_is_marked() {
        let Value::Object(content) = json!({ "heading": "Hello", "details": { "cta": "Go" } })
        else {
            panic!("is an object")
        };

        let answer = fallback("u", &content, Format::DynamoDb);

        let body: Value = serde_json::from_str(answer.body()).expect("is JSON");
        assert_eq!(body["Item"]["data"]["M"]["details"]["M"]["cta"]["S"], "Go");
        assert_eq!(body["Item"]["source"]["S"], "fallback");
    }
}
