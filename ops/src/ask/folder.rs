//! Asks for the next run with a folder that a run of `local` kept. What is remembered of users
//! is known to that run alone, so nothing is told of what it comes to.

use std::path::Path;
use std::process::ExitCode;

use contract::ask::Ask;
use contract::local::{BY_HAND_FILE, ByHand};
use serde_json::json;

use super::Whom;
use crate::arguments::Ask as Arguments;
use crate::kept::Kept;
use crate::output::{answer, say};

/// Sets asks aside.
pub(super) fn set_aside(
    folder: &Path,
    (arguments, whom): (&Arguments, Whom),
    now_ms: u64,
) -> anyhow::Result<ExitCode> {
    let kept = Kept::take(folder)?;
    let regenerate_before_ms = if arguments.regenerate { now_ms } else { 0 };
    let ask = |user_id: String| {
        let ask = Ask::by_hand(user_id, arguments.campaign.clone(), now_ms);
        Ask { regenerate_before_ms, ..ask }
    };
    let seen_since = arguments.seen_since.map(|since| since.0);
    let asked: Vec<ByHand> = match whom {
        Whom::Named(users) => {
            users.into_iter().map(|user| ByHand::One { ask: ask(user), seen_since }).collect()
        }
        Whom::Everybody => vec![ByHand::Everybody { ask: ask(String::new()), seen_since }],
        Whom::Events(_) => anyhow::bail!("--events and --data do not go together"),
    };
    let of_whom = match &asked[..] {
        [ByHand::Everybody { .. }] => "everybody of whom something is remembered".to_owned(),
        users => format!("{} users", users.len()),
    };
    answer(json!({ "set_aside": 0 }));
    if arguments.consent.dry_run {
        say(format_args!("Content of {of_whom} would be asked for."));
        return Ok(ExitCode::SUCCESS);
    }
    let n = asked.len();
    let mut lines = kept.lines(BY_HAND_FILE)?;
    for each in asked {
        lines.push(serde_json::to_string(&each)?);
    }
    kept.replace(BY_HAND_FILE, &lines)?;
    answer(json!({ "set_aside": n }));
    say(format_args!(
        "Content of {of_whom} is asked for by the next run with this folder:\n\n  \
         make run ARGS=\"--data {}\"",
        folder.display()
    ));
    Ok(ExitCode::SUCCESS)
}
