//! Requests as API Gateway hands them over.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ingest::posts::is_request;
use serde_json::{Value, json};

use super::{THEN, World, event, outlines};

/// Time that an invocation has.
const INVOCATION: Duration = Duration::from_secs(28);

/// A request as API Gateway's REST API writes it.
fn request(more: &Value) -> Value {
    let mut request = json!({
        "resource": "/events", "path": "/events", "httpMethod": "POST",
        "headers": { "authorization": "Bearer new" },
        "multiValueHeaders": { "authorization": ["Bearer new"] },
        "queryStringParameters": null, "requestContext": { "stage": "prod" },
        "body": null, "isBase64Encoded": false,
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        request[name] = value.clone();
    }
    request
}

async fn invoke(world: &World, more: &Value) -> Value {
    world.posts.invoke(&request(more), SystemTime::now() + INVOCATION).await.0
}

#[tokio::test]
async fn a_body_comes_as_text_or_in_base64_and_headers_in_either_form() {
    let world = World::start().await;
    let body = json!({ "events": [event("a", "u", THEN)] }).to_string();

    for more in [
        json!({ "body": body }),
        json!({ "body": STANDARD.encode(&body), "isBase64Encoded": true }),
        json!({ "body": body, "multiValueHeaders": null }),
        json!({ "body": body, "headers": null }),
        json!({ "body": body, "headers": { "Authorization": "Bearer old" }, "multiValueHeaders": null }),
    ] {
        let answer = invoke(&world, &more).await;
        assert_eq!(answer["statusCode"], 200, "{more}: {answer}");
        assert_eq!(answer["body"], r#"{"accepted":1}"#, "the body is a text");
        assert_eq!(answer["headers"]["content-type"], "application/json");
    }
    assert_eq!(outlines(&world.kinesis.user_records()).len(), 5);
}

#[tokio::test]
async fn a_post_comes_through_a_load_balancer_and_a_url_of_the_functions_own() {
    let world = World::start().await;
    let body = json!({ "events": [event("a", "u", THEN)] }).to_string();
    let of_a_url = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "",
        "headers": { "authorization": "Bearer new", "content-type": "application/json" },
        "requestContext": {
            "requestId": "i", "stage": "$default",
            "http": { "method": "POST", "path": "/", "protocol": "HTTP/1.1" },
        },
        "body": STANDARD.encode(&body), "isBase64Encoded": true,
    });
    let of_a_load_balancer = json!({
        "requestContext": { "elb": { "targetGroupArn": "arn:aws:elasticloadbalancing:..." } },
        "httpMethod": "POST", "path": "/events", "queryStringParameters": {},
        "headers": { "authorization": "Bearer new", "content-type": "application/json" },
        "body": body, "isBase64Encoded": false,
    });

    for posted in [of_a_url, of_a_load_balancer] {
        assert!(is_request(&posted), "{posted}");
        let answer = world.posts.invoke(&posted, SystemTime::now() + INVOCATION).await.0;
        assert_eq!(answer["statusCode"], 200, "{posted}: {answer}");
        assert_eq!(answer["isBase64Encoded"], false, "a load balancer asks for it");
    }
    assert_eq!(outlines(&world.kinesis.user_records()).len(), 2);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_an_answer() {
    let world = World::start().await;
    for (more, status) in [
        (json!({ "headers": null, "multiValueHeaders": null, "body": "{}" }), 401),
        (json!({ "headers": 7, "multiValueHeaders": { "authorization": 7 } }), 401),
        (json!({ "httpMethod": "GET" }), 405),
        (json!({ "httpMethod": "no method" }), 405),
        (json!({ "body": "%%%", "isBase64Encoded": true }), 400),
        (
            json!({ "multiValueHeaders": { "authorization": ["Bearer new"], "content-encoding": ["gzip"] } }),
            415,
        ),
    ] {
        let answer = invoke(&world, &more).await;
        assert_eq!(answer["statusCode"], status, "{more}: {answer}");
        assert!(answer["body"].is_string() && answer["headers"].is_object(), "{answer}");
    }
    let refused = invoke(&world, &json!({ "headers": null, "multiValueHeaders": null })).await;
    assert_eq!(refused["headers"]["www-authenticate"], "Bearer");
    // A body that is missing is Braze's check.
    assert_eq!(invoke(&world, &json!({})).await["statusCode"], 200);
    assert_eq!(world.kinesis.calls(), 0);
}

#[test]
fn notifications_and_messages_of_queues_are_no_requests() {
    assert!(is_request(&request(&json!({}))));
    for event in [json!({ "Records": [] }), json!({ "continue": {} }), json!({ "httpMethod": 7 })] {
        assert!(!is_request(&event), "{event}");
    }
}
