//! What a person types to delete users, and what they forget.

use crate::commands::{ops, stderr};

#[test]
fn what_is_missing_is_said_before_anybody_is_reached() {
    let long = "x".repeat(129);
    for (more, expected) in [
        (&["--table", "t"][..], "<USER|--list <FILE>|--since <TIME>>"),
        (&["u", "--table", "t", "--yes"], "--stream is missing"),
        (&["u", "--table", "", "--stream", "s", "--yes"], "--table is missing"),
        (&["u"], "--table <NAME>"),
        (&[long.as_str(), "--table", "t", "--dry-run"], "no user has such an id"),
        (&["u", "--table", "t", "--list", "f"], "cannot be used with"),
        (&["--table", "t", "--list", "f", "--dry-run"], "cannot be used with"),
        (&["--table", "t", "--since", "1h"], "--from <FILE>"),
        (&["u", "--table", "t", "--from", "f"], "cannot be used with"),
        (&["--table", "t", "--list", "f", "--evidence", "e"], "cannot be used with"),
        (&["u", "--table", "t", "--yes", "--dry-run"], "cannot be used with"),
    ] {
        let output = ops(&[&["erase"], more].concat());

        let told = stderr(&output);
        assert!(told.contains(expected), "{more:?}: {told}");
        assert!(!output.status.success());
        assert!(!told.contains(&long), "{told}");
    }
}
