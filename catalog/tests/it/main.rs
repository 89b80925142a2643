//! Catalogs from files to items.
//!
//! - [`files`] — what files may hold, and how it is told what is wrong with them.
//! - [`imports`] — what readers see during, between and after imports, whatever their order.
//! - [`embedded`] — the table on DynamoDB: `dynoxide`, embedded, with the real SDK before it.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod embedded;
mod files;
mod imports;
