//! What is wrong with a file, said so that whoever wrote it can mend it.
//!
//! No fault quotes a value: what is told goes to logs and dead letters too.

use std::fmt;

/// Most faults that are told of one file: more are mended no sooner.
pub const MAX_FAULTS: usize = 20;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line of the file, from 1, in which the row begins.
    pub line: u64,
    /// Column that it is in: by its name, or its number from 1.
    pub column: Option<String>,
    /// What is wrong, and what to do.
    pub reason: String,
}

/// Everything that is wrong, as far as it is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    told: Vec<Fault>,
    has_more: bool,
}

impl Faults {
    /// Notes another, or that there are more.
    pub(crate) fn push(&mut self, line: u64, column: Option<&str>, reason: impl Into<String>) {
        if self.is_full() {
            self.has_more = true;
            return;
        }
        let column = column.map(str::to_owned);
        self.told.push(Fault { line, column, reason: reason.into() });
    }

    /// Tells whether no more are told.
    pub fn is_full(&self) -> bool {
        self.told.len() >= MAX_FAULTS
    }

    /// Tells whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// Those that are told.
    pub fn told(&self) -> &[Fault] {
        &self.told
    }

    /// One line for each, `FILE:LINE: what`.
    pub fn of_file(&self, file: &str) -> String {
        let mut lines: Vec<String> = self.told.iter().map(|fault| fault.of_file(file)).collect();
        lines.extend(self.has_more.then(|| format!("{file}: and more")));
        lines.join("\n")
    }
}

impl Fault {
    fn of_file(&self, file: &str) -> String {
        let column = self.column.as_ref().map(|name| format!("column {name}: "));
        format!("{file}:{}: {}{}", self.line, column.unwrap_or_default(), self.reason)
    }
}

impl fmt::Display for Faults {
    /// On one line: `line 3: what; line 5: what`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.told.iter().enumerate() {
            let separator = if n == 0 { "" } else { "; " };
            write!(f, "{separator}line {}", fault.line)?;
            if let Some(column) = &fault.column {
                write!(f, ", column {column}")?;
            }
            write!(f, ": {}", fault.reason)?;
        }
        if self.has_more { write!(f, "; and more") } else { Ok(()) }
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_with_their_places_and_not_without_end() {
        let mut faults = Faults::default();
        faults.push(3, Some("price"), "is too long");
        assert_eq!(faults.of_file("a.csv"), "a.csv:3: column price: is too long");
        assert_eq!(faults.to_string(), "line 3, column price: is too long");

        for line in 0..100 {
            faults.push(line, None, "is wrong");
        }
        assert_eq!(faults.told().len(), MAX_FAULTS);
        assert!(faults.of_file("a.csv").ends_with("\na.csv: and more"));
    }
}
