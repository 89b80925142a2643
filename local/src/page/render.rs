//! `POST /local/render`: a message over the api's answer for a user, as Braze renders it.
//!
//! A message is a program, and Liquid limits neither its loops nor its texts. So each is
//! rendered in a process of its own, by the very code that `preview` uses, `process`.

mod process;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::handler::Call;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use campaign::message::{ApiAnswer, Message, Recipient};
use contract::metrics::Counts;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Page, answer, error};
use crate::front::CREDENTIALS;
pub use process::{COMMAND, Renderer, child};
pub(super) use process::{Letter, Letters};

/// Longest message: Braze's own editors take e-mails of about 100 KB.
pub const MAX_MESSAGE_BYTES: usize = 128 * 1_024;

/// Longest attributes of a user, as JSON: more than a person types.
pub const MAX_ATTRIBUTES_BYTES: usize = 16 * 1_024;

/// Longest request: a message and attributes whose every byte is escaped, and the user beside
/// them.
pub const MAX_REQUEST_BYTES: usize = 6 * (MAX_MESSAGE_BYTES + MAX_ATTRIBUTES_BYTES) + 4_096;

/// What is asked for.
#[derive(Deserialize)]
struct Wanted {
    user_id: String,
    campaign: String,
    message: String,
    /// What only Braze knows of the user.
    #[serde(default)]
    attributes: Map<String, Value>,
}

/// Answers with the rendered message, or with what is wrong with it.
pub(super) async fn render(State(page): State<Arc<Page>>, body: Bytes) -> Response {
    let Ok(wanted) = serde_json::from_slice::<Wanted>(&body) else {
        let message = "send {\"user_id\", \"campaign\", \"message\"} as texts, and {\"attributes\"} \
                       as an object, if there are any";
        return error(StatusCode::BAD_REQUEST, "bad_request", message);
    };
    if let Some(message) = wanted.too_long() {
        return error(StatusCode::PAYLOAD_TOO_LARGE, "too_long", &message);
    }
    let looked_up = match page.looked_up(&wanted.user_id, &wanted.campaign).await {
        Ok(looked_up) => looked_up,
        Err((status, refusal)) => return (status, Json(refusal)).into_response(),
    };
    match page.renderer.render(page.letter(wanted, looked_up).await).await {
        Ok(rendered) => answer(&rendered),
        // The call is right; what it asks about is not.
        Err(complaint) => answer(&json!({ "complaint": complaint.to_string() })),
    }
}

impl Wanted {
    /// What is too long of it.
    fn too_long(&self) -> Option<String> {
        let attributes = json!(self.attributes).to_string();
        let longest = [
            ("the message is", self.message.len(), MAX_MESSAGE_BYTES),
            ("the attributes are", attributes.len(), MAX_ATTRIBUTES_BYTES),
        ];
        let (what, _, most) = longest.into_iter().find(|(_, bytes, most)| bytes > most)?;
        Some(format!("{what} longer than {most} bytes"))
    }
}

impl Page {
    /// What a process needs that renders: the message with the content blocks of its campaign,
    /// and what the api says of every campaign, of its own already.
    async fn letter(&self, wanted: Wanted, looked_up: ApiAnswer) -> Letter {
        let mut answers = BTreeMap::from([(wanted.campaign.clone(), looked_up)]);
        let held = self.campaigns().await;
        let names = held.campaigns.iter().map(|each| &each.campaign.name);
        for name in names.filter(|name| **name != wanted.campaign) {
            if let Ok(answer) = self.looked_up(&wanted.user_id, name).await {
                answers.insert(name.clone(), answer);
            }
        }
        let of_campaign = Message::read(&self.campaigns_dir.join(&wanted.campaign));
        let message = Message { text: wanted.message, ..of_campaign.unwrap_or_default() };
        let to = Recipient { user_id: wanted.user_id, attributes: wanted.attributes };
        Letter { to, message, answers }
    }

    /// What the api answers Braze for this user in both formats, or with which status it
    /// refuses.
    pub(super) async fn looked_up(
        &self,
        user_id: &str,
        campaign: &str,
    ) -> Result<ApiAnswer, (StatusCode, Value)> {
        let of_user = [("user_id", user_id), ("campaign", campaign)];
        let dynamodb = self.look_up(&of_user).await?;
        let plain = self.look_up(&[&of_user[..], &[("format", "plain")]].concat()).await?;
        Ok(ApiAnswer { dynamodb, plain })
    }

    async fn look_up(&self, query: &[(&str, &str)]) -> Result<Value, (StatusCode, Value)> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let mut headers = HeaderMap::new();
        let basic = format!("Basic {}", BASE64_STANDARD.encode(CREDENTIALS));
        if let Ok(basic) = HeaderValue::try_from(basic) {
            headers.insert(header::AUTHORIZATION, basic);
        }
        let call = Call {
            method: &Method::GET,
            path: "/",
            query: &query,
            headers: &headers,
            has_body: false,
        };
        // Not Braze's call: it is not counted among them.
        let found = self.api.answer(&call, &mut Counts::default()).await;
        let body = serde_json::from_str(found.body()).unwrap_or_default();
        if found.status().is_success() { Ok(body) } else { Err((found.status(), body)) }
    }
}
