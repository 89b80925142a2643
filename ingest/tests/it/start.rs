//! What the function says when it cannot start.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The function with every setting that it asks for.
fn function(campaigns: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ingest"));
    command
        .env_clear()
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
        .env("AWS_REGION", "us-east-1")
        .env("STREAM_NAME", "stream")
        .env("COORDINATION_TABLE", "coordination")
        .env("DEAD_LETTER_QUEUE_URL", "http://127.0.0.1/letters")
        .env("CATALOG_TABLE", "catalogs")
        .env("CAMPAIGNS_DIR", campaigns);
    command
}

/// Checks that a start that fails is one line of level ERROR that says all of this.
fn fails_with(mut command: Command, said: &[&str]) {
    let ended = command.output().expect("runs");

    assert!(!ended.status.success());
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "nothing is said in plain text");
    let log = String::from_utf8(ended.stdout).expect("is text");
    let line: Value = serde_json::from_str(&log).expect("is one line of JSON");
    assert_eq!(line["level"], "ERROR", "{log}");
    assert_eq!(line["fields"]["message"], "does not start", "{log}");
    let error = line["fields"]["error"].as_str().expect("is text");
    for text in said {
        assert!(error.contains(text), "{text}: {error}");
    }
}

#[test]
fn settings_that_are_missing_are_a_line_of_level_error_with_every_name() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ingest"));
    command.env_clear().env("AWS_LAMBDA_LOG_FORMAT", "JSON");

    fails_with(command, &["invalid settings", "STREAM_NAME", "DEAD_LETTER_QUEUE_URL"]);
}

#[test]
fn campaigns_that_cannot_be_used_are_such_a_line_too() {
    let nowhere = Path::new("/nowhere/campaigns");

    fails_with(function(nowhere), &["campaigns cannot be used", "/nowhere/campaigns"]);
}
