//! Containers of every kind, read to the user records that come of them.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod as_java_reads;
mod bytes_of;
mod catalogue;
mod hostile;
mod random_schemas;
mod reading;
mod reference;
mod second_implementation;
mod start;
