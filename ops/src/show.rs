//! Shows what is stored of one user: what they get, where it comes from, and what is known.
//!
//! Names, times and counts are shown; values, which are about a person, only to who asks for
//! them.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use contract::content;
use processor::attributes::Profile;
use serde_json::Value;

use crate::arguments::Show;
use crate::outcome::moment;
use crate::say;

/// Most pages of a user's items: each is a megabyte, and nobody has as many campaigns.
const MAX_PAGES: usize = 10;

type Item = std::collections::HashMap<String, AttributeValue>;

/// Shows a user of a deployment.
pub(crate) async fn show(arguments: &Show) -> anyhow::Result<ExitCode> {
    let config = program::aws::account(program::aws::environment()).await?;
    let items = items(&Client::new(&config), arguments).await?;
    if items.is_empty() {
        bail!("nothing is stored of {}", arguments.user);
    }
    for line in lines(&items, arguments) {
        say(line);
    }
    Ok(ExitCode::SUCCESS)
}

async fn items(client: &Client, arguments: &Show) -> anyhow::Result<Vec<Item>> {
    let pages = client
        .query()
        .table_name(&arguments.table)
        .consistent_read(true)
        .key_condition_expression("#user = :user")
        .expression_attribute_names("#user", content::USER_ID)
        .expression_attribute_values(":user", AttributeValue::S(arguments.user.clone()))
        .into_paginator()
        .send();
    let (mut pages, mut all) = (pages, Vec::new());
    for _ in 0..MAX_PAGES {
        let Some(page) = pages.next().await else { break };
        all.extend(page.context("reading the content table")?.items.unwrap_or_default());
    }
    Ok(all)
}

/// What is told of the items, in the order of their names.
fn lines(items: &[Item], arguments: &Show) -> Vec<String> {
    let mut lines = Vec::new();
    let wanted = |campaign: &str| arguments.campaign.as_ref().is_none_or(|name| name == campaign);
    for item in items {
        let Some(key) = text(item, content::ITEM) else { continue };
        if key == content::TOMBSTONE {
            let at = number(item, content::DELETED_AT).map_or("unknown".to_owned(), moment);
            lines.push(format!("deleted at {at}: what happened before is refused"));
        } else if key == content::ATTRIBUTES {
            lines.extend(attributes(item, arguments.values));
        } else if let Some(campaign) = key.strip_prefix(content::ITEM_PREFIX).filter(|c| wanted(c))
        {
            lines.extend(of_campaign(campaign, item, arguments.values));
        } else if let Some(campaign) = key.strip_prefix(content::ASKED_PREFIX).filter(|c| wanted(c))
        {
            lines.push(format!(
                "asked for {campaign}, kept until {}",
                time(item, content::EXPIRES_AT)
            ));
            if arguments.values {
                lines.push(format!(
                    "  prompt:\n{}",
                    text(item, content::PROMPT).unwrap_or_default()
                ));
                lines.push(format!("  answer: {}", json(item.get(content::ANSWER))));
            }
        }
    }
    lines
}

fn of_campaign(campaign: &str, item: &Item, with_values: bool) -> Vec<String> {
    let mut lines = vec![campaign.to_owned()];
    let mut say = |name: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("  {name:<14} {value}")));
    };
    let of = |name: &str| text(item, name).map(str::to_owned);
    say("event", of(content::EVENT_ID));
    say("of", number(item, content::EVENT_TIME).map(moment));
    say("written", number(item, content::GENERATED_AT).map(moment));
    say("model", of(content::MODEL_ID));
    say("publication", number(item, content::PUBLICATION).map(|number| number.to_string()));
    say("campaigns", of(content::CAMPAIGNS_VERSION));
    say("prompt hash", of(content::PROMPT_HASH));
    let tokens = number(item, content::INPUT_TOKENS).zip(number(item, content::OUTPUT_TOKENS));
    say("tokens", tokens.map(|(input, output)| format!("{input} in, {output} out")));
    let until = number(item, content::SERVED_UNTIL).or(number(item, content::EXPIRES_AT));
    say("served until", until.map(moment).filter(|_| item.contains_key(content::DATA)));
    say("retracted at", number(item, content::RETRACTED_AT).map(moment));
    say("waits until", number(item, content::PARKED_UNTIL).map(|ms| moment(ms / 1_000)));
    say("language", of(content::LANGUAGE));
    let history = text(item, content::HISTORY).and_then(|text| serde_json::from_str(text).ok());
    let events = history.as_ref().and_then(Value::as_array).map_or(0, Vec::len);
    say("remembered", Some(format!("{events} events")));
    if with_values {
        say("events", history.map(|history| history.to_string()));
        say("content", item.get(content::DATA).map(|data| json(Some(data))));
    }
    lines
}

fn attributes(item: &Item, with_values: bool) -> Vec<String> {
    let known = text(item, content::VALUES).and_then(|text| serde_json::from_str(text).ok());
    let profile = Profile { known: known.unwrap_or_default(), ..Profile::default() };
    let mut lines = vec!["attributes".to_owned()];
    lines.extend(profile.known.iter().map(|(name, known)| {
        let value = match (known.value.is_null(), with_values) {
            (true, _) => "none".to_owned(),
            (false, true) => known.value.to_string(),
            (false, false) => "(--values shows it)".to_owned(),
        };
        format!("  {name} = {value}, since {}", moment(known.time))
    }));
    lines
}

fn text<'i>(item: &'i Item, name: &str) -> Option<&'i str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

fn number(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn time(item: &Item, name: &str) -> String {
    number(item, name).map_or("unknown".to_owned(), moment)
}

fn json(value: Option<&AttributeValue>) -> String {
    let written = value.map(|value| {
        serde_json::to_string(&api::content::PlainJson(api::content::Data::Stored(value)))
    });
    written.and_then(Result::ok).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(key: &str, more: &[(&str, AttributeValue)]) -> Item {
        let key = (content::ITEM, AttributeValue::S(key.to_owned()));
        let all = [key].into_iter().chain(more.iter().cloned());
        all.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    #[test]
    fn values_are_shown_to_who_asks_for_them() {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let values = r#"{"first_name":{"value":"Ada","time":7,"event_id":"e"}}"#;
        let items = [
            item("attributes", &[(content::VALUES, text(values))]),
            item(
                "content#offer",
                &[
                    (content::HISTORY, text(r#"[{"id":"secret"}]"#)),
                    (content::EVENT_ID, text("e-1")),
                ],
            ),
            item(
                "asked#offer",
                &[
                    (content::PROMPT, text("for Ada")),
                    (content::EXPIRES_AT, AttributeValue::N("9".to_owned())),
                ],
            ),
            item("asked#other", &[(content::PROMPT, text("for Ada"))]),
        ];
        let shown = |values: bool| {
            let (user, table) = ("u".to_owned(), "t".to_owned());
            let arguments = Show { user, table, campaign: Some("offer".to_owned()), values };
            lines(&items, &arguments).join("\n")
        };

        assert!(
            !shown(false).contains("Ada") && !shown(false).contains("secret"),
            "{}",
            shown(false)
        );
        assert!(shown(false).contains("first_name") && shown(false).contains("1 events"));
        assert!(shown(true).contains("\"Ada\"") && shown(true).contains("for Ada"));
        assert_eq!(shown(true).matches("asked for").count(), 1);
    }
}
