//! Files replayed into the bucket, and users followed to their content.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::Request;
use axum::http::header::ETAG;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse as _;
use loadtest::measured::{Measurement, Run};
use loadtest::replay::result::ReplayResult;
use local::{aws, front};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::report::by_schema;
use crate::rig::{Rig, loadtest, sample, stderr, stdout};
use crate::stub::NOTHING;

/// A replay with the program, and what it wrote.
pub(crate) struct Replayed {
    pub(crate) code: Option<i32>,
    pub(crate) printed: String,
    pub(crate) result: Option<ReplayResult>,
}

pub(crate) async fn replay(rig: &Rig, files: &Path, more: &[&str], json: &Path) -> Replayed {
    let files = files.to_str().expect("is UTF-8");
    replay_at(&rig.url(), &rig.open_bucket().await, files, more, json).await
}

/// Replays files, or a place in a bucket, with the program.
pub(crate) async fn replay_at(
    url: &str,
    endpoint: &str,
    files: &str,
    more: &[&str],
    json: &Path,
) -> Replayed {
    let mut arguments = vec!["replay", files, "--url", url, "--json"];
    arguments.push(json.to_str().expect("is UTF-8"));
    arguments.extend(more);
    let output = loadtest(&environment(endpoint), &arguments).await;
    let result =
        json.exists().then(|| match Measurement::read(json).expect("is a measurement").run {
            Run::Replay(result) => *result,
            other => panic!("is of another kind: {other:?}"),
        });
    Replayed { code: output.status.code(), printed: stdout(&output) + &stderr(&output), result }
}

/// What the program needs to know of a system on this machine.
pub(crate) fn environment(endpoint: &str) -> [(&str, &str); 5] {
    [
        ("AWS_ENDPOINT_URL_S3", endpoint),
        ("AWS_REGION", aws::REGION),
        ("AWS_ACCESS_KEY_ID", aws::ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", aws::SECRET_KEY),
        ("LOADTEST_CREDENTIALS", front::CREDENTIALS),
    ]
}

/// A file for a result, in a folder that goes with it.
pub(crate) fn json() -> (TempDir, PathBuf) {
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
async fn a_campaign_that_does_not_exist_is_no_campaign_without_content() {
    let rig = Rig::start().await;
    let (files, (_folder, json)) = (files(), json());

    let replayed = replay(&rig, files.path(), &["--campaign", "nope"], &json).await;

    assert_eq!(replayed.code, Some(2), "{}", replayed.printed);
    assert!(replayed.printed.contains("for a user of this campaign"), "{}", replayed.printed);
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
    let mut environment = environment(&endpoint);
    environment[3] = ("AWS_SECRET_ACCESS_KEY", "not-the-secret");
    let path = files.path().to_str().expect("is UTF-8");
    let arguments = ["replay", path, "--url", &url, "--sample", "5", "--patience-secs", "1"];

    let output = loadtest(&environment, &arguments).await;

    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(stderr(&output).contains("no file could be uploaded"), "{}", stderr(&output));
    rig.pipeline.stop().await;
}

/// A bucket that takes everything but keys with `refused`, and an api whose content changes
/// with every look-up after the first file is there.
async fn restless(refused: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("is bound"));
    let answers = Arc::new(AtomicU64::default());
    let answer = move |request: Request| async move {
        let is_upload = request.method() == Method::PUT;
        let is_refused = refused.is_some_and(|part| request.uri().path().contains(part));
        // A body that is not read to its end could not be sent.
        axum::body::to_bytes(request.into_body(), usize::MAX).await.expect("is read");
        if is_upload && is_refused {
            return StatusCode::FORBIDDEN.into_response();
        }
        if is_upload {
            answers.fetch_max(1, Ordering::SeqCst);
            return StatusCode::OK.into_response();
        }
        let is_there = |n| (n > 0).then_some(n + 1);
        match answers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, is_there) {
            Ok(n) => ([(ETAG, format!("\"{n}\""))], r#"{"Item":{}}"#).into_response(),
            Err(_) => (StatusCode::NOT_FOUND, NOTHING).into_response(),
        }
    };
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_changes_though_its_events_are_one_was_written_twice() {
    // Few events for many users: most have one that asks.
    let (files, (_folder, json)) = (sample(2_000, 2_000), json());
    let url = restless(None).await;
    let path = files.path().to_str().expect("is UTF-8");

    let replayed = replay_at(&url, &url, path, &["--sample", "40"], &json).await;

    let followed = replayed.result.expect("is written").followed;
    assert!(followed.looked_at_twice > 5, "{followed:?}");
    assert_eq!(followed.written_twice, followed.looked_at_twice);
    assert_eq!(replayed.code, Some(1), "{}", replayed.printed);
    assert!(replayed.printed.contains("written twice"), "{}", replayed.printed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_could_not_be_uploaded_is_told_of_with_the_reason() {
    let (files, (_folder, json)) = (sample(2_000, 2_000), json());
    let url = restless(Some("SessionStart")).await;
    let path = files.path().to_str().expect("is UTF-8");

    let replayed = replay_at(&url, &url, path, &["--sample", "10"], &json).await;

    assert_eq!(replayed.code, Some(1), "{}", replayed.printed);
    let upload = replayed.result.expect("is written").upload;
    assert!(upload.failed_files > 0 && upload.files > 0, "{upload:?}");
    let reason = upload.first_failure.expect("is told");
    assert!(replayed.printed.contains(&reason), "{}", replayed.printed);
}
