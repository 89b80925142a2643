//! Where the instances' lanes are kept.

use std::fmt::Debug;

use async_trait::async_trait;
use program::aws::CallError;

use crate::estimate::Lesson;
use crate::lane::{Ask, Lane};
use crate::pace::Pace;
use crate::tally::{Entering, Tally};

/// Names a lane.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LaneName {
    /// Model or inference profile.
    pub model_id: String,
    /// Number of the lane.
    pub number: u32,
}

/// A lane as the table has it.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneItem {
    /// The lane.
    pub lane: Lane,
    /// What all instances have learnt, by kind and period, in any order.
    pub learnt: Vec<Lesson>,
    /// Its calls one by one, if the quota is small.
    pub tally: Tally,
    /// Names of what is kept of days and periods that are past.
    pub past: Vec<String>,
}

/// What came of asking for a slice, or of entering calls.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// It was taken, or calls were entered; the lane as it is then.
    Slice(LaneItem),
    /// It would begin too late, or nothing was to be entered; the lane as it stands.
    Busy(LaneItem),
    /// The day's quota is used up.
    DayUsedUp,
}

/// Keeps lanes for all instances. Every call is one conditional update; a repeat of one
/// whose reply was lost leaves time unused, and never uses it twice.
#[async_trait]
pub trait QuotaTable: Debug + Send + Sync {
    /// Takes the next slice of a lane, as [`Lane::take`] says, and adds what was learnt to
    /// what all have learnt if there is one. `seen` is the lane as the caller saw it last, if it did.
    async fn take(
        &self,
        name: &LaneName,
        ask: &Ask,
        learnt: &[Lesson],
        seen: Option<&LaneItem>,
    ) -> Result<Reply, TableError>;

    /// Enters calls in the tally of a lane and ends others, as [`Tally::enter`] says. `seen` is
    /// the lane as the caller saw it last, if it did so on the same day.
    async fn enter(
        &self,
        name: &LaneName,
        entering: &Entering,
        seen: Option<&LaneItem>,
    ) -> Result<Reply, TableError>;

    /// Gives the end of a slice back, from `from_us` on, as [`Lane::give_back`] says.
    async fn give_back(
        &self,
        name: &LaneName,
        slice: &Lane,
        from_us: u64,
    ) -> Result<(), TableError>;

    /// Sets a lane's pace, unless somebody did whose pace is still taking effect at
    /// `now_us`.
    async fn slow_down(&self, name: &LaneName, now_us: u64, pace: Pace) -> Result<(), TableError>;
}

/// The table did not do it.
#[derive(Debug, thiserror::Error)]
#[error("{attempted}")]
pub struct TableError {
    /// What was not done.
    pub attempted: &'static str,
    /// Why.
    #[source]
    pub cause: Cause,
}

/// Why the table did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The item is none that this program writes.
    #[error("the item has a foreign shape")]
    ForeignShape,
    /// Others were there before every attempt.
    #[error("it changed {0} times")]
    KeptChanging(usize),
}
