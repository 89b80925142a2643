//! What is wrong with a file or a line.

use std::fmt;
use std::path::{Path, PathBuf};

/// Most faults that are shown; the others are counted.
pub const MAX_SHOWN: u64 = 20;

/// Something that is wrong, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub path: PathBuf,
    /// Number of the line, from 1; none if it is about the file as a whole.
    pub line: Option<u64>,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl Fault {
    /// Something is wrong with a file as a whole.
    pub fn of_file(path: &Path, what: String) -> Self {
        Self { path: path.to_owned(), line: None, what }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.what)
    }
}

/// What shows a person one line.
type Show<'s> = Box<dyn FnMut(&str) + Send + 's>;

/// Shows the first faults and counts the others.
pub struct Faults<'s> {
    all: u64,
    show: Show<'s>,
}

impl fmt::Debug for Faults<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Faults").field(&self.all).finish()
    }
}

impl<'s> Faults<'s> {
    /// None so far; `show` is called for each that is shown.
    pub fn new(show: impl FnMut(&str) + Send + 's) -> Self {
        Self { all: 0, show: Box::new(show) }
    }

    /// Shows or counts one.
    pub fn add(&mut self, fault: &Fault) {
        self.all += 1;
        if self.all <= MAX_SHOWN {
            (self.show)(&fault.to_string());
        }
    }

    /// Says how many were not shown, and returns how many there are.
    pub fn finish(mut self) -> u64 {
        let more = self.all.saturating_sub(MAX_SHOWN);
        if more > 0 {
            (self.show)(&format!("and {more} faults more"));
        }
        self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_faults_are_shown_and_the_others_counted() {
        let mut shown = Vec::new();
        let mut faults = Faults::new(|fault| shown.push(fault.to_owned()));
        for line in 1..=23 {
            let line = Some(line);
            faults.add(&Fault { path: "a/b.jsonl".into(), line, what: "is bad".to_owned() });
        }
        let all = faults.finish();

        assert_eq!((all, shown.len()), (23, 21));
        assert_eq!(shown[0], "a/b.jsonl:1: is bad");
        assert_eq!(shown[20], "and 3 faults more");
        let of_file = Fault::of_file(Path::new("c"), "is empty".to_owned());
        assert_eq!(of_file.to_string(), "c: is empty");
    }
}
