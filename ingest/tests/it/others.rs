//! What needs other programs than cargo's; `make test-quick` leaves it out.
//!
//! - [`aggregation`] — another library takes apart what is packed.

mod aggregation;
