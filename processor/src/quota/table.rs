//! Where the instances' lanes are kept.

use std::fmt::Debug;

use async_trait::async_trait;

use super::lane::{Ask, Lane, Refused};
use super::pace::Pace;
use crate::store::TableError;

/// Names a lane.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LaneName {
    /// Model or inference profile.
    pub model_id: String,
    /// Number of the lane.
    pub number: u32,
}

/// Keeps lanes for all instances. Every call is one conditional update; a repeat of one
/// whose reply was lost leaves time unused, and never uses it twice.
#[async_trait]
pub trait QuotaTable: Debug + Send + Sync {
    /// Takes the next slice of a lane, as [`Lane::take`] says. `seen` is the lane as the
    /// caller saw it last, if it did.
    async fn take(
        &self,
        name: &LaneName,
        ask: &Ask,
        seen: Option<&Lane>,
    ) -> Result<Result<Lane, Refused>, TableError>;

    /// Gives the end of a slice back, if nothing has been promised after it.
    async fn give_back(&self, name: &LaneName, from_us: u64, to_us: u64) -> Result<(), TableError>;

    /// Sets a lane's pace, unless somebody did whose pace is still taking effect at
    /// `now_us`.
    async fn slow_down(&self, name: &LaneName, now_us: u64, pace: Pace) -> Result<(), TableError>;
}
