//! Lets a folder of campaigns hold: checks it, shows what changes, and switches.

use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use registry::files::Files;
use registry::head::NoChange;
use serde_json::{Value, json};

use super::review::{Deployed, Review};
use super::{FOLLOWED, files_of, head_of, number, open};
use crate::arguments::Publish;
use crate::now_secs;
use crate::output::{answer, say};

/// Publishes a folder.
pub async fn publish(arguments: &Publish) -> anyhow::Result<ExitCode> {
    let folder = &arguments.campaigns;
    let checked =
        crate::campaigns::check(folder, arguments.unknown_events, arguments.catalogs.as_deref())?;
    if checked != ExitCode::SUCCESS {
        return Ok(checked);
    }
    let campaigns = campaign::read(folder)?;
    Deployed::of(&arguments.deployed).ensure(&campaigns)?;
    let consent = arguments.change.consent;
    let registry = open(&arguments.change.place).await?;
    let files = Files::read(folder)?;
    let head = head_of(&registry).await?;
    let holds = head.current().map_or(0, |current| current.number);
    if let Some(expected) = arguments.expect {
        ensure!(
            holds == expected,
            "publication {holds} holds, not {expected}: somebody published meanwhile; see ops \
             campaigns diff {expected} {holds}"
        );
    }
    let version = files.version();
    let next = match head.published(&version, now_secs()) {
        Ok(next) => next,
        Err(NoChange::Holds) => {
            if !consent.dry_run {
                // It may have been lost.
                registry.keep(&files).await?;
            }
            say(format_args!("{version} holds already: nothing to publish."));
            answer(json!({ "done": false, "number": holds, "version": version, "changes": [] }));
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => return Err(error.into()),
    };
    let before = files_of(&registry, &head).await;
    let review =
        Review::of((&before, &files), &campaigns, &registry.dynamodb, &arguments.deployed).await?;
    say(format_args!("\nVersion {version}:\n{review}"));
    answer(review.to_json());
    let told = |is_done: bool, number: Value| {
        answer(json!({ "done": is_done, "number": number, "version": version }));
    };
    told(false, Value::Null);
    if let Some(ended) = consent.ends(&review.question("Publish it", &registry.table))? {
        return Ok(ended);
    }
    registry.keep(&files).await?;
    registry.switch(&next).await.with_context(|| registry.table.clone())?;
    told(true, number(&next).into());
    say(format_args!("Published as {}. {FOLLOWED}", number(&next)));
    Ok(ExitCode::SUCCESS)
}
