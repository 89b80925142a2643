//! Shows what is stored of one user: what they get, where it comes from, and what is known.
//!
//! Names, times and counts are shown; values, which are about a person, only to who asks for
//! them.

use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use contract::content;
use contract::local::Endpoints;
use processor::attributes::Profile;
use processor::store::plain_item;
use serde_json::{Value, json};

use crate::arguments::Show;
use crate::kept::endpoints;
use crate::outcome::moment;
use crate::output::{answer, say};

/// Fields of items that say something of a person, beside their id.
const ABOUT_A_PERSON: [&str; 6] = [
    content::DATA,
    content::HISTORY,
    content::PACKED,
    content::VALUES,
    content::PROMPT,
    content::ANSWER,
];

/// What stands for them.
const HIDDEN: &str = "(--values shows it)";

/// Most pages of a user's items: each is a megabyte, and nobody has as many campaigns.
const MAX_PAGES: usize = 10;

type Item = std::collections::HashMap<String, AttributeValue>;

/// Shows a user.
pub(crate) async fn show(arguments: &Show) -> anyhow::Result<ExitCode> {
    ensure!(!arguments.user.is_empty(), "no user has an empty id");
    let (config, table) = match (&arguments.data, &arguments.table) {
        (Some(folder), _) => {
            let Endpoints { dynamodb, content_table } = endpoints(folder)?;
            (program::aws::at(&dynamodb).await, content_table)
        }
        (None, Some(table)) => {
            (program::aws::account(program::aws::environment()).await?, table.clone())
        }
        (None, None) => bail!("--table is missing: name the content table, or a folder (--data)"),
    };
    let items = items(&Client::new(&config), &table, &arguments.user).await?;
    if items.is_empty() {
        bail!("nothing is stored of {}", arguments.user);
    }
    let told = lines(&items, arguments);
    if let (true, Some(name)) = (told.is_empty(), &arguments.campaign) {
        let names = items.iter().filter_map(|item| text(item, content::ITEM));
        let names: Vec<&str> =
            names.filter_map(|key| key.strip_prefix(content::ITEM_PREFIX)).collect();
        bail!(
            "nothing is stored of {} for \"{name}\": there is {}",
            arguments.user,
            names.join(", ")
        );
    }
    told.iter().for_each(say);
    answer(as_json(&items, arguments));
    Ok(ExitCode::SUCCESS)
}

async fn items(client: &Client, table: &str, user_id: &str) -> anyhow::Result<Vec<Item>> {
    let pages = client
        .query()
        .table_name(table)
        .consistent_read(true)
        .key_condition_expression("#user = :user")
        .expression_attribute_names("#user", content::USER_ID)
        .expression_attribute_values(":user", AttributeValue::S(user_id.to_owned()))
        .into_paginator()
        .send();
    let (mut pages, mut all) = (pages, Vec::new());
    for _ in 0..MAX_PAGES {
        let Some(page) = pages.next().await else { break };
        let page = page.with_context(|| format!("reading the table {table}"))?;
        all.extend(page.items.unwrap_or_default().into_iter().map(plain_item));
    }
    Ok(all)
}

/// The items for a program: as they are stored, in plain JSON; of what is about a person only
/// whether it is there, unless somebody asked for values.
fn as_json(items: &[Item], arguments: &Show) -> Value {
    let mut all = serde_json::Map::new();
    for item in items.iter().filter(|item| is_wanted(item, arguments)) {
        let Some(key) = text(item, content::ITEM) else { continue };
        let fields =
            item.iter().filter(|(name, _)| *name != content::USER_ID).map(|(name, value)| {
                let is_hidden = ABOUT_A_PERSON.contains(&name.as_str()) && !arguments.values;
                let value = if is_hidden { HIDDEN.into() } else { plain(value) };
                (name.clone(), value)
            });
        all.insert(key.to_owned(), Value::Object(fields.collect()));
    }
    json!({ "items": all })
}

/// Whether an item is of the campaign that was asked for, or of none.
fn is_wanted(item: &Item, arguments: &Show) -> bool {
    let key = text(item, content::ITEM).unwrap_or_default();
    let campaign = [content::ITEM_PREFIX, content::ASKED_PREFIX]
        .iter()
        .find_map(|prefix| key.strip_prefix(prefix));
    let asked = arguments.campaign.as_deref();
    asked.is_none() || campaign.is_none() || campaign == asked
}

/// What is told of the items, in the order of their names.
fn lines(items: &[Item], arguments: &Show) -> Vec<String> {
    let mut lines = Vec::new();
    for item in items.iter().filter(|item| is_wanted(item, arguments)) {
        let Some(key) = text(item, content::ITEM) else { continue };
        if key == content::TOMBSTONE {
            let at = number(item, content::DELETED_AT).map_or("unknown".to_owned(), moment);
            lines.push(format!("deleted at {at}: what happened before is refused"));
        } else if key == content::ATTRIBUTES {
            lines.extend(attributes(item, arguments.values));
        } else if let Some(campaign) = key.strip_prefix(content::ITEM_PREFIX) {
            lines.extend(of_campaign(campaign, item, arguments.values));
        } else if let Some(campaign) = key.strip_prefix(content::ASKED_PREFIX) {
            lines.push(format!(
                "asked for {campaign}, kept until {}",
                time(item, content::EXPIRES_AT)
            ));
            if arguments.values {
                lines.push(format!(
                    "  prompt:\n{}",
                    text(item, content::PROMPT).unwrap_or_default()
                ));
                lines.push(format!(
                    "  answer: {}",
                    item.get(content::ANSWER).map(plain).unwrap_or_default()
                ));
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
    say("came in", text(item, content::ORIGIN).map(str::to_owned));
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
        say("content", item.get(content::DATA).map(|data| plain(data).to_string()));
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
            (false, false) => HIDDEN.to_owned(),
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

fn plain(value: &AttributeValue) -> Value {
    let value = api::content::PlainJson(api::content::Data::Stored(value));
    serde_json::to_value(value).unwrap_or_default()
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
            let (user, campaign) = ("u".to_owned(), Some("offer".to_owned()));
            let arguments = Show { user, table: None, data: None, campaign, values };
            lines(&items, &arguments).join("\n") + &as_json(&items, &arguments).to_string()
        };

        assert!(
            !shown(false).contains("Ada") && !shown(false).contains("secret"),
            "{}",
            shown(false)
        );
        assert!(shown(false).contains("first_name") && shown(false).contains("1 events"));
        assert!(shown(true).contains("\"Ada\"") && shown(true).contains("for Ada"));
        assert_eq!(shown(true).matches("asked for").count(), 1);
        assert!(shown(false).contains(r#""asked#offer""#) && !shown(true).contains("asked#other"));
    }
}
