//! Catalogs on their way through `ingest`, and from a folder.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use catalog::table::{CatalogTable as _, DynamoDb, ImportTable as _};
use contract::catalog::ItemKey;
use contract::dead_letter::{DeadLetter, Input};
use contract::metrics;
use ingest::handler::{DEADLINE_MARGIN, Report};
use local::aws::{BUCKET, CATALOG_TABLE, read_dead_letters};
use local::front;
use local::pipeline::Pipeline;

use crate::objects::{Bench, created, start};
use crate::rig::{Rig, options};

/// More time than any file here takes.
const TIME: Duration = Duration::from_secs(60);

fn table(client: &aws_sdk_dynamodb::Client) -> DynamoDb {
    DynamoDb::new(client.clone(), CATALOG_TABLE.to_owned()).without_kept_heads()
}

async fn titles(table: &DynamoDb, ids: &[&str]) -> Vec<Option<String>> {
    let key = |id: &&str| ItemKey { catalog: "shows".to_owned(), id: (*id).to_owned() };
    let items = table.items(&ids.iter().map(key).collect::<Vec<_>>()).await.expect("is read");
    items.into_iter().map(|(_, item)| Some(item?["title"].as_str()?.to_owned())).collect()
}

fn some(title: &str) -> Option<String> {
    Some(title.to_owned())
}

async fn put(bench: &Bench, key: &str, file: &str) {
    let body = ByteStream::from(file.as_bytes().to_vec());
    let put = bench.aws.s3.put_object().bucket(BUCKET).key(key).body(body);
    put.send().await.expect("is put");
}

/// Puts a file into the bucket and has it read.
async fn drop_file(bench: &Bench, key: &str, file: &str) -> Report {
    put(bench, key, file).await;
    let report = bench.handle(&created(BUCKET, key), TIME).await;
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    report
}

fn letters(bench: &Bench) -> Vec<DeadLetter> {
    read_dead_letters(bench.folder.path(), 0, 100).expect("is read")
}

/// Files of the bucket tell when they were put there in whole seconds, and so a test waits for
/// the next one where it is to be newer.
async fn in_the_next_second(bench: &Bench, key: &str) {
    let object = bench.aws.s3.get_object().bucket(BUCKET).key(key).send().await.expect("is there");
    let put_at = object.last_modified().expect("has a time").secs();
    while std::time::UNIX_EPOCH.elapsed().expect("is later").as_secs() <= put_at.unsigned_abs() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_file_in_the_bucket_becomes_a_catalog_and_the_next_takes_its_place() {
    let bench = start(1 << 20).await;
    let table = table(&bench.aws.dynamodb);

    let report = drop_file(&bench, "catalogs/shows/a.csv", "id,title\n1,Pilot\n2,Second\n").await;

    assert_eq!(report.counts.get(metrics::CATALOGS_IMPORTED), 1);
    assert_eq!(report.counts.get(metrics::CATALOG_ITEMS), 2);
    assert_eq!(report.counts.get(metrics::OBJECTS_READ), 1);
    assert_eq!(titles(&table, &["1", "2"]).await, [some("Pilot"), some("Second")]);

    in_the_next_second(&bench, "catalogs/shows/a.csv").await;
    let added = "{\"id\": 3, \"title\": \"Third\", \"tags\": [\"new\"]}\n";
    drop_file(&bench, "catalogs/shows/partial/b.jsonl", added).await;
    assert_eq!(
        titles(&table, &["1", "2", "3"]).await,
        [some("Pilot"), some("Second"), some("Third")]
    );

    in_the_next_second(&bench, "catalogs/shows/partial/b.jsonl").await;
    drop_file(&bench, "catalogs/shows/c.csv", "id,title\n2,Again\n").await;
    assert_eq!(titles(&table, &["1", "2", "3"]).await, [None, some("Again"), None]);
    // What is gone is swept: an item, the head and the list are left.
    let left = bench.aws.dynamodb.scan().table_name(CATALOG_TABLE).send().await.expect("is read");
    assert_eq!(left.count(), 3);
}

#[tokio::test]
async fn a_notification_that_comes_twice_or_late_changes_nothing() {
    let bench = start(1 << 20).await;
    let table = table(&bench.aws.dynamodb);
    put(&bench, "catalogs/shows/old.csv", "id,title\n1,Old\n2,Old\n").await;
    in_the_next_second(&bench, "catalogs/shows/old.csv").await;
    drop_file(&bench, "catalogs/shows/new.csv", "id,title\n1,New\n").await;

    for key in ["catalogs/shows/new.csv", "catalogs/shows/old.csv"] {
        let report = bench.handle(&created(BUCKET, key), TIME).await;
        assert_eq!(report.counts.get(metrics::CATALOGS_OUTDATED), 1, "{key}");
        assert_eq!(report.counts.get(metrics::CATALOG_ITEMS), 0, "{key}");
    }

    assert_eq!(titles(&table, &["1", "2"]).await, [some("New"), None]);
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_is_a_dead_letter_with_its_lines() {
    let bench = start(1 << 20).await;
    let table = table(&bench.aws.dynamodb);
    drop_file(&bench, "catalogs/shows/a.csv", "id,title\n1,Pilot\n").await;
    in_the_next_second(&bench, "catalogs/shows/a.csv").await;

    let broken = "id,title\n1,Changed\nsecret id,x\n1,y\n";
    let report = drop_file(&bench, "catalogs/shows/b.csv", broken).await;
    drop_file(&bench, "catalogs/shows/all.json", "[]").await;
    drop_file(&bench, "catalogs/my shows/all.csv", "id\n1\n").await;

    assert_eq!(report.counts.get(metrics::OBJECTS_DAMAGED), 1);
    assert_eq!(titles(&table, &["1"]).await, [some("Pilot")]);
    let letters = letters(&bench);
    assert!(letters.iter().all(|letter| letter.reason == "damaged_catalog"), "{letters:?}");
    let details: Vec<&str> = letters.iter().map(|letter| letter.detail.as_str()).collect();
    assert!(details[0].starts_with("line 3, column id: an id has"), "{details:?}");
    assert!(details[0].contains("; line 4, column id: stands in line 2 already"), "{details:?}");
    assert!(!details[0].contains("secret"), "{details:?}");
    assert!(details[1].starts_with("its name ends neither"), "{details:?}");
    assert!(details[2].starts_with("a catalog's name"), "{details:?}");
    let Input::Object { key, .. } = &letters[0].input else { panic!("{letters:?}") };
    assert_eq!(key, "catalogs/shows/b.csv");
}

#[tokio::test]
async fn a_file_that_is_gone_or_a_folder_is_no_trouble() {
    let bench = start(1 << 20).await;

    let gone = bench.handle(&created(BUCKET, "catalogs/shows/a.csv"), TIME).await;
    let folder = bench.handle(&created(BUCKET, "catalogs/shows/"), TIME).await;

    assert_eq!(gone.counts.get(metrics::OBJECTS_GONE), 1);
    assert_eq!(folder.counts.get(metrics::OBJECTS_IGNORED), 1);
    assert!(letters(&bench).is_empty());
}

#[tokio::test]
async fn a_large_file_goes_on_in_further_invocations() {
    let mut bench = start(1 << 20).await;
    let table = table(&bench.aws.dynamodb);
    let rows: String = (0..6_000).map(|n| format!("{n},\"Episode\r\n{n}\"\r\n")).collect();
    put(&bench, "catalogs/shows/all.csv", &format!("id,title\r\n{rows}")).await;
    let mut body = created(BUCKET, "catalogs/shows/all.csv");
    let (mut items, mut continued) = (0, 0);
    // As much time as a part of it takes, whatever the machine: more where nothing was done.
    let mut time = Duration::from_millis(300);
    loop {
        let report = bench.handle(&body, DEADLINE_MARGIN + time).await;
        items += report.counts.get(metrics::CATALOG_ITEMS);
        if report.counts.get(metrics::CATALOGS_IMPORTED) == 1 {
            break;
        }
        match report.counts.get(metrics::OBJECTS_CONTINUED) {
            0 => time *= 2,
            _ => {
                continued += 1;
                body = bench.notifications.recv().await.expect("goes on");
            }
        }
    }

    assert_eq!(items, 6_000);
    assert!(continued > 0, "it took one invocation");
    let head = table.head("shows").await.expect("is read").expect("is there");
    assert_eq!((head.items, head.columns.len()), (6_000, 2));
    assert_eq!(titles(&table, &["5999"]).await, [some("Episode\r\n5999")]);
}

#[tokio::test]
async fn a_folder_of_catalogs_is_there_when_a_run_begins() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("is written")
    };
    write("shows.csv", "id,title\n1,Pilot\n");
    write("readme.txt", "none of them");

    let with = |folder: &std::path::Path| local::pipeline::Options {
        catalogs_dir: Some(folder.to_owned()),
        ..options()
    };
    let rig = Rig::start(with(folder.path())).await;
    assert_eq!(titles(&table(&rig.pipeline.aws.dynamodb), &["1"]).await, [some("Pilot")]);

    write("shows.csv", "id,title\n1\n");
    write("seasons.csv", "name\n1\n");
    let state = tempfile::tempdir().expect("temporary folder");
    let listener = front::bind(0).await.expect("a port is free");
    let error = Pipeline::start(state.path(), with(folder.path()), listener).await;
    let told = error.expect_err("is refused").to_string();
    assert!(told.contains("seasons.csv:1: column 1: the first column must be called id"), "{told}");
    assert!(told.contains("shows.csv:2: has 1 values, and the header 2 columns"), "{told}");
}
