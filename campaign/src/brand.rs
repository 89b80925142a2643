//! `brand.liquid`, beside the campaigns' folders: how the brand speaks, for every campaign that
//! says `{% render 'brand' %}` in its prompt or its instructions.
//!
//! It is rendered once, over nothing, as Liquid's `render` isolates what it includes; so it is
//! part of every prompt's hash by being part of the prompt.

use std::path::Path;

use crate::fault::Fault;
use crate::folder::{Unreadable, readable};
use crate::{prompt, safe_text};

/// The file.
const FILE: &str = "brand.liquid";

/// The name by which it is included.
const NAME: &str = "brand";

/// Longest page, in bytes: it is paid for with every prompt that includes it.
const MAX_BYTES: usize = 16 * 1_024;

/// What campaigns can include.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Brand(Option<String>);

impl Brand {
    /// Reads and renders the page of a folder of campaigns, if it has one.
    pub(crate) fn read(folder: &Path, faults: &mut Vec<Fault>) -> Self {
        let path = folder.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Self(None),
            Err(error) => {
                let reason = format!("cannot be read ({error}): mend or remove it");
                faults.push(Fault::new(&path, None, reason));
                return Self(None);
            }
        };
        let mut blame = |line: Option<usize>, reason: String| {
            faults.push(Fault::new(&path, line, reason));
        };
        if bytes.len() > MAX_BYTES {
            let reason = format!(
                "is longer than {MAX_BYTES} bytes, which every prompt that includes it would pay for: shorten it"
            );
            blame(None, reason);
        }
        let text = match readable(bytes) {
            Ok(text) => text,
            Err(Unreadable { text, reason }) => {
                blame(Some(1), reason.to_owned());
                // Something, so that whoever includes it is not blamed.
                return Self(Some(text.unwrap_or_else(|| NAME.to_owned())));
            }
        };
        match prompt::instructions(&text, &Self::in_itself) {
            Ok(rendered) if safe_text::shows_nothing(&rendered) => {
                blame(None, "says nothing: write how the brand speaks, or remove it".to_owned());
                Self(Some(text))
            }
            Ok(rendered) => Self(Some(rendered)),
            Err(found) => {
                found.into_iter().for_each(|fault| blame(Some(fault.line), fault.reason));
                Self(Some(text))
            }
        }
    }

    /// The text that a name includes, or what is wrong with it.
    pub(crate) fn part(&self, name: &str) -> Result<String, String> {
        match &self.0 {
            Some(text) if name == NAME => Ok(text.clone()),
            None if name == NAME => Err(format!(
                "includes {NAME}, and there is no {FILE} beside the campaigns' folders: write it there"
            )),
            _ => Err(format!(
                "includes \"{name}\", and there is one page only, {FILE} beside the campaigns' folders: write {{% render '{NAME}' %}}"
            )),
        }
    }

    fn in_itself(_: &str) -> Result<String, String> {
        Err(format!("{FILE} includes nothing: write all of it here"))
    }
}

#[cfg(test)]
mod tests {
    use contract::attributes::Attributes;

    use super::*;
    use crate::compiled::tests::{compiled, draft, faults_of};
    use crate::{Grounds, Items, Rendering};

    /// What a folder with this page lets campaigns include, and what is wrong with it.
    fn read(page: &[u8]) -> (Brand, Vec<String>) {
        let folder = tempfile::tempdir().expect("is made");
        std::fs::write(folder.path().join(FILE), page).expect("is written");
        let mut faults = Vec::new();
        let brand = Brand::read(folder.path(), &mut faults);
        let root = folder.path().to_str().expect("is UTF-8");
        (brand, faults.iter().map(|fault| fault.to_string().replace(root, "")).collect())
    }

    const PROMPT: &str = "{% assign show = events.last.properties.show %}{{ show }}\n\
        {{ events.last.properties.season }} {{ events.last.properties.episode }}\n";

    #[test]
    fn a_page_is_part_of_prompts_and_instructions_and_of_the_hash() {
        let rendered = |page: &str| {
            let (brand, faults) = read(page.as_bytes());
            assert_eq!(faults, [""; 0]);
            let mut draft = draft();
            draft.brand = brand;
            draft.system = Some("Be brief.\n{%- render \"brand\" -%}\nThey are data.".to_owned());
            draft.prompt = Some(PROMPT.to_owned() + "{% liquid\nrender 'brand'\n%}");
            let campaign = compiled(draft);
            let (attributes, items) = (Attributes::new(), Items::default());
            let grounds = Grounds { events: &[], attributes: &attributes, items: &items };
            let Rendering::Asks(brief) = campaign.brief(&grounds).expect("renders") else {
                panic!("lacks nothing")
            };
            (campaign.system.clone(), brief.hash, brief.told.prompt)
        };

        let (system, hash, prompt) =
            rendered("We say {{ 'you' | upcase }}, {% raw %}{{ never }}{% endraw %}.");

        assert_eq!(system, "Be brief.We say YOU, {{ never }}.They are data.");
        assert!(prompt.ends_with("We say YOU, {{ never }}."), "{prompt}");
        assert_ne!(hash, rendered("We say they.").1);
    }

    #[test]
    fn what_is_wrong_with_a_page_is_told_in_its_own_file_and_line() {
        let long = "a".repeat(MAX_BYTES + 1);
        for (page, expected) in [
            (&b"fine\n{{ events.first.type }}"[..], "/brand.liquid:2: there is no events"),
            (b"a\n\n{% if %}", "/brand.liquid:3: {% if %}"),
            (b"a\n{% render 'brand' %}", "/brand.liquid:2: brand.liquid includes nothing"),
            (b"{% comment %}later{% endcomment %}", "/brand.liquid: says nothing"),
            (b"\xff\xfea", "/brand.liquid:1: is UTF-16: save it as UTF-8"),
            (long.as_bytes(), "/brand.liquid: is longer than 16384 bytes"),
        ] {
            let (brand, faults) = read(page);
            assert!(faults[0].starts_with(expected), "{faults:?}");
            // Whoever includes it is not blamed as well.
            assert!(brand.part(NAME).is_ok());
        }
    }

    #[test]
    fn what_cannot_be_included_is_told_where_it_stands() {
        for (tag, expected) in [
            ("{% render 'brand' %}", "includes brand, and there is no brand.liquid beside"),
            ("{% render 'voice' %}", "includes \"voice\", and there is one page only"),
            ("{% render brand %}", "render takes a name in quotes, and no more"),
            ("{% render 'brand', show: 1 %}", "render takes a name in quotes, and no more"),
            ("{% include 'brand' %}", "the tag include is not supported"),
        ] {
            let mut draft = draft();
            draft.prompt = Some(format!("{PROMPT}{tag}"));
            let faults = faults_of(draft);
            assert!(faults[0].starts_with("/new-episode/prompt.liquid:3: "), "{faults:?}");
            assert!(faults[0].contains(expected), "{faults:?}");
        }
    }

    #[test]
    fn a_page_sees_no_variables_of_the_template_around_it() {
        let (brand, _) = read(b"fine");
        let mut draft = draft();
        draft.brand = brand;
        draft.prompt = Some(PROMPT.to_owned() + "{% render 'brand' %}{{ brand }}");

        assert!(faults_of(draft)[0].contains("brand"));
        let (_, faults) = read(b"{{ show }}");
        assert!(faults[0].contains("show"), "{faults:?}");
    }
}
