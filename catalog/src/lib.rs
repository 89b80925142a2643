//! Catalogs: what is known of the things that campaigns speak of.
//!
//! ```text
//! NAME.csv, NAME.jsonl -> checked as a whole -> import -> table of catalogs -> cache -> items
//!       (file)               (check)           (import)     (table)          (cache)
//! ```
//!
//! A file is read twice: first it is checked, and if anything is wrong nothing is written; then
//! its items are put, each under the condition that no newer import wrote it, and at last the
//! catalog's head says which import on items count. So imports may overlap, come in any order
//! and be run again.
//!
//! Knows nothing of campaigns, of S3 and of Braze's API. Read [`table`] first, then [`cache`]
//! for whoever wants items and [`import`] for whoever brings them.

pub mod cache;
pub mod check;
pub mod fault;
pub mod file;
pub mod folder;
pub mod import;
pub mod table;

/// The columns of an item, by their names, `id` among them.
pub type Item = serde_json::Map<String, serde_json::Value>;
