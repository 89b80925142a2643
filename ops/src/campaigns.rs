//! Says what every campaign does, or everything that is wrong with them.

use std::path::Path;
use std::process::ExitCode;

use campaign::{Fault, InvalidCampaigns, message};

use crate::say;

/// Checks every campaign of a folder.
pub fn check(folder: &Path) -> anyhow::Result<ExitCode> {
    let campaigns = campaign::load(folder)?;
    let folders = campaigns.iter().map(|compiled| folder.join(&compiled.campaign.name));
    let wrong: Vec<Fault> = folders.flat_map(|folder| message::faults(&folder)).collect();
    if !wrong.is_empty() {
        return Err(InvalidCampaigns(wrong).into());
    }
    for compiled in campaigns {
        let config = &compiled.campaign.config;
        let types: Vec<&str> = config.trigger.event_types.iter().map(String::as_str).collect();
        let when = config.trigger.when.as_ref();
        say(format_args!(
            "{}: ok, on {}{}",
            compiled.campaign.name,
            types.join(", "),
            when.map_or(String::new(), |when| format!(" with {}", when.text.trim()))
        ));
        if !compiled.required.is_empty() {
            let required: Vec<&str> = compiled.required.iter().map(String::as_str).collect();
            let whose =
                if config.required.is_some() { "" } else { ", because the prompt prints them" };
            say(format_args!("  answers events that have {}{whose}", required.join(", ")));
        }
        for warning in &compiled.warnings {
            say(format_args!("  warning: {warning}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
