//! What a campaign's prompt shows of catalog items, held against the catalogs that are known.
//!
//! Catalogs change without a campaign, and those of a deployment are not at hand where a
//! campaign is written: so no function looks at this; a person who checks campaigns is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dialect::did_you_mean;

use crate::compiled::CompiledCampaign;
use crate::fault::Fault;

/// What every item has.
const ID: &str = "id";

/// Most columns that are named as those that there are.
const MAX_NAMED: usize = 30;

/// The columns of catalogs, as far as they are given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownCatalogs(BTreeMap<String, BTreeSet<String>>);

impl KnownCatalogs {
    /// A catalog with its columns.
    pub fn insert(&mut self, catalog: String, columns: BTreeSet<String>) {
        self.0.insert(catalog, columns);
    }

    /// The columns of a catalog, if it is given.
    pub fn columns(&self, catalog: &str) -> Option<&BTreeSet<String>> {
        self.0.get(catalog)
    }

    /// Whether none is given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The columns that a campaign's prompt shows and its catalogs do not have, and then the
    /// catalogs that are not given though others are.
    pub(crate) fn unknown_to(
        &self,
        folder: &Path,
        campaign: &CompiledCampaign,
    ) -> (Vec<Fault>, Vec<Fault>) {
        let path = folder.join("prompt.liquid");
        let (mut faults, mut warnings) = (Vec::new(), Vec::new());
        let mut not_given = BTreeSet::new();
        for (line, (catalog, column)) in &campaign.prompt.columns {
            let Some(catalog) = catalog else { continue };
            let Some(columns) = self.columns(catalog) else {
                not_given.insert((catalog, *line));
                continue;
            };
            if column == ID || columns.contains(column) {
                continue;
            }
            let meant = did_you_mean(column, columns.iter().map(String::as_str));
            let some: Vec<&str> = columns.iter().map(String::as_str).take(MAX_NAMED).collect();
            let reason = format!(
                "the catalog {catalog} has no column {column}{meant} (there is {})",
                some.join(", ")
            );
            faults.push(Fault::new(&path, Some(*line), reason));
        }
        let mut told = BTreeSet::new();
        for (catalog, line) in not_given {
            if self.is_empty() || !told.insert(catalog) {
                continue;
            }
            let meant = did_you_mean(catalog, self.0.keys().map(String::as_str));
            let reason = format!("the catalog {catalog} is not among those that are given{meant}");
            warnings.push(Fault::new(&path, Some(line), reason));
        }
        (faults, warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiled::tests::{compiled, draft};

    fn told(prompt: &str) -> Vec<String> {
        let mut draft = draft();
        draft.prompt = Some(prompt.to_owned());
        draft.named.fields = Some(vec![(1, "id".to_owned())]);
        let mut known = KnownCatalogs::default();
        let columns = ["id", "synopsis", "title"].map(str::to_owned);
        known.insert("episodes".to_owned(), columns.into());
        let (faults, warnings) = known.unknown_to(Path::new(""), &compiled(draft));
        faults.iter().chain(&warnings).map(ToString::to_string).collect()
    }

    #[test]
    fn a_column_that_a_catalog_does_not_have_is_told_with_its_line() {
        let tag = "{% catalog_items episodes {{ events[0].id }} %}\n";
        for (shown, expected) in [
            ("{{ items[0].title }} {{ items.first.synopsis }} {{ items[0].id }}", ""),
            (
                "{{ items[0].sinopsis }}",
                "prompt.liquid:2: the catalog episodes has no column sinopsis: did you mean synopsis? (there is id, synopsis, title)",
            ),
            (
                "{% for i in items %}{{ i.titel | default: 'x' }}{% endfor %}",
                "prompt.liquid:2: the catalog episodes has no column titel: did you mean title? (there is id, synopsis, title)",
            ),
        ] {
            let told = told(&format!("{tag}{shown}"));

            assert_eq!(told, Vec::from_iter(Some(expected).filter(|told| !told.is_empty())));
        }
    }

    #[test]
    fn a_catalog_that_is_not_given_is_told_once() {
        let text = "{% catalog_items episods {{ events[0].id }} %}{{ items[0].a }}{{ items[0].b }}";

        assert_eq!(
            told(text),
            [
                "prompt.liquid:1: the catalog episods is not among those that are given: did you mean episodes?"
            ]
        );
    }
}
