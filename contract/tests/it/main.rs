//! What no program alone can hold.
//!
//! - [`rooms`] — which room knows of which.
//! - [`versions`] — what another version wrote is read.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod rooms;
mod versions;
