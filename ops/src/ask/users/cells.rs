//! Rows and cells of comma-separated values (RFC 4180), also with semicolons or tabs, which
//! spreadsheets write where a comma is part of numbers.

/// One row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Number of the line where it begins, from 1.
    pub(super) line: usize,
    /// Its cells, without their quotes; at least one.
    pub(super) cells: Vec<String>,
    /// It opens a quote that nobody closes.
    pub(super) is_open: bool,
}

/// The rows of a text, separated by what separates its first line.
pub(super) fn rows(text: &str) -> impl Iterator<Item = Row> {
    let separator = separator(text);
    let mut chars = text.chars().peekable();
    let mut line = 1;
    std::iter::from_fn(move || {
        chars.peek()?;
        let mut row = Row { line, cells: Vec::new(), is_open: false };
        let (mut cell, mut is_quoted) = (String::new(), false);
        loop {
            let next = chars.next();
            line += usize::from(next == Some('\n'));
            match next {
                Some('"') if is_quoted => match chars.next_if_eq(&'"') {
                    Some(quote) => cell.push(quote),
                    None => is_quoted = false,
                },
                Some('"') if cell.trim().is_empty() => {
                    cell.clear();
                    is_quoted = true;
                }
                Some(c) if is_quoted => cell.push(c),
                Some(c) if c == separator => row.cells.push(std::mem::take(&mut cell)),
                Some('\r') => {}
                Some('\n') | None => break,
                Some(c) => cell.push(c),
            }
        }
        row.cells.push(cell);
        row.is_open = is_quoted;
        Some(row)
    })
}

/// What separates the cells of the first line with anything in it.
fn separator(text: &str) -> char {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let mut is_quoted = false;
    let outside = first.chars().filter(|c| {
        is_quoted ^= *c == '"';
        !is_quoted
    });
    let outside: String = outside.collect();
    let often = |separator: &char| outside.matches(*separator).count();
    // Of equals the last is taken: the comma, where there is none at all.
    ['\t', ';', ','].into_iter().max_by_key(often).unwrap_or(',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> Vec<Vec<String>> {
        rows(text).map(|row| row.cells).collect()
    }

    #[test]
    fn quotes_hold_separators_lines_and_quotes() {
        let read = cells("a,\"b,\"\"c\"\"\r\nd\",\r\ne, \"f\" ,g");

        assert_eq!(read, [vec!["a", "b,\"c\"\r\nd", ""], vec!["e", "f ", "g"]]);
    }

    #[test]
    fn a_row_has_the_number_of_the_line_where_it_begins() {
        let lines: Vec<usize> = rows("a\n\"b\nc\"\n\nd").map(|row| row.line).collect();

        assert_eq!(lines, [1, 2, 4, 5]);
    }

    #[test]
    fn what_separates_the_first_line_separates_all() {
        assert_eq!(cells("a;b\n1,5;2"), [["a", "b"], ["1,5", "2"]]);
        assert_eq!(cells("\"a;b\",c"), [["a;b", "c"]]);
        assert_eq!(cells("a"), [["a"]]);
    }
}
