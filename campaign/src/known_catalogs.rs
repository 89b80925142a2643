//! What a campaign's prompt shows of catalog items, and what its checks and `[fields_from]` look
//! at of them, held against the catalogs that are known.
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
pub struct KnownCatalogs(BTreeMap<String, Columns>);

/// What is known of a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Columns {
    names: BTreeSet<String>,
    /// Every value is a text.
    are_texts: bool,
}

/// What `campaign.toml` looks at of the items that the prompt used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ItemUse {
    /// Its line in `campaign.toml`.
    pub(crate) line: usize,
    /// The setting, and what stands in it.
    pub(crate) written: String,
    /// The column, where it is one.
    pub(crate) column: Option<String>,
}

impl KnownCatalogs {
    /// A catalog with its columns, of whatever values.
    pub fn insert(&mut self, catalog: String, names: BTreeSet<String>) {
        self.0.insert(catalog, Columns { names, are_texts: false });
    }

    /// A catalog with its columns, whose every value is a text, as in CSV.
    pub fn insert_texts(&mut self, catalog: String, names: BTreeSet<String>) {
        self.0.insert(catalog, Columns { names, are_texts: true });
    }

    /// The columns of a catalog, if it is given.
    pub fn columns(&self, catalog: &str) -> Option<&BTreeSet<String>> {
        self.0.get(catalog).map(|columns| &columns.names)
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
            let columns: BTreeSet<&str> = columns.iter().map(String::as_str).collect();
            let of = format!("the catalog {catalog} has no column");
            faults.push(Fault::new(&path, Some(*line), no_column(&of, column, &columns)));
        }
        for (line, catalog) in &campaign.prompt.catalogs {
            let catalog = catalog.as_ref().filter(|catalog| self.columns(catalog).is_none());
            not_given.extend(catalog.map(|catalog| (catalog, *line)));
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

    /// The checks that compare items with what no text is, where all catalogs of the prompt hold
    /// texts alone. Items that come another way may hold numbers, so it is no fault.
    pub(crate) fn texts_that_misfit(
        &self,
        folder: &Path,
        campaign: &CompiledCampaign,
    ) -> Vec<Fault> {
        let path = folder.join("campaign.toml");
        let is_of_texts = |catalog: &Option<String>| {
            let known = catalog.as_ref().and_then(|catalog| self.0.get(catalog));
            known.is_some_and(|columns| columns.are_texts)
        };
        if !campaign.prompt.catalogs.iter().all(|(_, catalog)| is_of_texts(catalog)) {
            return Vec::new();
        }
        let misfits = campaign.misfits_of_texts().into_iter();
        let told = misfits.map(|(line, reason)| {
            let remedy = "in CSV every value is a text: compare texts, or write double(...)";
            Fault::new(&path, Some(line), format!("{reason}: {remedy}"))
        });
        told.collect()
    }

    /// The columns that a campaign's checks and `[fields_from]` look at, and that no catalog of
    /// its prompt has: such a check would never be applied, and such a property never be there.
    /// Which item comes of which catalog is not looked at; where one of the catalogs is not known,
    /// nothing is told.
    pub(crate) fn unknown_to_settings(
        &self,
        folder: &Path,
        campaign: &CompiledCampaign,
    ) -> Vec<Fault> {
        let path = folder.join("campaign.toml");
        let named: BTreeSet<Option<&str>> =
            campaign.prompt.catalogs.iter().map(|(_, catalog)| catalog.as_deref()).collect();
        if named.is_empty() {
            let told = campaign.item_uses().map(|ItemUse { line, written, .. }| {
                let reason = format!(
                    "{written}: prompt.liquid uses no item: write {{% catalog_items CATALOG ID %}} there"
                );
                Fault::new(&path, Some(line), reason)
            });
            return told.collect();
        }
        let columns: Option<Vec<_>> =
            named.iter().map(|catalog| self.columns((*catalog)?)).collect();
        let Some(columns) = columns else { return Vec::new() };
        let columns: BTreeSet<&str> =
            columns.into_iter().flatten().map(String::as_str).chain([ID]).collect();
        let named: Vec<&str> = named.into_iter().flatten().collect();
        let of = match named.as_slice() {
            [one] => format!("the catalog {one} has no column"),
            all => format!("none of the catalogs {} has a column", all.join(", ")),
        };
        let uses = campaign.item_uses();
        let told = uses.filter_map(|ItemUse { line, written, column }| {
            let column = column.filter(|column| !columns.contains(column.as_str()))?;
            let reason = format!("{written}: {}", no_column(&of, &column, &columns));
            Some(Fault::new(&path, Some(line), reason))
        });
        told.collect()
    }
}

/// What is said of a column that is not there.
fn no_column(of: &str, column: &str, columns: &BTreeSet<&str>) -> String {
    let meant = did_you_mean(column, columns.iter().copied());
    let some: Vec<&str> = columns.iter().copied().take(MAX_NAMED).collect();
    format!("{of} {column}{meant} (there is {})", some.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiled::tests::{compiled, draft};
    use crate::rules::tests::with;

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

    /// What is said of these tables of `campaign.toml`, with `items` of a prompt that begins so.
    fn told_of_settings(prompt: &str, tables: &str) -> Vec<String> {
        let mut draft = with("", tables);
        draft.prompt = Some(format!("{prompt} {{{{ events.last.properties.show }}}}"));
        let mut known = KnownCatalogs::default();
        let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        known.insert("episodes".to_owned(), columns(&["id", "synopsis", "title"]));
        known.insert("shows".to_owned(), columns(&["id", "genre", "newest_episode"]));
        let told = known.unknown_to_settings(Path::new(""), &compiled(draft));
        told.iter().map(ToString::to_string).collect()
    }

    const EPISODES: &str = "{% catalog_items episodes 1 %}";
    const BOTH: &str =
        "{% catalog_items shows 1 %}{% catalog_items episodes {{ items[0].newest_episode }} %}";

    fn check(when: &str) -> String {
        format!("\n[[checks]]\nwhen = '{when}'\nsay = \"a\"\n")
    }

    #[test]
    fn a_column_that_a_check_looks_at_is_held_against_the_catalogs_of_the_prompt() {
        let title = "has no column titel: did you mean title? (there is id, synopsis, title)";
        for (prompt, when, expected) in [
            (EPISODES, "answer.heading.contains(items[0].title)", ""),
            (EPISODES, "answer.heading != items[0].id", ""),
            (BOTH, "answer.heading.contains(items[0].genre + items[1].title)", ""),
            (
                EPISODES,
                "answer.heading.contains(items[0].titel)",
                &format!("items[0].titel: the catalog episodes {title}"),
            ),
            (
                EPISODES,
                "has(items[0].titel) && answer.heading == ''",
                &format!("items[0].titel: the catalog episodes {title}"),
            ),
            (
                EPISODES,
                "items.exists(i, answer.heading.contains(i.titel))",
                &format!("i.titel: the catalog episodes {title}"),
            ),
            (
                EPISODES,
                "answer.heading == items[size(answer.heading)].titel",
                &format!("items[...].titel: the catalog episodes {title}"),
            ),
            (
                BOTH,
                "answer.heading.contains(items[1].titel)",
                "items[1].titel: none of the catalogs episodes, shows has a column titel: did you mean title?",
            ),
            // What a catalog holds whose name is made on the way, or that is not given, nobody knows.
            (
                "{% catalog_items {{ events[0].properties.show }} 1 %}",
                "answer.heading == items[0].titel",
                "",
            ),
            ("{% catalog_items films 1 %}", "answer.heading == items[0].titel", ""),
            ("", "answer.heading == items[0].title", "items[0].title: prompt.liquid uses no item"),
            ("", "size(items) > 0 || answer.heading == ''", "items: prompt.liquid uses no item"),
        ] {
            let when = when.replace('\'', "\"");

            let told = told_of_settings(prompt, &check(&when)).join("\n");

            let expected = match expected {
                "" => String::new(),
                expected => format!("campaign.toml:30: checks: when: {expected}"),
            };
            assert!(
                told.starts_with(&expected) && told.is_empty() == expected.is_empty(),
                "{when}: {told}"
            );
        }
    }

    #[test]
    fn a_check_that_takes_texts_of_csv_for_numbers_is_told() {
        let told = |when: &str, insert: fn(&mut KnownCatalogs, String, BTreeSet<String>)| {
            let mut draft = with("", &check(when));
            draft.prompt = Some(format!("{EPISODES} {{{{ events.last.properties.show }}}}"));
            let mut known = KnownCatalogs::default();
            insert(&mut known, "episodes".to_owned(), ["price".to_owned()].into());
            let told = known.texts_that_misfit(Path::new(""), &compiled(draft));
            told.iter().map(ToString::to_string).collect::<String>()
        };
        let number = "answer.heading != \"\" && items[0].price > 5";

        let of_csv = told(number, KnownCatalogs::insert_texts);

        let expected = "campaign.toml:30: checks: when: items[0].price is a text and 5 is a number";
        assert!(of_csv.starts_with(expected) && of_csv.contains("double(...)"), "{of_csv}");
        assert_eq!(told(number, KnownCatalogs::insert), "");
        for right in [
            "answer.heading != \"\" && double(items[0].price) > 5.0",
            "answer.heading.contains(items[0].price)",
            "has(items[0].price) && answer.heading != items[0].price",
        ] {
            assert_eq!(told(right, KnownCatalogs::insert_texts), "", "{right}");
        }
    }

    #[test]
    fn a_column_that_is_taken_over_is_held_against_the_catalogs_of_the_prompt() {
        let of = |source: &str| format!("\n[fields_from]\n\"details.cta\" = \"{source}\"\n");

        let wrong = told_of_settings(BOTH, &of("items[1].titel"));

        assert_eq!(told_of_settings(BOTH, &of("items[1].title")), [""; 0]);
        assert_eq!(
            wrong,
            [
                "campaign.toml:30: fields_from: details.cta: items[1].titel: none of the catalogs episodes, shows has a column titel: did you mean title? (there is genre, id, newest_episode, synopsis, title)"
            ]
        );
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
