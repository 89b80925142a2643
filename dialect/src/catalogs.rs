//! What `catalog_items` sees of catalogs.

use liquid_core::model::Value;

/// Most items of one tag: beyond, nobody reads what is written about them.
pub const MAX_ITEMS: usize = 100;

/// Answers what stands in catalogs, as far as that is known.
pub trait Catalogs {
    /// The item of this id; none if there is none, or if it is not known yet.
    fn item(&self, catalog: &str, id: &str) -> Option<Value>;

    /// A tag names no item, as what its id is made of is not there.
    fn no_item(&self) {}
}

/// A column that a template looks at: the catalog, if its name stands in the template, and the
/// name of the column.
pub type Column = (Option<String>, String);

/// What the arguments of a tag are: the catalog and the ids, and whether Liquid inside an item
/// is rendered.
pub(crate) fn arguments(rendered: &str) -> (&str, Vec<&str>, bool) {
    let mut words = rendered.split_whitespace();
    let catalog = words.next().unwrap_or_default();
    let (options, ids): (Vec<&str>, Vec<&str>) = words.partition(|word| word.starts_with(':'));
    (catalog, ids, options.contains(&RERENDER))
}

/// The one option: Liquid inside an item is rendered, one level deep.
const RERENDER: &str = ":rerender";

/// What is wrong with the arguments, as they are written.
pub(crate) fn wrong(written: &str) -> Option<String> {
    let form = "catalog_items is written {% catalog_items catalog id %}, with more ids behind it";
    let mut words = written.split_whitespace();
    let Some(catalog) = words.next() else { return Some(form.to_owned()) };
    if catalog.starts_with(['"', '\'']) {
        return Some(format!("{form}: the name stands without quotes"));
    }
    if catalog.contains(',') {
        return Some(format!("{form}: blanks stand between them, and no commas"));
    }
    if words.clone().next().is_none() && !catalog.contains('{') {
        return Some(format!("{form}: it names no item"));
    }
    // Outside of values, in which a filter may have one.
    let has_comma = written.split("{{").enumerate().any(|(n, part)| {
        let outside =
            if n == 0 { part } else { part.split_once("}}").map_or("", |(_, rest)| rest) };
        outside.contains(',')
    });
    if has_comma {
        return Some(format!("{form}: leave the comma out, blanks stand between ids"));
    }
    let depth_after = |depth: usize, word: &str| {
        (depth + word.matches("{{").count()).saturating_sub(word.matches("}}").count())
    };
    let mut depth = depth_after(0, catalog);
    for word in words {
        if depth == 0 && word.starts_with(':') && word != RERENDER {
            return Some(format!("catalog_items has no option {word}: there is {RERENDER}"));
        }
        let is_bare = depth == 0 && !word.contains("{{") && !word.starts_with(':');
        if is_bare && word.contains(['.', '[', '$', '|', '"', '\'']) {
            return Some(format!(
                "catalog_items takes ids as they are, and {word} is none: write {{{{ {word} }}}} for a value, and blanks between ids"
            ));
        }
        depth = depth_after(depth, word);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stand_behind_the_catalog_with_blanks_between_them() {
        assert_eq!(arguments("games 1234  1235\n"), ("games", vec!["1234", "1235"], false));
        assert_eq!(arguments("games 1234 :rerender"), ("games", vec!["1234"], true));
        assert_eq!(arguments("games "), ("games", vec![], false));
        assert_eq!(arguments(""), ("", vec![], false));
    }

    #[test]
    fn arguments_that_no_item_can_follow_from_are_told() {
        for (written, said) in [
            ("", "is written {% catalog_items catalog id %}"),
            ("games", "names no item"),
            ("'games' 1", "without quotes"),
            ("games, 1", "no commas"),
            ("games 1, 2", "leave the comma out, blanks stand between ids"),
            ("games a-1,a-2", "leave the comma out, blanks stand between ids"),
            ("games {{ a }} , 2", "leave the comma out"),
            ("games {{ a }}, {{ b }}", "leave the comma out"),
            ("games event.id", "write {{ event.id }} for a value"),
            ("games ${id}", "write {{ ${id} }} for a value"),
            ("games 1 :rerender_all", "there is :rerender"),
        ] {
            let told = wrong(written);
            assert!(told.as_deref().is_some_and(|told| told.contains(said)), "{written}: {told:?}");
        }
        for right in [
            "games 1234 1235",
            "games {{ wishlist[0] }}",
            "{{language}} fall_campaign",
            "{{a}}_{{b}} {{ c | default: 'x, y' }} :rerender",
            "{{ both }}",
            "{{ event.a }} {{ event.b }}",
        ] {
            assert_eq!(wrong(right), None, "{right}");
        }
    }
}
