//! The names of attributes that a campaign lists, and what is wrong with those of other tools.

use contract::attributes::{CUSTOM_PREFIX, STANDARD};

/// What is wrong with the name of an attribute, and what would be right.
pub(super) fn wrong(name: &str) -> Option<String> {
    let standard = || STANDARD.iter().map(|(name, _)| *name);
    let custom = |name: &str| format!("{CUSTOM_PREFIX}{name}");
    if standard().any(|known| known == name) {
        return None;
    }
    if let Some(inner) = name.strip_prefix(CUSTOM_PREFIX) {
        let is_plain = !inner.is_empty() && !inner.contains(['$', '{', '}', '"']);
        return (!is_plain).then(|| match plain(inner) {
            "" => format!("\"{name}\" names no attribute: write e.g. {}", custom("genre")),
            inner => format!("\"{name}\" is no name: write \"{}\"", custom(inner)),
        });
    }
    if let Some((_, standard)) =
        STANDARD.iter().map(|(name, field)| (*field, *name)).find(|(field, _)| *field == name)
    {
        return Some(format!("\"{name}\" is \"{standard}\" in Braze's Liquid: write that"));
    }
    let of_group = name.strip_prefix("custom_attributes.");
    let inner = plain(of_group.unwrap_or(name));
    if standard().any(|known| known == inner) {
        return Some(format!("\"{name}\" is no name: write \"{inner}\""));
    }
    let meant = match of_group {
        Some(_) => String::new(),
        None => dialect::did_you_mean(inner, standard()),
    };
    let stop = if meant.is_empty() { ";" } else { "" };
    let custom = custom(inner);
    Some(format!(
        "Braze has no attribute \"{name}\" of its own{meant}{stop} write \"{custom}\" for a custom one"
    ))
}

/// A name without the signs that stand around it in Liquid.
fn plain(name: &str) -> &str {
    name.trim_matches(|c: char| "${}\" ".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_is_told_with_the_one_that_was_meant() {
        for (name, expected) in [
            ("first_name", None),
            ("custom_attribute.Favourite genre", None),
            ("dob", Some("is \"date_of_birth\" in")),
            ("${first_name}", Some("write \"first_name\"")),
            ("custom_attribute.${genre}", Some("write \"custom_attribute.genre\"")),
            ("custom_attributes.genre", Some("write \"custom_attribute.genre\"")),
            ("first_nmae", Some("did you mean first_name")),
            ("custom_attribute.", Some("names no attribute")),
            ("genre", Some("did you mean gender? write \"custom_attribute.genre\"")),
            ("favourite_topic", Some("of its own; write \"custom_attribute.favourite_topic\"")),
        ] {
            let told = wrong(name);
            match expected {
                None => assert_eq!(told, None, "{name}"),
                Some(said) => {
                    assert!(
                        told.as_deref().is_some_and(|told| told.contains(said)),
                        "{name}: {told:?}"
                    );
                }
            }
        }
    }
}
