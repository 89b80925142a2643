//! Fallback content in several languages: `fallback.de.json` beside `fallback.json`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Longest language tag, in characters, as BCP 47 asks everybody to take
/// (<https://www.rfc-editor.org/rfc/rfc5646#section-4.4.1>).
const MAX_TAG_CHARS: usize = 35;

/// What files of fallback content begin with.
const NAME: &str = "fallback";

/// The file in no language of its own.
const OWN: &str = "fallback.json";

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

/// What is said of a file that was meant as fallback content and is none by its name:
/// `fallback-fr.json`, `fr.fallback.json`. Copies, whose names end otherwise, are passed over.
pub(crate) fn misnamed(file: &str) -> Option<String> {
    let lower = file.to_ascii_lowercase();
    let name = lower.strip_suffix(".json")?;
    if file == OWN || tag_of(file).is_some() || name.starts_with('.') {
        return None;
    }
    let rest = name.strip_prefix(NAME).or_else(|| name.strip_suffix(NAME))?;
    let start = if name.starts_with(NAME) { NAME.len() } else { 0 };
    let written = file.get(start..start + rest.len()).unwrap_or_default();
    let tag = written.trim_matches(|c: char| !c.is_alphanumeric()).replace('_', "-");
    let meant =
        if is_tag(&tag) { format!(": did you mean {NAME}.{tag}.json?") } else { String::new() };
    Some(format!(
        "is read by nobody, as fallback content is called {OWN}, and in other languages {NAME}.LANGUAGE.json{meant}"
    ))
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

/// The content of a language, and its tag: of the tag, whatever its case, of the tag without its
/// last part, and so on; `pt_BR` is `pt-BR`.
pub(crate) fn best<'c>(
    contents: &'c BTreeMap<String, Map<String, Value>>,
    language: &str,
) -> Option<(&'c str, &'c Map<String, Value>)> {
    if contents.is_empty() || language.len() > MAX_TAG_CHARS {
        return None;
    }
    let language = language.trim().replace('_', "-");
    let mut wanted = language.as_str();
    loop {
        let found = contents.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(wanted));
        if let Some((tag, content)) = found {
            return Some((tag, content));
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
            let found = best(&contents, language).map(|(_, content)| &content["name"]);
            assert_eq!(found, expected.map(Value::from).as_ref(), "{language}");
        }
    }

    #[test]
    fn a_file_that_was_meant_for_a_language_is_told_by_its_right_name() {
        for (file, meant) in [
            ("fallback-fr.json", ": did you mean fallback.fr.json?"),
            ("fallback_pt_BR.json", ": did you mean fallback.pt-BR.json?"),
            ("fr.fallback.json", ": did you mean fallback.fr.json?"),
            ("Fallback.de.json", ": did you mean fallback.de.json?"),
            ("fallbackde.JSON", ": did you mean fallback.de.json?"),
            ("fallback-content.json", "fallback.LANGUAGE.json"),
        ] {
            let told = misnamed(file).expect(file);
            assert!(told.ends_with(meant), "{file}: {told}");
        }
        for file in [
            "fallback.json",
            "fallback.de.json",
            "fallback.pt_BR.json",
            "fallback.de.json.bak",
            "._fallback-fr.json",
            "answer.schema.json",
        ] {
            assert_eq!(misnamed(file), None, "{file}");
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
