//! A campaign's message as Braze renders it with content that is at hand, for who previews a
//! campaign and for who checks one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::Context as _;
use api::answer::Answer;
use api::content::{Content, Data};
use api::query::Format;
use campaign::CompiledCampaign;
use campaign::message::{AnswersAtHand, ApiAnswer, Calls, Message, Recipient, Shown};
use serde_json::{Map, Value};

use crate::output::say;
use crate::preview::section;

/// The user of a check; no user has this id.
const NOBODY: &str = "user";

/// Content of one campaign in the place of its fallback content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written<'a> {
    pub(crate) campaign: &'a str,
    pub(crate) content: &'a Map<String, Value>,
}

/// What tells the language in which a user gets a campaign's fallback content.
pub(crate) type LanguageOf<'l> = &'l dyn Fn(&CompiledCampaign) -> Option<String>;

/// What the api would answer for a user: the content that was written, if it was, and
/// fallback content, in the user's language, for everything else.
fn calls(
    campaigns: &[Arc<CompiledCampaign>],
    user_id: &str,
    written: Option<Written<'_>>,
    language_of: LanguageOf<'_>,
) -> anyhow::Result<Rc<dyn Calls>> {
    let answer = |each: &Arc<CompiledCampaign>| {
        let name = each.campaign.name.as_str();
        let own = written.filter(|written| written.campaign == name);
        let fallback = || each.campaign.fallback_for(language_of(each).as_deref());
        let data = own.map_or_else(fallback, |written| written.content);
        let content = Content { data: Data::Json(data), is_fallback: own.is_none() };
        let of = |format| {
            let contents = vec![(name, content)];
            serde_json::to_value(Answer { user_id, contents, by_campaign: false, format })
        };
        let (dynamodb, plain) = (of(Format::DynamoDb)?, of(Format::Plain)?);
        Ok((name.to_owned(), ApiAnswer { dynamodb, plain }))
    };
    let answers: serde_json::Result<BTreeMap<String, ApiAnswer>> =
        campaigns.iter().map(answer).collect();
    Ok(Rc::new(AnswersAtHand(answers.context("writing the answers")?)))
}

/// Shows the message of a campaign's folder under a heading.
pub(crate) fn show(
    (folder, heading): (&Path, &str),
    campaigns: &[Arc<CompiledCampaign>],
    (to, language_of): (&Recipient, LanguageOf<'_>),
    written: Option<Written<'_>>,
) -> anyhow::Result<()> {
    let Some(message) = Message::read(folder) else {
        let path = campaign::message::path(folder);
        say(format_args!("\nno message to show: there is no {}", path.display()));
        return Ok(());
    };
    section(heading);
    match message.render(to, &calls(campaigns, &to.user_id, written, language_of)?) {
        Ok(shown) => {
            if let Some(subject) = &shown.subject {
                say(format_args!("subject line: {}", subject.text.trim()));
            }
            say(shown.body.text.trim());
            shown.notes().iter().for_each(say);
        }
        Err(error) => match error.abort_reason() {
            Some(reason) => say(format_args!("(none: the message would not be sent: {reason})")),
            None => return Err(anyhow::anyhow!("{error}").context(heading.to_owned())),
        },
    }
    Ok(())
}

/// What is worth a look in the message of a campaign's folder, rendered with its fallback
/// content: as what it is, and as if it had been written for the user.
pub(crate) fn warnings(
    folder: &Path,
    campaign: &CompiledCampaign,
    campaigns: &[Arc<CompiledCampaign>],
) -> anyhow::Result<BTreeSet<String>> {
    let mut warnings = BTreeSet::new();
    let Some(message) = Message::read(folder) else { return Ok(warnings) };
    let own = Written { campaign: &campaign.campaign.name, content: &campaign.campaign.fallback };
    for written in [None, Some(own)] {
        let calls = calls(campaigns, NOBODY, written, &|_| None)?;
        match message.render(&Recipient::new(NOBODY), &calls) {
            Ok(shown) => warnings.extend(faults(&message, &shown)),
            Err(error) if error.abort_reason().is_some() => {}
            Err(error) => drop(warnings.insert(error.to_string())),
        }
    }
    Ok(warnings)
}

fn faults(message: &Message, shown: &Shown) -> Vec<String> {
    let subject_file = if message.subject.is_some() { "subject.liquid" } else { "message.liquid" };
    let told = |file: &str, fault: &campaign::message::MessageFault| match fault.line {
        0 => format!("{file}: {}", fault.reason),
        line => format!("{file}:{line}: {}", fault.reason),
    };
    let of_subject = shown.subject.iter().flat_map(|subject| &subject.faults);
    let of_subject =
        of_subject.map(|fault| format!("{} (subject line): {}", subject_file, fault.reason));
    let of_body = shown.body.faults.iter().map(|fault| told("message.liquid", fault));
    of_subject.chain(of_body).collect()
}
