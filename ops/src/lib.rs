//! What people run against a deployment, or against the folder that a `local` run keeps.
//!
//! - [`campaigns`] — checks campaigns; [`preview`] shows what one would ask and send, [`why`]
//!   what becomes of a user's events.
//! - [`published`] — lets campaigns hold for a deployment, pauses and recalls.
//! - [`catalogs`] — brings catalogs in, from files or from Braze.
//! - [`ask`] — asks for content by hand.
//! - [`letters`] — shows what was given up, keeps it or discards it.
//! - [`redrive`] — sends again what was given up; [`replay`] lets files be read once more.
//! - [`erase`] — deletes users.
//! - `names` — tells where a deployment's parts are.
//! - [`cost`] — tells what a month costs.
//!
//! It links none of the embedded services, so that it is small and builds soon.

pub mod arguments;
pub mod ask;
pub mod campaigns;
pub mod catalogs;
pub mod consent;
pub mod cost;
pub mod erase;
mod grounds;
mod https;
mod kept;
pub mod letters;
mod message;
mod names;
mod outcome;
mod output;
mod pace;
pub mod preview;
mod progress;
pub mod published;
pub mod redrive;
pub mod replay;
mod show;
mod user_id;
pub mod why;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use arguments::{Arguments, Campaigns, Command};
use bill::prices::{Bedrock, Prices};
use cost::report::Report;
use output::say;

/// Does what the command line says, and tells how it ended.
pub async fn command(arguments: &Arguments) -> ExitCode {
    output::begin(arguments.json);
    output::end(run(&arguments.command).await)
}

async fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Campaigns(Campaigns::Check { campaigns, unknown_events, catalogs }) => {
            campaigns::check(campaigns, *unknown_events, catalogs.as_deref())
        }
        Command::Campaigns(Campaigns::Preview(arguments)) => preview::preview(arguments).await,
        Command::Campaigns(Campaigns::Why(arguments)) => why::why(arguments),
        Command::Campaigns(Campaigns::Publish(arguments)) => {
            published::publish::publish(arguments).await
        }
        Command::Campaigns(Campaigns::Versions { place }) => published::versions(place).await,
        Command::Campaigns(Campaigns::Diff { a, b, place }) => published::diff(a, b, place).await,
        Command::Campaigns(Campaigns::PutBack(arguments)) => published::put_back(arguments).await,
        Command::Campaigns(Campaigns::Pause(arguments)) => published::pause::pause(arguments).await,
        Command::Campaigns(Campaigns::Resume { campaign, change }) => {
            published::pause::resume(campaign, change).await
        }
        Command::Recall(arguments) => published::recall::recall(arguments).await,
        Command::Catalogs(arguments) => catalogs::catalogs(arguments).await,
        Command::Ask(arguments) => ask::ask(arguments).await,
        Command::Show(arguments) => show::show(arguments).await,
        Command::Letters(arguments) => letters::letters(arguments).await,
        Command::Redrive(arguments) => redrive::redrive(arguments).await,
        Command::Erase(arguments) => erase::erase(arguments).await,
        Command::Replay(arguments) => replay::replay(arguments).await,
        Command::Where { stage } => names::tell(stage).await,
        Command::Cost(arguments) => tell_cost(arguments),
    }
}

fn tell_cost(arguments: &arguments::Cost) -> anyhow::Result<ExitCode> {
    let mut prices = Prices::read(arguments.prices.as_deref())?;
    if let Some(name) = &arguments.campaign {
        prices.bedrock = price_of(name, &arguments.campaigns)?;
    }
    let load = arguments.load.load()?;
    let counted = cost::counted(arguments.counted.as_deref())?;
    let report = Report::of(&load, &counted, &prices);
    output::answer(report.to_json());
    say(report);
    Ok(ExitCode::SUCCESS)
}

/// What a campaign says of its model.
fn price_of(name: &str, folder: &Path) -> anyhow::Result<Bedrock> {
    let campaigns = campaign::read(folder)?;
    let names = campaigns.iter().map(|each| each.name.as_str()).collect::<Vec<_>>().join(", ");
    let campaign = campaigns
        .iter()
        .find(|each| each.name == name)
        .with_context(|| format!("no campaign \"{name}\": there is {names}"))?;
    let file = folder.join(name).join("campaign.toml").display().to_string();
    let price = campaign.config.price.with_context(|| format!("{file} has no [price]: add one"))?;
    Ok(Bedrock {
        page: file,
        model: campaign.config.model_id.clone(),
        million_input_tokens: price.usd_per_million_input_tokens,
        million_output_tokens: price.usd_per_million_output_tokens,
    })
}

/// The time now, in UNIX seconds.
fn now_secs() -> i64 {
    i64::try_from(now_ms() / 1_000).unwrap_or(i64::MAX)
}

/// The time now, in UNIX milliseconds.
fn now_ms() -> u64 {
    let now_ms = std::time::UNIX_EPOCH.elapsed().map_or(0, |now| now.as_millis());
    u64::try_from(now_ms).unwrap_or(u64::MAX)
}
