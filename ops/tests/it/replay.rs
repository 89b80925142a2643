//! What a person types to let files be read once more, and what they forget.

use crate::commands::{ops, stderr};

#[test]
fn what_is_missing_is_said_before_anybody_is_reached() {
    let of_a_day = ["--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z"];
    for (more, expected) in [
        (&["s3://b/p"][..], "--from <TIME>"),
        (&[&["b/p"][..], &of_a_day].concat(), "say s3://BUCKET/PREFIX"),
        (&[&["s3://b/p", "--yes"][..], &of_a_day].concat(), "--queue is missing"),
        (
            &["s3://b/p", "--from", of_a_day[3], "--to", of_a_day[1], "--dry-run"],
            "--to is not after --from",
        ),
        (&["s3://b/p", "--from", "yesterday", "--to", of_a_day[3]], "--from <TIME>"),
    ] {
        let output = ops(&[&["replay"], more].concat());

        let told = stderr(&output);
        assert!(told.contains(expected), "{more:?}: {told}");
        assert!(!output.status.success());
    }
}
