//! The api over an embedded DynamoDB and a stand-in for Secrets Manager, with the real SDK.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod credentials;
mod function;
mod input;
mod log;
mod lookups;
mod openapi;
mod rig;
mod server;
mod trouble;
