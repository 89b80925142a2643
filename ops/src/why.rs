//! Tells what becomes of a user's events in each campaign, and why: which meet the trigger,
//! what a condition saw, and what eligibility says.
//!
//! It knows the events, attributes and catalogs that it is given and nothing that a deployment
//! remembers. An event whose items or attributes are not there is told as such, as the very code
//! of a preview says it.

use std::process::ExitCode;

use anyhow::bail;
use campaign::{Campaign, Past, wanted_fields};

use crate::arguments::Why;
use crate::grounds::{self, Known};
use crate::outcome::{self, Outcome, Seen, timing};
use crate::output::say;
use crate::preview::{asking, attributes, events, similar_user};

/// What a run over all of the events may do otherwise.
const TOGETHER: &str = "     (as if they came one after another; of events that come together only \
                        the newest asks, and cooldown does not part them)";

/// Tells what becomes of a user's events.
pub fn why(arguments: &Why) -> anyhow::Result<ExitCode> {
    let attributes = attributes(arguments.user_attributes.as_deref())?;
    let campaigns = campaign::load(&arguments.campaigns)?;
    let records = events::read(&arguments.events, wanted_fields(&campaigns))?;
    if !records.iter().any(|record| record.user_id == arguments.user) {
        bail!(
            "no event of user {} in {}{}",
            arguments.user,
            arguments.events.display(),
            similar_user(&records, &arguments.user)
        );
    }
    grounds::unlisted(&attributes, &campaigns, &arguments.campaigns).iter().for_each(say);
    let catalogs = grounds::catalogs_dir(arguments.catalogs.as_deref(), &arguments.campaigns);
    let catalogs = grounds::catalogs(catalogs.as_deref(), campaigns.iter())?;
    for campaign in &campaigns {
        let known = Known::of(campaign, &records, &attributes, catalogs.clone());
        let lack_of = |history: &[Past]| match known.ground(campaign, &arguments.user, history) {
            Ok(ground) => grounds::lack(&ground.rendering),
            Err(error) => Some(error.to_string()),
        };
        let seen = outcome::of_user(campaign, &records, &arguments.user, &lack_of);
        let Campaign { name, config, .. } = &campaign.campaign;
        say(format_args!("{name}, on {}", config.trigger));
        for line in timing(config) {
            say(format_args!("  {line}"));
        }
        for event in &seen {
            say(format_args!("  {}: {}", event.named(), event.reason(campaign)));
        }
        say(match asking(&seen) {
            Some((event, _)) => format!("  -> content, written for {}", event.id),
            None => "  -> no content: the user gets the fallback content".to_owned(),
        });
        let triggers = |event: &&Seen| {
            matches!(
                event.outcome,
                Outcome::Asks(_)
                    | Outcome::Ungrounded(_)
                    | Outcome::Superseded(_)
                    | Outcome::Ended(_)
                    | Outcome::Retracted(_)
                    | Outcome::Skipped(_)
            )
        };
        if seen.iter().filter(triggers).count() > 1 {
            say(TOGETHER);
        }
    }
    Ok(ExitCode::SUCCESS)
}
