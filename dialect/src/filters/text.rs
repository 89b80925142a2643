//! Filters of texts.

use liquid_core::Result;
use liquid_core::model::Value;
use liquid_core::parser::FilterArguments;
use liquid_lib::stdlib;

use super::{Call, Filter, as_text, filter};
use crate::ruby::{self, Kind};

pub(super) const FILTERS: &[Filter] = &[
    filter("append", (1, 1), |call| as_text(call.text() + &*call.text_of(0))),
    filter("prepend", (1, 1), |call| as_text(call.text_of(0).into_owned() + &call.text())),
    filter("capitalize", (0, 0), |call| as_text(capitalized(&call.text()))),
    filter("downcase", (0, 0), |call| as_text(call.text().to_lowercase())),
    filter("upcase", (0, 0), |call| as_text(call.text().to_uppercase())),
    filter("strip", (0, 0), |call| as_text(call.text().trim())),
    filter("strip_newlines", (0, 0), |call| as_text(call.text().replace(['\r', '\n'], ""))),
    filter("strip_html", (0, 0), strip_html),
    filter("newline_to_br", (0, 0), |call| {
        as_text(call.text().replace("\r\n", "\n").replace('\n', "<br />\n"))
    }),
    filter("replace", (1, 2), |call| replaced(call, usize::MAX, &call.text_of(1))),
    filter("replace_first", (1, 2), |call| replaced(call, 1, &call.text_of(1))),
    filter("replace_last", (2, 2), |call| replaced_last(call, &call.text_of(1))),
    filter("remove", (1, 1), |call| replaced(call, usize::MAX, "")),
    filter("remove_first", (1, 1), |call| replaced(call, 1, "")),
    filter("remove_last", (1, 1), |call| replaced_last(call, "")),
    filter("truncate", (0, 2), truncate),
    filter("truncatewords", (0, 2), truncatewords),
    filter("split", (1, 1), split),
    filter("escape", (0, 0), |call| as_text(escaped(&call.text()))),
    filter("h", (0, 0), |call| as_text(escaped(&call.text()))),
    filter("escape_once", (0, 0), |call| stdlib_filter(call, stdlib::EscapeOnce)),
    filter("default", (1, 1), default),
];

/// The ellipsis of texts that are cut.
const ELLIPSIS: &str = "...";

/// Characters that `truncate` keeps, if it is not told.
const TRUNCATED_CHARS: i64 = 50;

/// Words that `truncatewords` keeps, if it is not told.
const TRUNCATED_WORDS: i64 = 15;

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    first + &chars.as_str().to_lowercase()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A filter of the template language's own library, over the text that a value prints.
fn stdlib_filter(call: &Call<'_>, filter: impl liquid_core::ParseFilter) -> Result<Value> {
    let arguments = FilterArguments {
        positional: Box::new(std::iter::empty()),
        keyword: Box::new(std::iter::empty()),
    };
    let text = Value::scalar(call.text().into_owned());
    filter.parse(arguments)?.evaluate(&text, call.runtime)
}

fn strip_html(call: &Call<'_>) -> Result<Value> {
    stdlib_filter(call, stdlib::StripHtml)
}

fn replaced(call: &Call<'_>, times: usize, with: &str) -> Result<Value> {
    let (text, what) = (call.text(), call.text_of(0));
    let found = text.matches(&*what).take(times).count();
    call.fits(text.len() + found.saturating_mul(with.len()))?;
    as_text(text.replacen(&*what, with, times))
}

fn replaced_last(call: &Call<'_>, with: &str) -> Result<Value> {
    let (text, what) = (call.text(), call.text_of(0));
    match text.rfind(&*what) {
        Some(at) => as_text(format!("{}{with}{}", &text[..at], &text[at + what.len()..])),
        None => as_text(text),
    }
}

/// What stands in place of the rest.
fn ellipsis<'c>(call: &'c Call<'_>) -> std::borrow::Cow<'c, str> {
    if call.arguments.len() > 1 { call.text_of(1) } else { ELLIPSIS.into() }
}

fn truncate(call: &Call<'_>) -> Result<Value> {
    let text = call.text();
    let most = usize::try_from(call.whole(0, TRUNCATED_CHARS)).unwrap_or_default();
    if text.chars().count() <= most {
        return as_text(text);
    }
    let ellipsis = ellipsis(call);
    let kept = most.saturating_sub(ellipsis.chars().count());
    as_text(text.chars().take(kept).chain(ellipsis.chars()).collect::<String>())
}

fn truncatewords(call: &Call<'_>) -> Result<Value> {
    let text = call.text();
    let most = usize::try_from(call.whole(0, TRUNCATED_WORDS)).unwrap_or_default().max(1);
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.len() <= most {
        return as_text(text);
    }
    as_text(words[..most].join(" ") + &ellipsis(call))
}

fn split(call: &Call<'_>) -> Result<Value> {
    let (text, separator) = (call.text(), call.text_of(0));
    let mut parts: Vec<String> = match &*separator {
        " " => text.split_whitespace().map(str::to_owned).collect(),
        "" => text.chars().map(String::from).collect(),
        separator => text.split(separator).map(str::to_owned).collect(),
    };
    // Ruby keeps no empty parts at the end.
    while parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    crate::state::spend(call.runtime, parts.len())?;
    Ok(Value::array(parts.into_iter().map(Value::scalar)))
}

fn default(call: &Call<'_>) -> Result<Value> {
    let is_missing = match ruby::kind(call.input) {
        Kind::Nil | Kind::Word(_) => true,
        Kind::Bool(flag) => {
            !flag && !call.named("allow_false").is_some_and(|allow| ruby::is_true(allow))
        }
        Kind::Text(text) => text.is_empty(),
        Kind::List(list) => list.size() == 0,
        Kind::Map(map) => map.size() == 0,
        Kind::Integer(_) | Kind::Float(_) => false,
    };
    Ok(if is_missing { call.argument(0).to_value() } else { call.input.to_value() })
}
