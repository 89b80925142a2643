//! What becomes of templates that nobody would write, and what others make of the snippets.
//!
//! - [`hostile`] — templates and values that upset programs.
//! - [`others`] — brazejs and liquidjs, by Node.js.

mod hostile;
mod others;
