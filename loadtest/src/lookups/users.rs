//! Who is looked up.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::Context as _;

use crate::random::mixed;

/// Most users that are kept; among as many, hardly one comes twice in a minute.
pub const MAX_USERS: usize = 1_000_000;

/// Longest user id: more is refused by the api.
const MAX_USER_ID_BYTES: usize = 128;

/// Users who have content.
#[derive(Debug, Clone, Default)]
pub struct Users(Vec<String>);

impl Users {
    /// Takes the first [`MAX_USERS`] of `ids`.
    pub fn new(ids: impl IntoIterator<Item = String>) -> Self {
        Self(ids.into_iter().take(MAX_USERS).collect())
    }

    /// Reads a file with one user id a line; empty lines are passed over.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let failed = || format!("cannot read {}", path.display());
        let lines = BufReader::new(fs::File::open(path).with_context(failed)?).lines();
        let mut users = Vec::new();
        for (number, line) in lines.enumerate() {
            let line = line.with_context(failed)?;
            let user_id = line.trim();
            anyhow::ensure!(
                user_id.len() <= MAX_USER_ID_BYTES,
                "{}: line {} is no user id: longer than {MAX_USER_ID_BYTES} bytes",
                path.display(),
                number + 1
            );
            if !user_id.is_empty() && users.len() < MAX_USERS {
                users.push(user_id.to_owned());
            }
        }
        anyhow::ensure!(!users.is_empty(), "{} holds no user ids", path.display());
        Ok(Self(users))
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A user who has content, or one whom nobody knows where there is none.
    pub fn any(&self, seed: u64, n: u64) -> &str {
        let index = mixed(seed ^ n) as usize;
        self.0.get(index % self.0.len().max(1)).map_or("nobody", String::as_str)
    }
}

/// The id of a user whom nobody knows: no Braze id has other digits than hexadecimal ones.
pub(crate) fn stranger(n: u64) -> String {
    format!("loadtest{n:016x}")
}
