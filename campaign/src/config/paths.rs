//! Paths of fields, such as `properties.show`, and what is wrong with those of other tools.

/// A path that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WrongPath {
    /// What is wrong, and what would be right.
    pub(super) reason: String,
    /// The paths that were meant, as far as that can be told.
    pub(super) meant: Vec<String>,
}

/// A path in whatever notation, read as far as its names go.
#[derive(Debug, Default)]
struct Reading {
    names: Vec<String>,
    /// It goes on inside a list.
    is_in_list: bool,
    /// It looks for a name at any depth.
    is_search: bool,
}

/// Tells whether a field holds what stands at a path.
pub(crate) fn holds(field: &str, path: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What is wrong with the path of a field.
pub(super) fn wrong(path: &str) -> Option<WrongPath> {
    let several: Vec<&str> = path.split(',').map(str::trim).collect();
    let is_path = |part: &&str| part.contains('.') && !part.contains(char::is_whitespace);
    if several.len() > 1 && several.iter().all(is_path) {
        let reason = format!("\"{path}\" is several paths: write \"{}\"", several.join("\", \""));
        let meant = several.into_iter().map(str::to_owned).collect();
        return Some(WrongPath { reason, meant });
    }
    let Reading { names, is_in_list, is_search } = Reading::of(path);
    let meant = names.join(".");
    if meant == path && !meant.is_empty() && !is_in_list && !is_search {
        return None;
    }
    let reason = if is_search {
        format!(
            "\"{path}\" looks for a name at any depth: write the whole path, e.g. properties.show"
        )
    } else if meant.is_empty() {
        format!("\"{path}\" names no field: write e.g. properties.show")
    } else if is_in_list {
        format!(
            "\"{path}\" names what is inside a list: write \"{meant}\", and look into it in the prompt"
        )
    } else if ["event.", "$."].iter().any(|root| path.starts_with(root)) {
        format!("\"{path}\" begins at the event itself: write {meant}")
    } else {
        format!("\"{path}\" is no path of names and dots: write {meant}")
    };
    let meant = Some(meant).filter(|meant| !is_search && !meant.is_empty());
    Some(WrongPath { reason, meant: meant.into_iter().collect() })
}

impl Reading {
    fn of(path: &str) -> Self {
        let mut reading = Self::default();
        let mut rest = undressed(path);
        // Slashes and colons part names where no dot does.
        let others = ['/', ':'].into_iter().find(|other| rest.contains(*other));
        let separator = others.filter(|_| !rest.contains(['.', '['])).unwrap_or('.');
        while !rest.is_empty() && !reading.is_in_list {
            if let Some(inside) = rest.strip_prefix('[') {
                let (name, behind) = inside.split_once(']').unwrap_or((inside, ""));
                reading.add(name.trim().trim_matches(['"', '\'']), true);
                rest = behind;
            } else if rest.starts_with("..") {
                reading.is_search |= reading.names.is_empty();
                rest = &rest[2..];
            } else if let Some(behind) = rest.strip_prefix(separator) {
                rest = behind;
            } else {
                let end = rest.find([separator, '[']).unwrap_or(rest.len());
                let name = rest[..end].trim();
                if !name.is_empty() {
                    reading.add(name, false);
                }
                rest = &rest[end..];
            }
        }
        // What Braze calls event_properties, Currents calls properties.
        if let [first, _, ..] = reading.names.as_mut_slice()
            && first == "event_properties"
            && path.contains("${")
        {
            *first = "properties".to_owned();
        }
        reading
    }

    fn add(&mut self, name: &str, is_in_brackets: bool) {
        let of_braze = name.strip_prefix("${").and_then(|name| name.strip_suffix('}'));
        let name = of_braze.unwrap_or(name);
        // Behind a dot it is the name of a property.
        let is_place = is_in_brackets && is_number(name);
        if name == "*" || name.is_empty() || is_place {
            self.is_in_list = true;
        } else {
            self.names.push(name.to_owned());
        }
    }
}

/// A part of a path that looks like a place in a list, and is the name of a property.
pub(crate) fn number_in(path: &str) -> Option<&str> {
    path.split('.').find(|name| is_number(name))
}

fn is_number(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_digit())
}

/// A path without what other notations put around it.
fn undressed(path: &str) -> &str {
    let mut rest = path.trim();
    for (open, close) in [("{{", "}}"), ("${", "}")] {
        let inside = rest.strip_prefix(open).and_then(|inside| inside.strip_suffix(close));
        rest = inside.map_or(rest, str::trim);
    }
    let is_path = |behind: &&str| behind.is_empty() || behind.starts_with(['.', '[']);
    let at_root = rest.strip_prefix('$').filter(is_path);
    rest = at_root.unwrap_or(rest);
    let of_event = rest.strip_prefix("event").filter(|behind| behind.starts_with(['.', '[']));
    of_event.unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_dots_are_a_path_whatever_the_names_are() {
        for path in [
            "name",
            "properties.favourite show",
            "properties.größe",
            "properties.a_b-c",
            "properties.a/b",
            "properties.price:eur",
            "properties.answers.1",
            "event",
        ] {
            assert_eq!(wrong(path), None, "{path}");
        }
    }

    #[test]
    fn a_path_of_another_tool_is_told_with_the_one_that_was_meant() {
        for (path, meant) in [
            ("$.properties.show", "properties.show"),
            ("$['properties']['show']", "properties.show"),
            ("properties[show]", "properties.show"),
            ("properties[\"show\"]", "properties.show"),
            ("[properties][show]", "properties.show"),
            ("event.name", "name"),
            ("event['properties'].show", "properties.show"),
            ("{{ properties.show }}", "properties.show"),
            ("/properties/show", "properties.show"),
            ("properties/show", "properties.show"),
            ("properties.${show}", "properties.show"),
            ("{{event_properties.${show}}}", "properties.show"),
            ("properties:show", "properties.show"),
            ("properties..show", "properties.show"),
            (".properties", "properties"),
            ("properties.", "properties"),
            (" properties. show ", "properties.show"),
        ] {
            let wrong = wrong(path).expect(path);
            assert_eq!(wrong.meant, [meant], "{path}");
            assert!(wrong.reason.ends_with(&format!("write {meant}")), "{}", wrong.reason);
        }
    }

    #[test]
    fn a_path_into_a_list_is_told_with_the_list() {
        for path in [
            "properties.items[0].name",
            "properties.items[*].name",
            "properties.items.*.name",
            "properties.items[]",
            "$.properties.items[0]",
        ] {
            let wrong = wrong(path).expect(path);
            assert_eq!(wrong.meant, ["properties.items"], "{path}");
            assert!(wrong.reason.contains("inside a list: write \"properties.items\""));
        }
    }

    #[test]
    fn what_names_no_field_or_several_is_told() {
        for (path, told) in [
            ("", "names no field"),
            (" ", "names no field"),
            ("$", "names no field"),
            ("$..show", "at any depth"),
            ("..show", "at any depth"),
        ] {
            let wrong = wrong(path).expect(path);
            assert!(wrong.reason.contains(told), "{path}: {}", wrong.reason);
            assert!(wrong.meant.is_empty(), "{path}: {wrong:?}");
        }
        let several = wrong("properties.a, properties.b").expect("are two");
        assert!(several.reason.ends_with("write \"properties.a\", \"properties.b\""));
        assert_eq!(several.meant, ["properties.a", "properties.b"]);
    }
}
