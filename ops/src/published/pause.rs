//! Pauses campaigns and lets them go on: nothing is generated meanwhile, and what is served is
//! said.

use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use registry::head::{Head, NoChange, Serves};
use serde_json::json;

use super::{FOLLOWED, ensure_campaign, head_of, now_secs, open};
use crate::arguments::{Change, Pause};
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
    ensure_campaign(&registry, &head_of(&registry).await?, name).await?;
    switch(&arguments.change, ("Pause", name), |head| head.paused(name, serves, at)).await
}

/// Lets a paused campaign go on.
pub async fn resume(name: &str, change: &Change) -> anyhow::Result<ExitCode> {
    let registry = open(&change.place).await?;
    let head = head_of(&registry).await?;
    // One that is paused may be gone.
    if !head.is_paused(name) {
        ensure_campaign(&registry, &head, name).await?;
    }
    switch(change, ("Resume", name), |head| head.resumed(name)).await
}

/// Makes one change of the head, if the person wants it.
async fn switch(
    change: &Change,
    (what, name): (&str, &str),
    next: impl Fn(&Head) -> Result<Head, NoChange>,
) -> anyhow::Result<ExitCode> {
    let registry = open(&change.place).await?;
    let head = head_of(&registry).await?;
    let next = match next(&head) {
        Ok(next) => next,
        Err(NoChange::Holds) => {
            say(format_args!("{name} {}: nothing to change.", standing(&head, name)));
            answer(json!({ "done": false, "paused": head.paused }));
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => return Err(error).with_context(|| name.to_owned()),
    };
    say(format_args!("{name} {}; then it {}.", standing(&head, name), standing(&next, name)));
    answer(json!({ "done": false, "paused": head.paused, "then": next.paused }));
    if let Some(ended) = change.consent.ends(&format!("{what} {name}? [{}]", registry.table))? {
        return Ok(ended);
    }
    registry.switch(&next).await.with_context(|| registry.table.clone())?;
    answer(json!({ "done": true, "paused": next.paused }));
    say(FOLLOWED);
    Ok(ExitCode::SUCCESS)
}

/// How it is with a campaign.
fn standing(head: &Head, name: &str) -> &'static str {
    match head.paused.get(name).map(|pause| pause.serves) {
        None => "is not paused",
        Some(Serves::Content) => "is paused and serves what is written",
        Some(Serves::Fallback) => "is paused and serves fallback content",
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
