//! What a call may look like.

use contract::metrics;
use http::{Method, header};
use serde_json::{Value, json};

use crate::rig::{CAMPAIGN, LATER, World, get};

#[tokio::test]
async fn other_methods_are_refused_with_those_that_are_allowed() {
    let api = World::start().await.api();
    for path in ["/", "/health", "/openapi.json"] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::TRACE] {
            let mut request = get("user_id=u");
            (request.method, request.path) = (method, path);
            request.has_body = true;

            let answer = request.send(&api).await;

            assert_eq!(answer.status(), 405);
            assert_eq!(answer.headers()[header::ALLOW], "GET, HEAD");
        }
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let world = World::start().await;
    world.store("u", CAMPAIGN, "Hello", LATER).await;
    let api = world.api();
    for query in ["user_id=u&campaign=new-episode", "user_id=", "user_id=u&campaign=nothing"] {
        let full = get(query).send(&api).await;
        let mut request = get(query);
        request.method = Method::HEAD;

        let head = request.send(&api).await;

        assert_eq!(head.status(), full.status(), "{query}");
        assert_eq!(head.headers(), full.headers(), "{query}");
        assert_eq!(head.body(), "");
    }
}

#[tokio::test]
async fn a_body_is_refused() {
    let api = World::start().await.api();
    let mut request = get("user_id=u&campaign=new-episode");
    request.has_body = true;

    let (status, body) = request.json(&api).await;

    assert_eq!((status, &body["error"]["code"]), (400, &json!("unexpected_body")));
}

#[tokio::test]
async fn every_error_is_json_with_a_code_and_nothing_of_the_inside() {
    let api = World::start().await.api();
    let long = format!("user_id={}", "x".repeat(100_000));
    let cases = [
        ("/", "", 400, "bad_query"),
        ("/", "user_id=a&user_id=b", 400, "bad_query"),
        ("/", "user_id=%00", 400, "bad_query"),
        ("/", "user_id=u&campaign=unheard-of", 404, "unknown_campaign"),
        ("/", "user_id=u&campaign=gone,unheard-of", 404, "unknown_campaign"),
        // There are two campaigns.
        ("/", "user_id=u", 400, "campaign_missing"),
        ("/", &long, 414, "query_too_long"),
        ("/users", "user_id=u", 404, "no_such_path"),
        ("//", "user_id=u", 404, "no_such_path"),
        ("/%2e", "user_id=u", 404, "no_such_path"),
    ];
    for (path, query, status, code) in cases {
        let mut request = get(query);
        request.path = path;

        let (answer, counts) = request.counted(&api).await;

        let body: Value = serde_json::from_str(answer.body()).expect("is JSON");
        assert_eq!((answer.status().as_u16(), &body["error"]["code"]), (status, &json!(code)));
        assert_eq!(body["error"].as_object().expect("is an object").len(), 2);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(counts.get(metrics::CALLS_REFUSED), 1);
    }
}

#[tokio::test]
async fn health_needs_no_credentials_and_asks_nobody() {
    let api = crate::trouble::api_over_nothing().await;
    let mut request = get("");
    request.path = "/health";
    request.headers.clear();

    let (status, said) = request.json(&api).await;

    let version = registry::files::Files::default().version();
    let campaigns = json!({ "version": version, "publication": 0 });
    let healthy = json!({ "status": "ok", "build": "development", "campaigns": campaigns });
    assert_eq!((status, said), (200, healthy));
}
