//! A campaign's message as Braze renders it: `message.liquid`, with content blocks as files
//! beside it.
//!
//! The subject line is a field of its own in Braze, and renders by itself: it is in
//! `subject.liquid`, or in a comment of the message, `<!-- subject line: ... -->`.
//! What only Braze knows of a user is not there unless it is said, and renders as Braze renders what is not
//! there; who shows a message is told what that was.

mod comments;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use dialect::{ATTRIBUTES, Fault, Limits, NotRendered, Object, Preview, Scene, Template};
pub use dialect::{Calls, Fault as MessageFault};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::folder;

/// File of a campaign that shows its content in a message.
const FILE: &str = "message.liquid";

/// File of a campaign with the subject line, or what stands in its place, such as a title.
const SUBJECT_FILE: &str = "subject.liquid";

/// Folder of a campaign with its content blocks, `name.liquid` each.
const BLOCKS: &str = "content_blocks";

/// Suffix of templates.
const SUFFIX: &str = ".liquid";

/// Most notes of one rendering.
const MAX_NOTES: usize = 50;

/// The attribute that is known here.
const BRAZE_ID: &str = "braze_id";

/// A message, its subject line, and the content blocks that they may show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The template.
    pub text: String,
    /// The template of the subject line, if it is a file of its own; otherwise a comment of
    /// the message may hold it.
    pub subject: Option<String>,
    /// Templates by name, shown by `{{content_blocks.${name}}}`.
    pub content_blocks: BTreeMap<String, String>,
}

/// Whom a message is rendered for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recipient {
    /// Braze's id of the user.
    pub user_id: String,
    /// What only Braze knows, as far as it is said: attributes by name, and groups of them,
    /// such as `custom_attribute`, as objects.
    pub attributes: Map<String, Value>,
}

/// A message as Braze renders it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// The subject line, if there is one.
    pub subject: Option<Preview>,
    /// The message.
    pub body: Preview,
}

/// Where the campaign of a folder has its message.
pub fn path(campaign: &Path) -> PathBuf {
    campaign.join(FILE)
}

impl Message {
    /// The message of a campaign's folder, if it has one.
    pub fn read(campaign: &Path) -> Option<Self> {
        let text = template_in(&path(campaign)).ok()?;
        let subject = template_in(&campaign.join(SUBJECT_FILE)).ok();
        Some(Self { text, subject, content_blocks: content_blocks(campaign) })
    }

    /// What is wrong with it, by file.
    fn faults(&self) -> Vec<(&'static str, Fault)> {
        let of_body = self.template(&self.text).err().into_iter().flatten();
        let of_subject = self.subject.as_ref().map(|subject| self.template(subject).err());
        let of_subject = of_subject.flatten().into_iter().flatten();
        of_body
            .map(|fault| (FILE, fault))
            .chain(of_subject.map(|fault| (SUBJECT_FILE, fault)))
            .collect()
    }

    fn template(&self, text: &str) -> Result<Template, Vec<Fault>> {
        Template::parse_with(text, &|name| self.content_blocks.get(name).cloned())
    }

    /// Renders it for a user; `calls` answers what it calls.
    pub fn render(&self, to: &Recipient, calls: &Rc<dyn Calls>) -> Result<Shown, NotShown> {
        let body = self.part(&comments::removed(&self.text), to, calls)?;
        let subject = self.subject.clone().or_else(|| comments::subject(&self.text));
        let subject = subject.map(|subject| self.part(&subject, to, calls)).transpose();
        let subject = subject.map_err(|error| NotShown::Subject(Box::new(error)))?;
        Ok(Shown { subject, body })
    }

    /// Renders a part: variables of one are not there in another, as in Braze.
    fn part(&self, text: &str, to: &Recipient, calls: &Rc<dyn Calls>) -> Result<Preview, NotShown> {
        let template = self.template(text).map_err(NotShown::Faults)?;
        let given = to.given();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        let scene = Scene {
            given: &given,
            now: Some(now),
            limits: Limits::MESSAGE,
            calls: Some(Rc::clone(calls)),
            inert: None,
        };
        template.preview(&scene).map_err(NotShown::NotRendered)
    }
}

impl Recipient {
    /// A user of whom nothing else is said.
    pub fn new(user_id: &str) -> Self {
        Self { user_id: user_id.to_owned(), attributes: Map::new() }
    }

    fn given(&self) -> Object {
        let (groups, mut attributes): (Map<_, _>, Map<_, _>) = self
            .attributes
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .partition(|(_, value)| value.is_object());
        attributes.insert(BRAZE_ID.to_owned(), self.user_id.as_str().into());
        let groups = groups.into_iter().chain([(ATTRIBUTES.to_owned(), attributes.into())]);
        groups.map(|(name, value)| (name.into(), dialect::json::value(&value))).collect()
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
    let mut faults = Vec::new();
    for file in [FILE, SUBJECT_FILE] {
        let path = campaign.join(file);
        if let Err(Some(reason)) = template_in(&path) {
            faults.push(crate::Fault::new(&path, Some(1), reason));
        }
    }
    let found = Message::read(campaign).map(|message| message.faults()).unwrap_or_default();
    faults.extend(found.into_iter().map(|(file, fault)| {
        crate::Fault::new(&campaign.join(file), Some(fault.line), fault.reason)
    }));
    faults
}

impl Shown {
    /// What an author should know of what was rendered, a line each.
    pub fn notes(&self) -> Vec<String> {
        let of_subject = self.subject.as_ref().map(notes).unwrap_or_default();
        let of_subject = of_subject.into_iter().map(|note| format!("subject line: {note}"));
        of_subject.chain(notes(&self.body)).collect()
    }
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
    /// Its subject line cannot be shown.
    #[error("subject line: {0}")]
    Subject(Box<NotShown>),
}

impl NotShown {
    /// The reason why the message says itself that it is not to be sent, if it does.
    pub fn abort_reason(&self) -> Option<&str> {
        match self {
            Self::NotRendered(NotRendered::Aborted(reason)) => Some(reason),
            Self::Subject(inner) => inner.abort_reason(),
            _ => None,
        }
    }
}

fn listed(faults: &[Fault]) -> String {
    let lines = faults.iter().map(|fault| format!("line {}: {}", fault.line, fault.reason));
    lines.collect::<Vec<_>>().join("\n")
}

/// What the api says of a user, in both its formats.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ApiAnswer {
    /// Without a format, as DynamoDB has it: `{"Item": ...}`.
    pub dynamodb: Value,
    /// With `format=plain`.
    pub plain: Value,
}

/// Answers calls from content that is at hand: what the api says of the user, by campaign.
#[derive(Debug, Clone)]
pub struct AnswersAtHand(pub BTreeMap<String, ApiAnswer>);

impl Calls for AnswersAtHand {
    fn answer(&self, call: &dialect::Call) -> Result<String, String> {
        let query = call.url.split_once('?').map_or("", |(_, query)| query);
        let parameter = |name: &str| {
            let pairs = query.split(['&', '#']).filter_map(|pair| pair.split_once('='));
            pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        if parameter("user_id").is_none() {
            return Err(format!("{} is not called here, so its answer is nothing", call.url));
        }
        let is_plain = parameter("format") == Some("plain");
        let of = |answer: &ApiAnswer| {
            if is_plain { answer.plain.clone() } else { answer.dynamodb.clone() }
        };
        let Some(names) = parameter("campaign") else {
            let mut all = self.0.values();
            return all
                .next()
                .filter(|_| all.next().is_none())
                .map(|one| of(one).to_string())
                .ok_or_else(|| {
                    "there are several campaigns, and the api answers 400: add campaign=NAME"
                        .to_owned()
                });
        };
        let mut answers = Vec::new();
        for name in names.split(',') {
            let answer = self.0.get(name).ok_or_else(|| {
                let meant = dialect::did_you_mean(name, self.0.keys().map(String::as_str));
                format!("there is no campaign \"{name}\", and the api answers 404, which renders as nothing{meant}")
            })?;
            answers.push((name, of(answer)));
        }
        if let [(_, answer)] = answers.as_slice() {
            return Ok(answer.to_string());
        }
        // Several stand under their names.
        let inside = |(name, answer): (&str, Value)| {
            let of_name = if is_plain { answer } else { answer["Item"].clone() };
            (name.to_owned(), of_name)
        };
        let items: Map<String, Value> = answers.into_iter().map(inside).collect();
        let all = if is_plain { "contents" } else { "Items" };
        Ok(json!({ all: items }).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<Preview, NotShown> {
        shown_to(&Recipient::new("5f1a"), text).map(|shown| shown.body)
    }

    fn shown_to(recipient: &Recipient, text: &str) -> Result<Shown, NotShown> {
        let item = |heading: &str| {
            let data = json!({ "M": { "heading": { "S": heading } } });
            ApiAnswer {
                dynamodb: json!({ "Item": { "data": data, "user_id": { "S": "5f1a" } } }),
                plain: json!({ "user_id": "5f1a", "data": { "heading": heading } }),
            }
        };
        let answers = [("new-episode", "Hello"), ("offer", "Now")];
        let answers = answers.map(|(name, heading)| (name.to_owned(), item(heading)));
        let content_blocks =
            [("footer", "{% if true %}-- {{ name }}{% endif %}"), ("broken", "a\n{% if %}")];
        let content_blocks = content_blocks.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let content_blocks = content_blocks.into();
        let message = Message { text: text.to_owned(), subject: None, content_blocks };
        let calls: Rc<dyn Calls> = Rc::new(AnswersAtHand(answers.into()));
        message.render(recipient, &calls)
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
    fn a_format_and_a_campaign_that_is_not_there_are_answered_as_the_api_does() {
        let plain = "{% connected_content https://a/?user_id=1&campaign=offer&format=plain :save r %}\
                     {{r.data.heading}}\
                     {% connected_content https://a/?user_id=1&campaign=offer,new-episode&format=plain :save s %}\
                     {{s.contents.new-episode.data.heading}}";
        let misspelt =
            "{% connected_content https://a/?user_id=1&campaign=ofer :save r %}{{r.Item}}";

        assert_eq!(rendered(plain), "NowHello");
        let told = shown(misspelt).expect("renders").faults;
        assert!(told[0].reason.contains("did you mean offer?"), "{told:?}");
    }

    #[test]
    fn attributes_that_are_said_are_there() {
        let attributes = json!({ "first_name": "Ada", "custom_attribute": { "pet": "cat" } });
        let Value::Object(attributes) = attributes else { panic!("is an object") };
        let recipient = Recipient { user_id: "5f1a".to_owned(), attributes };

        let text = "{{${first_name} | default: 'you'}} {{custom_attribute.${pet}}} {{${city}}}";
        let shown = shown_to(&recipient, text).expect("renders").body;

        assert_eq!(shown.text, "Ada cat ");
        assert_eq!(shown.missing.iter().collect::<Vec<_>>(), ["${city}"]);
    }

    #[test]
    fn a_subject_line_in_a_comment_is_rendered_by_itself_and_comments_are_not() {
        let text = "{% connected_content https://a/?user_id=1&campaign=offer :save r %}\n\
                    <!-- Subject line: {{r.Item.data.M.heading.S | upcase}} for {{${first_name} | default: 'you'}} -->\
                    <p><!-- {{ nothing.here }} -->b</p>";

        let shown = shown_to(&Recipient::new("5f1a"), text).expect("renders");

        assert_eq!(shown.subject.map(|subject| subject.text).as_deref(), Some("NOW for you"));
        assert_eq!(shown.body.text.trim(), "<p>b</p>");
        assert!(shown.body.faults.is_empty(), "{:?}", shown.body.faults);
    }

    #[test]
    fn what_is_said_of_a_subject_line_in_a_comment_names_its_line_in_the_message() {
        let call = "{% connected_content\nhttps://a/?user_id=1&campaign=offer :save r %}";
        for (text, line) in [
            ("\n\n<!-- subject line: {{ absent }} -->".to_owned(), 3),
            (format!("\n{call}\r\n<!-- subject:\r\n{{{{ absent }}}} -->"), 5),
            (format!("<!-- a\n -->\n<!-- subject: {{{{ absent }}}}\n-->\n{call}"), 3),
            (format!("\n<!-- subject: {call}\n{{{{ absent }}}} -->"), 4),
        ] {
            let shown = shown_to(&Recipient::new("5f1a"), &text).expect("renders");
            let subject = shown.subject.expect("is there");
            let lines: Vec<usize> = subject.faults.iter().map(|fault| fault.line).collect();
            assert_eq!(lines, [line], "{text:?}: {:?}", subject.faults);
        }
    }

    #[test]
    fn what_is_said_of_a_part_of_a_tag_names_the_line_of_the_message() {
        for (text, line) in [
            ("\n\n{% connected_content https://a/?user_id={{absent}}&campaign=offer %}", 3),
            ("\n\n\n{% message_extras :key a :value {{absent}} %}", 4),
            ("\n{% liquid\nassign a = 1\necho absent\n%}", 4),
        ] {
            let faults = shown(text).expect("renders").faults;
            let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
            assert_eq!(lines, [line], "{text:?}: {faults:?}");
        }
        let wrong = shown("\n{% liquid\nassign a = 1\nbad b\n%}").expect_err("is wrong");
        assert!(wrong.to_string().starts_with("line 4: unknown tag bad"), "{wrong}");
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
