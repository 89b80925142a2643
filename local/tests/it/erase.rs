//! Users are deleted by hand, and again after a restore of the content table.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use aws_sdk_dynamodb::types::AttributeValue;
use clap::Parser as _;
use contract::metrics::Fate;
use contract::{content, digest};
use local::aws::{EmbeddedAws, STREAM, TABLE};
use ops::arguments::{Arguments, Command};
use ops::erase::{Account, erase_in};
use serde_json::{Value, json};

use crate::objects;
use crate::posts::{content_of, item, post, rig};
use crate::rig::Rig;

const ADA: &str = "5f00000000000000000000a1";
const BEA: &str = "5f00000000000000000000b1";

/// Deletes as a person does on the command line.
async fn erased(aws: &EmbeddedAws, more: &[&str]) -> ExitCode {
    tried(aws, more).await.expect("is done")
}

/// The same, whatever it comes to.
async fn tried(aws: &EmbeddedAws, more: &[&str]) -> anyhow::Result<ExitCode> {
    let said = ["ops", "erase", "--table", TABLE, "--stream", STREAM];
    let said = said.iter().chain(more);
    let Command::Erase(arguments) = Arguments::try_parse_from(said).expect("is right").command
    else {
        panic!("is an erasure")
    };
    let (dynamodb, kinesis) = (aws.dynamodb.clone(), aws.kinesis.clone());
    erase_in(&Account { dynamodb, kinesis }, &arguments).await
}

/// Lets a user do something, and waits for their content.
async fn written(rig: &Rig, user: &str) {
    let message = json!({
        "user_id": user, "campaign": "offer", "properties": { "id": "a" },
        "attributes": { "first_name": "Ada" },
    });
    assert_eq!(post(rig, "local", &message).await.0, 200);
    content_of(rig, user).await;
}

/// Everything that is stored of a user.
async fn stored(aws: &EmbeddedAws, user: &str) -> Vec<HashMap<String, AttributeValue>> {
    let query = aws.dynamodb.query().table_name(TABLE).consistent_read(true);
    let query = query
        .key_condition_expression("user_id = :user")
        .expression_attribute_values(":user", AttributeValue::S(user.to_owned()));
    query.send().await.expect("is read").items.unwrap_or_default()
}

fn keys(items: &[HashMap<String, AttributeValue>]) -> Vec<&str> {
    items.iter().filter_map(|item| Some(item[content::ITEM].as_s().ok()?.as_str())).collect()
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("is there")).expect("is JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_a_user_is_deleted_and_the_evidence_names_nobody() {
    let (rig, _catalogs) = rig().await;
    written(&rig, ADA).await;
    written(&rig, BEA).await;
    let before = stored(&rig.pipeline.aws, ADA).await;
    assert_eq!(keys(&before), ["asked#offer", "attributes", "content#offer"]);

    assert_eq!(erased(&rig.pipeline.aws, &[ADA, "--dry-run"]).await, ExitCode::SUCCESS);
    assert_eq!(stored(&rig.pipeline.aws, ADA).await, before);
    let evidence = rig.folder.path().join("evidence.json");
    let path = evidence.to_str().expect("is UTF-8");
    let more = [ADA, "--yes", "--evidence", path, "--files-days", "30"];
    assert_eq!(erased(&rig.pipeline.aws, &more).await, ExitCode::SUCCESS);

    assert_eq!(keys(&stored(&rig.pipeline.aws, ADA).await), [content::TOMBSTONE]);
    let (_, answer) = rig.look_up(&format!("user_id={ADA}&campaign=offer&format=plain")).await;
    assert_eq!(answer["source"], "fallback");
    assert!(!fs::read_to_string(&evidence).expect("is there").contains(ADA));
    let kept = read(&evidence);
    assert_eq!(kept["user_sha256"], digest::hex(ADA));
    assert_eq!(kept["done"], true);
    let counts =
        |n: u8| json!({ "items": n, "contents": n, "events": n, "attributes": n, "prompts": n });
    assert_eq!((&kept["before"], &kept["after"]), (&counts(1), &counts(0)));
    assert_ne!(item(&rig, BEA, content::item_key("offer")).await, json!({}), "is another user");

    // What happened before is refused, also if it comes only now.
    let late = json!({ "events": [{
        "event_type": "users.behaviors.CustomEvent", "id": "late", "time": 1_790_000_000,
        "user": { "user_id": ADA },
        "properties": { "name": "seen", "custom_properties": { "id": "b" } },
    }] });
    assert_eq!(post(&rig, "local", &late).await.0, 200);
    rig.pipeline.drain().await;
    assert_eq!(rig.count(Fate::Deleted.metric()), 1);
    assert_eq!(keys(&stored(&rig.pipeline.aws, ADA).await), [content::TOMBSTONE]);
    assert_eq!(rig.lost(), 0);
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistaken_id_is_nobody_and_no_proof_is_written_over() {
    let (rig, _catalogs) = rig().await;
    written(&rig, ADA).await;
    let (evidence, list) =
        (rig.folder.path().join("evidence.json"), rig.folder.path().join("deletions.jsonl"));
    let [proof, listed] = [&evidence, &list].map(|path| path.to_str().expect("is UTF-8"));
    let aws = &rig.pipeline.aws;
    let refused =
        async |more: &[&str]| format!("{:#}", tried(aws, more).await.expect_err("is refused"));

    for (id, expected) in [
        ("ada@shop.example", "not the external id"),
        (&ADA.to_uppercase(), "name the Braze id"),
        (&format!("{ADA}\r"), "(it holds a blank)"),
    ] {
        let said = refused(&[id, "--yes", "--evidence", proof]).await;
        assert!(said.contains(expected) && !evidence.exists(), "{said}");
        assert!(stored(aws, id).await.is_empty(), "nobody was deleted");
    }
    let unknown = ["nobody", "--yes", "--unknown-user", "--evidence", proof];
    assert_eq!(erased(aws, &unknown).await, ExitCode::SUCCESS);
    assert_eq!(read(&evidence)["known"], false);
    let said = refused(&[ADA, "--yes", "--evidence", proof]).await;
    assert!(said.contains("what an earlier run wrote stays"), "{said}");
    assert_eq!(read(&evidence)["known"], false, "the first proof is there still");
    assert!(keys(&stored(aws, ADA).await).contains(&"content#offer"), "and Ada is as well");

    fs::write(&list, "").expect("is written");
    let said = refused(&["--list", listed]).await;
    assert!(said.contains("exists: name another, and keep both"), "{said}");
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_processes_is_not_called_done() {
    let bench = objects::start(1 << 20).await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = bench.aws.dynamodb.put_item().table_name(TABLE);
    let put = put.item(content::USER_ID, text(ADA)).item(content::ITEM, text("content#offer"));
    put.send().await.expect("is put");
    let before = stored(&bench.aws, ADA).await;
    let evidence = bench.folder.path().join("evidence.json");
    let path = evidence.to_str().expect("is UTF-8");

    let more = [ADA, "--yes", "--evidence", path, "--wait-secs", "0"];
    assert_eq!(erased(&bench.aws, &more).await, ExitCode::FAILURE);

    assert_eq!(stored(&bench.aws, ADA).await, before);
    let kept = read(&evidence);
    assert_eq!((&kept["done"], &kept["tombstone"]), (&json!(false), &Value::Null));
    assert_eq!((&kept["before"]["items"], &kept["after"]["items"]), (&json!(1), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_came_back_with_a_restored_table_is_deleted_again_from_the_list() {
    let (rig, _catalogs) = rig().await;
    written(&rig, ADA).await;
    written(&rig, BEA).await;
    let backup = stored(&rig.pipeline.aws, ADA).await;
    assert_eq!(erased(&rig.pipeline.aws, &[ADA, "--yes"]).await, ExitCode::SUCCESS);
    let tombstone = stored(&rig.pipeline.aws, ADA).await;
    let list = rig.folder.path().join("deletions.jsonl");
    let path = list.to_str().expect("is UTF-8");

    assert_eq!(erased(&rig.pipeline.aws, &["--list", path]).await, ExitCode::SUCCESS);
    let mode = fs::metadata(&list).expect("is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else may read it");
    let listed = fs::read_to_string(&list).expect("is there");
    let deleted_at = tombstone[0][content::DELETED_AT].as_n().expect("is a number");
    assert_eq!(listed, format!("{{\"user_id\":\"{ADA}\",\"deleted_at\":{deleted_at}}}\n"));

    // The table as it was before.
    let dynamodb = &rig.pipeline.aws.dynamodb;
    let mut key = tombstone[0].clone();
    key.retain(|name, _| [content::USER_ID, content::ITEM].contains(&name.as_str()));
    let gone = dynamodb.delete_item().table_name(TABLE).set_key(Some(key)).send();
    gone.await.expect("is removed");
    for item in &backup {
        let put = dynamodb.put_item().table_name(TABLE).set_item(Some(item.clone()));
        put.send().await.expect("is put");
    }
    content_of(&rig, ADA).await;

    let again = ["--since", "1h", "--from", path];
    assert_eq!(
        erased(&rig.pipeline.aws, &[&again[..], &["--dry-run"]].concat()).await,
        ExitCode::SUCCESS
    );
    assert_eq!(stored(&rig.pipeline.aws, ADA).await, backup);
    assert_eq!(
        erased(&rig.pipeline.aws, &[&again[..], &["--yes"]].concat()).await,
        ExitCode::SUCCESS
    );

    let now = stored(&rig.pipeline.aws, ADA).await;
    assert_eq!(keys(&now), [content::TOMBSTONE]);
    assert_eq!(now[0][content::DELETED_AT], tombstone[0][content::DELETED_AT]);
    assert_ne!(item(&rig, BEA, content::item_key("offer")).await, json!({}), "was not deleted");
    rig.pipeline.stop().await;
}
