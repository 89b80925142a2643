//! How imports write the table of catalogs on DynamoDB.
//!
//! Items are put one by one: a batch of puts costs the same and knows no conditions, and without
//! them an older import could undo what a newer one wrote meanwhile.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::types::AttributeValue;
use contract::catalog::{
    CATALOGS, COLUMNS, IMPORT, IMPORTED_AT, ITEM, ITEMS, ItemKey, KEY, LIST_KEY, PUTS, SINCE,
    SOURCE, head_key, item_key,
};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::{Attributes, DynamoDb, failed, key_of, number, text};
use crate::table::{Head, ImportEnd, ImportTable, PutResult, SweepPlace, SweptPage, TableError};

/// Removals at a time.
const CONCURRENT_REMOVALS: usize = 32;

/// What DynamoDB answers if a condition does not hold.
const NOT_MET: Option<&str> = Some("ConditionalCheckFailedException");

#[async_trait]
impl ImportTable for DynamoDb {
    async fn head(&self, catalog: &str) -> Result<Option<Head>, TableError> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .consistent_read(true)
            .set_key(Some(HashMap::from([key_of(&head_key(catalog))])));
        let found = get.send().await.map_err(|error| failed("head was not read", &error))?;
        Ok(found.item.as_ref().map(head))
    }

    async fn put(&self, key: &ItemKey, json: String, import: u64) -> Result<PutResult, TableError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(KEY, AttributeValue::S(item_key(&key.catalog, &key.id)))
            .item(ITEM, AttributeValue::S(json))
            .item(IMPORT, whole(import))
            .condition_expression("attribute_not_exists(#import) OR #import <= :import")
            .expression_attribute_names("#import", IMPORT)
            .expression_attribute_values(":import", whole(import));
        match put.send().await {
            Ok(_) => Ok(PutResult::Done),
            Err(error) if error.code() == NOT_MET => Ok(PutResult::Newer),
            Err(error) => Err(failed("item was not put", &error)),
        }
    }

    async fn close(&self, catalog: &str, end: &ImportEnd) -> Result<PutResult, TableError> {
        let attempted = "import was not ended";
        // First the list: a catalog that is there and not listed is one that nobody finds.
        let list = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(HashMap::from([key_of(LIST_KEY)])))
            .update_expression("ADD #catalogs :catalog")
            .expression_attribute_names("#catalogs", CATALOGS)
            .expression_attribute_values(":catalog", AttributeValue::Ss(vec![catalog.to_owned()]));
        list.send().await.map_err(|error| failed(attempted, &error))?;

        let columns = AttributeValue::Ss(end.columns.iter().cloned().collect());
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(HashMap::from([key_of(&head_key(catalog))])))
            .condition_expression("attribute_not_exists(#since) OR #since <= :import")
            .expression_attribute_names("#since", SINCE)
            .expression_attribute_names("#import", IMPORT)
            .expression_attribute_names("#columns", COLUMNS)
            .expression_attribute_names("#items", ITEMS)
            .expression_attribute_names("#puts", PUTS)
            .expression_attribute_names("#at", IMPORTED_AT)
            .expression_attribute_names("#source", SOURCE)
            .expression_attribute_values(":import", whole(end.import))
            .expression_attribute_values(":columns", columns)
            .expression_attribute_values(":items", whole(end.items))
            .expression_attribute_values(":zero", whole(0))
            .expression_attribute_values(":at", whole(end.at_ms))
            .expression_attribute_values(":source", AttributeValue::S(end.source.clone()));
        let update = update.update_expression(match end.is_whole {
            true => {
                "SET #since = :import, #import = :import, #columns = :columns, #items = :items, \
                 #puts = :zero, #at = :at, #source = :source"
            }
            false => {
                "SET #since = if_not_exists(#since, :zero), #import = :import, \
                 #items = if_not_exists(#items, :zero), #at = :at, #source = :source \
                 ADD #columns :columns, #puts :items"
            }
        });
        match update.send().await {
            Ok(_) => Ok(PutResult::Done),
            Err(error) if error.code() == NOT_MET => Ok(PutResult::Newer),
            Err(error) => Err(failed(attempted, &error)),
        }
    }

    /// Looks at the next megabyte of the table, whose items lie in no order.
    async fn sweep(
        &self,
        catalog: &str,
        since: u64,
        from: SweepPlace,
    ) -> Result<SweptPage, TableError> {
        let scan = self
            .client
            .scan()
            .table_name(&self.table)
            .filter_expression(
                "begins_with(#key, :prefix) AND #import < :since AND attribute_exists(#item)",
            )
            .projection_expression("#key")
            .expression_attribute_names("#key", KEY)
            .expression_attribute_names("#import", IMPORT)
            .expression_attribute_names("#item", ITEM)
            .expression_attribute_values(":prefix", AttributeValue::S(head_key(catalog)))
            .expression_attribute_values(":since", whole(since))
            .set_exclusive_start_key(from.0.map(|key| HashMap::from([key_of(&key)])));
        let page = scan.send().await.map_err(|error| failed("table was not swept", &error))?;
        let gone = page.items().iter().filter_map(|item| text(item, KEY));
        let removals: Vec<_> = gone.map(|key| self.remove(key, since)).collect();
        let removed: Vec<bool> =
            stream::iter(removals).buffer_unordered(CONCURRENT_REMOVALS).try_collect().await?;
        Ok(SweptPage {
            removed: removed.into_iter().filter(|removed| *removed).count() as u64,
            next: page
                .last_evaluated_key()
                .and_then(|key| text(key, KEY))
                .map(|key| SweepPlace(Some(key))),
        })
    }
}

impl DynamoDb {
    /// Removes an item, unless it was written again.
    async fn remove(&self, key: String, since: u64) -> Result<bool, TableError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(HashMap::from([key_of(&key)])))
            .condition_expression("#import < :since")
            .expression_attribute_names("#import", IMPORT)
            .expression_attribute_values(":since", whole(since));
        match delete.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == NOT_MET => Ok(false),
            Err(error) => Err(failed("item was not removed", &error)),
        }
    }
}

fn head(item: &Attributes) -> Head {
    let columns = item.get(COLUMNS).and_then(|columns| columns.as_ss().ok());
    let columns: BTreeSet<String> = columns.into_iter().flatten().cloned().collect();
    let number = |name| number(item, name).unwrap_or_default();
    Head {
        since: number(SINCE),
        import: number(IMPORT),
        columns,
        items: number(ITEMS),
        puts: number(PUTS),
        imported_at_ms: number(IMPORTED_AT),
        source: text(item, SOURCE).unwrap_or_default(),
    }
}

fn whole(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
