//! How long an invocation may work, and how long it may hand on what is left.
//!
//! Every call is bounded by one of the two times, so that no invocation ends because Lambda
//! ends it: what it had done would be done again, and nobody would know why.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Time kept back before the invocation's deadline to report what is not done, and to
/// leave the rest of an object to another invocation.
pub const DEADLINE_MARGIN: Duration = Duration::from_secs(5);

/// Time kept back of that for the answer to Lambda.
const ANSWER_MARGIN: Duration = Duration::from_secs(1);

/// The times of one invocation.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// Until when objects are read and put.
    pub work: Instant,
    /// Until when messages may be sent about what is left.
    pub end: Instant,
}

impl Deadline {
    /// Divides the time until `deadline`, at which Lambda ends the invocation.
    pub fn before(deadline: SystemTime) -> Self {
        let remaining = deadline.duration_since(SystemTime::now()).unwrap_or_default();
        let now = Instant::now();
        Self {
            work: now + remaining.saturating_sub(DEADLINE_MARGIN),
            end: now + remaining.saturating_sub(ANSWER_MARGIN),
        }
    }
}
