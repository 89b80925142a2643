//! What the function says when it cannot start.

use std::process::Command;

use serde_json::Value;

#[test]
fn a_start_that_fails_is_a_line_of_level_error_with_every_fault() {
    let started = Command::new(env!("CARGO_BIN_EXE_api"))
        .env_clear()
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
        .output()
        .expect("program runs");

    assert!(!started.status.success());
    let log = String::from_utf8(started.stdout).expect("is text");
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("is JSON")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert_eq!(lines[0]["level"], "ERROR", "{log}");
    for said in ["does not start", "invalid settings", "CONTENT_TABLE", "CREDENTIALS_SECRET_ARN"] {
        assert!(log.contains(said), "{said}: {log}");
    }
}
