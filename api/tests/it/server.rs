//! What the tests and the benchmark start alike.

use std::net::SocketAddr;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use contract::content;
use tokio::net::TcpListener;

pub(crate) async fn free_port() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("has an address");
    (listener, address)
}

/// Creates the content table.
pub(crate) async fn create(client: &Client, name: &str) {
    let mut table = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    let keys = [(content::USER_ID, KeyType::Hash), (content::ITEM, KeyType::Range)];
    for (attribute, kind) in keys {
        let definition = AttributeDefinition::builder()
            .attribute_name(attribute)
            .attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name(attribute).key_type(kind);
        table = table
            .attribute_definitions(definition.build().expect("is complete"))
            .key_schema(key.build().expect("is complete"));
    }
    table.send().await.expect("is created");
}
