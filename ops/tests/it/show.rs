//! What is shown of a user whom a run of `local` keeps.

use std::fs::File;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use contract::local::{ENDPOINTS_FILE, LOCK_FILE};
use contract::{compact, content};
use local::aws::{EmbeddedAws, Options, Pace, TABLE};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::commands::{ops, stderr, stdout, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_a_run_is_shown_by_the_folder_that_it_uses() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let lock = File::create(folder.path().join(LOCK_FILE)).expect("is created");
    lock.lock().expect("nobody else uses it");
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let options =
        Options { shards: 1, enforce_limits: false, kept: true, faults: None, pace: Pace::Fast };
    let started = EmbeddedAws::start(folder.path(), &options, &tasks, &stop).await;
    let (aws, _notifications) = started.expect("starts");
    let text_of = |text: &str| AttributeValue::S(text.to_owned());
    let event = json!({ "id": "e-17", "time": 7, "type": "watched", "fields": {} });
    let fields = json!({ "history": [event], "event_id": "e-17" });
    let packed = compact::pack(&fields).expect("is JSON").expect("is small");
    for (campaign, packed) in [("offer", packed), ("broken", b"junk".to_vec())] {
        let put = aws.dynamodb.put_item().table_name(TABLE).item(content::USER_ID, text_of("u1"));
        let put = put.item(content::ITEM, text_of(&content::item_key(campaign)));
        let put = put.item(content::PACKED, AttributeValue::B(Blob::new(packed)));
        put.send().await.expect("is stored");
    }

    let data = text(folder.path()).to_owned();
    let said = tokio::task::spawn_blocking(move || {
        let said = ["u1", "nobody"].map(|user| ops(&["show", user, "--data", &data]));
        drop(lock);
        (said, ops(&["show", "u1", "--data", &data]))
    });
    let ([known, unknown], ended) = said.await.expect("ends");

    assert!(stdout(&known).contains("event          e-17"), "{}", stderr(&known));
    assert!(stdout(&known).contains("remembered     1 events"), "{}", stdout(&known));
    assert!(stdout(&known).contains("remembered     0 events"), "{}", stdout(&known));
    assert!(stderr(&unknown).contains("nothing is stored of nobody"), "{}", stderr(&unknown));
    // The file stays behind a run that was killed; that nobody holds the lock tells.
    assert!(folder.path().join(ENDPOINTS_FILE).exists());
    assert!(stderr(&ended).contains("no run uses"), "{}", stderr(&ended));
    stop.cancel();
}
