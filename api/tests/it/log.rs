//! What failures say, since that goes to the log.

use std::time::Duration;

use api::table::Table;
use aws_config::SdkConfig;
use axum::Router;
use axum::http::StatusCode;
use program::credentials::secrets_manager::SecretsManager;

use program::causes;

use crate::rig::config_for;
use crate::server::free_port;

/// Configuration for a service whose every reply is this.
async fn config_for_reply(status: StatusCode, body: &'static str) -> SdkConfig {
    let (listener, address) = free_port().await;
    let router = Router::new().fallback(move || async move { (status, body) });
    tokio::spawn(async move { axum::serve(listener, router).await });
    config_for(address).await
}

#[tokio::test]
async fn a_secret_in_a_reply_that_is_cut_short_does_not_reach_the_log() {
    let reply = r#"{"SecretString":"{\"username\":\"braze\",\"password\":\"hunter2\"}""#;
    let config = config_for_reply(StatusCode::OK, reply).await;
    let secrets = SecretsManager::new(&config, "arn:aws:secretsmanager:secret".to_owned());

    let reading = secrets.read(Duration::from_secs(60)).await;

    let error = reading.current.expect_err("the reply is cut short");

    assert_eq!(
        causes::told(&error),
        "asking for the AWSCURRENT version of the secret: reply cannot be read"
    );
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[tokio::test]
async fn content_in_a_reply_that_is_cut_short_does_not_reach_the_log() {
    let reply = r#"{"Item":{"data":{"M":{"heading":{"S":"Dear Ada"}"#;
    let config = config_for_reply(StatusCode::OK, reply).await;
    let table = Table::new(&config, "content".to_owned());

    let one = table.one("u", "offer").await.map(|_| ());
    let several = table.several("u", &["offer", "other"]).await.remove(0).map(|_| ());

    for answer in [one, several] {
        let error = answer.expect_err("the reply is cut short");
        assert_eq!(causes::told(&error), "content table could not be read: reply cannot be read");
        assert!(!format!("{error:?}").contains("Ada"));
    }
}

#[tokio::test]
async fn an_error_of_the_service_is_named_by_its_code_alone() {
    let reply =
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#ValidationException","message":"Ada"}"#;
    let config = config_for_reply(StatusCode::BAD_REQUEST, reply).await;
    let table = Table::new(&config, "content".to_owned());

    let error = table.one("u", "offer").await.expect_err("the service refuses");

    assert_eq!(causes::told(&error), "content table could not be read: ValidationException");
}
