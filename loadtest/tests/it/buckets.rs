//! Files that are generated straight into a bucket, and replayed from one.

use std::path::Path;

use currents::input::Input;
use local::aws::ARCHIVE;
use local::{aws, front};

use crate::replay::{environment, json, replay_at};
use crate::rig::{Rig, loadtest, stderr, stdout};

async fn generate(endpoint: &str, out: &str) -> std::process::Output {
    let mut arguments = vec!["generate", "--events", "3000", "--users", "200", "--hours", "0.2"];
    arguments.extend(["--traffic", "all", "--other-versions", "20", "--out", out]);
    loadtest(&environment(endpoint), &arguments).await
}

fn bytes_below(folder: &Path) -> Vec<Vec<u8>> {
    let files = Input::find(&[folder.to_owned()]).expect("holds files").files;
    let mut all: Vec<_> =
        files.iter().map(|file| std::fs::read(&file.path).expect("is read")).collect();
    all.sort_unstable();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_generated_into_a_bucket_is_what_a_folder_gets_and_replays_from_there() {
    let rig = Rig::start().await;
    let endpoint = rig.open_bucket().await;
    let s3 = &rig.pipeline.aws.s3;
    let (folder, (_folder, json)) = (tempfile::tempdir().expect("temporary folder"), json());

    let into_bucket = generate(&endpoint, "s3://archive/a/b").await;
    let into_folder = generate(&endpoint, folder.path().to_str().expect("is UTF-8")).await;

    assert_eq!(into_bucket.status.code(), Some(0), "{}", stderr(&into_bucket));
    assert!(!stdout(&into_folder).contains(" 0 of another version"), "{}", stdout(&into_folder));
    let mut stored = Vec::new();
    let list = s3.list_objects_v2().bucket(ARCHIVE).prefix("a/b/data").max_keys(100);
    let mut pages = list.into_paginator().send();
    while let Some(page) = pages.next().await {
        for object in page.expect("is listed").contents() {
            let key = object.key().expect("has a key");
            let got = s3.get_object().bucket(ARCHIVE).key(key).send().await.expect("is there");
            let body = got.body.collect().await.expect("is read").into_bytes();
            assert_eq!(object.size(), i64::try_from(body.len()).ok());
            stored.push(body.to_vec());
        }
    }
    stored.sort_unstable();
    assert!(stored.len() > 100, "more than a page: {}", stored.len());
    assert!(stored == bytes_below(folder.path()), "the same files");

    // Only files below the place are taken.
    let put = s3.put_object().bucket(ARCHIVE).key("a/other.avro").body(b"Obj\x01".to_vec().into());
    put.send().await.expect("is put");
    let more = ["--sample", "5"];
    let replayed = replay_at(&rig.url(), &endpoint, "s3://archive/a/b/", &more, &json).await;
    assert_eq!(replayed.code, Some(0), "{}", replayed.printed);
    let result = replayed.result.expect("is written");
    assert_eq!((result.upload.files, result.upload.events), (stored.len() as u64, 3_000));
    assert_eq!((result.followed.readable, result.followed.lost), (5, 0));
    rig.pipeline.drain().await;
    assert_eq!(rig.events_read(), 3_000);
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_holds_nothing_or_takes_nothing_is_named() {
    let rig = Rig::start().await;
    let endpoint = rig.open_bucket().await;
    let (_folder, json) = json();
    let replayed = |place: &'static str| replay_at(&endpoint, &endpoint, place, &[], &json);

    let empty = replayed("s3://currents/nothing").await;
    assert_eq!(empty.code, Some(2));
    assert!(
        empty.printed.contains("s3://currents/nothing/ holds no .avro file"),
        "{}",
        empty.printed
    );
    let missing = replayed("s3://nowhere").await;
    assert_eq!(missing.code, Some(2));
    assert!(missing.printed.contains("cannot list s3://nowhere/"), "{}", missing.printed);
    assert!(missing.printed.contains("NoSuchBucket"), "{}", missing.printed);
    assert!(!missing.printed.contains("Response"), "{}", missing.printed);
    let into = generate(&endpoint, "s3://nowhere/x").await;
    assert_eq!(into.status.code(), Some(2));
    assert!(stderr(&into).contains("cannot write s3://nowhere/x/"), "{}", stderr(&into));
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_another_plan_that_a_folder_holds_are_told_of() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let out = folder.path().to_str().expect("is UTF-8");
    let made = async |seed| {
        let arguments = ["generate", "--events", "50", "--seed", seed, "--out", out];
        stderr(&loadtest(&[], &arguments).await)
    };

    assert_eq!(made("1").await, "");
    assert_eq!(made("1").await, "");
    std::fs::write(folder.path().join("other.avro"), b"Obj\x01").expect("is written");
    let said = made("1").await;
    assert!(said.contains("holds 1 other .avro files"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_not_written_to_aws_itself_without_a_yes() {
    let environment = [
        ("AWS_REGION", aws::REGION),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("LOADTEST_CREDENTIALS", front::CREDENTIALS),
    ];

    let output = loadtest(&environment, &["generate", "--out", "s3://somebodys-bucket"]).await;

    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(stderr(&output).contains("--yes"), "{}", stderr(&output));
}
