//! What somebody meant who wrote something else.

/// How alike two names are at least, from 0 to 1.
const LIKENESS: f64 = 0.8;

/// How much of a name may be other letters: of five letters one, of ten three.
const MAX_CHANGED: f64 = 0.4;

/// How much of a name is changed at most by a slip of the hand.
const MAX_SLIPPED: f64 = 0.34;

/// Most letters that a slip of the hand changes.
const MAX_SLIPS: usize = 2;

/// Shortest name that is taken for a part of another.
const MIN_PART_CHARS: usize = 3;

/// What other languages call a filter, and what it is called here.
const FILTERS_ELSEWHERE: [(&str, &str); 40] = [
    ("add", "plus"),
    ("ceiling", "ceil"),
    ("count", "size"),
    ("currency", "money"),
    ("date_format", "date"),
    ("date_to_string", "date"),
    ("distinct", "uniq"),
    ("div", "divided_by"),
    ("divide", "divided_by"),
    ("dump", "as_json_string"),
    ("encode", "url_encode"),
    ("escape_html", "escape"),
    ("format_date", "date"),
    ("format_number", "number_with_delimiter"),
    ("from_json", "json_parse"),
    ("html_escape", "escape"),
    ("json_decode", "json_parse"),
    ("json_encode", "as_json_string"),
    ("length", "size"),
    ("limit", "slice"),
    ("lower", "downcase"),
    ("lowercase", "downcase"),
    ("mod", "modulo"),
    ("multiply", "times"),
    ("nl2br", "newline_to_br"),
    ("number_format", "number_with_delimiter"),
    ("parse_json", "json_parse"),
    ("shorten", "truncate"),
    ("strftime", "date"),
    ("substr", "slice"),
    ("substring", "slice"),
    ("subtract", "minus"),
    ("take", "slice"),
    ("titlecase", "capitalize"),
    ("titleize", "capitalize"),
    ("to_json", "as_json_string"),
    ("trim", "strip"),
    ("unique", "uniq"),
    ("upper", "upcase"),
    ("uppercase", "upcase"),
];

/// `: did you mean x?` where a known name is like the one that was written.
pub fn did_you_mean<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let lower = written.to_lowercase();
    let rated = known.into_iter().filter_map(|name| Some((likeness(&lower, name)?, name)));
    let best = rated.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map_or(String::new(), |(_, name)| format!(": did you mean {name}?"))
}

/// The known name of which the written one is a slip of the hand: a letter too many or too
/// few, two that are exchanged, or capitals.
pub fn misspelt<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let lower = written.to_lowercase();
    let slips = |name: &str| strsim::osa_distance(&lower, &name.to_lowercase());
    let rated = known.into_iter().map(|name| (slips(name), name));
    let (slips, name) = rated.min_by_key(|(slips, _)| *slips)?;
    let share = slips as f64 / longest(&lower, name);
    (name != written && slips <= MAX_SLIPS && share < MAX_SLIPPED).then_some(name)
}

/// What a filter is called here, for who knows it by another name.
pub(crate) fn filter_meant<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let lower = written.to_lowercase();
    match FILTERS_ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == lower) {
        Some((_, here)) => format!(": did you mean {here}?"),
        None => did_you_mean(written, known),
    }
}

/// How alike two names are, if one can be meant by the other: by their letters, or, which
/// counts more, because one is a part of the other.
fn likeness(lower: &str, name: &str) -> Option<f64> {
    let known = name.to_lowercase();
    let likeness = strsim::jaro_winkler(lower, &known);
    let changed = strsim::osa_distance(lower, &known) as f64 / longest(lower, name);
    let is_cut = lower.chars().count() >= MIN_PART_CHARS && known.starts_with(lower);
    let likeness = if is_exchanged(lower, &known) { likeness.max(LIKENESS) } else { likeness };
    let is_like = likeness >= LIKENESS && (changed < MAX_CHANGED || is_cut);
    let is_part = is_part(lower, &known) || is_part(&known, lower);
    (is_like || is_part).then_some(likeness + f64::from(u8::from(is_part)))
}

/// Tells whether two names differ by two letters that are exchanged, which makes short ones look
/// unlike.
fn is_exchanged(one: &str, other: &str) -> bool {
    let letters = |name: &str| {
        let mut letters: Vec<char> = name.chars().collect();
        letters.sort_unstable();
        letters
    };
    strsim::osa_distance(one, other) == 1 && letters(one) == letters(other)
}

fn longest(one: &str, other: &str) -> f64 {
    one.chars().count().max(other.chars().count()).max(1) as f64
}

/// Tells whether a name is the beginning or the end of another, by whole words.
fn is_part(part: &str, whole: &str) -> bool {
    let is_boundary = |c: char| !c.is_alphanumeric();
    part.chars().count() >= MIN_PART_CHARS
        && (whole.strip_prefix(part).is_some_and(|rest| rest.starts_with(is_boundary))
            || whole.strip_suffix(part).is_some_and(|rest| rest.ends_with(is_boundary)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filters;

    #[test]
    fn a_filter_that_is_not_there_is_taken_for_what_was_meant_or_for_nothing() {
        for (written, meant) in [
            ("upcas", "upcase"),
            ("capitalise", "capitalize"),
            ("deafult", "default"),
            ("esc", "escape"),
            ("timezone", "time_zone"),
            ("replace_all", "replace"),
            ("currency", "money"),
            ("trim", "strip"),
            ("strftime", "date"),
            ("toUpperCase", ""),
            ("contains", ""),
            ("month", ""),
            ("rand", ""),
            ("skip", ""),
            ("humanize", ""),
        ] {
            let said = filter_meant(written, filters::names());
            let expected =
                if meant.is_empty() { String::new() } else { format!(": did you mean {meant}?") };
            assert_eq!(said, expected, "{written}");
        }
        for (_, here) in FILTERS_ELSEWHERE {
            assert!(filters::find(here).is_some(), "{here}");
        }
    }

    #[test]
    fn a_part_of_a_name_stands_for_it_and_a_like_beginning_does_not() {
        let types = ["users.behaviors.CustomEvent", "users.behaviors.Purchase"];
        for (written, meant) in [
            ("CustomEvent", "users.behaviors.CustomEvent"),
            ("dataexport.S3.inner.users.behaviors.Purchase", "users.behaviors.Purchase"),
            ("users.behaviors.custom_event", "users.behaviors.CustomEvent"),
        ] {
            assert_eq!(did_you_mean(written, types), format!(": did you mean {meant}?"));
        }
        assert_eq!(did_you_mean("properties", ["products", "cart"]), "");
        assert_eq!(did_you_mean("model", ["model_id"]), ": did you mean model_id?");
        assert_eq!(did_you_mean("ulr", ["id", "url", "number"]), ": did you mean url?");
        assert_eq!(did_you_mean("uri", ["id", "number"]), "");
    }

    #[test]
    fn a_slip_of_the_hand_is_told_from_another_word() {
        let known = ["total", "products", "season"];
        for (written, meant) in [
            ("totl", Some("total")),
            ("Total", Some("total")),
            ("product", Some("products")),
            ("sesaon", Some("season")),
            ("total", None),
            ("total_items", None),
            ("price", None),
        ] {
            assert_eq!(misspelt(written, known), meant, "{written}");
        }
    }
}
