//! The whole system, from Avro files to the text that Braze renders.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod asks;
mod authoring;
mod bill;
mod by_hand;
mod catalogs;
mod commands;
mod erase;
mod faults;
mod given_up;
mod ill_stream;
mod jobs;
mod logs;
mod objects;
mod others;
mod own_events;
mod page;
mod posts;
mod program;
mod redrive;
mod registry;
mod repeat;
mod replay;
mod rig;
mod round_trip;
mod scenarios;
mod switched_faults;
