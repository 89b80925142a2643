//! Containers, read to the user records that come of them.
//!
//! - [`groups`] — what is handed out together, and from where reading can begin again.
//! - [`posts`] — what is answered to a post, and what is on the stream by then.
//! - [`others`] — what another library takes off the stream.
//! - [`start`] — what a start that fails says.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod groups;
mod others;
mod posts;
mod reading;
mod start;
