//! Why a user has the content that is stored: the event that it was written for, what the
//! campaign's condition saw in it, and who wrote it.
//!
//! Only what is remembered is known: of an event the fields that the prompt may see. A
//! condition may have looked at others, and that is said then.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::AttributeValue;
use campaign::{CompiledCampaign, Past};
use contract::content;
use contract::user_record::Event;
use serde_json::{Value, json};

use super::{Item, number, text};
use crate::arguments::Bedrock;
use crate::metrics::Metrics;
use crate::run;

/// What the stand-in's texts begin with.
const MARKS: [&str; 2] = [campaign::example::MARK, campaign::example::SHORT_MARK];

/// Deepest content that is looked at for the mark; schemas are shallower.
const MAX_DEPTH: usize = 16;

/// Why a user has what `item` holds.
pub(super) fn why(
    campaign: Option<&CompiledCampaign>,
    events: &[Past],
    item: &Item,
    metrics: &Metrics,
) -> Value {
    let event_id = text(item, content::EVENT_ID);
    let event = events.iter().find(|event| Some(event.id.as_str()) == event_id);
    let trigger = campaign.map(|campaign| &campaign.campaign.config.trigger);
    let condition = trigger.and_then(|trigger| trigger.when.as_ref());
    json!({
        "event_types": trigger.map(|trigger| &trigger.event_types),
        "condition": condition.map(|when| when.text.trim()),
        "event": event,
        "seen": campaign.zip(event).map(|(campaign, event)| seen(campaign, event)),
        "writer": writer(item, metrics),
    })
}

/// What the condition saw in an event, as far as that is remembered.
fn seen(campaign: &CompiledCampaign, past: &Past) -> Vec<String> {
    let Some(condition) = &campaign.condition else { return Vec::new() };
    let event = Event { id: past.id.clone(), time: past.time, fields: past.fields.clone() };
    let lines = condition.explain(&past.event_type, &event);
    let remembered = &campaign.campaign.config.fields;
    lines.into_iter().map(|line| as_remembered(line, remembered)).collect()
}

/// A field that the prompt may not see is not remembered, which is not the same as missing.
fn as_remembered(line: String, remembered: &BTreeSet<String>) -> String {
    let missing = line.split_once(" is ").and_then(|(field, value)| {
        let than = value.strip_prefix("missing")?;
        let path = field.strip_prefix("event.")?;
        let is_remembered = remembered.iter().any(|allowed| {
            let below = path.strip_prefix(allowed.as_str());
            below.is_some_and(|below| below.is_empty() || below.starts_with('.'))
        });
        (!is_remembered).then_some((field, than))
    });
    match missing {
        Some((field, than)) => format!("{field} is not among the remembered fields{than}"),
        None => line,
    }
}

/// Who wrote a content, for a person.
fn writer(item: &Item, metrics: &Metrics) -> Option<String> {
    let model = text(item, content::MODEL_ID)?;
    let now = metrics.now();
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let started = since_epoch.saturating_sub(Duration::from_millis(now.uptime_ms)).as_secs();
    let written = number(item, content::GENERATED_AT).unwrap_or_default();
    let is_of_this_run = u64::try_from(written).is_ok_and(|written| written >= started);
    let is_marked = item.get(content::DATA).is_some_and(|data| is_marked(data, 0));
    Some(named(model, is_marked, is_of_this_run.then_some(now.stand_in.is_some())))
}

/// Names a writer. A stand-in's text is never taken for a model's, also where it was kept from
/// an earlier run, of which nobody knows any more whether it had a stand-in.
fn named(model: &str, is_marked: bool, run_has_stand_in: Option<bool>) -> String {
    match run_has_stand_in {
        _ if is_marked => stand_in(model),
        Some(true) => stand_in(model),
        Some(false) => format!("Amazon Bedrock, {model}"),
        None => format!("{model}, or the stand-in in its place, in an earlier run"),
    }
}

fn stand_in(model: &str) -> String {
    format!("{}, in place of {model}", run::writer(Bedrock::StandIn))
}

/// Tells whether a content says of itself that it is the stand-in's.
fn is_marked(data: &AttributeValue, depth: usize) -> bool {
    match data {
        _ if depth > MAX_DEPTH => false,
        AttributeValue::S(text) => MARKS.iter().any(|mark| text.starts_with(mark)),
        AttributeValue::M(map) => map.values().any(|inner| is_marked(inner, depth + 1)),
        AttributeValue::L(list) => list.iter().any(|inner| is_marked(inner, depth + 1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_not_remembered_is_not_called_missing() {
        let remembered = ["properties.show".to_owned(), "cart".to_owned()].into();
        let saw = |line: &str| as_remembered(line.to_owned(), &remembered);

        assert_eq!(
            saw("event.name is missing, compared with \"watched\""),
            "event.name is not among the remembered fields, compared with \"watched\""
        );
        assert_eq!(
            saw("event.properties is missing"),
            "event.properties is not among the remembered fields"
        );
        for line in [
            "event.cart.total is missing, compared with 20",
            "event.properties.show is missing",
            "event.name is the text \"a is missing\"",
        ] {
            assert_eq!(saw(line), line);
        }
    }

    #[test]
    fn a_stand_in_is_named_whoever_runs_now() {
        let model = "us.model-v1:0";
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["text"],
            "properties": { "text": { "type": "string", "maxLength": 60 } },
        });
        let answer = campaign::example::answer(&schema, "a prompt").expect("fits");
        let text = AttributeValue::S(answer["text"].as_str().expect("is text").to_owned());
        let data = AttributeValue::L(vec![AttributeValue::Bool(true), text]);

        assert!(is_marked(&data, 0), "{data:?}");
        assert!(!is_marked(&AttributeValue::S("plain".to_owned()), 0));
        for run in [None, Some(false), Some(true)] {
            assert_eq!(named(model, true, run), stand_in(model));
        }
        assert_eq!(named(model, false, Some(true)), stand_in(model));
        assert_eq!(named(model, false, Some(false)), "Amazon Bedrock, us.model-v1:0");
        assert!(named(model, false, None).contains("or the stand-in"));
    }
}
