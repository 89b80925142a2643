//! Containers of every kind, read to the user records that come of them.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod catalogue;
mod hostile;
mod reading;
mod random_schemas;
mod reference;
mod second_implementation;
