//! What becomes of templates that nobody would write, and what others make of the snippets.
//!
//! - [`documents`] — what documents give to copy.
//! - [`hostile`] — templates and values that upset programs.
//! - [`others`] — brazejs and liquidjs, by Node.js.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod documents;
mod hostile;
mod others;
