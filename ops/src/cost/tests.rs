use super::load::Gateway;
use super::month::stream;
use super::*;

/// Prices of the calculation by hand; they stay when the real ones change.
const PRICES: &str = r#"
region = "r"
date = "d"
origin = "o"
kinesis = { page = "", stream_hour = 0.04, gb_in = 0.08, gb_out = 0.04, gb_month_kept_beyond_a_day = 0.10 }
lambda = { page = "", million_requests = 0.20, gb_second = 0.0000166667 }
dynamodb = { page = "", million_write_units = 0.625, million_read_units = 0.125, gb_month = 0.25, gb_month_of_recovery = 0.20 }
api_gateway = { page = "", million_rest_calls = 3.50, million_http_calls = 1.00, gb_out = 0.09 }
s3 = { page = "", thousand_puts = 0.005, thousand_gets = 0.0004, gb_month = 0.023 }
sqs = { page = "", million_requests = 0.40 }
cloudwatch = { page = "", log_gb = 0.50, metric_month = 0.30, alarm_month = 0.10, dashboard_month = 3.00 }
xray = { page = "", million_traces = 5.00 }
kms = { page = "", key_month = 1.00, ten_thousand_requests = 0.03 }
secrets_manager = { page = "", secret_month = 0.40 }
bedrock = { page = "", model = "m", million_input_tokens = 1.10, million_output_tokens = 5.50 }
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

fn prices() -> Prices {
    Prices::parse(PRICES, "PRICES").expect("is a price list")
}

fn bill(load: &Load) -> Bill {
    Bill::of(load, &prices())
}

fn assert_close(what: &str, computed: f64, by_hand: f64) {
    assert!((computed - by_hand).abs() < 0.001, "{what}: {computed}, by hand {by_hand}");
}

#[test]
fn every_line_of_the_bill_is_what_a_calculation_by_hand_gives() {
    let bill = bill(&LOAD);

    // 52,560 files (of five minutes) of 1,389 events in 127.9975 groups: 6,727,549.5 records.
    // 730 h x 0.04; 28,397,000 + 5,281,126 KiB = 32.11796 GB, x 0.12; 6 days of it, 6.33560, x 0.10.
    assert_close("kinesis", bill.kinesis, 29.2 + 3.854_156 + 0.633_560);
    // 52,560 files + 840,960 batches + 7,300,000 look-ups + 43,800 starts of workers, x 0.20;
    // 106 s of reading + 26,280 + 3,650 + 14,965 of contents + 84,096 + 584,000 + 73,000 + 4,380
    // of workers, x 1.72754 GB.
    assert_close("lambda", bill.lambda, 1.647_464 + 22.759_709);
    // 54,750,000 + 500,000 + 592,760 writes, and two for each batch; 54,750,000 + 3,650,000
    // reads; 0.28610 GB x 0.45.
    assert_close("dynamodb", bill.dynamodb, 35.952_925 + 7.3 + 0.128_746);
    // 7.3 million calls; 10,950,000 KiB = 10.44273 GB.
    assert_close("api_gateway", bill.api_gateway, 25.55 + 0.939_846);
    // 52.56 thousand files; 5.364e9 bytes = 4.99561 GB; 157,680 + 657,000 calls of the queue of
    // files, and 175,200 of those of asks.
    assert_close("s3_and_sqs", bill.s3_and_sqs, 0.283_824 + 0.114_899 + 0.395_952);
    // 8,237,320 invocations: 13,179,712 KiB = 12.56916 GB, and 411,866 traces.
    assert_close("logs_and_traces", bill.logs_and_traces, 6.284576 + 2.059330);
    // Two keys, 128 x 12 x 730 calls of them, a secret, 96 alarms, 96 metrics, a dashboard.
    assert_close("key_and_alarms", bill.key_and_alarms, 2.0 + 3.363_84 + 0.4 + 9.6 + 28.8 + 3.0);
    // 0.0011 a call: 146,000 calls, or 18,250,000.
    assert_close("bedrock", bill.bedrock, 160.6);
    assert_close("one_call_per_event", bill.one_call_per_event, 20_075.0);
    assert_close(
        "total",
        bill.total(),
        33.687_716
            + 24.407_173
            + 43.381_671
            + 26.489_846
            + 0.794_675
            + 8.343906
            + 47.163_840
            + 160.6,
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
fn with_a_prompt_for_each_event_the_model_costs_the_same_and_the_system_more() {
    let bill = bill(&Load { prompts_per_thousand: 1000.0, ..LOAD });

    assert_close("bedrock", bill.bedrock, bill.one_call_per_event);
    assert!(bill.total() > bill.one_call_per_event);
}

#[test]
fn at_the_break_even_both_cost_the_same() {
    let BreakEven::PromptsPerThousand(at) = BreakEven::of(&LOAD, &prices()) else {
        panic!("there is one");
    };

    let bill = bill(&Load { prompts_per_thousand: at, ..LOAD });

    assert!(at > LOAD.prompts_per_thousand && at < 1000.0, "{at}");
    assert_close("total", bill.total(), bill.one_call_per_event);
}

#[test]
fn for_few_events_there_is_no_break_even() {
    let few = Load { events: 1000.0, users: 100.0, look_ups: 200.0, ..LOAD };

    let BreakEven::Nowhere { without_generations } = BreakEven::of(&few, &prices()) else {
        panic!("there is none");
    };

    assert!(without_generations > bill(&few).one_call_per_event);
    let nothing = Load { triggering: 0.0, ..LOAD };
    assert!(matches!(BreakEven::of(&nothing, &prices()), BreakEven::Nowhere { .. }));
}

#[test]
fn small_files_make_more_stream_records_than_full_ones() {
    let of_full_files = |load: &Load| load.events * measured::STREAM_KIB_PER_EVENT;
    let small = Load { events: 100_000.0, ..LOAD };
    let large = Load { events: 100_000_000.0, ..LOAD };

    let beyond = |load: &Load| {
        let of_events = stream(of_full_files(load) * 730.0 / 24.0 / 1_048_576.0, &prices());
        (bill(load).kinesis - of_events) / (of_events - 29.2)
    };

    assert!(beyond(&small) > 0.5, "{}", beyond(&small));
    assert!(beyond(&large) < 0.1, "{}", beyond(&large));
}

/// A million records of a KiB a second, kept for a week: more than 3.6 million dollars a year for
/// traffic, 4.2 million in all. <https://www.unison.cloud/reducing-kinesis-cost>
#[test]
fn a_reported_bill_of_kinesis_comes_out() {
    let gb_a_month = 1e6 * 1024.0 * 730.0 * 3600.0 / f64::from(1 << 30);

    let usd_a_year = 12.0 * stream(gb_a_month, &prices());

    assert!((4.15e6..4.25e6).contains(&usd_a_year), "{usd_a_year}");
}

/// 6.47 thousand million input and 25 million output tokens of a model of 5.50 and 27.50 dollars,
/// nothing of it cached: 35,600 and 698 dollars.
/// <http://archlab.space/blogs/e229c0c7-52b2-4661-b0da-91c5c0fbd54f>
#[test]
fn a_reported_bill_of_bedrock_comes_out() {
    let mut prices = prices();
    prices.bedrock.million_input_tokens = 5.5;
    prices.bedrock.million_output_tokens = 27.5;

    let usd = prices.bedrock.usd(6.47e9, 25e6);

    assert!((usd - (35_600.0 + 698.0)).abs() < 100.0, "{usd}");
}

/// 7.41 dollars for calls of a REST API, 2.1 million of them, on an invoice of 7.47 in all.
/// <https://alestic.com/2016/12/aws-invoice-example/>
#[test]
fn an_invoice_of_api_gateway_comes_out_and_its_answers_cost_more_here() {
    let load = Load { look_ups: 7.41 / 3.5 * 1e6 / (730.0 / 24.0), ..LOAD };

    let usd = bill(&load).api_gateway;

    // Answers are 1.5 KiB here, and "hundreds of bytes" there.
    assert!((7.47..7.70).contains(&usd), "{usd}");
}
