//! What a reply of DynamoDB that never comes does to a budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use contract::content::COORDINATION_KEY;
use processor::coordination::{BudgetOfDay, Coordination, SharedTable, Spending};
use quota::simulated::dynamodb;

use crate::tables::{COORDINATION, TABLES};

/// Loses the replies of the next so many updates, which are done all the same.
#[derive(Debug, Clone)]
struct Losing {
    inner: SharedHttpClient,
    losses: Arc<AtomicU32>,
}

#[derive(Debug)]
struct Connector {
    inner: SharedHttpConnector,
    losses: Arc<AtomicU32>,
}

impl HttpClient for Losing {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Connector { inner, losses: Arc::clone(&self.losses) })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        None
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let is_lost = target.ends_with(".UpdateItem")
            && self
                .losses
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .is_ok();
        let reply = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let reply = reply.await?;
            if is_lost { Err(ConnectorError::io("connection reset".into())) } else { Ok(reply) }
        })
    }
}

#[tokio::test]
async fn a_budget_is_charged_once_though_the_reply_is_lost() {
    let losses = Arc::new(AtomicU32::new(0));
    let inner = aws_smithy_http_client::Builder::new().build_http();
    let client = dynamodb::through(Losing { inner, losses: Arc::clone(&losses) }, TABLES).await;
    let table = SharedTable::new(client.clone(), COORDINATION.to_owned());
    let budget = BudgetOfDay { campaign: "c".to_owned(), day: 20_000, limit: 100 };

    losses.store(1, Ordering::SeqCst);
    let first = table.spend(&budget, 60, "first").await;
    let second = table.spend(&budget, 60, "second").await;

    assert_eq!(losses.load(Ordering::SeqCst), 0);
    assert_eq!(first.expect("it was spent"), Spending::Granted);
    assert_eq!(second.expect("answers"), Spending::Refused);
    let key = aws_sdk_dynamodb::types::AttributeValue::S("budget#c#20000".to_owned());
    let item = client.get_item().table_name(COORDINATION).key(COORDINATION_KEY, key);
    let item = item.send().await.expect("is read").item.expect("is there");
    assert_eq!(item["spent"].as_n().map(String::as_str), Ok("60"));
}
