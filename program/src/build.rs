//! Which build a program is: the commit that it was built from.
//!
//! Deployments say it (`make lambdas`); a build without it is a developer's, which would be made
//! anew with every commit otherwise.

use std::sync::LazyLock;

/// What a build is called that nobody named.
const UNNAMED: &str = "development";

/// The commit, or `development`.
pub const BUILD: &str = match option_env!("BUILD_COMMIT") {
    Some(commit) if !commit.is_empty() => commit,
    _ => UNNAMED,
};

/// Version and build, for a person.
pub static VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{} ({BUILD})", env!("CARGO_PKG_VERSION")));
