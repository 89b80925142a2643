//! The program `local`, as a person starts it.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::rig::{campaigns, sample};

fn local(arguments: &[&str], files: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_local"))
        .args(["--port", "0", "--batch-window-ms", "100", "--campaigns"])
        .arg(campaigns())
        .args(arguments)
        .args(files)
        .output()
        .expect("program runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_run_on_given_files_ends_with_the_summary_and_code_0() {
    let files = sample(400, 40);

    let output = local(&["--exit-when-done"], &[files.path()]);

    assert!(output.status.success(), "{}", stderr(&output));
    let summary = stdout(&output);
    assert!(summary.contains("events read               400"), "{summary}");
    assert!(!summary.contains("curl "), "nobody is served any more: {summary}");
    assert!(summary.contains("stand-in for Bedrock"), "{summary}");
    assert!(summary.contains("docs/running.md#the-summary"), "{summary}");
}

#[test]
fn the_first_thing_it_says_is_where_the_page_is() {
    let files = sample(20, 5);

    let output = local(&["--exit-when-done"], &[files.path()]);

    let said = stdout(&output);
    assert!(said.starts_with("Watch it at http://127.0.0.1:"), "{said}");
}

#[test]
fn the_state_is_kept_between_runs_if_asked() {
    let files = sample(400, 40);
    let state = tempfile::tempdir().expect("temporary folder");
    let data = state.path().to_str().expect("is UTF-8");

    let first = local(&["--exit-when-done", "--data", data], &[files.path()]);
    let second = local(&["--exit-when-done", "--data", data], &[files.path()]);

    assert!(!stdout(&first).contains("generations               0"), "{}", stdout(&first));
    assert!(second.status.success(), "{}", stderr(&second));
    assert!(stdout(&second).contains("generations               0"), "{}", stdout(&second));
}

#[test]
fn a_path_that_does_not_exist_is_named() {
    let output = local(&["--exit-when-done"], &[Path::new("/nowhere/at/all")]);

    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot read /nowhere/at/all"), "{}", stderr(&output));
}

#[test]
fn a_folder_without_avro_files_is_refused() {
    let empty = tempfile::tempdir().expect("temporary folder");

    let output = local(&["--exit-when-done"], &[empty.path()]);

    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("holds no .avro, .jsonl, .ndjson or .json file"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_file_that_is_not_avro_is_named_and_the_others_go_through() {
    let files = sample(200, 20);
    let text = files.path().join("letter.txt");
    std::fs::write(&text, "Dear Sir or Madam").expect("is written");

    let output = local(&["--exit-when-done"], &[files.path(), &text]);

    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("letter.txt: is neither an Avro file nor JSON Lines"),
        "{}",
        stderr(&output)
    );
    assert!(stdout(&output).contains("events read               200"), "{}", stdout(&output));
}

#[test]
fn a_damaged_file_is_named_with_the_reason() {
    let files = sample(200, 20);
    std::fs::write(files.path().join("half.avro"), b"Obj\x01\x02").expect("is written");

    let output = local(&["--exit-when-done"], &[files.path()]);

    assert_eq!(output.status.code(), Some(1));
    let summary = stdout(&output);
    assert!(summary.contains("half.avro: damaged_object: container is damaged"), "{summary}");
    assert!(summary.contains("events read               200"), "{summary}");
}

#[test]
fn a_port_in_use_is_named_with_the_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = taken.local_addr().expect("is bound").port().to_string();
    let files = sample(10, 10);

    let output = Command::new(env!("CARGO_BIN_EXE_local"))
        .args(["--exit-when-done", "--port", &port, "--campaigns"])
        .arg(campaigns())
        .arg(files.path())
        .output()
        .expect("program runs");

    assert_eq!(output.status.code(), Some(1));
    let expected = format!("port {port} is in use: choose another with --port");
    assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
}

/// Starts the program, waits for a line with `cue`, and ends it as Ctrl-C does.
fn interrupted_at(cue: &str, arguments: &[&str]) -> Option<i32> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_local"))
        .args(["--port", "0", "--batch-window-ms", "100", "--campaigns"])
        .arg(campaigns())
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("program starts");
    let output = child.stdout.take().expect("is piped");
    let mut lines = BufReader::new(output).lines();
    let is_cue = |line: std::io::Result<String>| line.expect("is text").contains(cue);
    assert!(lines.any(is_cue), "the program never said {cue}");
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(signalled.expect("kill runs").success());
    child.wait().expect("program ends").code()
}

#[test]
fn a_folder_that_is_only_served_stays_as_it_is() {
    let state = tempfile::tempdir().expect("temporary folder");
    let data = state.path().to_str().expect("is UTF-8");
    let files = sample(400, 40);
    let made = local(&["--exit-when-done", "--data", data], &[files.path()]);
    assert!(made.status.success(), "{}", stderr(&made));

    let served = interrupted_at("Serving until Ctrl-C", &["--serve", "--data", data]);
    let without_data = local(&["--serve"], &[]);

    assert_eq!(served, Some(0));
    assert_eq!(without_data.status.code(), Some(2));
    assert!(stderr(&without_data).contains("--data"), "{}", stderr(&without_data));
    assert!(!state.path().join("sample").exists(), "no sample was made");
}

#[test]
fn a_run_in_which_nothing_moves_says_what_it_waits_for() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_local"))
        .args(["--port", "0", "--batch-window-ms", "100", "--latency-ms", "120000", "--campaigns"])
        .arg(campaigns())
        .args(["--events", "400", "--users", "40"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("program starts");
    let said = BufReader::new(child.stderr.take().expect("is piped")).lines();

    let mut lines = said.map(|line| line.expect("is text"));
    let waiting = lines.find(|line| line.contains(" wait: "));

    child.kill().expect("is running");
    child.wait().expect("program ends");
    let waiting = waiting.expect("it says so");
    assert!(waiting.contains("for an answer of us.anthropic."), "{waiting}");
    assert!(waiting.contains("(campaign new-episode)"), "{waiting}");
}

#[test]
fn ctrl_c_while_serving_is_a_good_end() {
    assert_eq!(
        interrupted_at("Serving until Ctrl-C", &["--events", "20", "--users", "5"]),
        Some(0)
    );
}

#[test]
fn a_data_folder_in_use_is_refused() {
    let state = tempfile::tempdir().expect("temporary folder");
    let lock = std::fs::File::create(state.path().join("lock")).expect("is created");
    lock.try_lock().expect("is free");
    let files = sample(10, 10);

    let output = local(
        &["--exit-when-done", "--data", state.path().to_str().expect("is UTF-8")],
        &[files.path()],
    );

    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("is in use by another run"), "{}", stderr(&output));
}

#[test]
fn the_real_service_without_credentials_is_refused_at_start() {
    let files = sample(10, 10);
    let output = Command::new(env!("CARGO_BIN_EXE_local"))
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_REGION", "us-east-1")
        .env("HOME", files.path())
        .args(["--exit-when-done", "--port", "0", "--batch-window-ms", "100", "--bedrock", "aws"])
        .args(["--tokens-per-minute", "500", "--campaigns"])
        .arg(campaigns())
        .arg(files.path())
        .output()
        .expect("program runs");

    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no AWS credentials"), "{}", stderr(&output));
}

#[test]
fn a_run_whose_every_answer_is_given_up_is_not_a_success() {
    let files = sample(400, 40);

    let output = local(&["--exit-when-done", "--tokens-per-minute", "500"], &[files.path()]);

    assert_eq!(output.status.code(), Some(1));
    let summary = stdout(&output);
    assert!(summary.contains("never_fits_quota"), "{summary}");
    assert!(!summary.contains("no event triggered"), "{summary}");
}

#[test]
fn ctrl_c_ends_the_work_cleanly() {
    // The model takes far longer than the test would wait.
    let slow = ["--events", "2000", "--users", "500", "--latency-ms", "60000"];

    assert_eq!(interrupted_at("sample files", &slow), Some(130));
}
