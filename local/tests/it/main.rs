//! The whole system, from Avro files to the text that Braze renders.

mod faults;
mod program;
mod repeat;
mod rig;
mod round_trip;
