//! Says what every campaign does, or everything that is wrong with them.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use campaign::known_events::KnownEvents;
use campaign::{CompiledCampaign, Fault};
use currents::event_types;
use serde_json::json;

use crate::outcome::timing;
use crate::output::{answer, say};
use crate::{grounds, message};

/// Checks every campaign of a folder; events that Currents does not have are let pass if
/// `unknown_events` says so. Columns of catalogs are held against those of a folder.
pub fn check(
    folder: &Path,
    unknown_events: bool,
    catalogs: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let catalogs = grounds::catalogs_dir(catalogs, folder);
    let columns = grounds::columns(catalogs.as_deref())?;
    let known = KnownEvents { types: event_types(), must_be: !unknown_events };
    let campaigns = campaign::check(folder, &known, &columns).map_err(|wrong| {
        let n = wrong.0.len();
        let faults = wrong.0.iter().map(|Fault { path, line, reason, .. }| {
            json!({ "file": path, "line": line, "reason": reason })
        });
        answer(json!({ "faults": faults.collect::<Vec<_>>() }));
        let hint = if unknown_events || !wrong.0.iter().any(|fault| fault.is_of_events) {
            ""
        } else {
            "; events that are no events of Currents pass with --unknown-events"
        };
        anyhow::anyhow!("{wrong}\n{n} in all{hint}")
    })?;
    let mut checked = Vec::with_capacity(campaigns.len());
    for compiled in &campaigns {
        let config = &compiled.campaign.config;
        say(format_args!("{}: ok, on {}", compiled.campaign.name, config.trigger));
        for line in timing(config) {
            say(format_args!("  {line}"));
        }
        if !compiled.required.is_empty() {
            let required: Vec<&str> = compiled.required.iter().map(String::as_str).collect();
            let whose =
                if config.required.is_some() { "" } else { ", because the prompt prints them" };
            say(format_args!("  answers events that have {}{whose}", required.join(", ")));
        }
        let of_campaign = folder.join(&compiled.campaign.name);
        let of_message = message::warnings(&of_campaign, compiled, &campaigns)?;
        let of_message =
            of_message.into_iter().map(|warning| format!("{}/{warning}", of_campaign.display()));
        let warnings = compiled.warnings.iter().map(ToString::to_string).chain(of_message);
        let warnings: Vec<String> = warnings.collect();
        for warning in &warnings {
            say(format_args!("  warning: {warning}"));
        }
        let (name, on) = (&compiled.campaign.name, config.trigger.to_string());
        checked.push(json!({ "campaign": name, "on": on, "warnings": warnings }));
    }
    answer(json!({ "campaigns": checked }));
    Ok(ExitCode::SUCCESS)
}

/// The campaign of this name.
pub(crate) fn named<'c>(
    campaigns: &'c [Arc<CompiledCampaign>],
    name: &str,
) -> anyhow::Result<&'c Arc<CompiledCampaign>> {
    let found = campaigns.iter().find(|each| each.campaign.name == name);
    found.with_context(|| {
        let names = campaigns.iter().map(|each| each.campaign.name.as_str());
        format!("no campaign \"{name}\": there is {}", names.collect::<Vec<_>>().join(", "))
    })
}
