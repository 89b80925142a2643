//! What needs other programs than cargo's; `make test-quick` leaves it out.
//!
//! - [`browser`] — Chromium uses the page.
//! - [`described`] — schemathesis calls the api as its OpenAPI document says.
//! - [`first_hour`] — make, sh and curl do what README and the documents say to somebody new.
//! - [`liquid`] — liquidjs renders the messages that we render.
//! - [`printed`] — curl does what the program prints.

mod browser;
mod described;
mod first_hour;
mod liquid;
mod printed;
