//! How far the dialect is Braze's: snippets with what Braze makes of them, each with the page
//! or test that says so, and what two other implementations make of them; and the document
//! that is made of all that, `docs/liquid.md`.

use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::{Limits, Object, Scene, Template, Value, filters, json, vocabulary};

/// The snippets: `topic`, `snippet`, `values`, `attributes`, `expected` or `refused` (a word of
/// what is said), `source`, and a `note` where it is not what everybody would expect.
pub const SNIPPETS: &str = include_str!("../conformance/snippets.json");

/// What `conformance/engines.mjs` makes of the snippets, in their order.
pub const ENGINES: &str = include_str!("../conformance/engines.json");

/// When the snippets are rendered: 2026-03-14T09:26:53Z, a Saturday.
const NOW: i64 = 1_773_480_413;

/// What a snippet comes to, or what is said of it.
pub fn rendered(snippet: &Json) -> Result<String, String> {
    let template = Template::parse(snippet["snippet"].as_str().unwrap_or_default());
    let template = template.map_err(|faults| {
        let reasons: Vec<&str> = faults.iter().map(|fault| fault.reason.as_str()).collect();
        reasons.join("; ")
    })?;
    let object = |json: &Json| match json::value(json) {
        Value::Object(object) => object,
        _ => Object::new(),
    };
    let (mut given, attributes) = (object(&snippet["values"]), object(&snippet["attributes"]));
    // Groups of attributes stand beside each other, those without a group together.
    given.extend(attributes.clone());
    given.insert(crate::ATTRIBUTES.into(), Value::Object(attributes));
    let scene = Scene {
        given: &given,
        now: Some(NOW),
        limits: Limits::PROMPT,
        calls: None,
        catalogs: None,
        known_groups: &[],
        inert: None,
    };
    template.render(&scene).map_err(|error| format!("not rendered: {error}"))
}

/// Names of all filters.
pub fn filter_names() -> impl Iterator<Item = &'static str> {
    filters::names()
}

/// The tables of `docs/liquid.md`.
pub fn markdown() -> serde_json::Result<String> {
    let snippets: Vec<Json> = serde_json::from_str(SNIPPETS)?;
    let engines: Vec<Json> = serde_json::from_str(ENGINES)?;
    let mut document = supported();
    let mut topics: Vec<&str> = Vec::new();
    for snippet in &snippets {
        let topic = snippet["topic"].as_str().unwrap_or_default();
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    for topic in topics {
        // Writing to a text cannot fail.
        let _ = write!(
            document,
            "\n### {}\n\n| snippet | comes to | brazejs | liquidjs | source |\n\
             | --- | --- | --- | --- | --- |\n",
            topic.replace('_', " ")
        );
        let rows = snippets.iter().zip(&engines);
        for (snippet, engines) in rows.filter(|(snippet, _)| snippet["topic"] == topic) {
            document.push_str(&row(snippet, engines));
        }
    }
    Ok(document)
}

/// The tags and filters that there are, and those that are refused with a remedy.
fn supported() -> String {
    let code = |names: &mut dyn Iterator<Item = &str>| {
        names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    let mut document = "| | |\n| --- | --- |\n".to_owned();
    let mut add = |name: &str, listed: &str| {
        let _ = writeln!(document, "| {name} | {listed} |");
    };
    add("tags", &code(&mut vocabulary::tag_names()));
    for (about, table) in filters::tables() {
        add(&format!("filters: {about}"), &code(&mut table.iter().map(|filter| filter.name)));
    }
    add("tags that are refused", &code(&mut vocabulary::MISSING.iter().map(|(name, _)| *name)));
    add("filters that are refused", &code(&mut filters::MISSING.iter().map(|(name, _)| *name)));
    document
}

fn row(snippet: &Json, engines: &Json) -> String {
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let values = ["values", "attributes"].map(|name| match &snippet[name] {
        Json::Null => String::new(),
        values => format!(" with {}", code(&values.to_string())),
    });
    let ours = match rendered(snippet) {
        Ok(text) => shown(&text),
        Err(reason) => format!("refused: {}", escaped(&reason)),
    };
    let note = match &snippet["note"] {
        Json::Null => String::new(),
        note => format!(". {}", escaped(&text(note))),
    };
    let of = |engine: &Json| match (engine, &snippet["expected"]) {
        (Json::Null, Json::Null) => "refused".to_owned(),
        (Json::Null, _) => "fails".to_owned(),
        (text, expected) if text == expected => "same".to_owned(),
        (other, _) => shown(&text(other)),
    };
    format!(
        "| {}{} | {ours}{note} | {} | {} | [source]({}) |\n",
        code(&text(&snippet["snippet"])),
        values.concat(),
        of(&engines["brazejs"]),
        of(&engines["liquidjs"]),
        text(&snippet["source"])
    )
}

fn shown(text: &str) -> String {
    if text.is_empty() { "nothing".to_owned() } else { code(text) }
}

/// A text as code in a cell of a table.
fn code(text: &str) -> String {
    let text = text.replace('\n', "⏎").replace('\r', "␍").replace('|', "\\|");
    let fence = if text.contains('`') { "``" } else { "`" };
    format!("{fence} {text} {fence}")
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "\\<").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// What stands around the tables in the document.
    const MARKS: (&str, &str) = ("<!-- liquid -->\n", "<!-- /liquid -->");

    #[test]
    fn every_snippet_renders_or_is_refused_as_its_source_says() {
        let snippets: Vec<Json> = serde_json::from_str(SNIPPETS).expect("is JSON");
        let mut wrong = Vec::new();
        for snippet in &snippets {
            let ours = rendered(snippet);
            let is_right = match (&ours, snippet["expected"].as_str(), snippet["refused"].as_str())
            {
                (Ok(text), Some(expected), None) => text == expected,
                (Err(reason), None, Some(word)) => reason.contains(word),
                _ => false,
            };
            if !is_right {
                wrong.push(format!("{snippet:#}\nours: {ours:?}"));
            }
            assert!(
                snippet["source"].as_str().is_some_and(|source| source.starts_with("https://"))
            );
        }

        assert!(snippets.len() >= 150, "{}", snippets.len());
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
    }

    #[test]
    fn the_documents_tables_are_what_the_code_does() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/liquid.md");
        let document = fs::read_to_string(&path).expect("is there");
        let (_, rest) = document.split_once(MARKS.0).expect("has the mark");
        let (tables, _) = rest.split_once(MARKS.1).expect("has the mark");

        let markdown = markdown().expect("is JSON");
        for (written, made) in tables.trim().lines().zip(markdown.trim().lines()) {
            assert_eq!(written, made, "write them with `make tables`");
        }
        assert_eq!(tables.trim().len(), markdown.trim().len(), "write them with `make tables`");
    }
}
