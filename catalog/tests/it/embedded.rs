//! The table on DynamoDB: `dynoxide`, embedded, with the real SDK before it.

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType,
};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use catalog::table::{
    CatalogTable as _, DynamoDb, ImportEnd, ImportTable as _, PutResult, SweepPlace, TableError,
};
use contract::catalog::{IMPORT, ITEM, KEY, item_key};
use dynoxide::Database;
use serde_json::{Value, json};

use crate::imports::key;

const TABLE: &str = "catalogs";
const CATALOG: &str = "episodes";

async fn client(address: std::net::SocketAddr) -> Client {
    Client::new(&program::aws::at(&format!("http://{address}")).await)
}

/// An embedded DynamoDB with the table, and what this crate makes of it.
async fn set_up() -> (Client, DynamoDb) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("is bound");
    let database = Database::memory().expect("is opened");
    tokio::spawn(async move {
        dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()).await
    });
    let client = client(address).await;
    let attribute = AttributeDefinition::builder()
        .attribute_name(KEY)
        .attribute_type(ScalarAttributeType::S)
        .build();
    let schema = KeySchemaElement::builder().attribute_name(KEY).key_type(KeyType::Hash).build();
    let table = client
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute.expect("is whole"))
        .key_schema(schema.expect("is whole"));
    table.send().await.expect("is created");
    (client.clone(), DynamoDb::new(client, TABLE.to_owned()).without_kept_heads())
}

fn end(import: u64, is_whole: bool, columns: &[&str]) -> ImportEnd {
    ImportEnd {
        import,
        is_whole,
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        items: 2,
        at_ms: 7,
        source: "all.csv".to_owned(),
    }
}

async fn put(table: &DynamoDb, id: u32, import: u64) -> PutResult {
    let json = json!({ "id": id.to_string(), "title": import.to_string() }).to_string();
    table.put(&key(id), json, import).await.expect("is put")
}

async fn titles(table: &DynamoDb, ids: std::ops::Range<u32>) -> Vec<Option<String>> {
    let keys: Vec<_> = ids.clone().chain(ids).map(key).collect();
    let mut items = table.items(&keys).await.expect("is read");
    items.sort_by_key(|(key, _)| key.id.parse::<u32>().expect("is a number"));
    items.into_iter().map(|(_, item)| Some(item?["title"].as_str()?.to_owned())).collect()
}

fn some(title: &str) -> Option<String> {
    Some(title.to_owned())
}

#[tokio::test]
async fn items_count_from_the_end_of_their_import_to_the_next_whole_one() {
    let (_, table) = set_up().await;
    put(&table, 0, 10).await;
    put(&table, 1, 10).await;
    assert_eq!(titles(&table, 0..3).await, [None, None, None]);
    table.close(CATALOG, &end(10, true, &["id", "title"])).await.expect("is ended");
    assert_eq!(titles(&table, 0..3).await, [some("10"), some("10"), None]);

    assert_eq!(put(&table, 1, 11).await, PutResult::Done);
    assert_eq!(put(&table, 1, 9).await, PutResult::Newer);
    table.close(CATALOG, &end(11, true, &["id", "name"])).await.expect("is ended");

    assert_eq!(titles(&table, 0..3).await, [None, some("11"), None]);
    let older = table.close(CATALOG, &end(10, true, &["id"])).await;
    assert_eq!(older, Ok(PutResult::Newer));
}

#[tokio::test]
async fn a_catalog_tells_its_columns_its_numbers_and_where_it_is_from() {
    let (_, table) = set_up().await;
    assert_eq!(table.head(CATALOG).await, Ok(None));
    table.close(CATALOG, &end(10, true, &["id", "title"])).await.expect("is ended");
    table.close(CATALOG, &end(12, false, &["id", "price"])).await.expect("is ended");
    table.close("shows", &end(1, false, &["id"])).await.expect("is ended");

    let head = table.head(CATALOG).await.expect("is read").expect("is there");

    assert_eq!((head.since, head.import, head.items, head.puts), (10, 12, 2, 2));
    assert_eq!(head.columns.into_iter().collect::<Vec<_>>(), ["id", "price", "title"]);
    assert_eq!((head.source.as_str(), head.imported_at_ms), ("all.csv", 7));
    let shows = table.head("shows").await.expect("is read").expect("is there");
    assert_eq!((shows.since, shows.items), (0, 0));
    let names = table.catalogs().await.expect("is listed");
    assert_eq!(names.into_iter().collect::<Vec<_>>(), [CATALOG, "shows"]);
}

#[tokio::test]
async fn a_sweep_removes_what_is_gone_of_its_catalog_only() {
    let (client, table) = set_up().await;
    for id in 0..50 {
        put(&table, id, 1).await;
    }
    put(&table, 7, 5).await;
    let other = contract::catalog::ItemKey { catalog: "episodes-2".to_owned(), id: "1".to_owned() };
    table.put(&other, "{}".to_owned(), 1).await.expect("is put");
    table.close(CATALOG, &end(5, true, &["id"])).await.expect("is ended");

    let page = table.sweep(CATALOG, 5, SweepPlace::beginning()).await.expect("is swept");

    assert_eq!((page.removed, page.next), (49, None));
    // What is left: an item of each catalog, the head and the list.
    let left = client.scan().table_name(TABLE).send().await.expect("is scanned");
    assert_eq!(left.count(), 4);
}

#[tokio::test]
async fn more_items_than_one_answer_holds_are_all_read() {
    let (_, table) = set_up().await;
    for id in 0..250 {
        put(&table, id, 1).await;
    }
    table.close(CATALOG, &end(1, true, &["id"])).await.expect("is ended");

    assert_eq!(titles(&table, 0..251).await.iter().flatten().count(), 250);
}

#[tokio::test]
async fn an_item_of_somebody_elses_making_is_not_there_and_harms_no_other() {
    let (client, table) = set_up().await;
    put(&table, 1, 1).await;
    table.close(CATALOG, &end(1, true, &["id"])).await.expect("is ended");
    for (id, json) in [("2", "no JSON"), ("3", "[1]")] {
        let item = client
            .put_item()
            .table_name(TABLE)
            .item(KEY, AttributeValue::S(item_key(CATALOG, id)))
            .item(ITEM, AttributeValue::S(json.to_owned()))
            .item(IMPORT, AttributeValue::N("1".to_owned()));
        item.send().await.expect("is put");
    }

    assert_eq!(titles(&table, 1..4).await, [some("1"), None, None]);
}

#[tokio::test]
async fn the_largest_item_of_a_file_is_one_that_the_table_takes() {
    let (_, table) = set_up().await;
    let title = "x".repeat(catalog::file::MAX_ITEM_BYTES - 12);
    let json = json!({ "title": title }).to_string();
    assert_eq!(json.len(), catalog::file::MAX_ITEM_BYTES);
    let id = "i".repeat(contract::catalog::MAX_ID_CHARS);

    assert_eq!(table.put(&key(id), json, u64::MAX).await, Ok(PutResult::Done));
}

/// A stand-in that answers one BatchGetItem after the other, and notes what it was asked.
#[derive(Debug, Clone, Default)]
struct Scripted(Arc<Mutex<(Vec<Value>, Vec<Value>)>>);

async fn answer(
    State(script): State<Scripted>,
    _: HeaderMap,
    body: String,
) -> (StatusCode, String) {
    let mut script = script.0.lock().expect("nobody panicked");
    script.1.push(serde_json::from_str(&body).expect("the SDK sends JSON"));
    let answer = if script.0.len() > 1 { script.0.remove(0) } else { script.0[0].clone() };
    (StatusCode::OK, answer.to_string())
}

async fn scripted(answers: Vec<Value>) -> (Scripted, DynamoDb) {
    let script = Scripted::default();
    script.0.lock().expect("nobody panicked").0 = answers;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("is bound");
    let router = Router::new().fallback(answer).with_state(script.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (script, DynamoDb::new(client(address).await, TABLE.to_owned()))
}

fn stored(id: u32) -> Value {
    json!({ KEY: { "S": item_key(CATALOG, &id.to_string()) }, ITEM: { "S": "{\"title\":\"t\"}" }, IMPORT: { "N": "3" } })
}

fn unread(ids: &[u32]) -> Value {
    let keys: Vec<Value> =
        ids.iter().map(|id| json!({ KEY: { "S": item_key(CATALOG, &id.to_string()) } })).collect();
    json!({ TABLE: { "Keys": keys } })
}

#[tokio::test]
async fn keys_that_come_back_unprocessed_are_asked_for_again_and_heads_once_a_minute() {
    let head = json!({ KEY: { "S": "episodes#" }, "since": { "N": "3" } });
    let (script, table) = scripted(vec![
        json!({ "Responses": { TABLE: [head, stored(1)] }, "UnprocessedKeys": unread(&[2, 3]) }),
        json!({ "Responses": { TABLE: [stored(2)] }, "UnprocessedKeys": unread(&[3]) }),
        json!({ "Responses": { TABLE: [stored(3)] }, "UnprocessedKeys": {} }),
    ])
    .await;

    assert_eq!(titles(&table, 1..4).await, [some("t"), some("t"), some("t")]);

    titles(&table, 3..4).await;
    let asked = script.0.lock().expect("nobody panicked").1.clone();
    let keys = |n: usize| asked[n]["RequestItems"][TABLE]["Keys"].as_array().map_or(0, Vec::len);
    // Three items and the head, what was left of them twice; then one item, the head being known.
    assert_eq!([keys(0), keys(1), keys(2), keys(3)], [4, 2, 1, 1]);
}

#[tokio::test]
async fn a_table_that_gives_nothing_is_given_up() {
    let nothing = json!({ "Responses": { TABLE: [] }, "UnprocessedKeys": unread(&[1]) });
    let (script, table) = scripted(vec![nothing]).await;

    let error = table.items(&[key(1)]).await.expect_err("gives nothing");

    assert_eq!(error, TableError::Unprocessed(6));
    assert!(error.is_passing());
    assert_eq!(script.0.lock().expect("nobody panicked").1.len(), 6);
}

#[tokio::test]
async fn what_the_table_refuses_is_not_taken_for_absence() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("is bound");
    let refuse = || async {
        (StatusCode::BAD_REQUEST, json!({ "__type": "AccessDeniedException" }).to_string())
    };
    let router = Router::new().fallback(refuse);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let table = DynamoDb::new(client(address).await, TABLE.to_owned());

    let error = table.items(&[key(1)]).await.expect_err("is refused");

    assert!(!error.is_passing(), "{error:?}");
}
