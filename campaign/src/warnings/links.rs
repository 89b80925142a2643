//! Links that the model is asked for, and may not write.

use super::Look;
use crate::schema::parts;

/// Formats of texts that are links.
const OF_LINKS: [&str; 6] = ["email", "iri", "iri-reference", "uri", "uri-reference", "url"];

/// What is said of each property that is a link, with its place.
pub(super) fn asked_for(look: &Look<'_>) -> Vec<(String, String)> {
    if !look.campaign.config.rules.links.is_empty() {
        return Vec::new();
    }
    let is_of_link = |format: &str| OF_LINKS.contains(&format);
    let asked = parts::all(look.asked).into_iter().filter(|part| {
        let is_fixed = part.schema.get("enum").is_some() || part.schema.get("const").is_some();
        part.is_wanted && !is_fixed && part.schema["format"].as_str().is_some_and(is_of_link)
    });
    let said = asked.map(|part| {
        let format = part.schema["format"].as_str().unwrap_or_default();
        let reason = format!(
            "the model is asked for a text of the format {format}, and may write no link, so that every answer with one is refused: take it over by [fields_from] in campaign.toml, or allow beginnings of links by links = [\"https://...\"] there"
        );
        (format!("{}/format", part.place), reason)
    });
    said.collect()
}
