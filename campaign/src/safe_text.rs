//! Makes texts safe for the place where a message shows them.
//!
//! A text of `answer.schema.json` with `"contentMediaType": "text/plain"` (a keyword of JSON
//! Schema itself) goes into a subject line or a push message and is kept as it reads; every
//! other text goes into HTML and is escaped for it. Answers of a model and fallback content
//! go the same way, so that both look alike.
//!
//! Guarantees: no text holds a delimiter of Liquid, a control character or one that turns
//! the direction of what follows it; an entity that the writer wrote is not escaped twice.
//!
//! <https://json-schema.org/draft/2020-12/json-schema-validation#section-8.4>

use serde_json::{Map, Value};
use unicode_general_category::{GeneralCategory, get_general_category};

use crate::schema::places;

/// Version of the rules in this file and of how answers are checked. It is part of a prompt's
/// hash, so that nothing that was made safe by other rules is served from the cache.
pub const VERSION: u32 = 4;

/// The media type of texts that are not HTML.
pub const PLAIN: &str = "text/plain";

/// Letters, marks and symbols that take room and show nothing.
const BLANKS: [char; 8] = [
    '\u{115f}',  // HANGUL CHOSEONG FILLER
    '\u{1160}',  // HANGUL JUNGSEONG FILLER
    '\u{2800}',  // BRAILLE PATTERN BLANK
    '\u{3164}',  // HANGUL FILLER
    '\u{ffa0}',  // HALFWIDTH HANGUL FILLER
    '\u{fffc}',  // OBJECT REPLACEMENT CHARACTER
    '\u{fffd}',  // REPLACEMENT CHARACTER
    '\u{1d159}', // MUSICAL SYMBOL NULL NOTEHEAD
];

/// Where a text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In HTML.
    Html,
    /// In a subject line, a push or text message.
    Plain,
}

/// Makes every text of a content safe for its place, as the schema says it.
pub fn safe(content: Map<String, Value>, schema: &Value) -> Map<String, Value> {
    match each(Value::Object(content), schema, &|text, place| safe_text(text, place)) {
        Value::Object(content) => content,
        // An object stays one.
        _ => Map::new(),
    }
}

/// Puts characters in the place of the entities in all texts: `Tom &amp; Jerry` is what a
/// writer of HTML writes for `Tom & Jerry`. What is decoded is made safe like anything else.
pub fn decoded(content: Value) -> Value {
    each(content, &Value::Null, &|text, _| htmlize::unescape_attribute(text).into_owned())
}

/// Tells whether a text shows nothing, though it may have characters.
pub fn shows_nothing(text: &str) -> bool {
    text.chars().all(|c| {
        use GeneralCategory as Category;
        BLANKS.contains(&c)
            || matches!(
                get_general_category(c),
                Category::Control
                    | Category::Format
                    | Category::PrivateUse
                    | Category::Surrogate
                    | Category::Unassigned
                    | Category::SpaceSeparator
                    | Category::LineSeparator
                    | Category::ParagraphSeparator
                    // A mark shows on a letter, and here is none.
                    | Category::NonspacingMark
                    | Category::SpacingMark
                    | Category::EnclosingMark
            )
    })
}

/// Rewrites all texts of a value, each with its place.
fn each(value: Value, schema: &Value, rewrite: &impl Fn(&str, Place) -> String) -> Value {
    rewritten(value, &places::Of::root(schema), rewrite)
}

fn rewritten(
    value: Value,
    schema: &places::Of<'_>,
    rewrite: &impl Fn(&str, Place) -> String,
) -> Value {
    match value {
        Value::String(text) => {
            let is_plain = schema.says("contentMediaType", PLAIN);
            let place = if is_plain { Place::Plain } else { Place::Html };
            Value::String(rewrite(&text, place))
        }
        Value::Array(values) => {
            let items = values.into_iter().enumerate();
            items.map(|(n, value)| rewritten(value, &schema.item(n), rewrite)).collect()
        }
        Value::Object(map) => {
            let entries = map.into_iter().map(|(name, value)| {
                let value = rewritten(value, &schema.property(&name), rewrite);
                (name, value)
            });
            Value::Object(entries.collect())
        }
        other => other,
    }
}

fn safe_text(text: &str, place: Place) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match (c, place) {
            ('\n' | '\t' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}', _) => safe.push(' '),
            (c, _) if c.is_control() || turns_direction(c) => {}
            ('&', Place::Html) => safe.push_str("&amp;"),
            ('<', Place::Html) => safe.push_str("&lt;"),
            ('>', Place::Html) => safe.push_str("&gt;"),
            ('"', Place::Html) => safe.push_str("&quot;"),
            ('\'', Place::Html) => safe.push_str("&#39;"),
            // Braze's template language opens and closes with braces.
            ('{', Place::Html) => safe.push_str("&#123;"),
            ('}', Place::Html) => safe.push_str("&#125;"),
            (c, Place::Plain) => {
                // Without entities, a blank keeps the two characters of a delimiter apart.
                let is_delimiter = matches!(
                    (safe.chars().last(), c),
                    (Some('{'), '{' | '%') | (Some('}' | '%'), '}')
                );
                if is_delimiter {
                    safe.push(' ');
                }
                safe.push(c);
            }
            (c, Place::Html) => safe.push(c),
        }
    }
    safe
}

/// Tells whether a character changes the direction of what follows, which a text could use
/// to show something else than it says, in the message around it too. The marks that only
/// say a direction of their own (U+200E, U+200F, U+061C) stay: right-to-left texts need them.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SUBJECT: &str = r##"{ "type": "object", "properties": {
        "subject": { "type": "string", "contentMediaType": "text/plain" },
        "body": { "type": "string" },
        "titles": { "type": "array", "items": { "$ref": "#/$defs/title" } },
        "choice": { "anyOf": [{ "type": "null" }, { "type": "string", "contentMediaType": "text/plain" }] }
    }, "$defs": { "title": { "type": "string", "contentMediaType": "text/plain" } } }"##;

    fn made_safe(content: Value) -> Value {
        let schema: Value = serde_json::from_str(SUBJECT).expect("is JSON");
        let Value::Object(content) = decoded(content) else { panic!("is an object") };
        Value::Object(safe(content, &schema))
    }

    #[test]
    fn a_plain_text_reads_as_it_was_written_and_another_is_html() {
        let text = "Grey's <b>Anatomy</b> & \"more\"";

        let content = made_safe(json!({ "subject": text, "body": text }));

        assert_eq!(content["subject"], text);
        assert_eq!(content["body"], "Grey&#39;s &lt;b&gt;Anatomy&lt;/b&gt; &amp; &quot;more&quot;");
    }

    #[test]
    fn a_plain_text_is_found_wherever_the_schema_says_so() {
        let content = made_safe(json!({ "titles": ["a'b", "c&d"], "choice": "e\"f" }));

        assert_eq!(content, json!({ "titles": ["a'b", "c&d"], "choice": "e\"f" }));
    }

    #[test]
    fn an_entity_that_the_writer_wrote_is_not_escaped_twice() {
        let text = "Tom &amp; Jerry &#39;26 &eacute;t&#xE9; &lt;b&gt; &nothing; AT&T ?a=1&copy=2";

        let content = made_safe(json!({ "subject": text, "body": text }));

        let reads = "Tom & Jerry '26 été <b> &nothing; AT&T ?a=1&copy=2";
        assert_eq!(content["subject"], reads);
        assert_eq!(
            content["body"],
            "Tom &amp; Jerry &#39;26 été &lt;b&gt; &amp;nothing; AT&amp;T ?a=1&amp;copy=2"
        );
    }

    #[test]
    fn no_delimiter_of_a_template_survives_also_where_it_came_as_an_entity() {
        let text = "{{a}} {% b %} {{{c}}} {\u{202e}{ {\u{0}% &#123;&lcub; %&#125;";

        let content = made_safe(json!({ "subject": text, "body": text }));

        for place in ["subject", "body"] {
            let text = content[place].as_str().expect("is text");
            for delimiter in ["{{", "}}", "{%", "%}"] {
                assert!(!text.contains(delimiter), "{text}");
            }
        }
        assert_eq!(made_safe(json!({ "subject": "{a} 5% {b}" }))["subject"], "{a} 5% {b}");
    }

    #[test]
    fn lines_become_blanks_and_what_controls_or_turns_is_left_out() {
        let text = "a\nb\u{7}c\u{2028}d\u{202e}e\u{2067}f\u{200f}g";

        let content = made_safe(json!({ "subject": text, "body": text }));

        assert_eq!(content["subject"], "a bc def\u{200f}g");
        assert_eq!(content["body"], "a bc def\u{200f}g");
    }

    #[test]
    fn texts_that_show_nothing_are_told_whatever_they_are_made_of() {
        for blank in [
            "",
            " \n\t",
            "\u{a0}\u{feff}",
            "\u{200b}\u{2060}\u{ad}",
            "\u{2800}\u{2800}",
            "\u{3164}",
            "\u{115f}\u{ffa0}",
            "\u{180e}\u{34f}\u{fe0f}",
            "\u{e0020}\u{e007f}",
            "\u{202e}\u{2069}",
            "\u{301}",
            "\u{fffd}",
        ] {
            assert!(shows_nothing(blank), "{:?}", blank.escape_unicode().to_string());
        }
        for shown in ["a", "é", "e\u{301}", "0", ".", "日", "👩\u{200d}🚀", "ب", "\u{2801}"]
        {
            assert!(!shows_nothing(shown), "{shown}");
        }
    }
}
