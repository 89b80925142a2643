//! Answers what a message calls, from content that is at hand, and says what is wrong with a
//! call: the api and Braze are stricter than a preview.

use std::collections::BTreeMap;
use std::rc::Rc;

use dialect::{Call, Calls};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Parameter of the api that names the user; an address without it is not the api's.
const USER_ID: &str = "user_id";

/// What the api says of a user, in both its formats.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ApiAnswer {
    /// Without a format, as DynamoDB has it: `{"Item": ...}`.
    pub dynamodb: Value,
    /// With `format=plain`.
    pub plain: Value,
}

/// Answers calls from content that is at hand: what the api says of the user, by campaign.
#[derive(Debug, Clone)]
pub struct AnswersAtHand(pub BTreeMap<String, ApiAnswer>);

impl Calls for AnswersAtHand {
    fn answer(&self, call: &Call) -> Result<String, String> {
        let parameter = |name: &str| parameter(&call.url, name);
        if parameter(USER_ID).is_none() {
            return Err(format!("{} is not called here, so its answer is nothing", call.url));
        }
        let is_plain = parameter("format") == Some("plain");
        let of = |answer: &ApiAnswer| {
            if is_plain { answer.plain.clone() } else { answer.dynamodb.clone() }
        };
        let Some(names) = parameter("campaign") else {
            let mut all = self.0.values();
            return all
                .next()
                .filter(|_| all.next().is_none())
                .map(|one| of(one).to_string())
                .ok_or_else(|| {
                    "there are several campaigns, and the api answers 400: add campaign=NAME"
                        .to_owned()
                });
        };
        let mut answers = Vec::new();
        for name in names.split(',') {
            let answer = self.0.get(name).ok_or_else(|| {
                let meant = dialect::did_you_mean(name, self.0.keys().map(String::as_str));
                format!("there is no campaign \"{name}\", and the api answers 404, which renders as nothing{meant}")
            })?;
            answers.push((name, of(answer)));
        }
        if let [(_, answer)] = answers.as_slice() {
            return Ok(answer.to_string());
        }
        // Several stand under their names.
        let inside = |(name, answer): (&str, Value)| {
            let of_name = if is_plain { answer } else { answer["Item"].clone() };
            (name.to_owned(), of_name)
        };
        let items: Map<String, Value> = answers.into_iter().map(inside).collect();
        let all = if is_plain { "contents" } else { "Items" };
        Ok(json!({ all: items }).to_string())
    }
}

/// The calls of a message to one user.
pub(super) struct OfRecipient {
    user_id: String,
    calls: Rc<dyn Calls>,
}

impl OfRecipient {
    pub(super) fn new(user_id: &str, calls: &Rc<dyn Calls>) -> Self {
        Self { user_id: user_id.to_owned(), calls: Rc::clone(calls) }
    }
}

impl Calls for OfRecipient {
    fn answer(&self, call: &Call) -> Result<String, String> {
        self.calls.answer(call)
    }

    fn notes(&self, call: &Call) -> Vec<String> {
        let mut notes = self.calls.notes(call);
        notes.extend(wrong_with(call, &self.user_id).into_iter().map(str::to_owned));
        notes
    }
}

/// What the api or Braze would make of a call for a user that its author did not mean.
fn wrong_with(call: &Call, user_id: &str) -> Vec<&'static str> {
    let mut wrong = Vec::new();
    let brings = [&call.basic_auth, &call.auth_credentials, &call.headers];
    let has_credentials = brings.into_iter().any(Option::is_some);
    let asked = parameter(&call.url, USER_ID);
    if call.url.starts_with("http://") && (has_credentials || asked.is_some()) {
        wrong.push(
            "connected_content calls by http://, with the credentials in the clear: write https://",
        );
    }
    if call.url.contains("&amp;") {
        wrong.push("connected_content has &amp; in the address, where & alone parts two parameters: write &");
    }
    let Some(asked) = asked else { return wrong };
    if !has_credentials {
        wrong.push(
            "connected_content gives no credentials, and the api answers 401: add :basic_auth NAME",
        );
    }
    if call.method.as_ref().is_some_and(|method| !method.eq_ignore_ascii_case("get")) {
        wrong.push("connected_content calls with POST, and the api answers 405: remove :method");
    }
    match asked {
        "" => wrong.push(
            "connected_content asks for no user, since user_id is empty: write {{${braze_id}}}; ${user_id} is the external id",
        ),
        asked if asked != user_id => wrong.push(
            "connected_content asks for another user than the one who gets the message: write user_id={{${braze_id}}}; ${user_id} is the external id",
        ),
        _ => {}
    }
    wrong
}

/// A parameter of an address.
fn parameter<'u>(url: &'u str, name: &str) -> Option<&'u str> {
    let (_, query) = url.split_once('?')?;
    let mut pairs = query.split(['&', '#']).filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}
