//! What clients of AWS ask for, as AWS bills it: DynamoDB says the units of each request, and of
//! the others each counts as one.

use std::sync::Arc;

use aws_sdk_dynamodb::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeSerializationInterceptorContextMut,
    BeforeTransmitInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::batch_get_item::{BatchGetItemInput, BatchGetItemOutput};
use aws_sdk_dynamodb::operation::batch_write_item::{BatchWriteItemInput, BatchWriteItemOutput};
use aws_sdk_dynamodb::operation::delete_item::{DeleteItemInput, DeleteItemOutput};
use aws_sdk_dynamodb::operation::get_item::{GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::query::{QueryInput, QueryOutput};
use aws_sdk_dynamodb::operation::transact_write_items::{
    TransactWriteItemsInput, TransactWriteItemsOutput,
};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemInput, UpdateItemOutput};
use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};
use aws_smithy_runtime_api::client::interceptors::context::{Input, Output};
use aws_smithy_runtime_api::client::orchestrator::Metadata;

use super::Billing;

/// Write units of a write whose condition is not met, where DynamoDB says nothing: that of the
/// smallest item.
const REFUSED_WRITE: f64 = 1.0;

/// The operations of which that may be so.
const WRITES: [&str; 4] = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"];

/// Counts for a client.
#[derive(Debug)]
pub(crate) struct Interceptor(pub(super) Arc<Billing>);

/// The units of one answer.
enum Spent {
    Read(f64),
    Written(f64),
}

macro_rules! operations {
    ($input:ident, $output:ident; $($asks:ty => $answers:ty, $spent:path;)+) => {
        /// Asks DynamoDB to say the units.
        fn ask($input: &mut Input) {
            $(if let Some(input) = $input.downcast_mut::<$asks>() {
                input.return_consumed_capacity = Some(ReturnConsumedCapacity::Total);
            })+
        }

        /// What DynamoDB says.
        fn spent($output: &Output) -> Option<Spent> {
            $(if let Some(output) = $output.downcast_ref::<$answers>() {
                return Some($spent(output.consumed_capacity.units()));
            })+
            None
        }
    };
}

operations! { input, output;
    GetItemInput => GetItemOutput, Spent::Read;
    BatchGetItemInput => BatchGetItemOutput, Spent::Read;
    QueryInput => QueryOutput, Spent::Read;
    PutItemInput => PutItemOutput, Spent::Written;
    UpdateItemInput => UpdateItemOutput, Spent::Written;
    DeleteItemInput => DeleteItemOutput, Spent::Written;
    BatchWriteItemInput => BatchWriteItemOutput, Spent::Written;
    TransactWriteItemsInput => TransactWriteItemsOutput, Spent::Written;
}

/// What an answer says of its units.
trait Said {
    fn units(&self) -> f64;
}

impl Said for Option<ConsumedCapacity> {
    fn units(&self) -> f64 {
        self.as_ref().and_then(ConsumedCapacity::capacity_units).unwrap_or_default()
    }
}

impl Said for Option<Vec<ConsumedCapacity>> {
    fn units(&self) -> f64 {
        self.iter().flatten().filter_map(ConsumedCapacity::capacity_units).sum()
    }
}

impl Intercept for Interceptor {
    fn name(&self) -> &'static str {
        "Billing"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        ask(context.input_mut());
        Ok(())
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(metadata) = config.load::<Metadata>() else { return Ok(()) };
        match (metadata.service(), metadata.name()) {
            ("SQS", _) => self.0.add(|units| units.queue_requests += 1.0),
            ("S3", "GetObject") => self.0.add(|units| units.objects_fetched += 1.0),
            _ => {}
        }
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match context.output_or_error() {
            Ok(output) => match spent(output) {
                Some(Spent::Read(spent)) => self.0.add(|units| units.read_units += spent),
                Some(Spent::Written(spent)) => self.0.add(|units| units.write_units += spent),
                None => {}
            },
            Err(error) if error.is_operation_error() => {
                let name = config.load::<Metadata>().map(Metadata::name);
                if name.is_some_and(|name| WRITES.contains(&name)) {
                    self.0.add(|units| units.write_units += REFUSED_WRITE);
                }
            }
            Err(_) => {}
        }
        Ok(())
    }
}
