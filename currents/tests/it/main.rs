//! Containers of every kind, read to the events in them.
//!
//! - [`hostile`] — broken on purpose, each with its exact outcome.
//! - [`as_java_reads`] — broken by their writers, and read by those all the same.
//! - [`catalogue`], [`random_schemas`] — against the reference, the Avro library.
//! - [`own_lines`] — made of lines that people wrote.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod as_java_reads;
mod bytes_of;
mod catalogue;
mod hostile;
mod own_lines;
mod random_schemas;
mod reading;
mod reference;
