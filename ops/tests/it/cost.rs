//! What a load costs, as the program tells it.

use std::process::{Command, Output};

fn ops(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ops")).args(arguments).output().expect("program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn cost_says_of_when_its_prices_are_and_what_one_call_per_event_would_cost() {
    let output = ops(&["cost", "--events", "2400000"]);

    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.starts_with("US dollars a month, us-east-1, prices of 20"), "{said}");
    assert!(said.contains("\nthis system "), "{said}");
    assert!(said.contains("\none call per event "), "{said}");
}

#[test]
fn a_price_list_that_lacks_a_price_is_refused() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = folder.path().join("prices.toml");
    std::fs::write(&file, "region = \"r\"\ndate = \"d\"\n").expect("is written");

    let output = ops(&["cost", "--prices", file.to_str().expect("is UTF-8")]);

    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("missing field `kinesis`"), "{}", text(&output.stderr));
}
