//! Files replayed into the bucket, and users followed to their content.

use std::path::{Path, PathBuf};

use loadtest::measured::{Measured, Run};
use loadtest::replay::result::ReplayResult;
use local::{aws, front};
use tempfile::TempDir;

use crate::report::by_schema;
use crate::rig::{Rig, loadtest, sample, stderr, stdout};

/// A replay with the program, and what it wrote.
pub(crate) struct Replayed {
    pub(crate) code: Option<i32>,
    pub(crate) printed: String,
    pub(crate) result: Option<ReplayResult>,
}

pub(crate) async fn replay(rig: &Rig, files: &Path, more: &[&str], json: &Path) -> Replayed {
    let (url, endpoint) = (rig.url(), rig.open_bucket().await);
    let environment = [
        ("AWS_ENDPOINT_URL_S3", endpoint.as_str()),
        ("AWS_REGION", aws::REGION),
        ("AWS_ACCESS_KEY_ID", aws::ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", aws::SECRET_KEY),
        ("LOADTEST_CREDENTIALS", front::CREDENTIALS),
    ];
    let files = files.to_str().expect("is UTF-8");
    let mut arguments = vec!["replay", files, "--url", &url, "--json"];
    arguments.push(json.to_str().expect("is UTF-8"));
    arguments.extend(more);
    let output = loadtest(&environment, &arguments).await;
    let result = json.exists().then(|| match Measured::read(json).expect("is a measurement").run {
        Run::Replay(result) => *result,
        other => panic!("is of another kind: {other:?}"),
    });
    Replayed { code: output.status.code(), printed: stdout(&output) + &stderr(&output), result }
}

/// A file for a result, in a folder that goes with it.
fn json() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("result.json");
    (folder, path)
}

fn files() -> TempDir {
    sample(3_000, 200)
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_who_is_followed_gets_content_and_the_system_got_every_event() {
    let rig = Rig::start().await;
    let (files, (_folder, json)) = (files(), json());

    let replayed = replay(&rig, files.path(), &["--sample", "50", "--rate", "10000"], &json).await;

    assert_eq!(replayed.code, Some(0), "{}", replayed.printed);
    assert!(replayed.printed.contains("due to readable"), "{}", replayed.printed);
    by_schema(&json);
    let result = replayed.result.expect("is written");
    assert_eq!((result.upload.events, result.upload.failed_files), (3_000, 0));
    assert_eq!(result.input.files, result.upload.files);
    let followed = &result.followed;
    assert_eq!((followed.sampled, followed.readable, followed.lost), (50, 50, 0));
    assert_eq!((followed.freshness.count, followed.written_twice), (50, 0));
    assert!(followed.freshness.p50_ms <= followed.freshness.max_ms);
    assert_eq!(result.points.last().expect("has points").readable, 50);
    rig.pipeline.drain().await;
    assert_eq!(rig.events_received(), 3_000);

    // They have content now, so nothing more can be seen of them.
    let again = replay(&rig, files.path(), &["--sample", "50"], &json).await;
    assert_eq!(again.code, Some(2), "{}", again.printed);
    assert!(again.printed.contains("have content already"), "{}", again.printed);
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gets_no_content_is_lost() {
    let rig = Rig::start().await;
    let (files, (_folder, json)) = (files(), json());

    // Nothing writes content for sessions.
    let trigger = ["--trigger", "users.behaviors.Purchase", "--sample", "200"];
    let mut more = trigger.to_vec();
    more.extend(["--patience-secs", "2"]);
    let replayed = replay(&rig, files.path(), &more, &json).await;

    assert_eq!(replayed.code, Some(1), "{}", replayed.printed);
    let followed = replayed.result.expect("is written").followed;
    assert!(followed.lost > 0, "{followed:?}");
    assert_eq!(followed.lost + followed.readable, followed.sampled);
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_itself_is_refused_without_a_yes_and_the_price_is_named() {
    let files = files();
    let files = files.path().to_str().expect("is UTF-8");
    let environment = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "token"),
    ];

    let output = loadtest(&environment, &["replay", files]).await;

    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    let printed = stderr(&output);
    assert!(printed.contains("3000 events") && printed.contains('$'), "{printed}");
    assert!(printed.contains("--yes"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_takes_nothing_ends_the_replay() {
    let rig = Rig::start().await;
    let files = files();
    let (url, endpoint) = (rig.url(), rig.open_bucket().await);
    let environment = [
        ("AWS_ENDPOINT_URL_S3", endpoint.as_str()),
        ("AWS_REGION", aws::REGION),
        ("AWS_ACCESS_KEY_ID", aws::ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", "not-the-secret"),
        ("LOADTEST_CREDENTIALS", front::CREDENTIALS),
    ];
    let path = files.path().to_str().expect("is UTF-8");
    let arguments = ["replay", path, "--url", &url, "--sample", "5", "--patience-secs", "1"];

    let output = loadtest(&environment, &arguments).await;

    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(stderr(&output).contains("no file could be uploaded"), "{}", stderr(&output));
    rig.pipeline.stop().await;
}
