//! What a load costs, as the program and its document tell it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bill::prices::Prices;
use contract::units::Counted;
use ops::cost::load::{Front, Load};
use ops::cost::{Bill, counted};

use crate::commands::{ops, stderr};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn said(arguments: &[&str]) -> String {
    let output: Output = ops(arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn cost_says_what_it_assumes_and_where_its_prices_are_from() {
    let said = said(&["cost", "--events", "2400000"]);

    assert!(said.starts_with("US dollars a month, us-east-1, prices of 20"), "{said}");
    for part in [
        "list prices of one region",
        "Assumed: 2400000 events a day, of which 28.4 % trigger; 240000 users",
        "1920 different prompts a day, each a generation of 600 + 150 tokens",
        "https://aws.amazon.com/bedrock/pricing/",
        "\nthis system ",
        "\none call per event ",
        "of a thousand events that trigger; with 1920, this system costs",
        " less than one call per event.",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}

#[test]
fn cost_says_when_this_system_is_the_dearer_way() {
    let few = said(&["cost", "--events", "1000"]);
    let different = said(&["cost", "--prompts", "2840000"]);

    assert!(few.contains("Break-even: none; this system costs "), "{few}");
    assert!(different.contains("with 2840000, this system costs "), "{different}");
    assert!(different.contains(" more than one call per event."), "{different}");
}

#[test]
fn a_load_that_cannot_be_is_refused_with_what_would_be_right() {
    let output = ops(&["cost", "--triggering", "50"]);

    assert!(!output.status.success());
    let said = stderr(&output);
    assert!(said.contains("--triggering 50: at most 1; it is a share: 50 % is 0.5"), "{said}");
}

#[test]
fn a_price_list_that_lacks_a_price_is_refused() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = folder.path().join("prices.toml");
    fs::write(&file, "region = \"r\"\ndate = \"d\"\norigin = \"o\"\n").expect("is written");

    let output = ops(&["cost", "--prices", file.to_str().expect("is UTF-8")]);

    assert!(!output.status.success());
    assert!(stderr(&output).contains("missing field `kinesis`"), "{}", stderr(&output));
}

#[test]
fn the_price_of_a_campaign_takes_the_place_of_the_lists() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let campaign = folder.path().join("tea");
    fs::create_dir(&campaign).expect("is made");
    let settings = r#"
        model_id = "some.model"
        max_tokens = 100
        ttl_days = 1
        fields = []
        trigger = { event_types = ["users.behaviors.CustomEvent"] }
        price = { usd_per_million_input_tokens = 11, usd_per_million_output_tokens = 55 }
    "#;
    let schema = r#"{"type":"object","additionalProperties":false,"required":["a"],
        "properties":{"a":{"type":"string","maxLength":9}}}"#;
    for (name, text) in [
        ("campaign.toml", settings),
        ("prompt.liquid", "Write."),
        ("system.liquid", "You write."),
        ("answer.schema.json", schema),
        ("fallback.json", r#"{"a":"b"}"#),
    ] {
        fs::write(campaign.join(name), text).expect("is written");
    }
    let campaigns = folder.path().to_str().expect("is UTF-8");
    let of_tea = |name| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ops"));
        command.args(["cost", "--campaigns", campaigns, "--campaign", name]);
        command.output().expect("program runs")
    };

    let output = of_tea("tea");

    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("by some.model."), "{said}{}", stderr(&output));
    // 1,920 a day of 600 and 150 tokens, at ten times the price of the list.
    assert!(said.contains("\nBedrock                     867.24  "), "{said}");
    let unknown = stderr(&of_tea("coffee"));
    assert!(unknown.contains("no campaign \"coffee\": there is tea"), "{unknown}");
}

#[test]
fn a_model_has_one_price_in_the_list_and_in_all_campaigns() {
    let list = Prices::read(None).expect("is a price list").bedrock;
    let examples = fs::read_dir(root().join("examples")).expect("are there").flatten();
    let folders = examples.map(|example| example.path().join("campaigns"));
    let folders = folders.chain([root().join("campaigns")]);
    let campaigns = folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let texts: Vec<String> = campaigns
        .filter_map(|each| fs::read_to_string(each.path().join("campaign.toml")).ok())
        .collect();
    assert!(texts.len() >= 3, "the examples are looked at");

    for text in texts {
        let settings: toml::Table = text.parse().expect("is TOML");
        let of_list = settings["model_id"].as_str() == Some(&list.model);
        if let Some(price) = settings.get("price").filter(|_| of_list) {
            let usd = |kind: &str| price[format!("usd_per_million_{kind}_tokens")].as_float();
            assert_eq!(usd("input"), Some(list.million_input_tokens), "bill/prices.toml: {text}");
            assert_eq!(usd("output"), Some(list.million_output_tokens), "bill/prices.toml: {text}");
        }
    }
    assert!(list.million_output_tokens >= list.million_input_tokens, "{list:?}");
}

/// The load of the tables in docs/cost.md.
fn load(events: f64, prompts: f64, front: Front) -> Load {
    Load {
        events,
        users: events / 10.0,
        triggering: 0.284,
        prompts,
        input_tokens: 600.0,
        output_tokens: 150.0,
        look_ups: events / 5.0,
        front,
    }
}

/// A row of such a table: whole dollars, with commas.
fn row(name: &str, figures: &[f64]) -> String {
    let grouped = |usd: &f64| {
        let digits = format!("{usd:.0}");
        let head = digits.len() % 3;
        let groups = digits.as_bytes()[head..].chunks(3).map(String::from_utf8_lossy);
        let first = (head > 0).then(|| digits[..head].into());
        first.into_iter().chain(groups).collect::<Vec<_>>().join(",")
    };
    let bold = if name.starts_with("**") { "**" } else { "" };
    let cells = figures.iter().map(|usd| format!("{bold}{}{bold}", grouped(usd)));
    format!("| {name} | {} |", cells.collect::<Vec<_>>().join(" | "))
}

/// What all but Bedrock costs with each front, of ten and of a hundred million events a day.
fn by_front(run: &Counted, prices: &Prices) -> Vec<String> {
    let fronts =
        [("rest", Front::Rest), ("http", Front::Http), ("alb", Front::Alb), ("url", Front::Url)];
    let rows = fronts.map(|(name, front)| {
        let usd = [1e7, 1e8].map(|events| {
            let bill = Bill::of(&load(events, 1_920.0, front), run, prices);
            bill.total() - bill.of_services.bedrock
        });
        row(&format!("`{name}`"), &usd)
    });
    rows.into()
}

#[test]
fn the_tables_of_the_document_are_what_is_computed() {
    let document = fs::read_to_string(root().join("docs/cost.md")).expect("is there");
    let prices = Prices::read(None).expect("is a price list");
    let run = counted(None).expect("is a run");
    let bill = |events, prompts| Bill::of(&load(events, prompts, Front::Rest), &run, &prices);
    let bills = [1e4, 1e6, 1e7, 1e8].map(|events| bill(events, 1_920.0));
    let by_load = |name, usd: fn(&Bill) -> f64| row(name, &bills.each_ref().map(usd));
    let by_prompts =
        [("1,920", 1_920.0), ("100,000", 1e5), ("2,840,000: every prompt differs", 2.84e6)];

    let rows = [
        by_load("Kinesis", |bill| bill.of_services.kinesis),
        by_load("Lambda", |bill| bill.of_services.lambda),
        by_load("DynamoDB", |bill| bill.of_services.dynamodb),
        by_load("front", |bill| bill.of_services.front),
        by_load("S3 and SQS", |bill| bill.of_services.s3_and_sqs),
        by_load("logs and traces", |bill| bill.of_services.logs_and_traces),
        by_load("key and alarms", |bill| bill.key_and_alarms),
        by_load("Bedrock", |bill| bill.of_services.bedrock),
        by_load("**this system**", Bill::total),
        by_load("**one call per event**, Bedrock alone", |bill| bill.one_call_per_event),
    ]
    .into_iter()
    .chain(by_front(&run, &prices))
    .chain(by_prompts.map(|(name, prompts)| {
        let bill = bill(1e7, prompts);
        row(name, &[bill.of_services.bedrock, bill.total()])
    }));

    for row in rows {
        assert!(document.contains(&row), "docs/cost.md lacks this row:\n{row}");
    }
    assert!(document.contains(&prices.date), "docs/cost.md has the date of another list");
}
