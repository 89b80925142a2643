//! What the content takes over as it is: `[fields_from]`.

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::table::Table;
use crate::config::Passage;
use crate::lines::line_at;
use crate::reference::{Reference, Root};

/// Most properties that are taken over.
const MAX_PASSAGES: usize = 50;

/// Deepest table in the table; a schema is not read deeper.
const MAX_DEPTH: usize = 8;

impl Table<'_, '_> {
    /// The properties that are taken over, as far as they can be read: `image = "..."`,
    /// `"details.image" = "..."`, or a table `details` in the table.
    pub(super) fn passages(&mut self) -> Vec<Passage> {
        if !self.has("fields_from") {
            return Vec::new();
        }
        let Some(mut table) = self.table("fields_from") else { return Vec::new() };
        let (text, line) = (table.text, table.line);
        let mut passages = Vec::new();
        for (name, (line, value)) in table.rest() {
            let target = name.split('.').map(str::to_owned).collect();
            table.passage(text, (line, target), value, &mut passages);
        }
        if passages.len() > MAX_PASSAGES {
            let reason = format!("[fields_from] takes {MAX_PASSAGES} properties at most");
            table.fault(line, reason);
        }
        passages
    }

    fn passage(
        &mut self,
        text: &str,
        (line, target): (usize, Vec<String>),
        value: Spanned<DeValue<'_>>,
        passages: &mut Vec<Passage>,
    ) {
        let shown = target.join(".");
        let source = match value.into_inner() {
            DeValue::String(source) => Reference::read(&source),
            DeValue::Table(inside) if target.len() < MAX_DEPTH => {
                return self.inside(text, &target, inside, passages);
            }
            _ => Err("takes the place of a value in quotes, such as \"items[0].url\"".to_owned()),
        };
        match source {
            Ok(source) if source.root == Root::Answer => {
                let reason = format!(
                    "fields_from: {shown} is taken over from what is known before the model is asked, and not from its answer"
                );
                self.fault(Some(line), reason);
            }
            Ok(source) => passages.push(Passage { target, source, line }),
            Err(wrong) => self.fault(Some(line), format!("fields_from: {shown} {wrong}")),
        }
    }

    fn inside(
        &mut self,
        text: &str,
        target: &[String],
        inside: DeTable<'_>,
        passages: &mut Vec<Passage>,
    ) {
        for (key, value) in inside {
            let line = line_at(text, key.span().start);
            let mut target = target.to_vec();
            target.extend(key.into_inner().split('.').map(str::to_owned));
            self.passage(text, (line, target), value, passages);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::tests::file;
    use super::super::tests::said;
    use crate::config::toml::read;

    #[test]
    fn properties_of_any_depth_are_taken_over_however_they_are_written() {
        let text = file(
            "",
            "[fields_from]\nlink = \"items[0].url\"\n\"details.image\" = \"items[0].image\"\nmore.name = \"event.name\"\n",
        );

        assert_eq!(said(&text), "");
        let passages = read(&text).0.expect("is right").fields_from;
        let told: Vec<String> = passages
            .iter()
            .map(|each| format!("{} {} {}", each.line, each.pointer(), each.source))
            .collect();
        assert_eq!(
            told,
            [
                "10 /details/image items[0].image",
                "9 /link items[0].url",
                "11 /more/name event.name"
            ]
        );
    }

    #[test]
    fn what_is_no_source_is_told_with_its_line() {
        for (table, expected) in [
            ("link = 7", "9: fields_from: link takes the place of a value in quotes"),
            ("link = \"answer.a\"", "9: fields_from: link is taken over from what is known before"),
            (
                "link = \"{{ items[0].url }}\"",
                "9: fields_from: link \"{{ items[0].url }}\" is Liquid: write items[0].url",
            ),
            ("link = \"item[0].url\"", "9: fields_from: link \"item[0].url\" is no place"),
        ] {
            let told = said(&file("", &format!("[fields_from]\n{table}\n")));
            assert!(told.starts_with(expected), "{table}: {told}");
        }
    }
}
