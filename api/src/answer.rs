//! How an answer is written for Braze.
//!
//! Always one JSON object: Braze adds the status code to an object only, and an
//! array or bare text would be inserted as it stands.

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::content::{Content, DynamoDbJson, PlainJson};
use crate::query::Format;

/// Marks content that was not written for this user.
const FALLBACK: &str = "fallback";

/// How long the caller may keep an answer. Braze itself caches for at least five minutes.
/// `private`: what lies between must not give one user's content to whoever asks.
const CACHE_CONTROL: &str = "private, max-age=60";

/// What must be asked for again: errors, and content that stands in while the table is ill.
const DO_NOT_KEEP: &str = "no-store";

/// Bytes of a hash that make an entity tag: enough that two answers never share one.
const TAG_BYTES: usize = 16;

/// What the answer of one look-up says.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The user it is about.
    pub user_id: &'a str,
    /// What was asked for, by name of the campaign.
    pub contents: Vec<(&'a str, Content<'a>)>,
    /// Whether several campaigns were asked for, so that each stands under its name.
    pub by_campaign: bool,
    /// How it is written.
    pub format: Format,
}

impl Answer<'_> {
    /// The text of the answer.
    pub fn text(&self) -> String {
        #[expect(clippy::expect_used, reason = "strings and maps with string keys only")]
        serde_json::to_string(self).expect("an answer is always JSON")
    }
}

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = match self.format {
            Format::DynamoDb if self.by_campaign => "Items",
            Format::DynamoDb => "Item",
            Format::Plain if self.by_campaign => "contents",
            Format::Plain => return Contents(self).serialize(serializer),
        };
        let mut answer = serializer.serialize_map(Some(1))?;
        answer.serialize_entry(name, &Contents(self))?;
        answer.end()
    }
}

/// The content, or each of several under the name of its campaign.
struct Contents<'a>(&'a Answer<'a>);

impl Serialize for Contents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Answer { user_id, contents, by_campaign, format } = self.0;
        let item = |content| Item { user_id, content, format: *format };
        match contents.first() {
            Some((_, content)) if !by_campaign => item(content).serialize(serializer),
            _ => serializer.collect_map(contents.iter().map(|(name, c)| (name, item(c)))),
        }
    }
}

/// One user's content of one campaign.
struct Item<'a> {
    user_id: &'a str,
    content: &'a Content<'a>,
    format: Format,
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data = self.content.data;
        let mut item = serializer.serialize_map(None)?;
        match self.format {
            Format::DynamoDb => {
                item.serialize_entry("data", &DynamoDbJson(data))?;
                item.serialize_entry("user_id", &Text { s: self.user_id })?;
                if self.content.is_fallback {
                    item.serialize_entry("source", &Text { s: FALLBACK })?;
                }
            }
            Format::Plain => {
                item.serialize_entry("user_id", self.user_id)?;
                item.serialize_entry("data", &PlainJson(data))?;
                if self.content.is_fallback {
                    item.serialize_entry("source", FALLBACK)?;
                }
            }
        }
        item.end()
    }
}

/// A text with DynamoDB's type.
#[derive(Serialize)]
struct Text<'a> {
    #[serde(rename = "S")]
    s: &'a str,
}

/// Whether an answer may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caching {
    /// For a minute.
    Allowed,
    /// Not at all.
    Forbidden,
}

/// Writes an answer; with status 304 and nothing else if the caller has this very one.
pub fn success(text: String, caching: Caching, asked: &HeaderMap) -> Response<String> {
    let tag = entity_tag(&text);
    let is_known = caching == Caching::Allowed && names(asked, &tag);
    let mut response = if is_known {
        let mut response = Response::new(String::new());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        json_response(StatusCode::OK, text)
    };
    let control = match caching {
        Caching::Allowed => CACHE_CONTROL,
        Caching::Forbidden => DO_NOT_KEEP,
    };
    set(&mut response, header::CACHE_CONTROL, control);
    if let (Caching::Allowed, Ok(tag)) = (caching, HeaderValue::try_from(tag)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Writes an error for whoever set the call up; never anything of a user.
pub fn error(status: StatusCode, code: &str, message: &str) -> Response<String> {
    let body = json!({ "error": { "code": code, "message": message } });
    let mut response = json_response(status, body.to_string());
    set(&mut response, header::CACHE_CONTROL, DO_NOT_KEEP);
    response
}

/// Writes a document that is the same for everybody.
pub fn document(text: &str) -> Response<String> {
    let mut response = json_response(StatusCode::OK, text.to_owned());
    set(&mut response, header::CACHE_CONTROL, DO_NOT_KEEP);
    response
}

fn json_response(status: StatusCode, text: String) -> Response<String> {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, "application/json");
    set(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}

fn set(response: &mut Response<String>, name: HeaderName, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}

fn entity_tag(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    let mut tag = String::with_capacity(2 * TAG_BYTES + 2);
    tag.push('"');
    for byte in hash.iter().take(TAG_BYTES) {
        let digit = |four_bits: u8| char::from_digit(u32::from(four_bits), 16).unwrap_or('0');
        tag.extend([digit(byte >> 4), digit(byte & 15)]);
    }
    tag.push('"');
    tag
}

/// Whether `If-None-Match` names this tag (RFC 9110, 13.1.2: compared without `W/`).
fn names(asked: &HeaderMap, tag: &str) -> bool {
    let values = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use aws_sdk_dynamodb::types::AttributeValue;
    use serde_json::Value;

    use super::*;
    use crate::content::Data;

    fn text(text: &str) -> AttributeValue {
        AttributeValue::S(text.to_owned())
    }

    fn map(entries: Vec<(&str, AttributeValue)>) -> AttributeValue {
        let entries = entries.into_iter().map(|(k, v)| (k.to_owned(), v));
        AttributeValue::M(entries.collect::<HashMap<_, _>>())
    }

    fn stored() -> AttributeValue {
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

    fn written(by_campaign: bool, is_fallback: bool, format: Format) -> Value {
        let data = stored();
        let content = Content { data: Data::Stored(&data), is_fallback };
        let answer = Answer {
            user_id: "5f1a2b3c4d5e6f7a8b9c0d1e",
            contents: vec![("offer", content)],
            by_campaign,
            format,
        };
        serde_json::from_str(&answer.text()).expect("is JSON")
    }

    #[test]
    fn stored_content_has_exactly_the_shape_of_the_golden_file() {
        let golden: Value =
            serde_json::from_str(include_str!("../../contract/golden/api-answer.json"))
                .expect("golden file is JSON");

        assert_eq!(written(false, false, Format::DynamoDb), golden);
    }

    #[test]
    fn every_shape_is_one_object_that_marks_fallback_content() {
        let one = written(false, true, Format::DynamoDb);
        assert_eq!(one["Item"]["source"]["S"], "fallback");
        let named = written(true, true, Format::DynamoDb);
        assert_eq!(named["Items"]["offer"], one["Item"]);
        let plain = written(false, true, Format::Plain);
        assert_eq!(plain["data"]["details"]["cta"], "Watch");
        assert_eq!(plain["user_id"], "5f1a2b3c4d5e6f7a8b9c0d1e");
        assert_eq!(plain["source"], "fallback");
        assert_eq!(written(true, true, Format::Plain)["contents"]["offer"], plain);
    }

    #[test]
    fn who_has_the_answer_already_gets_304_without_it() {
        let ask = |value: &str| {
            let mut asked = HeaderMap::new();
            asked.insert(header::IF_NONE_MATCH, value.parse().expect("is a header"));
            success("{}".to_owned(), Caching::Allowed, &asked)
        };
        let tag = ask("\"other\"").headers()[header::ETAG].to_str().expect("is text").to_owned();

        for known in [tag.clone(), format!("W/{tag}"), format!("\"a\", {tag}"), "*".to_owned()] {
            let answer = ask(&known);
            assert_eq!((answer.status(), answer.body().as_str()), (StatusCode::NOT_MODIFIED, ""));
            assert_eq!(answer.headers()[header::ETAG], tag.as_str());
        }
        assert_eq!(ask("\"other\"").status(), StatusCode::OK);
        assert_eq!(ask("").status(), StatusCode::OK);
    }

    #[test]
    fn an_answer_of_an_ill_table_is_never_kept() {
        let mut asked = HeaderMap::new();
        asked.insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"));

        let answer = success("{}".to_owned(), Caching::Forbidden, &asked);

        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    }
}
