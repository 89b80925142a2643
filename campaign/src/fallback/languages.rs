//! Fallback content in several languages: `fallback.de.json` beside `fallback.json`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Longest language tag, in characters, as BCP 47 asks everybody to take
/// (<https://www.rfc-editor.org/rfc/rfc5646#section-4.4.1>).
const MAX_TAG_CHARS: usize = 35;

/// Longest subtag, in characters.
const MAX_SUBTAG_CHARS: usize = 8;

/// The tag in the name of a file: `None` if it is no file of a language, and otherwise what is
/// wrong with it.
pub(crate) fn tag_of(file: &str) -> Option<Result<&str, String>> {
    let tag = file.strip_prefix("fallback.")?.strip_suffix(".json")?;
    if is_tag(tag) {
        return Some(Ok(tag));
    }
    let meant = tag.replace('_', "-");
    let meant = if is_tag(&meant) { meant } else { "de".to_owned() };
    Some(Err(format!(
        "is called by no language: name it by a tag such as de or pt-BR, fallback.{meant}.json"
    )))
}

/// Tells whether a text is a language tag, `de` or `pt-BR`.
pub(crate) fn is_tag(text: &str) -> bool {
    let mut subtags = text.split('-');
    let language = subtags.next().unwrap_or_default();
    let is_language =
        (2..=3).contains(&language.len()) && language.chars().all(|c| c.is_ascii_alphabetic());
    let is_subtag = |subtag: &str| {
        (1..=MAX_SUBTAG_CHARS).contains(&subtag.len())
            && subtag.chars().all(|c| c.is_ascii_alphanumeric())
    };
    is_language && text.len() <= MAX_TAG_CHARS && subtags.all(is_subtag)
}

/// The content of a language: of its tag, whatever its case, of the tag without its last part,
/// and so on; `pt_BR` is `pt-BR`.
pub(crate) fn best<'c>(
    contents: &'c BTreeMap<String, Map<String, Value>>,
    language: &str,
) -> Option<&'c Map<String, Value>> {
    if contents.is_empty() || language.len() > MAX_TAG_CHARS {
        return None;
    }
    let language = language.trim().replace('_', "-");
    let mut wanted = language.as_str();
    loop {
        let found = contents.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(wanted));
        if let Some((_, content)) = found {
            return Some(content);
        }
        (wanted, _) = wanted.rsplit_once('-')?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_language_is_found_whatever_the_case() {
        let content = |name: &str| Map::from_iter([("name".to_owned(), name.into())]);
        let contents: BTreeMap<_, _> =
            ["de", "pt-BR", "zh-Hant"].map(|tag| (tag.to_owned(), content(tag))).into();
        for (language, expected) in [
            ("de", Some("de")),
            ("DE", Some("de")),
            ("de-AT", Some("de")),
            ("pt_br", Some("pt-BR")),
            ("pt", None),
            ("zh-Hant-TW", Some("zh-Hant")),
            ("en", None),
            ("", None),
            ("d", None),
        ] {
            let found = best(&contents, language).map(|content| &content["name"]);
            assert_eq!(found, expected.map(Value::from).as_ref(), "{language}");
        }
    }

    #[test]
    fn a_file_is_called_by_its_language() {
        assert_eq!(tag_of("fallback.json"), None);
        assert_eq!(tag_of("fallback.de.json.bak"), None);
        assert_eq!(tag_of("fallback.pt-BR.json"), Some(Ok("pt-BR")));
        for (file, meant) in [
            ("fallback.pt_BR.json", "fallback.pt-BR.json"),
            ("fallback.german.json", "fallback.de.json"),
            ("fallback..json", "fallback.de.json"),
        ] {
            let wrong = tag_of(file).expect("is one of a language").expect_err("is wrong");
            assert!(wrong.ends_with(meant), "{file}: {wrong}");
        }
    }
}
