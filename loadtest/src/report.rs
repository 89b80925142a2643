//! Draws measurements as one HTML page that needs nothing else: no network, no script.
//!
//! ```text
//! measured (JSON) -> section (tables, what is drawn) -> chart (SVG) -> page (HTML)
//! ```
//!
//! Measurements of the same kind stand beside each other, with their differences.

mod chart;
mod escape;
mod lookups;
mod replay;
mod soak;
mod system;
mod table;

use std::fmt::Write as _;

use crate::measured::{Measurement, Run};

use escape::Escaped;

/// Most measurements on a page: more colours could not be told apart.
pub const MAX_RUNS: usize = 2;

/// How the page looks, in light and in dark.
const STYLE: &str = include_str!("report/style.css");

/// A run with the name that it has on the page, and the letter for where there is less room.
struct Named<'a, T> {
    name: String,
    letter: &'static str,
    result: &'a T,
}

/// The page of these measurements.
pub fn page(runs: &[Measurement]) -> String {
    let names: Vec<String> = runs.iter().enumerate().map(|(n, run)| name(n, run)).collect();
    let mut lookups = Vec::new();
    let mut replays = Vec::new();
    let mut soaks = Vec::new();
    for (n, (run, name)) in runs.iter().zip(&names).enumerate() {
        let (name, letter) = (name.clone(), letter(n));
        match &run.run {
            Run::Lookups(result) => lookups.push(Named { name, letter, result }),
            Run::Replay(result) => replays.push(Named { name, letter, result: &**result }),
            Run::Soak(result) => soaks.push(Named { name, letter, result: &**result }),
        }
    }
    let mut body = String::new();
    body.push_str(&circumstances(runs, &names));
    if !lookups.is_empty() {
        body.push_str(&lookups::section(&lookups));
    }
    if !replays.is_empty() {
        body.push_str(&replay::section(&replays));
    }
    if !soaks.is_empty() {
        body.push_str(&soak::section(&soaks));
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Load test: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>Load test</h1>\n{body}</body>\n</html>\n",
        Escaped(&names.join(" and "))
    )
}

fn letter(n: usize) -> &'static str {
    if n == 0 { "A" } else { "B" }
}

fn name(n: usize, run: &Measurement) -> String {
    let letter = letter(n);
    if run.label.is_empty() { letter.to_owned() } else { format!("{letter}: {}", run.label) }
}

/// When and how the runs were made.
fn circumstances(runs: &[Measurement], names: &[String]) -> String {
    let mut rows = String::new();
    for (run, name) in runs.iter().zip(names) {
        let verdict = if run.is_good() { "all is well" } else { "not well" };
        let began = run.started_at.split_once('.').map_or(&*run.started_at, |(began, _)| began);
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{:.1} s</td><td>{}</td><td>{verdict}</td></tr>",
            Escaped(name),
            Escaped(&began.replace('T', " ")),
            run.took_secs,
            Escaped(&run.version),
        );
    }
    format!(
        "<table><thead><tr><th scope=\"col\">run</th><th scope=\"col\">began (UTC)</th>\
         <th scope=\"col\">took</th><th scope=\"col\">version</th><th scope=\"col\">outcome</th>\
         </tr></thead><tbody>\n{rows}</tbody></table>\n"
    )
}
