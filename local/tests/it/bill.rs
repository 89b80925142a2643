//! What a run is charged for, and that it does not creep up.

use std::collections::HashMap;
use std::path::Path;

use aws_sdk_dynamodb::types::AttributeValue;
use contract::content;
use contract::metrics;
use contract::units::{Counted, Function};
use local::aws::TABLE;
use local::pipeline::Options;
use processor::store::Form;

use crate::rig::{Rig, options, sample, watched_last};

/// Look-ups of the run.
const LOOK_UPS: usize = 40;

/// What a unit writes, in bytes.
const KIB: usize = 1_024;

/// Most that one of them may take: what was measured (7.2, 2.8, 165 and 336), and some more.
const WRITE_UNITS_OF_A_CONTENT: f64 = 8.0;
const READ_UNITS_OF_A_CONTENT: f64 = 4.0;
const STREAM_BYTES_OF_AN_EVENT: f64 = 190.0;
const LOG_BYTES_OF_A_LOOK_UP: f64 = 400.0;

/// The same with compact items (5.3 to 6.2, as the batches fall).
const WRITE_UNITS_OF_A_COMPACT_CONTENT: f64 = 7.0;

/// What an item of the sample campaign takes by itself (2.15, and 1.07 if it is compact).
const UNITS_OF_AN_ITEM: f64 = 2.3;
const UNITS_OF_A_COMPACT_ITEM: f64 = 1.12;

#[tokio::test(flavor = "multi_thread")]
async fn contents_events_and_look_ups_take_no_more_than_they_did() {
    let (counted, _) = run(Options { content_form: Form::Plain, ..options() }).await;

    let (written, read) = units_of_a_content(&counted);
    within("write units", written, WRITE_UNITS_OF_A_CONTENT);
    within("read units", read, READ_UNITS_OF_A_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_of_compact_items_take_fewer_writes_and_no_more_reads() {
    let (counted, _) = run(Options { content_form: Form::Compact, ..options() }).await;

    let (written, read) = units_of_a_content(&counted);
    within("write units", written, WRITE_UNITS_OF_A_COMPACT_CONTENT);
    within("read units", read, READ_UNITS_OF_A_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_of_the_sample_campaign_takes_two_units_and_a_compact_one_a_single_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (content_form, most) in
        [(Form::Plain, UNITS_OF_AN_ITEM), (Form::Compact, UNITS_OF_A_COMPACT_ITEM)]
    {
        let campaigns_dir = root.join("campaigns");
        let catalogs_dir = Some(root.join("catalogs"));
        let options = Options { campaigns_dir, catalogs_dir, content_form, ..options() };
        let (_, units) = run(options).await;

        within("units of an item", units, most);
    }
}

/// Units that were written and read for a content.
fn units_of_a_content(counted: &Counted) -> (f64, f64) {
    let units = &counted.of_events;
    (units.write_units / counted.contents, units.read_units / counted.contents)
}

/// Runs the sample; returns what was counted, and the units that an item with content takes to
/// write.
async fn run(options: Options) -> (Counted, f64) {
    let rig = Rig::start(options).await;
    let files = sample(6_000, 600);
    rig.process(files.path()).await;
    let users = watched_last(files.path());
    for user in users.keys().take(LOOK_UPS) {
        assert_eq!(rig.look_up(&format!("user_id={user}")).await.0, 200);
    }

    let counts = rig.counts();
    let counted = rig.pipeline.totals.billing.counted(&counts);
    let units = units_of_an_item(&rig).await;
    rig.pipeline.stop().await;

    assert_eq!((counted.events, counted.look_ups), (6_000.0, LOOK_UPS as f64));
    assert!(counted.contents > 100.0 && counted.generations > 0.0, "{counted:?}");
    let (events, look_ups) = (&counted.of_events, &counted.of_look_ups);
    // What the functions count themselves, and what their clients ask for.
    assert_eq!(events.objects_put, events.objects_fetched);
    assert_eq!(events.output_tokens, counts.get(metrics::OUTPUT_TOKENS) as f64);
    assert!(events.stream_kib >= counts.get(metrics::STREAM_RECORDS) as f64);
    assert!(events.functions[&Function::Processor].billed_ms > 0.0);
    assert_eq!(look_ups.functions[&Function::Api].invocations, LOOK_UPS as f64);
    assert_eq!((look_ups.calls, look_ups.read_units), (LOOK_UPS as f64, LOOK_UPS as f64 / 2.0));
    assert_eq!((look_ups.write_units, events.calls), (0.0, 0.0));

    let on_stream = counts.get(metrics::EVENTS_RECEIVED) as f64;
    let stream_bytes = counts.get(metrics::STREAM_BYTES) as f64;
    within("bytes of the stream", stream_bytes / on_stream, STREAM_BYTES_OF_AN_EVENT);
    let log_bytes = look_ups.log_bytes / counted.look_ups;
    within("bytes of logs", log_bytes, LOG_BYTES_OF_A_LOOK_UP);
    (counted, units)
}

fn within(what: &str, each: f64, most: f64) {
    assert!(each <= most, "{what}: {each}, at most {most}");
    assert!(each >= most / 2.0, "{what}: {each}: {most} says nothing");
}

/// Mean of the KiB that are begun by items with content.
async fn units_of_an_item(rig: &Rig) -> f64 {
    let mut pages =
        rig.pipeline.aws.dynamodb.scan().table_name(TABLE).into_paginator().items().send();
    let (mut items, mut units) = (0, 0);
    while let Some(item) = pages.next().await {
        let item = item.expect("is read");
        if item.contains_key(content::DATA) {
            items += 1;
            units += bytes_of(&item).div_ceil(KIB);
        }
    }
    units as f64 / f64::from(items)
}

/// What DynamoDB counts of an item.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
fn bytes_of(item: &HashMap<String, AttributeValue>) -> usize {
    item.iter().map(|(name, value)| name.len() + bytes_of_value(value)).sum()
}

fn bytes_of_value(value: &AttributeValue) -> usize {
    /// Of a list or map, and of each element in it.
    const OF_A_LIST: usize = 3;
    const OF_AN_ELEMENT: usize = 1;
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        // Two digits a byte, one more, and no zeros at the ends.
        AttributeValue::N(number) => number.trim_end_matches('0').len().div_ceil(2) + 1,
        AttributeValue::M(map) => OF_A_LIST + map.len() * OF_AN_ELEMENT + bytes_of(map),
        AttributeValue::L(list) => {
            OF_A_LIST
                + list.iter().map(|value| OF_AN_ELEMENT + bytes_of_value(value)).sum::<usize>()
        }
        _ => 1,
    }
}
