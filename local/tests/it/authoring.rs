//! A folder of campaigns that is edited while the system runs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use local::pipeline::Options;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::rig::{Rig, changed_campaign, options, watched, watcher};

/// So soon an author sees a change, with room for a busy machine.
const SEEN_WITHIN: Duration = Duration::from_secs(20);

fn replace(folder: &Path, file: &str, from: &str, to: &str) {
    let path = folder.join("new-episode").join(file);
    let text = fs::read_to_string(&path).expect("is text");
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).expect("is written");
}

/// The prompt that the page shows for a user.
async fn shown_prompt(rig: &Rig, user: &str) -> String {
    let url = format!("http://{}/local/users/{user}", rig.pipeline.address);
    let shown: Value =
        reqwest::get(url).await.expect("answers").json().await.expect("answers in JSON");
    shown["campaigns"][0]["prompt"]["text"].as_str().unwrap_or_default().to_owned()
}

/// Waits until a user's prompt holds a text.
async fn shows(rig: &Rig, user: &str, text: &str) {
    let begun = Instant::now();
    loop {
        let prompt = shown_prompt(rig, user).await;
        if prompt.contains(text) {
            return;
        }
        assert!(begun.elapsed() < SEEN_WITHIN, "{prompt}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_author_saves_is_shown_and_asked_and_what_is_wrong_changes_nothing() {
    let campaigns = changed_campaign(|text| text);
    let campaigns_dir = campaigns.path().to_owned();
    let rig = Rig::start(Options { campaigns_dir, ..options() }).await;
    let files = tempfile::tempdir().expect("temporary folder");
    watched(files.path(), &[json!({ "show": "Nordlicht", "season": 1, "episode": 2 })]);
    rig.process(files.path()).await;
    let prompt = shown_prompt(&rig, &watcher(0)).await;
    assert!(prompt.contains("Nordlicht") && !prompt.contains("Be brisk."), "{prompt}");

    let prompt_file = campaigns.path().join("new-episode/prompt.liquid");
    let text = fs::read_to_string(&prompt_file).expect("is text");
    fs::write(&prompt_file, format!("{text}\nBe brisk.\n")).expect("is written");
    shows(&rig, &watcher(0), "Be brisk.").await;

    // A mistake leaves everything as it was, and what is mended counts.
    fs::write(&prompt_file, format!("{text}\n{{% for %}}\n")).expect("is written");
    sleep(Duration::from_secs(1)).await;
    shows(&rig, &watcher(0), "Be brisk.").await;
    fs::write(&prompt_file, format!("{text}\nBe calm.\n")).expect("is written");
    shows(&rig, &watcher(0), "Be calm.").await;

    replace(campaigns.path(), "fallback.json", "Pick up where you left off", "Come back");
    let begun = Instant::now();
    loop {
        let (_, answer) = rig.look_up("user_id=nobody&format=plain").await;
        if answer["data"]["heading"] == "Come back" {
            break;
        }
        assert!(begun.elapsed() < SEEN_WITHIN, "{answer}");
        sleep(Duration::from_millis(50)).await;
    }
    rig.pipeline.stop().await;
}
