//! Where the campaigns' versions and their head stand: what `ops` writes and the functions read.

/// Key of the head in the coordination table.
pub const HEAD_KEY: &str = "campaigns";

/// In that item: the head, as JSON.
pub const HEAD: &str = "head";

/// In that item: how often it was written.
pub const REVISION: &str = "revision";

/// What stands before a version in the key of its object.
pub const VERSIONS: &str = "versions/";

/// Key of a version's object.
pub fn version_key(version: &str) -> String {
    format!("{VERSIONS}{version}.json")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn places_are_those_of_the_golden_file_that_permissions_are_made_from() {
        let golden: Value =
            serde_json::from_str(include_str!("../golden/campaigns.json")).expect("is JSON");

        assert_eq!(golden, json!({ "head": HEAD_KEY, "versions": VERSIONS }));
        assert!(version_key("ab12").starts_with(VERSIONS));
    }
}
