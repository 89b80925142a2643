//! Shows the campaign's message as Braze renders it with the content.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::Context as _;
use api::answer::Answer;
use api::content::{Content, Data};
use api::query::Format;
use campaign::CompiledCampaign;
use campaign::message::{self, AnswersAtHand, Message};
use serde_json::{Map, Value};

use super::section;
use crate::arguments::Preview;
use crate::say;

/// Shows the message; content of other campaigns that it asks for is their fallback content.
pub(super) fn show(
    arguments: &Preview,
    campaigns: &[Arc<CompiledCampaign>],
    user_id: &str,
    content: &Map<String, Value>,
) -> anyhow::Result<()> {
    let folder = arguments.campaigns.join(&arguments.campaign);
    let path = message::path(&folder);
    let Some(message) = Message::read(&folder) else {
        say(format_args!("\nno message to show: there is no {}", path.display()));
        return Ok(());
    };
    section(&format!("message, {} as Braze renders it", path.display()));
    let answers = campaigns.iter().map(|each| {
        let name = each.campaign.name.as_str();
        let is_fallback = name != arguments.campaign;
        let data = if is_fallback { &each.campaign.fallback } else { content };
        let contents = vec![(name, Content { data: Data::Json(data), is_fallback })];
        let answer = Answer { user_id, contents, by_campaign: false, format: Format::DynamoDb };
        Ok((name.to_owned(), serde_json::to_value(answer)?))
    });
    let answers: serde_json::Result<BTreeMap<String, Value>> = answers.collect();
    let answers = AnswersAtHand(answers.context("writing the answers")?);
    let shown = message.render(user_id, Rc::new(answers))?;
    say(shown.text.trim_end());
    message::notes(&shown).iter().for_each(say);
    Ok(())
}
