//! Load on the whole system, which runs in this process on its embedded AWS.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod buckets;
mod lookups;
mod replay;
mod report;
mod rig;
mod soak;
mod stub;
