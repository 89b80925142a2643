//! Content that a person asks for: of a deployment, and of a folder that a run kept.

use std::fs;
use std::path::Path;
use std::process::{Command as Process, ExitCode};

use clap::Parser as _;
use contract::local::BY_HAND_FILE;
use contract::metrics::{self, AskFate};
use local::aws::{COORDINATION_TABLE, TABLE};
use ops::arguments::{Arguments, Command};
use ops::ask::{Account, ask_in};
use serde_json::json;

use crate::rig::{Rig, campaigns, changed_campaign, options, watched, watcher};

/// Asks as a person does on the command line.
async fn asked(rig: &Rig, campaigns: &Path, more: &[&str]) -> anyhow::Result<ExitCode> {
    let queues = serde_json::to_string(&rig.pipeline.ask_queues).expect("is JSON");
    let mut said = vec!["ops", "ask", "--campaign", "new-episode", "--table", TABLE];
    said.extend(["--coordination-table", COORDINATION_TABLE, "--queues", &queues]);
    said.extend(["--campaigns", campaigns.to_str().expect("is UTF-8")]);
    said.extend(more);
    let Command::Ask(arguments) = Arguments::try_parse_from(said).expect("is right").command else {
        panic!("is an ask")
    };
    let loaded = campaign::load(campaigns).expect("are valid");
    let (dynamodb, sqs) = (rig.pipeline.aws.dynamodb.clone(), rig.pipeline.aws.sqs.clone());
    let code = ask_in(&Account { dynamodb, sqs }, &arguments, &loaded[0]).await;
    rig.pipeline.drain().await;
    code
}

fn episodes() -> [serde_json::Value; 3] {
    ["Harbour Lights", "Harbour Lights", "Night Train"]
        .map(|show| json!({ "show": show, "season": 2, "episode": 7 }))
}

async fn is_of_the_model(rig: &Rig, user_id: &str) -> bool {
    let (_, answer) = rig.look_up(&format!("user_id={user_id}")).await;
    answer["Item"]["source"].is_null()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_content_is_asked_for_only_if_it_is_to_be_written_anew() {
    let rig = Rig::start(options()).await;
    let files = tempfile::tempdir().expect("temporary folder");
    watched(files.path(), &episodes());
    rig.process(files.path()).await;
    assert_eq!(rig.count(metrics::GENERATIONS), 2);

    asked(&rig, &campaigns(), &["--all", "--yes"]).await.expect("is done");
    assert_eq!(rig.count(metrics::ASKS_RECEIVED), 0, "nobody lacks anything");
    asked(&rig, &campaigns(), &["--all", "--regenerate", "--dry-run"]).await.expect("is done");
    assert_eq!(rig.count(metrics::ASKS_RECEIVED), 0, "it was only told");
    asked(&rig, &campaigns(), &["--seen-since", "1d", "--regenerate", "--yes"])
        .await
        .expect("is done");
    assert_eq!(rig.count(metrics::ASKS_RECEIVED), 0, "nobody did anything lately");

    let users = files.path().join("segment.csv");
    let rows: String = (0..2).map(|n| format!("ext{n},{}\r\n", watcher(n))).collect();
    fs::write(&users, format!("\u{feff}user_id,Braze ID\r\n{rows}")).expect("is written");
    let users = users.to_str().expect("is UTF-8");
    asked(&rig, &campaigns(), &["--users", users, "--regenerate", "--yes"]).await.expect("is done");

    assert_eq!(rig.count(AskFate::Stored.metric()), 2);
    // Nothing changed, so the answer that is kept is the answer.
    assert_eq!(rig.count(metrics::GENERATIONS), 2);
    assert_eq!(rig.lost(), 0);
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_campaign_gets_users_whose_events_came_before_it() {
    let rig = Rig::start(options()).await;
    let files = tempfile::tempdir().expect("temporary folder");
    watched(files.path(), &episodes());
    let events = files.path().to_str().expect("is UTF-8").to_owned();

    // Of users alone nothing is remembered, so nothing can be written.
    let users = files.path().join("users.txt");
    fs::write(&users, watcher(0)).expect("is written");
    asked(&rig, &campaigns(), &["--users", users.to_str().expect("is UTF-8"), "--yes"])
        .await
        .expect("is done");
    assert!(!is_of_the_model(&rig, &watcher(0)).await);
    fs::remove_file(&users).expect("is there");

    asked(&rig, &campaigns(), &["--events", &events, "--yes"]).await.expect("is done");

    for n in 0..3 {
        assert!(is_of_the_model(&rig, &watcher(n)).await, "{n}");
    }
    assert_eq!(rig.count(AskFate::Stored.metric()), 3);
    assert_eq!(rig.count(metrics::GENERATIONS), 2);
    asked(&rig, &campaigns(), &["--events", &events, "--yes"]).await.expect("is done");
    assert_eq!(rig.count(metrics::ASKS_RECEIVED), 3, "a second time there is nothing left");
    // What then comes through the stream is known.
    rig.process(files.path()).await;
    assert_eq!(rig.count("events_skipped_duplicate"), 3);
    assert_eq!((rig.count(metrics::GENERATIONS), rig.lost()), (2, 0));
    rig.pipeline.stop().await;
}

/// A run of `local` with a folder, and what it said.
fn run(data: &str, campaigns: &Path, files: &[&Path]) -> String {
    let output = Process::new(env!("CARGO_BIN_EXE_local"))
        .args(["--port", "0", "--batch-window-ms", "100", "--exit-when-done", "--data", data])
        .arg("--campaigns")
        .arg(campaigns)
        .args(files)
        .output()
        .expect("program runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn what_is_asked_for_in_a_folder_is_written_anew_by_its_next_run_after_a_change() {
    let (files, state) = (tempfile::tempdir(), tempfile::tempdir());
    let (files, state) = (files.expect("temporary folder"), state.expect("temporary folder"));
    watched(files.path(), &episodes());
    let data = state.path().to_str().expect("is UTF-8");
    run(data, &campaigns(), &[files.path()]);
    let changed = changed_campaign(|text| text.replace("max_tokens = 400", "max_tokens = 500"));
    let by_hand = |more: &[&str]| {
        let campaigns = changed.path().to_str().expect("is UTF-8");
        let said = ["ops", "ask", "--campaign", "new-episode", "--campaigns", campaigns];
        let arguments = Arguments::try_parse_from([&said[..], &["--data", data], more].concat());
        let runtime = tokio::runtime::Runtime::new().expect("starts");
        let ended = runtime.block_on(ops::command(&arguments.expect("is right")));
        assert_eq!(ended, std::process::ExitCode::SUCCESS);
        assert!(state.path().join(BY_HAND_FILE).exists());
        let said = run(data, changed.path(), &[]);
        assert!(!state.path().join(BY_HAND_FILE).exists());
        assert!(!said.contains("Made "), "nothing is made up: {said}");
        said
    };

    let said = by_hand(&["--all", "--regenerate"]);

    assert!(said.contains("Sent 3 asks by hand."), "{said}");
    assert!(said.contains("generations               2 by"), "{said}");
    let lately = by_hand(&["--seen-since", "1d", "--regenerate"]);
    assert!(lately.contains("Sent 0 asks by hand."), "{lately}");
    let users = state.path().join("users");
    fs::write(&users, format!("{}\nnobody\n", watcher(1))).expect("is written");
    let named = by_hand(&["--users", users.to_str().expect("is UTF-8")]);
    assert!(named.contains("Sent 2 asks by hand."), "{named}");
    assert!(named.contains("generations               0 by"), "{named}");
}
