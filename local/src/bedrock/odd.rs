//! Answers that come with a good status and are not what was asked for.
//!
//! Three places can go wrong: the texts of an answer, the shape of the reply around it, and
//! the bytes that travel.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{Html, IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt as _};
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::refusal::PAGE;
use super::scenario::Scenario;
use super::text::Answer;

/// Stands for half of a surrogate pair until the bytes are written: no text of Rust can hold
/// that. It is of no use to anybody else.
const HALF: char = '\u{10fffe}';

/// What the half of a pair is written as.
const ESCAPE_OF_HALF: &str = "\\ud83d";

/// Length of long texts, in characters.
const LONG: usize = 10_000;

/// Time for the first half of a body to leave before the connection breaks.
const UNTIL_SENT: Duration = Duration::from_millis(50);

/// Tokens that were read from the cache, and written into it.
const CACHED: (u64, u64) = (4_000, 1_000);

impl Answer {
    /// Puts something odd into the answer.
    pub(super) fn upset(&mut self, scenario: Scenario) {
        let is_tool = self.is_tool();
        match scenario {
            Scenario::InputText => self.text = Value::String(self.text.clone()).to_string(),
            Scenario::InputArray => self.text = format!("[{}]", self.text),
            Scenario::InputNull => "null".clone_into(&mut self.text),
            Scenario::InputEmpty => "{}".clone_into(&mut self.text),
            // Only a part of it was written.
            Scenario::MaxTokens if is_tool => "{}".clone_into(&mut self.text),
            Scenario::MaxTokens => {
                let half = self.text.chars().count() / 2;
                self.text = self.text.chars().take(half).collect();
            }
            Scenario::Fenced if !is_tool => self.text = format!("```json\n{}\n```", self.text),
            Scenario::Prose if !is_tool => {
                self.text = format!("Here is the content that you asked for: {}", self.text);
            }
            Scenario::TextEmpty if !is_tool => self.text.clear(),
            Scenario::LoneSurrogate => self.each_text(|text| format!("{text} {HALF}")),
            Scenario::SurrogateTexts => {
                self.each_text(|text| format!("{text} {HALF}"));
                if !is_tool {
                    self.text = self.text.replace(HALF, ESCAPE_OF_HALF);
                }
            }
            scenario => self.upset_texts(scenario),
        }
    }

    fn upset_texts(&mut self, scenario: Scenario) {
        self.each_text(|text| match scenario {
            Scenario::BlankTexts => "\u{2800}\u{2800}".to_owned(),
            Scenario::Entities => "[stand-in] Tom &amp; Jerry &#39;26".to_owned(),
            Scenario::Markup => "[stand-in] <b>Tom</b> & \"Jerry\"".to_owned(),
            Scenario::TurnedTexts => "[stand-in] \u{202e}drawkcab\u{2066}".to_owned(),
            Scenario::ControlCharacters => "[stand-in]\u{0}\u{7} a\nb\u{2028}c".to_owned(),
            Scenario::Liquid => "[stand-in] {{${email_address}}} {% abort_message %}".to_owned(),
            Scenario::LongTexts => text.chars().cycle().take(LONG).collect(),
            _ => text.to_owned(),
        });
    }

    fn each_text(&mut self, change: impl Fn(&str) -> String) {
        fn walk(value: &mut Value, change: &impl Fn(&str) -> String) {
            match value {
                Value::String(text) => *text = change(text),
                Value::Array(values) => values.iter_mut().for_each(|value| walk(value, change)),
                Value::Object(map) => map.values_mut().for_each(|value| walk(value, change)),
                _ => {}
            }
        }
        // An earlier scenario may have left no JSON.
        let Ok(mut value) = serde_json::from_str(&self.text) else { return };
        walk(&mut value, &change);
        self.text = value.to_string();
    }
}

/// Puts something odd into the reply around an answer.
pub(super) fn upset_reply(scenario: Scenario, reply: &mut Value) {
    let content = reply["output"]["message"]["content"].as_array().cloned().unwrap_or_default();
    let first = content.first().cloned().unwrap_or_default();
    let is_tool = first.get("toolUse").is_some();
    let place = &mut reply["output"]["message"]["content"];
    match scenario {
        Scenario::ReasoningFirst => {
            let thought = json!({ "text": "{\"what\": \"to write\"}", "signature": "c2ln" });
            let thought = json!({ "reasoningContent": { "reasoningText": thought } });
            *place = json!([thought, first]);
        }
        Scenario::TextAndTool if is_tool => {
            *place = json!([{ "text": "I will call the tool." }, first]);
        }
        Scenario::TwoTools if is_tool => {
            let mut second = first.clone();
            second["toolUse"]["toolUseId"] = "tool-2".into();
            *place = json!([first, second]);
        }
        Scenario::ContentEmpty => *place = json!([]),
        Scenario::MessageNull => reply["output"]["message"] = Value::Null,
        Scenario::UsageMissing => drop(reply.as_object_mut().map(|reply| reply.remove("usage"))),
        Scenario::CacheUsage => {
            reply["usage"]["cacheReadInputTokens"] = CACHED.0.into();
            reply["usage"]["cacheWriteInputTokens"] = CACHED.1.into();
        }
        Scenario::MaxTokens => reply["stopReason"] = "max_tokens".into(),
        Scenario::WrongTypes => {
            reply["usage"] = json!({
                "inputTokens": "many", "outputTokens": "few", "totalTokens": [],
            });
        }
        Scenario::ErrorBody => {
            let message = "Too many requests, please wait before trying again.";
            *reply = Value::Object(Map::from_iter([("message".to_owned(), message.into())]));
        }
        _ => {}
    }
}

/// A body that breaks, once what is before it is on its way.
fn breaks() -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::once(async {
        sleep(UNTIL_SENT).await;
        Err(io::Error::other("told to break"))
    })
}

/// Sends a reply, or what is left of it.
pub(super) fn send(scenarios: &[Scenario], reply: &Value) -> Response {
    let body = reply.to_string().replace(HALF, ESCAPE_OF_HALF);
    let half = Bytes::from(body.clone().into_bytes()).slice(..body.len() / 2);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for scenario in scenarios {
        return match scenario {
            Scenario::HtmlPage => Html(PAGE).into_response(),
            Scenario::BodyEmpty => (headers, Body::empty()).into_response(),
            Scenario::BodyCut => (headers, half).into_response(),
            Scenario::BodyBroken => {
                let begun = stream::once(async { Ok(half) });
                (headers, Body::from_stream(begun.chain(breaks()))).into_response()
            }
            Scenario::NoAnswer => (headers, Body::from_stream(breaks())).into_response(),
            _ => continue,
        };
    }
    (headers, body).into_response()
}
