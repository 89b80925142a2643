//! A campaign's message as Braze renders it: `message.liquid`, with content blocks as files
//! beside it.
//!
//! What only Braze knows of a user is not there, and renders as Braze renders what is not
//! there; who shows a message is told what that was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use dialect::{ATTRIBUTES, Calls, Fault, Limits, NotRendered, Object, Preview, Scene, Template};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::folder;

/// File of a campaign that shows its content in a message.
const FILE: &str = "message.liquid";

/// Folder of a campaign with its content blocks, `name.liquid` each.
const BLOCKS: &str = "content_blocks";

/// Suffix of templates.
const SUFFIX: &str = ".liquid";

/// Most notes of one rendering.
const MAX_NOTES: usize = 50;

/// The attribute that is known here.
const BRAZE_ID: &str = "braze_id";

/// A message and the content blocks that it may show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The template.
    pub text: String,
    /// Templates by name, shown by `{{content_blocks.${name}}}`.
    pub content_blocks: BTreeMap<String, String>,
}

/// Where the campaign of a folder has its message.
pub fn path(campaign: &Path) -> PathBuf {
    campaign.join(FILE)
}

impl Message {
    /// The message of a campaign's folder, if it has one.
    pub fn read(campaign: &Path) -> Option<Self> {
        let text = template_in(&path(campaign)).ok()?;
        Some(Self { text, content_blocks: content_blocks(campaign) })
    }

    /// What is wrong with it.
    fn faults(&self) -> Vec<Fault> {
        self.template().err().unwrap_or_default()
    }

    fn template(&self) -> Result<Template, Vec<Fault>> {
        Template::parse_with(&self.text, &|name| self.content_blocks.get(name).cloned())
    }

    /// Renders it for a user; `calls` answers what it calls.
    pub fn render(&self, user_id: &str, calls: Rc<dyn Calls>) -> Result<Preview, NotShown> {
        let template = self.template().map_err(NotShown::Faults)?;
        let mut given = Object::new();
        given.insert(ATTRIBUTES.into(), dialect::json::value(&json!({ BRAZE_ID: user_id })));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        let scene = Scene {
            given: &given,
            now: Some(now),
            limits: Limits::MESSAGE,
            calls: Some(calls),
            inert: None,
        };
        template.preview(&scene).map_err(NotShown::NotRendered)
    }
}

/// The content blocks of a campaign's folder.
fn content_blocks(campaign: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(campaign.join(BLOCKS)).into_iter().flatten().flatten();
    let block = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?.to_owned();
        Some((name, template_in(&path).ok()?))
    };
    entries.filter_map(|entry| block(entry.path())).collect()
}

/// The text of a template's file, or what is wrong with the file.
fn template_in(path: &Path) -> Result<String, Option<&'static str>> {
    let bytes = std::fs::read(path).map_err(|_| None)?;
    folder::readable(bytes).map_err(|unreadable| Some(unreadable.reason))
}

/// What is wrong with the message of a campaign's folder: a matter of Braze, and none of
/// generating, so that no function looks at it.
pub(crate) fn faults(campaign: &Path) -> Vec<crate::Fault> {
    let path = path(campaign);
    if let Err(Some(reason)) = template_in(&path) {
        return vec![crate::Fault::new(&path, Some(1), reason)];
    }
    let found = Message::read(campaign).map(|message| message.faults()).unwrap_or_default();
    found
        .into_iter()
        .map(|fault| crate::Fault::new(&path, Some(fault.line), fault.reason))
        .collect()
}

/// What an author should know of what was rendered, a line each.
pub fn notes(shown: &Preview) -> Vec<String> {
    let extras = shown.extras.iter().map(|(key, value)| format!("message extra: {key} = {value}"));
    let missing = shown.missing.iter().map(|name| format!("missing: only Braze knows {name}"));
    let faults = shown.faults.iter().map(|fault| {
        let line = if fault.line > 0 { format!("line {}: ", fault.line) } else { String::new() };
        format!("look at this: {line}{}", fault.reason)
    });
    extras.chain(missing).chain(faults).take(MAX_NOTES).collect()
}

/// Why a message cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum NotShown {
    /// It is no template.
    #[error("{}", listed(.0))]
    Faults(Vec<Fault>),
    /// It does not render, or says that it is not to be sent.
    #[error(transparent)]
    NotRendered(NotRendered),
}

fn listed(faults: &[Fault]) -> String {
    let lines = faults.iter().map(|fault| format!("line {}: {}", fault.line, fault.reason));
    lines.collect::<Vec<_>>().join("\n")
}

/// Answers calls from content that is at hand: what the api says of the user, by campaign,
/// each as the api writes one.
#[derive(Debug, Clone)]
pub struct AnswersAtHand(pub BTreeMap<String, Value>);

impl Calls for AnswersAtHand {
    fn answer(&self, call: &dialect::Call) -> Option<String> {
        let query = call.url.split_once('?').map_or("", |(_, query)| query);
        let parameter = |name: &str| {
            let pairs = query.split(['&', '#']).filter_map(|pair| pair.split_once('='));
            pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        parameter("user_id")?;
        let Some(names) = parameter("campaign") else {
            let mut all = self.0.values();
            return all.next().filter(|_| all.next().is_none()).map(Value::to_string);
        };
        let names: Vec<&str> = names.split(',').collect();
        if let [name] = names.as_slice() {
            return self.0.get(*name).map(Value::to_string);
        }
        // Several stand under their names, in what is called Items then.
        let items =
            names.iter().map(|name| Some(((*name).to_owned(), self.0.get(*name)?["Item"].clone())));
        let items: serde_json::Map<String, Value> = items.collect::<Option<_>>()?;
        Some(json!({ "Items": items }).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<Preview, NotShown> {
        let item = |heading: &str| {
            let data = json!({ "M": { "heading": { "S": heading } } });
            json!({ "Item": { "data": data, "user_id": { "S": "5f1a" } } })
        };
        let answers = [("new-episode", "Hello"), ("offer", "Now")];
        let answers = answers.map(|(name, heading)| (name.to_owned(), item(heading)));
        let content_blocks =
            [("footer", "{% if true %}-- {{ name }}{% endif %}"), ("broken", "a\n{% if %}")];
        let content_blocks = content_blocks.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let message = Message { text: text.to_owned(), content_blocks: content_blocks.into() };
        message.render("5f1a", Rc::new(AnswersAtHand(answers.into())))
    }

    fn rendered(text: &str) -> String {
        shown(text).unwrap_or_else(|error| panic!("{text}: {error}")).text
    }

    #[test]
    fn a_message_shows_what_the_tag_saved() {
        let message = "{% connected_content https://a/?user_id={{${braze_id}}}&campaign=new-episode :save result -%}\n\
                       <h1>{{result.Item.data.M.heading.S}}</h1>{{result.__http_status_code__}}";

        assert_eq!(rendered(message), "<h1>Hello</h1>200");
    }

    #[test]
    fn the_tag_may_trim_and_save_under_any_name_and_stand_over_several_lines() {
        let message = "<p>\n{%- connected_content https://a/?user_id=1&campaign=offer :basic_auth me\n\
                       :headers { \"X-A\": \"{{${braze_id}}}\" } :cache_max_age 900 :retry :method get :save mine -%}\n\
                       {{mine.Item.data.M.heading.S}}</p>{% if mine %}!{% endif %}";

        assert_eq!(rendered(message), "<p>Now</p>!");
    }

    #[test]
    fn several_campaigns_stand_under_their_names() {
        let message = "{% connected_content https://a/?user_id={{${braze_id}}}&campaign=new-episode,offer :save r %}\
                       {{r.Items.new-episode.data.M.heading.S}} {{r.Items.offer.data.M.heading.S}}";

        assert_eq!(rendered(message), "Hello Now");
    }

    #[test]
    fn what_is_not_called_here_is_nothing_and_is_told() {
        let message = "{% connected_content https://weather.example/ :save w %}[{{w.sky}}]{% if w == nil %}?{% endif %}";

        let shown = shown(message).expect("renders");

        assert_eq!(shown.text, "[]?");
        assert!(
            shown.faults.iter().any(|fault| fault.reason.contains("weather.example")),
            "{shown:?}"
        );
    }

    #[test]
    fn what_braze_does_at_send_time_only_is_nothing_and_is_told() {
        let shown =
            shown("{% catalog_items shows {{id}} %}[{{items[0].name}}]{% promotion('spring') %}");
        let shown = shown.expect("renders");

        assert_eq!(shown.text, "[]");
        let told = |what: &str| shown.faults.iter().any(|fault| fault.reason.contains(what));
        assert!(told("catalog_items shows") && told("promotion ('spring')"), "{shown:?}");
    }

    #[test]
    fn what_only_braze_knows_is_missing_and_told() {
        let message = "{{${first_name} | default: 'you'}}{{ ${last_name} | upcase }} {{${braze_id}}} \
                       {{custom_attribute.${favourite show}}}{{custom_attribute.${pets}[0].name}}";

        let shown = shown(message).expect("renders");

        assert_eq!(shown.text, "you 5f1a ");
        let missing = ["custom_attribute.${favourite show}", "custom_attribute.${pets}[0].name"];
        for name in ["${first_name}", "${last_name}"].into_iter().chain(missing) {
            assert!(shown.missing.iter().any(|missing| missing == name), "{name}: {shown:?}");
        }
    }

    #[test]
    fn a_message_that_is_not_to_be_sent_says_why() {
        let aborted = shown("{% if result == nil %}{% abort_message('no content') %}{% endif %}a");

        let reason = aborted.expect_err("is not sent").to_string();
        assert_eq!(reason, "the message would not be sent: no content");
    }

    #[test]
    fn extras_are_kept_and_the_first_of_a_key_counts() {
        let message = "{% assign v = 'a' %}{% message_extras :key variant :value {{v}} %}\
                       {% message_extras :key variant :value b %}x";

        let shown = shown(message).expect("renders");

        assert_eq!(shown.text, "x");
        assert_eq!(shown.extras, [("variant".to_owned(), "a".to_owned())]);
    }

    #[test]
    fn a_content_block_is_a_file_and_sees_the_variables() {
        let message = "{% assign name = 'Brand' %}Hi {{content_blocks.${footer}}}";

        assert_eq!(rendered(message), "Hi -- Brand");
        assert_eq!(rendered("{{ content_blocks.${footer} | id: 'cb1' }}"), "-- ");
        let broken = shown("\n{{content_blocks.${broken}}}").expect_err("is broken").to_string();
        assert!(broken.contains("line 2: content block broken:2: "), "{broken}");
        let absent = shown("{{content_blocks.${header}}}").expect_err("is not there").to_string();
        assert!(absent.contains("content block header, which is not there"), "{absent}");
    }

    #[test]
    fn what_braze_would_not_take_is_told() {
        for (message, reason) in [
            ("{% connected_content https://a/ :sav r %}", "no option :sav: did you mean :save?"),
            (
                "{% connected_content https://a/ :save %}",
                "the option :save of connected_content needs a value",
            ),
            ("{% connected_content https://a/ :method put %}", "no method put: get or post"),
            ("{% connected_content :save r %}", "calls no address"),
            ("{% message_extras variant=a %}", "is written :key name :value text"),
            ("{% abort_message 'why' %}", "abort_message('the reason')"),
            ("{% connectd_content https://a/ %}", "did you mean connected_content?"),
        ] {
            let said = shown(message).expect_err(message).to_string();
            assert!(said.contains(reason), "{message}: {said}");
        }
    }
}
