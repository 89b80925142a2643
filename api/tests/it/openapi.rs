//! The document and the handlers say the same.

use api::handler::{Api, OPENAPI};
use api::query::{MAX_CAMPAIGNS, MAX_QUERY_BYTES};
use campaign::MAX_NAME_CHARS;
use contract::user_record::MAX_USER_ID_BYTES;
use http::{Method, header};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::rig::{CAMPAIGN, LATER, OTHER_CAMPAIGN, Request, World, api_over, gate, get};
use api::settings::UnknownUser;

fn document() -> Value {
    serde_json::from_str(OPENAPI).expect("is JSON")
}

/// Checks answers' bodies against the schema that stands at this place of the document.
fn validator(path: &str, status: u16) -> Validator {
    let mut document = document();
    let pointer = path.replace('/', "~1");
    let place = format!("/paths/{pointer}/get/responses/{status}/content/application~1json/schema");
    let schema = document.pointer(&place).unwrap_or_else(|| panic!("{place} is documented"));
    let schema = json!({ "allOf": [schema], "components": document["components"].take() });
    jsonschema::validator_for(&schema).expect("is a schema")
}

/// Sends a request and holds the answer against the document.
async fn answer_is_documented(api: &Api, request: &Request, status: u16) {
    let answer = request.send(api).await;
    assert_eq!(answer.status(), status, "{}", answer.body());
    let pointer = request.path.replace('/', "~1");
    let documented = document();
    let place = format!("/paths/{pointer}/get/responses/{status}");
    let response = documented.pointer(&place).unwrap_or_else(|| panic!("{place} is documented"));
    let names = response["headers"].as_object().into_iter().flatten().map(|(name, _)| name);
    for name in names.filter(|name| *name != "ETag") {
        assert!(answer.headers().contains_key(name.as_str()), "{status} lacks {name}");
    }
    if status == 304 {
        assert_eq!(answer.body(), "");
        return;
    }
    let body: Value = serde_json::from_str(answer.body()).expect("is JSON");
    let faults: Vec<String> =
        validator(request.path, status).iter_errors(&body).map(|e| e.to_string()).collect();
    assert!(faults.is_empty(), "{body}: {faults:?}");
}

#[tokio::test]
async fn every_answer_is_of_a_documented_shape_and_every_documented_status_is_given() {
    let world = World::start().await;
    world.store("u", CAMPAIGN, "Hello", LATER).await;
    world.store("u", OTHER_CAMPAIGN, "Offer", LATER).await;
    let api = world.api();
    let strict = api_over(&world.config, gate(), None, UnknownUser::NotFound);
    let one = "user_id=u&campaign=new-episode";
    let tag = get(one).send(&api).await.headers()[header::ETAG].clone();
    let mut known = get(one);
    known.headers.insert(header::IF_NONE_MATCH, tag);
    let mut nobody = get(one);
    nobody.headers.clear();
    let mut with_body = get(one);
    with_body.has_body = true;
    let long = get(&format!("user_id={}", "x".repeat(MAX_QUERY_BYTES)));

    for query in [
        one,
        "user_id=u&campaign=offer,new-episode",
        "user_id=u&campaign=offer,gone&format=plain&utm_source=x",
        "user_id=u&campaign=new-episode&format=plain",
        "user_id=u&campaign=offer,new-episode&format=plain",
        "user_id=nobody&campaign=new-episode",
        "user_id=nobody&campaign=offer,new-episode&format=plain",
    ] {
        answer_is_documented(&api, &get(query), 200).await;
    }
    answer_is_documented(&api, &known, 304).await;
    answer_is_documented(&api, &get("user_id="), 400).await;
    answer_is_documented(&api, &get("user_id=u"), 400).await;
    answer_is_documented(&api, &with_body, 400).await;
    answer_is_documented(&api, &nobody, 401).await;
    answer_is_documented(&strict, &get("user_id=nobody&campaign=new-episode"), 404).await;
    answer_is_documented(&api, &get("user_id=u&campaign=none,gone"), 404).await;
    answer_is_documented(&api, &long, 414).await;
    for path in ["/health", "/openapi.json"] {
        answer_is_documented(&api, &Request { path, ..get("") }, 200).await;
        answer_is_documented(&api, &Request { path, has_body: true, ..get("") }, 400).await;
    }
    let statuses: Vec<String> = document()["paths"]["/"]["get"]["responses"]
        .as_object()
        .map(|responses| responses.keys().cloned().collect())
        .expect("is an object");
    assert_eq!(statuses, ["200", "304", "400", "401", "404", "414"]);
}

#[tokio::test]
async fn every_documented_method_is_understood_and_no_other() {
    let api = World::start().await.api();
    let documented = document();
    let paths = documented["paths"].as_object().expect("is an object");
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["/", "/health", "/openapi.json"]);
    let methods = ["get", "head", "post", "put", "delete", "options", "patch", "trace"];
    for (path, operations) in paths {
        for name in methods {
            let method = Method::from_bytes(name.to_uppercase().as_bytes()).expect("is a method");
            let path: &'static str = match path.as_str() {
                "/" => "/",
                "/health" => "/health",
                _ => "/openapi.json",
            };
            let answer = Request { method, path, ..get("") }.send(&api).await;
            let is_documented = operations.get(name).is_some();
            assert_eq!(answer.status() == 405, !is_documented, "{name} {path}");
        }
    }
}

#[test]
fn the_documented_limits_are_those_of_the_code() {
    let document = document();
    let parameters = document["paths"]["/"]["get"]["parameters"].as_array().expect("is an array");
    let schema = |name: &str| {
        let found = parameters.iter().find(|parameter| parameter["name"] == name);
        found.expect("is documented")["schema"].clone()
    };

    assert_eq!(schema("user_id")["maxLength"], json!(MAX_USER_ID_BYTES));
    assert_eq!(schema("campaign")["maxItems"], json!(MAX_CAMPAIGNS));
    assert_eq!(schema("campaign")["items"]["maxLength"], json!(MAX_NAME_CHARS));
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
}
