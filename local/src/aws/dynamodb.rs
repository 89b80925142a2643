//! The embedded DynamoDB.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use contract::content;
use dynoxide::Database;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{COORDINATION_TABLE, TABLE, free_port};

pub(super) async fn serve(
    folder: &Path,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let (listener, address) = free_port().await?;
    let path = folder.join("dynamodb.sqlite");
    let path = path.to_str().context("the data folder's path is not UTF-8")?;
    let database = Database::new(path).context("opening the embedded DynamoDB")?;
    let stop = stop.clone().cancelled_owned();
    tasks.spawn(async move {
        let served = dynoxide::server::serve_with_shutdown(listener, database, stop).await;
        if let Err(error) = served {
            tracing::error!(error, "embedded DynamoDB stopped");
        }
    });
    Ok(address)
}

/// Creates the tables that do not exist yet.
pub(super) async fn create_tables(client: &Client) -> anyhow::Result<()> {
    create_table(client, TABLE, &[content::USER_ID, content::ITEM]).await?;
    create_table(client, COORDINATION_TABLE, &[content::COORDINATION_KEY]).await
}

async fn create_table(client: &Client, name: &str, keys: &[&str]) -> anyhow::Result<()> {
    let mut table = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (attribute, key_type) in keys.iter().zip([KeyType::Hash, KeyType::Range]) {
        let definition = AttributeDefinition::builder()
            .attribute_name(*attribute)
            .attribute_type(ScalarAttributeType::S)
            .build()?;
        let key = KeySchemaElement::builder().attribute_name(*attribute).key_type(key_type);
        table = table.attribute_definitions(definition).key_schema(key.build()?);
    }
    match table.send().await.map_err(|error| error.into_service_error()) {
        Err(error) if !error.is_resource_in_use_exception() => {
            Err(error).with_context(|| format!("creating the table {name}"))
        }
        _ => Ok(()),
    }
}
