//! What a run is charged for, and that it does not creep up.

use contract::metrics;
use contract::units::Function;

use crate::rig::{Rig, options, sample, watched_last};

/// Look-ups of the run.
const LOOK_UPS: usize = 40;

/// Most that one of them may take: what was measured (7.2, 2.8, 165 and 336), and some more.
const WRITE_UNITS_OF_A_CONTENT: f64 = 8.0;
const READ_UNITS_OF_A_CONTENT: f64 = 4.0;
const STREAM_BYTES_OF_AN_EVENT: f64 = 190.0;
const LOG_BYTES_OF_A_LOOK_UP: f64 = 400.0;

#[tokio::test(flavor = "multi_thread")]
async fn contents_events_and_look_ups_take_no_more_than_they_did() {
    let rig = Rig::start(options()).await;
    let files = sample(6_000, 600);
    rig.process(files.path()).await;
    let users = watched_last(files.path());
    for user in users.keys().take(LOOK_UPS) {
        assert_eq!(rig.look_up(&format!("user_id={user}")).await.0, 200);
    }

    let counts = rig.counts();
    let counted = rig.pipeline.totals.billing.counted(&counts);
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
    for (what, each, most) in [
        ("write units", events.write_units / counted.contents, WRITE_UNITS_OF_A_CONTENT),
        ("read units", events.read_units / counted.contents, READ_UNITS_OF_A_CONTENT),
        ("bytes of the stream", stream_bytes / on_stream, STREAM_BYTES_OF_AN_EVENT),
        ("bytes of logs", look_ups.log_bytes / counted.look_ups, LOG_BYTES_OF_A_LOOK_UP),
    ] {
        assert!(each <= most, "{what}: {each}, at most {most}");
        assert!(each >= most / 2.0, "{what}: {each}: {most} says nothing");
    }
}
