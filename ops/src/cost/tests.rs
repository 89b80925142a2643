use super::*;

/// Prices of the calculation by hand; they stay when the real ones change.
const PRICES: &str = r#"
region = "r"
date = "d"
kinesis = { stream_hour = 0.04, gb_in = 0.08, gb_out = 0.04, gb_month_kept_beyond_a_day = 0.10 }
lambda = { million_requests = 0.20, gb_second = 0.0000166667 }
dynamodb = { million_write_units = 0.625, million_read_units = 0.125, gb_month = 0.25, gb_month_of_recovery = 0.20 }
api_gateway = { million_rest_calls = 3.50, million_http_calls = 1.00, gb_out = 0.09 }
s3 = { thousand_puts = 0.005, thousand_gets = 0.0004, gb_month = 0.023 }
sqs = { million_requests = 0.40 }
cloudwatch = { log_gb = 0.50 }
xray = { million_traces = 5.00 }
bedrock = { million_input_tokens = 1.10, million_output_tokens = 5.50 }
"#;

/// 73 million events a month of 30.4 days, of which 18,250,000 trigger; 7,300,000 look-ups.
const LOAD: Load = Load {
    events: 2_400_000.0,
    users: 100_000.0,
    triggering: 0.25,
    prompts_per_thousand: 8.0,
    input_tokens: 500.0,
    output_tokens: 100.0,
    look_ups: 240_000.0,
    gateway: Gateway::Rest,
};

fn bill(load: &Load) -> Bill {
    Bill::of(load, &toml::from_str(PRICES).expect("is a price list"))
}

fn assert_close(what: &str, computed: f64, by_hand: f64) {
    assert!((computed - by_hand).abs() < 0.001, "{what}: {computed}, by hand {by_hand}");
}

#[test]
fn every_line_of_the_bill_is_what_a_calculation_by_hand_gives() {
    let bill = bill(&LOAD);

    // 730 h x 0.04; 29,379,288 KiB = 28.01827 GB, x 0.12; 6 days of it kept, 5.52689 GB, x 0.10.
    assert_close("kinesis", bill.kinesis, 29.2 + 3.362_193 + 0.552_689);
    // 52,560 files (of five minutes) + 1,234,795 batches + 7,300,000 look-ups, x 0.20; 106 s of
    // reading + 26,280 + 3,650 + 123,479.5 + 584,000 + 73,000 s, x 1.72754 GB.
    assert_close("lambda", bill.lambda, 1.717_471 + 23.336_66);
    // 22,119,000 + 500,000 + 592,760 writes; 22,119,000 + 3,650,000 reads; 0.28610 GB x 0.45.
    assert_close("dynamodb", bill.dynamodb, 14.507_35 + 3.221_125 + 0.128_746);
    // 7.3 million calls; 10,950,000 KiB = 10.44273 GB.
    assert_close("api_gateway", bill.api_gateway, 25.55 + 0.939_846);
    // 52.56 thousand files; 5.364e9 bytes = 4.99561 GB; 157,680 + 657,000 calls of the queue.
    assert_close("s3_and_sqs", bill.s3_and_sqs, 0.283_824 + 0.114_899 + 0.325_872);
    // 8,587,355 invocations: 13,739,768 KiB = 13.10326 GB, and 429,367.75 traces.
    assert_close("logs_and_traces", bill.logs_and_traces, 6.551_631 + 2.146_839);
    // 0.0011 a call: 146,000 calls, or 18,250,000.
    assert_close("bedrock", bill.bedrock, 160.6);
    assert_close("one_call_per_event", bill.one_call_per_event, 20_075.0);
    assert_close(
        "total",
        bill.total(),
        33.114_882 + 25.054_131 + 17.857_221 + 26.489_846 + 161.324_595 + 8.698_470,
    );
}

#[test]
fn an_http_api_costs_its_own_price_and_nothing_else_changes() {
    let rest = bill(&LOAD);
    let http = bill(&Load { gateway: Gateway::Http, ..LOAD });

    assert_close("difference", rest.api_gateway - http.api_gateway, 7.3 * 2.5);
    assert_close("others", rest.total() - rest.api_gateway, http.total() - http.api_gateway);
}

#[test]
fn with_a_prompt_for_each_event_the_model_costs_the_same_either_way() {
    let bill = bill(&Load { prompts_per_thousand: 1000.0, ..LOAD });

    assert_close("bedrock", bill.bedrock, bill.one_call_per_event);
}

#[test]
fn the_built_in_list_can_be_read() {
    let prices = Prices::read(None).expect("is a price list");

    assert_eq!(prices.region, "us-east-1");
}
