//! What tells the language of fallback content: `[fallback] language`.

use super::attributes;
use super::table::Table;
use crate::config::LanguageOf;
use crate::reference::{Reference, Root};

/// The attribute that Braze keeps a user's language in.
pub(super) const LANGUAGE: &str = "language";

impl Table<'_, '_> {
    /// What tells the language, with its line.
    pub(super) fn fallback_language(&mut self) -> Option<(usize, LanguageOf)> {
        if !self.has("fallback") {
            return None;
        }
        let mut table = self.table("fallback")?;
        let said: Option<(usize, String)> = table.required(LANGUAGE);
        let told = said.and_then(|(line, text)| match of(&text) {
            Ok(of) => Some((line, of)),
            Err(wrong) => {
                table.fault(Some(line), format!("fallback.language: {wrong}"));
                None
            }
        });
        table.finish();
        told
    }
}

/// The attribute, or the field of an event, that a text names.
fn of(text: &str) -> Result<LanguageOf, String> {
    let place = Reference::read(text);
    match &place {
        Ok(place) if place.root == Root::Event => {
            return Ok(LanguageOf::Event(place.names().join(".")));
        }
        Ok(place) if place.root == Root::Items => {
            return Err(format!(
                "\"{text}\" is of an item, and a user without content has none: name an attribute or a field of the event"
            ));
        }
        _ => {}
    }
    let name = place.ok().and_then(|place| place.attribute()).unwrap_or_else(|| text.to_owned());
    match attributes::wrong(&name) {
        None => Ok(LanguageOf::Attribute(name)),
        Some(wrong) => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::tests::file;
    use super::super::tests::said;
    use super::*;

    #[test]
    fn an_attribute_or_a_field_of_the_event_tells_the_language() {
        let attribute = |name: &str| Ok(LanguageOf::Attribute(name.to_owned()));

        assert_eq!(of("language"), attribute("language"));
        assert_eq!(of("attributes.language"), attribute("language"));
        assert_eq!(of("custom_attribute.spoken"), attribute("custom_attribute.spoken"));
        assert_eq!(
            of("event.properties.language"),
            Ok(LanguageOf::Event("properties.language".to_owned()))
        );
    }

    #[test]
    fn what_tells_no_language_is_told_with_its_line() {
        for (table, expected) in [
            ("language = \"langage\"", "9: fallback.language: Braze has no attribute \"langage\""),
            (
                "language = \"items[0].language\"",
                "9: fallback.language: \"items[0].language\" is of an item",
            ),
            ("", "8: language is missing"),
        ] {
            let told = said(&file("", &format!("[fallback]\n{table}\n")));
            assert!(told.starts_with(expected), "{table}: {told}");
        }
    }
}
