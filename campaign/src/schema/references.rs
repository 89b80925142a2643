//! References that lead nowhere in the file: nothing is fetched, and the schema that travels
//! has what they refer to in their place.

use serde_json::Value;

use super::parts;
use super::places::referred;
use crate::folder::Found;
use crate::lines::line_of;

/// What is wrong with the references of a schema.
pub(crate) fn faults(text: &str, schema: &Value) -> Vec<Found> {
    let parts = parts::all(schema);
    let mut faults = Vec::new();
    for part in &parts {
        let Some(to) = part.schema.get("$ref") else { continue };
        if referred(schema, part.schema).is_none() {
            let line = line_of(text, &format!("{}/$ref", part.place));
            faults.push((line, told(to, schema, &parts)));
        }
    }
    faults
}

fn told(to: &Value, schema: &Value, parts: &[parts::Part<'_>]) -> String {
    let Some(to) = to.as_str() else {
        return format!("$ref is a text, such as \"#/$defs/card\", and not {to}");
    };
    let said = format!("$ref refers to \"{to}\"");
    let Some(inside) = to.strip_prefix('#') else {
        return format!("{said}, and nothing is fetched: put it into $defs of this file");
    };
    if !inside.starts_with('/') {
        let anchor = parts.iter().find(|part| part.schema["$anchor"] == inside);
        return match anchor {
            Some(part) => format!("{said}, an $anchor: write its path, \"#{}\"", part.place),
            None => format!("{said}, which is no path: write \"#/$defs/name\""),
        };
    }
    if inside.contains('%') && schema.pointer(&decoded(inside)).is_some() {
        return format!(
            "{said}, percent-encoded: name the definition with letters and digits, and write it so"
        );
    }
    let known: Vec<String> = parts.iter().map(|part| format!("#{}", part.place)).collect();
    let meant = dialect::did_you_mean(to, known.iter().map(String::as_str));
    format!("{said}, which is not in this file{meant}")
}

/// A text with characters in the place of `%20`.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let hex = behind.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.filter(|_| first == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_that_leads_nowhere_is_told_with_the_one_that_was_meant() {
        let told_of = |to: &str| {
            let text = format!(
                "{{ \"properties\": {{\n\"a\": {{ \"$ref\": {to} }} }},\n\
                 \"$defs\": {{ \"card\": {{ \"$anchor\": \"c\" }}, \"a b\": {{}} }} }}"
            );
            let found = faults(&text, &serde_json::from_str(&text).expect("is JSON"));
            found.into_iter().map(|(line, reason)| format!("{line:?} {reason}")).collect::<String>()
        };

        assert_eq!(told_of("\"#/$defs/card\""), "");
        assert_eq!(told_of("\"#\""), "");
        for (to, expected) in [
            ("\"#/$defs/crad\"", "which is not in this file: did you mean #/$defs/card?"),
            ("\"#/$defs/elsewhere\"", "which is not in this file"),
            ("\"#c\"", "an $anchor: write its path, \"#/$defs/card\""),
            ("\"#d\"", "which is no path: write \"#/$defs/name\""),
            ("\"#/$defs/a%20b\"", "percent-encoded: name the definition with letters"),
            ("\"https://a.example/card.json\"", "nothing is fetched: put it into $defs"),
            ("7", "$ref is a text"),
        ] {
            let told = told_of(to);
            assert!(told.starts_with("Some(2) ") && told.contains(expected), "{to}: {told}");
        }
    }
}
