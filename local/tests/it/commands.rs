//! What a person types: a run after what was given up was set aside, and the stand-in alone.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Output, Stdio};

use contract::local::{DEAD_LETTERS_FILE, SET_ASIDE_FILE};
use serde_json::json;

use crate::rig::{campaigns, posted, sample};

fn local(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_local")).args(arguments).output().expect("program runs")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("is UTF-8")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_was_given_up_is_processed_once_the_reason_is_gone() {
    let files = sample(400, 40);
    let state = tempfile::tempdir().expect("temporary folder");
    let (data, folder) = (text(state.path()), campaigns());
    let common = ["--data", data, "--campaigns", text(&folder)];
    let run = [
        "--exit-when-done",
        "--port",
        "0",
        "--batch-window-ms",
        "100",
        "--tokens-per-minute",
        "500",
    ];
    let run = [&run[..], &common, &[text(files.path())]].concat();
    let given_up = local(&run);
    assert!(stdout(&given_up).contains("never_fits_quota"), "{}", stdout(&given_up));
    assert!(stdout(&given_up).contains("contents stored           0"), "{}", stdout(&given_up));

    let set_aside =
        ops::redrive::folder::redrive(state.path(), &ops::letters::Pick::default(), false)
            .expect("is done");
    assert_eq!(set_aside, ExitCode::SUCCESS);
    let again = local(
        &[&["--exit-when-done", "--port", "0", "--batch-window-ms", "100"][..], &common].concat(),
    );

    assert!(again.status.success(), "{}{}", stdout(&again), stderr(&again));
    let said = stdout(&again);
    assert!(said.contains("dead letters again.") && !said.contains("Made "), "{said}");
    assert!(!said.contains("contents stored           0"), "{said}");
    let left = local::redriven::set_aside(state.path()).expect("can be read");
    assert!(left.is_empty(), "what was sent is not sent again");
}

#[test]
fn letters_about_what_is_gone_stay_and_stop_no_run() {
    let state = tempfile::tempdir().expect("temporary folder");
    let gone = r#"{"v":1,"reason":"damaged","detail":"d","input":{"object":{"bucket":"b","key":"gone.avro","offset_bytes":1,"block":0,"events_delivered":0}}}"#;
    let letters = format!("{gone}\ncut off\n");
    let aside = state.path().join(SET_ASIDE_FILE);
    fs::write(&aside, &letters).expect("is written");
    let folder = campaigns();

    let run = ["--exit-when-done", "--port", "0", "--batch-window-ms", "100"];
    let folders = ["--data", text(state.path()), "--campaigns", text(&folder)];
    let output = local(&[&run[..], &folders].concat());

    assert!(stdout(&output).contains("Sent 0 of 2 dead letters"), "{}", stderr(&output));
    let stay = fs::read_to_string(state.path().join(DEAD_LETTERS_FILE)).expect("is there");
    assert_eq!(stay, letters);
    assert!(!aside.exists(), "the next run is an ordinary one");
}

#[test]
fn the_stand_in_alone_says_where_it_is_and_answers_there_until_it_is_ended() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_local"))
        .args(["bedrock", "--port", "0"])
        // What make says for runs in the project's folder.
        .env_remove("CAMPAIGNS")
        .stdout(Stdio::piped())
        .spawn()
        .expect("program starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("is piped")).read_line(&mut line).expect("is text");
    let endpoint = line.trim().strip_prefix("AWS_ENDPOINT_URL_BEDROCK_RUNTIME=");

    let question = json!({ "content": [{ "text": { "text": "may this be read?" } }] });
    let url = format!("{}/guardrail/g/version/1/apply", endpoint.expect("names the variable"));
    let answer = posted(&url, &question);
    let ended = Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");

    assert!(answer.contains(r#""action":"NONE""#), "{answer}");
    assert!(ended.success());
    assert!(child.wait().expect("program ends").success());
}
