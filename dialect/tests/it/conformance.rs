//! Snippets with what Braze makes of them, each with the page or test that says so. The
//! same snippets are rendered by two other implementations for docs/liquid.md
//! (`conformance/engines.mjs`).

use dialect::{Fault, Limits, NotRendered, Object, Scene, Template, Value, json};

const SNIPPETS: &str = include_str!("../../conformance/snippets.json");

/// 2026-03-14T09:26:53Z, a Saturday.
const NOW: i64 = 1_773_480_413;

/// What a snippet comes to, or what is said of it.
fn rendered(snippet: &serde_json::Value) -> Result<String, String> {
    let text = snippet["snippet"].as_str().expect("is text");
    let template = Template::parse(text).map_err(|faults: Vec<Fault>| {
        faults.iter().map(|fault| fault.reason.as_str()).collect::<Vec<_>>().join("; ")
    })?;
    let mut given = match json::value(&snippet["values"]) {
        Value::Object(values) => values,
        _ => Object::new(),
    };
    if let Value::Object(attributes) = json::value(&snippet["attributes"]) {
        // Groups stand beside each other, attributes without one together.
        for (name, value) in &attributes {
            given.insert(name.clone(), value.clone());
        }
        given.insert(dialect::ATTRIBUTES.into(), Value::Object(attributes));
    }
    let scene =
        Scene { given: &given, now: Some(NOW), limits: Limits::PROMPT, calls: None, inert: None };
    template.render(&scene).map_err(|error: NotRendered| format!("not rendered: {error}"))
}

#[test]
fn every_snippet_renders_or_is_refused_as_its_source_says() {
    let snippets: Vec<serde_json::Value> = serde_json::from_str(SNIPPETS).expect("is JSON");
    let mut wrong = Vec::new();
    for snippet in &snippets {
        let ours = rendered(snippet);
        let is_right = match (&ours, snippet["expected"].as_str(), snippet["refused"].as_str()) {
            (Ok(text), Some(expected), None) => text == expected,
            (Err(reason), None, Some(word)) => reason.contains(word),
            _ => false,
        };
        if !is_right {
            wrong.push(format!("{snippet:#}\nours: {ours:?}"));
        }
    }

    assert!(snippets.len() >= 150, "{}", snippets.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), snippets.len(), wrong.join("\n\n"));
}
