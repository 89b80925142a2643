//! What a prompt author and an operator type: check, preview, redrive.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use local::input::Input;

use crate::rig::{campaigns, sample};

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

fn preview(events: &Path, more: &[&str]) -> Output {
    let folder = campaigns();
    let mut arguments = vec!["preview", "--campaign", "new-episode", "--campaigns", text(&folder)];
    arguments.extend(["--events", text(events)]);
    arguments.extend(more);
    local(&arguments)
}

/// A file of custom events.
fn watched(folder: &Path) -> PathBuf {
    let files = Input::find(&[folder.to_owned()]).expect("holds Avro files").files;
    let file = files.into_iter().find(|file| file.key.contains("CustomEvent"));
    file.expect("somebody watched").path
}

fn copy_campaign(to: &Path) {
    fs::create_dir(to).expect("is created");
    for entry in fs::read_dir(campaigns().join("new-episode")).expect("is there") {
        let path = entry.expect("can be read").path();
        fs::copy(&path, to.join(path.file_name().expect("has a name"))).expect("is copied");
    }
}

#[test]
fn campaigns_that_are_right_are_listed() {
    let folder = campaigns();

    let output = local(&["campaigns", "check", "--campaigns", text(&folder)]);

    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("new-episode: ok, on users.behaviors.CustomEvent with"));
}

#[test]
fn everything_that_is_wrong_with_campaigns_is_said_at_once() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let campaign = folder.path().join("offer");
    copy_campaign(&campaign);
    let change = |name: &str, from: &str, to: &str| {
        let path = campaign.join(name);
        let changed = fs::read_to_string(&path).expect("is text").replace(from, to);
        fs::write(path, changed).expect("is written");
    };
    change("campaign.toml", "event.name ==", "name ==");
    change("prompt.liquid", "last.properties.show", "last.properties.shwo");
    change("fallback.json", "\"Watch now\"", "\"\"");

    let output = local(&["campaigns", "check", "--campaigns", text(folder.path())]);

    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    for fault in [
        "campaign.toml:22: condition: unknown name \"name\": write event.name",
        "prompt.liquid:3: template does not render",
        "fallback.json:5: does not match answer.schema.json: minLength at \"/details/cta\"",
    ] {
        assert!(said.contains(fault), "{fault}\n{said}");
    }
}

#[test]
fn a_preview_shows_prompt_price_answer_and_message_of_a_currents_file() {
    let files = sample(400, 40);

    let output = preview(&watched(files.path()), &[]);

    assert!(output.status.success(), "{}", stderr(&output));
    let shown = stdout(&output);
    for part in [
        "--- system",
        "--- prompt",
        "- watched: show",
        "input tokens",
        "at most $",
        "--- content",
        "<h1>[stand-in]",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
}

#[test]
fn a_preview_takes_events_as_json_lines_and_a_user() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let events = folder.path().join("events.jsonl");
    let line = |user: &str, time: i64, show: &str| {
        serde_json::json!({
            "event_type": "users.behaviors.CustomEvent", "user_id": user, "id": show,
            "time": time, "name": "episode_watched", "properties": { "show": show, "season": 2, "episode": 7 },
        })
        .to_string()
    };
    // As Currents has it: the properties are a text.
    let other = line("b", 3, "Other").replace(
        r#"{"episode":7,"season":2,"show":"Other"}"#,
        r#""{\"episode\":7,\"season\":2,\"show\":\"Other\"}""#,
    );
    assert!(other.contains(r#""{\"episode\""#), "{other}");
    let lines = [line("a", 1, "Old"), line("a", 2, "New"), other];
    fs::write(&events, lines.join("\n")).expect("is written");

    let newest = stdout(&preview(&events, &["--prompt-only"]));
    let of_a = stdout(&preview(&events, &["--prompt-only", "--user", "a"]));
    let of_nobody = preview(&events, &["--user", "c"]);
    fs::write(&events, "{\"event_type\": \"x\"}").expect("is written");
    let broken = preview(&events, &[]);

    assert!(newest.contains("show \"Other\", season 2"), "{newest}");
    assert!(of_a.contains("show \"New\", season 2") && !of_a.contains("--- answer"), "{of_a}");
    assert!(stderr(&of_nobody).contains("no event of user c"), "{}", stderr(&of_nobody));
    assert!(stderr(&broken).contains("events.jsonl:1"), "{}", stderr(&broken));
    assert_eq!(broken.status.code(), Some(1));
}

#[test]
fn a_preview_says_what_it_cannot_evaluate_and_what_it_cannot_show() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let campaign = folder.path().join("new-episode");
    copy_campaign(&campaign);
    fs::remove_file(campaign.join("message.liquid")).expect("is there");
    let events = folder.path().join("events.jsonl");
    let line = |id: &str, name: serde_json::Value| {
        serde_json::json!({
            "event_type": "users.behaviors.CustomEvent", "user_id": "a", "id": id,
            "time": 1, "name": name, "properties": { "show": "A", "season": 1, "episode": 2 },
        })
        .to_string()
    };
    fs::write(&events, [line("good", "episode_watched".into())].join("\n")).expect("is written");
    let with_folder = ["--campaigns", text(folder.path())];
    let arguments = ["preview", "--campaign", "new-episode", "--events", text(&events)];

    let shown = stdout(&local(&[&arguments[..], &with_folder].concat()));
    assert!(shown.contains("no message to show"), "{shown}");

    let path = campaign.join("campaign.toml");
    let changed = fs::read_to_string(&path).expect("is text");
    let changed = changed.replace("event.name == ", "event.name + 1 == ");
    fs::write(&path, changed).expect("is written");
    let output = local(&[&arguments[..], &with_folder].concat());
    assert!(stdout(&output).contains("event good does not trigger"), "{}", stdout(&output));
}

#[test]
fn an_unknown_campaign_is_named_with_those_that_exist() {
    let folder = campaigns();
    let output =
        local(&["preview", "--campaign", "x", "--events", "y", "--campaigns", text(&folder)]);

    assert!(stderr(&output).contains("no campaign \"x\": there is new-episode"));
}

#[test]
fn what_was_given_up_is_processed_once_the_reason_is_gone() {
    let files = sample(400, 40);
    let state = tempfile::tempdir().expect("temporary folder");
    let (data, folder) = (text(state.path()), campaigns());
    let common = ["--data", data, "--campaigns", text(&folder)];
    let run = ["--exit-when-done", "--port", "0", "--tokens-per-minute", "500"];
    let run = [&run[..], &common, &[text(files.path())]].concat();
    let given_up = local(&run);
    assert!(stdout(&given_up).contains("never_fits_quota"), "{}", stdout(&given_up));
    assert!(stdout(&given_up).contains("contents stored           0"), "{}", stdout(&given_up));

    let other_reason = local(&[&["redrive", "--reason", "bad_answer"][..], &common].concat());
    assert!(stdout(&other_reason).contains("No dead letters"), "{}", stdout(&other_reason));
    let again = local(&[&["redrive"][..], &common].concat());
    let nothing_left = local(&[&["redrive"][..], &common].concat());

    assert!(again.status.success(), "{}{}", stdout(&again), stderr(&again));
    assert!(!stdout(&again).contains("contents stored           0"), "{}", stdout(&again));
    assert!(stdout(&nothing_left).contains("No dead letters"), "{}", stdout(&nothing_left));
}

#[test]
fn the_stand_in_alone_says_where_it_is_and_answers_there_until_it_is_ended() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_local"))
        .args(["bedrock", "--port", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("program starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("is piped")).read_line(&mut line).expect("is text");
    let endpoint = line.trim().strip_prefix("AWS_ENDPOINT_URL_BEDROCK_RUNTIME=");

    let question = r#"{"content":[{"text":{"text":"may this be read?"}}]}"#;
    let url = format!("{}/guardrail/g/version/1/apply", endpoint.expect("names the variable"));
    let answer = Command::new("curl")
        .args(["--silent", "--json", question, &url])
        .output()
        .expect("curl runs");
    let ended = Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");

    assert!(stdout(&answer).contains(r#""action":"NONE""#), "{}", stdout(&answer));
    assert!(ended.success());
    assert!(child.wait().expect("program ends").success());
}
