use contract::units::Function;

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
load_balancer = { page = "", hour = 0.02, unit_hour = 0.008 }
s3 = { page = "", thousand_puts = 0.005, thousand_gets = 0.0004, gb_month = 0.023 }
sqs = { page = "", million_requests = 0.40 }
cloudwatch = { page = "", log_gb = 0.50, metric_month = 0.30, alarm_month = 0.10, dashboard_month = 3.00 }
xray = { page = "", million_traces = 5.00 }
kms = { page = "", key_month = 1.00, ten_thousand_requests = 0.03 }
secrets_manager = { page = "", secret_month = 0.40 }
bedrock = { page = "", model = "m", million_input_tokens = 1.10, million_output_tokens = 5.50 }
"#;

fn prices() -> Prices {
    Prices::parse(PRICES, "PRICES").expect("is a price list")
}

fn assert_close(what: &str, computed: f64, by_hand: f64) {
    assert!((computed / by_hand - 1.0).abs() < 1e-9, "{what}: {computed}, by hand {by_hand}");
}

#[test]
fn every_line_is_what_a_calculation_by_hand_gives() {
    let mut units = Units {
        stream_kib: 1_048_576.0,
        write_units: 4e6,
        read_units: 3e6,
        objects_put: 2_000.0,
        objects_fetched: 5_000.0,
        object_bytes: 1_073_741_824.0,
        queue_requests: 1e6,
        calls: 2e6,
        answer_bytes: 1_073_741_824.0,
        log_bytes: 1_073_741_824.0,
        input_tokens: 1e6,
        output_tokens: 2e6,
        ..Units::default()
    };
    units.invoke(Function::Processor, 1_024_000);
    units.invoke(Function::EventsDoor, 4_000);

    let bill = Bill::of(&units, Front::Rest, &prices());

    // A GB in and out, and six days of 30.4 of it.
    assert_close("kinesis", bill.kinesis, 0.12 + 6.0 * 24.0 / 730.0 * 0.10);
    // 1,024 s of 1,769 MiB, and 4 s of 256: 1,769 + 1 GB seconds; two requests.
    assert_close("lambda", bill.lambda, 1_770.0 * 0.0000166667 + 2.0 * 0.20 / 1e6);
    assert_close("dynamodb", bill.dynamodb, 4.0 * 0.625 + 3.0 * 0.125);
    assert_close("front", bill.front, 2.0 * 3.50 + 0.09);
    let kept = 90.0 * 24.0 / 730.0 * 0.023;
    assert_close("s3_and_sqs", bill.s3_and_sqs, 2.0 * 0.005 + 5.0 * 0.0004 + kept + 0.40);
    assert_close("logs_and_traces", bill.logs_and_traces, 0.50 + 2.0 * 0.05 * 5.0 / 1e6);
    assert_close("bedrock", bill.bedrock, 1.10 + 2.0 * 5.50);
    let lines: f64 = bill.lines().iter().map(|(_, usd)| usd).sum();
    assert_close("total", bill.total(), lines);
    assert_close("besides", bill.besides_bedrock(), lines - bill.bedrock);
    let http = Bill::of(&units, Front::Http, &prices());
    assert_close("front", bill.front - http.front, 2.0 * 2.5);
    assert_close("others", bill.total() - http.total(), 2.0 * 2.5);
    let balanced = Bill::of(&units, Front::LoadBalancer, &prices());
    // A million calls are 11.11 units of an hour.
    assert_close("a load balancer", balanced.front, 2.0 * 0.008 * 1e6 / 90_000.0 + 0.09);
    assert_close("a url", Bill::of(&units, Front::Url, &prices()).front, 0.09);
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
fn an_invoice_of_api_gateway_comes_out() {
    let calls = 7.41 / 3.5 * 1e6;
    // "Hundreds of bytes" an answer.
    let units = Units { calls, answer_bytes: calls * 300.0, ..Units::default() };

    let usd = Bill::of(&units, Front::Rest, &prices()).front;

    assert!((7.46..7.48).contains(&usd), "{usd}");
}

#[test]
fn every_function_has_its_memory() {
    assert!(Function::ALL.iter().all(|function| memory_mib(*function) >= 128));
}
