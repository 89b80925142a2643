//! Who is looked up.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::Context as _;
use contract::user_record::{LOOK_UP_CHARACTERS, MAX_USER_ID_BYTES, can_be_looked_up};

use crate::random::mixed;

/// Most users that are kept; among as many, hardly one comes twice in a minute.
pub const MAX_USERS: usize = 1_000_000;

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
            if user_id.is_empty() {
                continue;
            }
            anyhow::ensure!(
                can_be_looked_up(user_id),
                "{}: line {} is no user id, and nothing else may stand there: 1 to \
                 {MAX_USER_ID_BYTES} letters and digits of ASCII or {LOOK_UP_CHARACTERS}",
                path.display(),
                number + 1
            );
            if users.len() < MAX_USERS {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<Users> {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        fs::write(file.path(), text).expect("is written");
        Users::read(file.path())
    }

    #[test]
    fn a_file_holds_one_id_a_line_and_a_line_that_is_none_is_named() {
        assert_eq!(read("a\r\n\n  b@example.com \n").expect("is read").0, ["a", "b@example.com"]);

        let csv = read("a\n5f1a2b,Ada\n").expect_err("is no list of ids").to_string();
        assert!(csv.contains("line 2 is no user id") && !csv.contains("Ada"), "{csv}");
        assert!(read("\n \n").is_err());
    }
}
