//! What other implementations make of the snippets.
//!
//! - [`others`] — brazejs and liquidjs, by Node.js.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod others;
