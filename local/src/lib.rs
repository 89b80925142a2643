//! The whole system in one process, on an embedded AWS.
//!
//! ```text
//! files -> S3 -> notification -> ingest -> Kinesis -> shard reader -> processor -> DynamoDB
//!        (aws)  (event_source)                       (event_source)      |           |
//!                                                              Bedrock stand-in     api -> HTTP
//!                                                                 (bedrock)       (front)
//! ```
//!
//! The three Lambdas are the very libraries that are deployed, with the real AWS
//! SDK clients; what is different here is who listens at the other end. Only two
//! things are our own, because nobody offers them: the stand-in for Bedrock and
//! the runner of event sources.
//!
//! Read [`pipeline`] first.

pub mod arguments;
pub mod aws;
pub mod bedrock;
pub mod event_source;
pub mod front;
pub mod input;
pub mod pipeline;
pub mod progress;
pub mod run;
pub mod summary;
pub mod totals;
