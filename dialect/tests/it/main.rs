//! Whole templates, as their authors write them.
//!
//! - [`conformance`] — snippets with what Braze makes of them.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod conformance;
