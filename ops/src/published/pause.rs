//! Pauses campaigns and lets them go on: nothing is generated meanwhile, and what is served is
//! said.

use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use registry::aws::Aws;
use registry::head::{Head, NoChange, Serves};
use serde_json::json;

use super::{FOLLOWED, ensure_campaign, head_of, open};
use crate::arguments::{Change, Pause};
use crate::consent::Consent;
use crate::now_secs;
use crate::output::{answer, say};

/// Pauses a campaign.
pub async fn pause(arguments: &Pause) -> anyhow::Result<ExitCode> {
    let serves = match arguments.serve_fallback {
        true => Serves::Fallback,
        false => Serves::Content,
    };
    let (name, at) = (&arguments.campaign, now_secs());
    ensure!(!name.is_empty(), "no campaign has an empty name");
    let registry = open(&arguments.change.place).await?;
    let head = head_of(&registry).await?;
    ensure_campaign(&registry, &head, name).await?;
    let next = head.paused(name, serves, at);
    switch((&registry, arguments.change.consent), ("Pause", name), (&head, next)).await
}

/// Lets a paused campaign go on.
pub async fn resume(name: &str, change: &Change) -> anyhow::Result<ExitCode> {
    let registry = open(&change.place).await?;
    let head = head_of(&registry).await?;
    // One that is paused may be gone.
    if !head.is_paused(name) {
        ensure_campaign(&registry, &head, name).await?;
    }
    let next = head.resumed(name);
    switch((&registry, change.consent), ("Resume", name), (&head, next)).await
}

/// Makes one change of the head, if the person wants it.
async fn switch(
    (registry, consent): (&Aws, Consent),
    (what, name): (&str, &str),
    (head, next): (&Head, Result<Head, NoChange>),
) -> anyhow::Result<ExitCode> {
    let next = match next {
        Ok(next) => next,
        Err(NoChange::Holds) => {
            say(format_args!("{name} {}: nothing to change.", standing(head, name)));
            answer(json!({ "done": false, "paused": head.paused }));
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => return Err(error).with_context(|| name.to_owned()),
    };
    say(format_args!("{name} {}; then it {}.", standing(head, name), standing(&next, name)));
    answer(json!({ "done": false, "paused": head.paused, "then": next.paused }));
    if let Some(ended) = consent.ends(&format!("{what} {name}? [{}]", registry.table))? {
        return Ok(ended);
    }
    registry.switch(&next).await.with_context(|| registry.table.clone())?;
    answer(json!({ "done": true, "paused": next.paused }));
    say(FOLLOWED);
    Ok(ExitCode::SUCCESS)
}

/// How it is with a campaign.
fn standing(head: &Head, name: &str) -> &'static str {
    match head.paused.get(name).map(|pause| &pause.serves) {
        None => "is not paused",
        Some(Serves::Content) => "is paused and serves what is written",
        Some(Serves::Fallback) => "is paused and serves fallback content",
        Some(Serves::Unknown(_)) => {
            "is paused, and serves what a newer version of this program knows"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fallback_content_is_not_replaced_by_what_was_bad_unless_somebody_resumes() {
        let head = Head::default().paused("offer", Serves::Fallback, 5).expect("is new");

        assert_eq!(head.paused("offer", Serves::Content, 6), Err(NoChange::ServesFallback));
        assert_eq!(standing(&head, "offer"), "is paused and serves fallback content");
        let resumed = head.resumed("offer").expect("was paused");
        assert_eq!(standing(&resumed, "offer"), "is not paused");
        assert!(resumed.paused("offer", Serves::Content, 7).is_ok());
    }
}
