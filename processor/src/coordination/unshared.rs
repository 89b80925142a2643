//! What one program agrees on with itself: for those that ask once and share nothing.

use std::collections::HashMap;

use async_trait::async_trait;

use super::{BudgetOfDay, Coordination, Entry, Failures, Lease, LeaseReply, Spending};
use crate::store::TableError;

/// Shares with nobody, and remembers nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unshared;

#[async_trait]
impl Coordination for Unshared {
    async fn answers(&self, _: &[String], _: i64) -> Result<HashMap<String, Entry>, TableError> {
        Ok(HashMap::new())
    }

    async fn lease(&self, _: &str, _: &Lease) -> Result<LeaseReply, TableError> {
        Ok(LeaseReply::Ours(Failures::default()))
    }

    async fn extend(&self, _: &str, _: &Lease) -> Result<bool, TableError> {
        Ok(true)
    }

    async fn finish(&self, _: &str, _: &Entry, _: i64) -> Result<(), TableError> {
        Ok(())
    }

    async fn release(&self, _: &str, _: &str, _: &Failures, _: i64) -> Result<(), TableError> {
        Ok(())
    }

    async fn spend(&self, _: &BudgetOfDay, _: u64, _: &str) -> Result<Spending, TableError> {
        Ok(Spending::Granted)
    }

    async fn correct(&self, _: &BudgetOfDay, _: i64) -> Result<(), TableError> {
        Ok(())
    }

    async fn notices(&self, _: &[String]) -> Result<HashMap<String, u64>, TableError> {
        Ok(HashMap::new())
    }

    async fn give_notice(&self, _: &str, _: u64, _: u64) -> Result<bool, TableError> {
        Ok(true)
    }

    async fn begin(&self, _: &str, _: i64) -> Result<u32, TableError> {
        Ok(0)
    }

    async fn end(&self, _: &str) -> Result<(), TableError> {
        Ok(())
    }

    async fn is_marked(&self, _: &str) -> Result<bool, TableError> {
        Ok(false)
    }

    async fn mark(&self, _: &str, _: i64) -> Result<(), TableError> {
        Ok(())
    }
}
