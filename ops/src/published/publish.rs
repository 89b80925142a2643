//! Lets a folder of campaigns hold: checks it, shows what changes, and switches.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use contract::ask::QueueUrls;
use registry::Registry as _;
use registry::files::Files;
use registry::head::NoChange;

use super::changes::changes;
use super::{FOLLOWED, now_secs, number, open};
use crate::arguments::Publish;
use crate::say;

/// Publishes a folder.
pub async fn publish(arguments: &Publish) -> anyhow::Result<ExitCode> {
    let folder = &arguments.campaigns;
    let checked =
        crate::campaigns::check(folder, arguments.unknown_events, arguments.catalogs.as_deref())?;
    if checked != ExitCode::SUCCESS {
        return Ok(checked);
    }
    if let Some(queues) = &arguments.queues {
        ensure_models(folder, queues)?;
    }
    let registry = open(&arguments.change.place).await?;
    let files = Files::read(folder)?;
    let head = registry.head().await?;
    let before = match head.current() {
        Some(current) => registry.files(&current.version).await?,
        None => Files::default(),
    };
    let next = match head.published(&files.version(), now_secs()) {
        Ok(next) => next,
        Err(NoChange::Holds) => {
            say(format_args!("{} holds already: nothing to publish.", files.version()));
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => return Err(error.into()),
    };
    say(format_args!("\nVersion {}:\n{}", files.version(), changes(&before, &files)));
    for name in asked_anew(&before, &files)? {
        say(format_args!("  {name}: its prompts change, so each is asked anew from now on"));
    }
    if !arguments.change.consent.goes_on("Publish it?")? {
        return Ok(ExitCode::SUCCESS);
    }
    registry.keep(&files).await?;
    registry.switch(&next).await?;
    say(format_args!("Published as {}. {FOLLOWED}", number(&next)));
    Ok(ExitCode::SUCCESS)
}

/// Campaigns in both whose prompts have other hashes from now on.
fn asked_anew(before: &Files, after: &Files) -> anyhow::Result<Vec<String>> {
    let hashes = |files: &Files| -> anyhow::Result<BTreeMap<String, String>> {
        if files.campaigns().next().is_none() {
            return Ok(BTreeMap::new());
        }
        let folder = tempfile::tempdir()?;
        files.write(folder.path())?;
        let all = campaign::load(folder.path())?.into_iter().map(|compiled| {
            let name = &compiled.campaign.name;
            let prompt = files.text(&format!("{name}/prompt.liquid")).unwrap_or_default();
            let brand = files.text("brand.liquid").filter(|_| prompt.contains("render"));
            let all = format!("{prompt}\n{}", brand.unwrap_or_default());
            (name.clone(), compiled.prompt_hash(&all))
        });
        Ok(all.collect())
    };
    let before = hashes(before)?;
    let anew = hashes(after)?
        .into_iter()
        .filter(|(name, hash)| before.get(name).is_some_and(|before| before != hash));
    Ok(anew.map(|(name, _)| name).collect())
}

/// Refuses campaigns that ask a model which the deployment has no queues for.
fn ensure_models(folder: &Path, queues: &QueueUrls) -> anyhow::Result<()> {
    let models: Vec<&str> = queues.models().collect();
    for campaign in campaign::read(folder)? {
        let model = campaign.config.model_id.as_str();
        if !models.contains(&model) {
            bail!(
                "campaign {} asks {model}, for which nothing is deployed: there is {}",
                campaign.name,
                models.join(", ")
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(prompt: &str, ttl_days: u32) -> Files {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaign/tests/campaigns");
        let sample = Files::read(&sample).expect("is read");
        let changed = sample.texts().map(|(path, text)| {
            let text = match path.ends_with("prompt.liquid") {
                true => format!("{text}{prompt}"),
                false => text.replace("ttl_days = 30", &format!("ttl_days = {ttl_days}")),
            };
            (path.to_owned(), text.into())
        });
        let all: serde_json::Map<_, _> = changed.collect();
        Files::from_json(serde_json::Value::Object(all).to_string().as_bytes()).expect("are files")
    }

    #[test]
    fn a_campaign_is_asked_anew_if_its_prompt_changes_and_not_for_a_setting_beside_it() {
        let before = files("", 30);

        let anew = |after: &Files| asked_anew(&before, after).expect("are valid");

        assert_eq!(anew(&files("Be brisk.", 30)), ["new-episode"]);
        assert!(anew(&files("", 7)).is_empty());
        assert!(asked_anew(&Files::default(), &before).expect("are valid").is_empty());
    }
}
