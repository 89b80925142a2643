//! What people run against a deployment, or against the folder that a `local` run keeps.
//!
//! - [`campaigns`] — checks campaigns; [`preview`] shows what one would ask and send, [`why`]
//!   what becomes of a user's events.
//! - [`redrive`] — sends again what was given up.
//! - [`cost`] — tells what a month costs.
//!
//! It links none of the embedded services, so that it is small and builds soon.

pub mod arguments;
pub mod campaigns;
pub mod cost;
mod message;
mod outcome;
pub mod preview;
pub mod redrive;
pub mod why;

use std::process::ExitCode;

use arguments::{Arguments, Campaigns, Command};
use cost::Bill;
use cost::prices::Prices;

/// Does what the command line says.
pub async fn command(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Campaigns(Campaigns::Check { campaigns, unknown_events }) => {
            campaigns::check(campaigns, *unknown_events)
        }
        Command::Campaigns(Campaigns::Preview(arguments)) => preview::preview(arguments).await,
        Command::Campaigns(Campaigns::Why(arguments)) => why::why(arguments),
        Command::Redrive(arguments) => redrive::redrive(arguments).await,
        Command::Cost(arguments) => tell_cost(arguments),
    }
}

fn tell_cost(arguments: &arguments::Cost) -> anyhow::Result<ExitCode> {
    let prices = Prices::read(arguments.prices.as_deref())?;
    let bill = Bill::of(&arguments.load, &prices);
    say(format_args!("US dollars a month, {}, prices of {}\n{bill}", prices.region, prices.date));
    Ok(ExitCode::SUCCESS)
}

/// Prints a line; a reader that has gone away is no reason to stop.
fn say(line: impl std::fmt::Display) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{line}");
}
