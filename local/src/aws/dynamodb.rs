//! The embedded DynamoDB.
//!
//! It remembers the token of every transaction for ten minutes and looks at all of them at
//! each, so that a run's time grows with its square: [`WithoutTokens`] leaves them out.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use contract::{catalog, content};
use dynoxide::Database;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::billing::Billing;

use super::{CATALOG_TABLE, COORDINATION_TABLE, TABLE, free_port};

/// What a transaction's request is called.
const TRANSACTION: &str = "DynamoDB_20120810.TransactWriteItems";

/// The database, in the folder that a run keeps.
pub(super) const FILE: &str = "dynamodb.sqlite";

pub(super) async fn serve(
    folder: &Path,
    kept: bool,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let (listener, address) = free_port().await?;
    let path = folder.join(FILE);
    let path = path.to_str().context("the data folder's path is not UTF-8")?;
    let database = Database::new(path).context("opening the embedded DynamoDB")?;
    // Whatever this process wrote stays when it ends. Where another run is to find it, SQLite
    // waits for the disk when it moves its log into the database, and a loss of power may cost
    // the last; otherwise it never waits.
    let set_up =
        if kept { database.disable_bulk_loading() } else { database.enable_bulk_loading() };
    set_up.context("setting up the embedded DynamoDB")?;
    let stop = stop.clone().cancelled_owned();
    tasks.spawn(async move {
        let served = dynoxide::server::serve_with_shutdown(listener, database, stop).await;
        if let Err(error) = served {
            tracing::error!(error, "embedded DynamoDB stopped");
        }
    });
    Ok(address)
}

/// A client whose transactions carry no token.
///
/// The token makes a repeat of the very same request harmless. The conditions of the
/// transaction do that too, so that the processor needs no token.
pub(super) fn client(config: &SdkConfig, billing: Option<&Arc<Billing>>) -> Client {
    let mut config = aws_sdk_dynamodb::config::Builder::from(config).interceptor(WithoutTokens);
    if let Some(billing) = billing {
        config = config.interceptor(billing.interceptor());
    }
    Client::from_conf(config.build())
}

#[derive(Debug)]
struct WithoutTokens;

impl Intercept for WithoutTokens {
    fn name(&self) -> &'static str {
        "WithoutTokens"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        if request.headers().get("x-amz-target") != Some(TRANSACTION) {
            return Ok(());
        }
        let Some(body) = request.body().bytes() else { return Ok(()) };
        let mut body: serde_json::Map<String, Value> = serde_json::from_slice(body)?;
        body.remove("ClientRequestToken");
        let body = serde_json::to_vec(&body)?;
        request.headers_mut().insert("content-length", body.len().to_string());
        *request.body_mut() = body.into();
        Ok(())
    }
}

/// Creates the tables that do not exist yet.
pub(super) async fn create_tables(client: &Client) -> anyhow::Result<()> {
    create_table(client, TABLE, &[content::USER_ID, content::ITEM]).await?;
    create_table(client, COORDINATION_TABLE, &[content::COORDINATION_KEY]).await?;
    create_table(client, CATALOG_TABLE, &[catalog::KEY]).await
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
