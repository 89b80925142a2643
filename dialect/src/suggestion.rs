//! What somebody meant who wrote something else.

/// How alike two names are at least, from 0 to 1.
const LIKENESS: f64 = 0.8;

/// `: did you mean x?` where a known name is like the one that was written.
pub fn did_you_mean<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let written = written.to_lowercase();
    let rated = known.into_iter().map(|name| (strsim::jaro_winkler(&written, name), name));
    let best = rated.filter(|(likeness, _)| *likeness >= LIKENESS);
    let best = best.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map_or(String::new(), |(_, name)| format!(": did you mean {name}?"))
}

/// What is likely wrong with something that the grammar refuses.
pub(crate) fn hint(arguments: &str) -> Option<&'static str> {
    let has = |mark: &str| arguments.contains(mark);
    if has("(") && !has("..") {
        return Some("there are no parentheses; put one condition into another, or assign first");
    }
    if ["+", "*", "/"].iter().any(|operator| has(&format!(" {operator} "))) {
        return Some("there are no operators; use the filters plus, times, divided_by");
    }
    if has("..") {
        return Some("a range is written (1..3)");
    }
    if has(": %") {
        return Some("a text stands in quotes");
    }
    if has(" ? ") {
        return Some("there is no ?:, use if and else");
    }
    let is_place = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    let has_place = arguments.split('.').skip(1).any(is_place) && !has("..");
    has_place.then_some("an item of a list is written list[0]")
}
