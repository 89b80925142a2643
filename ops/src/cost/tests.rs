use contract::units::{Function, Units};

use super::load::Front;
use super::*;

/// 73 million events a month of 30.4 days, of which 18,250,000 trigger; 7,300,000 look-ups.
const LOAD: Load = Load {
    events: 2_400_000.0,
    users: 100_000.0,
    triggering: 0.25,
    prompts: 4_800.0,
    input_tokens: 500.0,
    output_tokens: 100.0,
    look_ups: 240_000.0,
    front: Front::Rest,
};

/// A run of a tenth of a million events, in ten files, and of a thousand look-ups.
fn run() -> Counted {
    let mut of_events = Units {
        stream_kib: 40_000.0,
        write_units: 75_000.0,
        read_units: 50_000.0,
        objects_put: 10.0,
        objects_fetched: 10.0,
        queue_requests: 30.0,
        log_bytes: 1e6,
        input_tokens: 1e9,
        ..Units::default()
    };
    of_events.invoke(Function::Ingest, 10_000);
    of_events.invoke(Function::Processor, 60_000);
    let mut of_look_ups = Units { calls: 1_000.0, read_units: 500.0, ..Units::default() };
    of_look_ups.invoke(Function::Api, 5_000);
    Counted {
        events: 100_000.0,
        triggering: 25_000.0,
        contents: 20_000.0,
        generations: 10.0,
        look_ups: 1_000.0,
        of_events,
        of_look_ups,
    }
}

fn prices() -> Prices {
    Prices::read(None).expect("is a price list")
}

fn month(load: &Load) -> Units {
    Month::of(load, &run()).units
}

fn assert_close(what: &str, computed: f64, by_hand: f64) {
    assert!((computed / by_hand - 1.0).abs() < 1e-9, "{what}: {computed}, by hand {by_hand}");
}

#[test]
fn a_month_is_the_run_as_often_as_the_load_has_it_and_what_no_run_has() {
    let units = month(&LOAD);

    // The run 730 times over; 52,560 files come in a month, of which it has 7,300, and the others
    // make 16 batches each.
    let batches = 45_260.0 * 16.0;
    assert_close("stream", units.stream_kib, 730.0 * 40_000.0 + batches);
    assert_close("files", units.objects_put, 52_560.0);
    // 146,000 generations, of which the run has 7,300.
    let more = 138_700.0;
    let writes = 730.0 * 75_000.0 + batches * 2.0 + more * 4.06;
    assert_close("writes", units.write_units, writes);
    assert_close("reads", units.read_units, 730.0 * 50_000.0 + 7_300_000.0 * 0.5);
    assert_close("input tokens", units.input_tokens, 146_000.0 * 500.0);
    assert_close("output tokens", units.output_tokens, 146_000.0 * 100.0);
    let billed = |function| units.functions[&function].billed_ms;
    assert_close("ingest", billed(Function::Ingest), 730.0 * 10_000.0 + 45_260.0 * 500.0);
    let processor = 730.0 * 60_000.0 + batches * 100.0 + 146_000.0 * 4_000.0;
    assert_close("processor", billed(Function::Processor), processor);
    assert_close("workers", billed(Function::AsksWorker), 43_800.0 * 100.0);
    assert_close("api", billed(Function::Api), 7_300_000.0 * 5.0);
    assert_close("calls", units.calls, 7_300_000.0);
    let requests = 730.0 * 30.0 + 45_260.0 * 3.0 + 43_800.0 * 4.0 + 657_000.0;
    assert_close("queues", units.queue_requests, requests);
}

#[test]
fn what_contents_take_grows_with_the_events_that_trigger_and_the_stream_does_not() {
    let (quarter, half) = (month(&LOAD), month(&Load { triggering: 0.5, ..LOAD }));

    assert_close("stream", half.stream_kib, quarter.stream_kib);
    assert_close("writes", half.write_units - quarter.write_units, 730.0 * 75_000.0);
}

#[test]
fn what_stands_there_is_in_the_bill_whether_anything_comes_or_not() {
    let bill = Bill::of(&LOAD, &run(), &prices());
    let few = Load { events: 1.0, users: 1.0, prompts: 0.0, look_ups: 0.0, ..LOAD };
    let few = Bill::of(&few, &run(), &prices());

    // 730 h x 0.04; two keys, 128 x 12 x 730 calls of them, a secret, 98 alarms, 96 metrics, a
    // dashboard.
    assert!(
        bill.of_services.kinesis > 29.2
            && few.of_services.kinesis > 29.2
            && few.of_services.kinesis < 29.3,
        "{few:?}"
    );
    let keys_and_alarms = 2.0 + 3.363_84 + 0.4 + 9.8 + 28.8 + 3.0;
    assert_close("keys and alarms", bill.key_and_alarms, keys_and_alarms);
    assert_close("the same", few.key_and_alarms, keys_and_alarms);
    // A month has 2,628,000 seconds, of each of which a trace is recorded.
    assert_close("traces", standing::traces(1e9, &prices()), 2.628 * 5.0);
    assert_close("fewer", standing::traces(1e6, &prices()), 5.0);
    assert_close(
        "total",
        bill.total(),
        bill.of_services.bedrock + (bill.total() - bill.of_services.bedrock),
    );
}

#[test]
fn an_http_api_costs_its_own_price_and_nothing_else_changes() {
    let rest = Bill::of(&LOAD, &run(), &prices());
    let http = Bill::of(&Load { front: Front::Http, ..LOAD }, &run(), &prices());

    assert_close("difference", rest.of_services.front - http.of_services.front, 7.3 * 2.5);
    assert_close(
        "others",
        rest.total() - rest.of_services.front,
        http.total() - http.of_services.front,
    );
}

#[test]
fn with_a_prompt_for_each_event_the_model_costs_the_same_and_the_system_more() {
    let bill = Bill::of(&Load { prompts: 600_000.0, ..LOAD }, &run(), &prices());

    assert_close("bedrock", bill.of_services.bedrock, bill.one_call_per_event);
    assert!(bill.total() > bill.one_call_per_event);
}

#[test]
fn at_the_break_even_both_cost_about_the_same() {
    let BreakEven::Prompts(at) = BreakEven::of(&LOAD, &run(), &prices()) else {
        panic!("there is one");
    };

    let bill = Bill::of(&Load { prompts: at, ..LOAD }, &run(), &prices());

    assert!(at > LOAD.prompts && at < 600_000.0, "{at}");
    assert!((bill.total() / bill.one_call_per_event - 1.0).abs() < 0.001, "{bill:?}");
}

#[test]
fn for_few_events_there_is_no_break_even() {
    let few = Load { events: 1000.0, users: 100.0, prompts: 100.0, look_ups: 200.0, ..LOAD };

    let BreakEven::Nowhere { without_generations } = BreakEven::of(&few, &run(), &prices()) else {
        panic!("there is none");
    };

    assert!(without_generations > Bill::of(&few, &run(), &prices()).one_call_per_event);
    let nothing = Load { triggering: 0.0, prompts: 0.0, ..LOAD };
    let nothing = BreakEven::of(&nothing, &run(), &prices());
    assert!(matches!(nothing, BreakEven::Nowhere { .. }));
}

#[test]
fn a_run_of_a_file_takes_the_place_of_the_built_in_one_unless_nothing_triggered_in_it() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = folder.path().join("counted.json");
    let write = |counted: &Counted| {
        let json = serde_json::to_string(counted).expect("is JSON");
        std::fs::write(&file, json).expect("is written");
    };

    write(&run());
    assert_eq!(counted(Some(&file)).expect("is a run"), run());
    write(&Counted { triggering: 0.0, ..run() });
    let refused = counted(Some(&file)).expect_err("is none").to_string();
    assert!(refused.contains("nothing triggered a campaign"), "{refused}");
    std::fs::write(&file, "{}x").expect("is written");
    let refused = counted(Some(&file)).expect_err("is none").to_string();
    assert!(refused.contains("is no counted run"), "{refused}");
    let built_in = counted(None).expect("is a run");
    assert!(built_in.events >= 1e5 && built_in.look_ups >= 1e3, "{built_in:?}");
}
