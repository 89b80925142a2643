//! DynamoDB, embedded (`dynoxide`), with the real SDK before it.

use std::net::SocketAddr;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_smithy_runtime_api::client::http::HttpClient;
use dynoxide::Database;
use tokio::net::TcpListener;

/// A DynamoDB with some tables, each of a name and its keys, called through `http`.
pub async fn through(http: impl HttpClient + 'static, tables: &[(&str, &[&str])]) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address: SocketAddr = listener.local_addr().expect("has an address");
    let database = Database::memory().expect("opens");
    tokio::spawn(async move {
        dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()).await
    });
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(format!("http://{address}"))
        .http_client(http)
        .build();
    let client = Client::from_conf(config);
    for (name, keys) in tables {
        create(&client, name, keys).await;
    }
    client
}

/// The same, called as every program does.
pub async fn with(tables: &[(&str, &[&str])]) -> Client {
    through(aws_smithy_http_client::Builder::new().build_http(), tables).await
}

async fn create(client: &Client, name: &str, keys: &[&str]) {
    let mut table = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (attribute, kind) in keys.iter().zip([KeyType::Hash, KeyType::Range]) {
        let definition = AttributeDefinition::builder()
            .attribute_name(*attribute)
            .attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name(*attribute).key_type(kind);
        table = table
            .attribute_definitions(definition.build().expect("is complete"))
            .key_schema(key.build().expect("is complete"));
    }
    table.send().await.expect("is created");
}
