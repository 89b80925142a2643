//! The program `loadtest`: makes Currents files, and tells what a load costs.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use loadtest::cost::prices::Prices;
use loadtest::cost::{Bill, Load};
use loadtest::generate::{self, Plan};
use loadtest::writer::Compression;

/// Makes load that looks like Braze Currents, and tells what a load costs.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Writes Currents files into a folder.
    Generate {
        /// Number of events.
        #[arg(long, default_value_t = 20_000)]
        events: u64,
        /// Number of users that the events are drawn from.
        #[arg(long, default_value_t = 2_000)]
        users: u64,
        /// Decides everything random: the same seed writes the same bytes.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How blocks are compressed.
        #[arg(long, value_enum, default_value_t)]
        codec: Compression,
        /// Folder to write into.
        #[arg(long)]
        out: PathBuf,
    },
    /// Tells what a month on AWS costs, and what one call of the model for each event would.
    Cost {
        /// What there is to do.
        #[command(flatten)]
        load: Load,
        /// Price list to use in place of the built-in one, loadtest/prices.toml.
        #[arg(long, value_name = "FILE")]
        prices: Option<PathBuf>,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Generate { events, users, seed, codec, out } => {
            generate(&Plan { events, users, seed, compression: codec }, &out)
        }
        Command::Cost { load, prices } => {
            let prices = Prices::read(prices.as_deref())?;
            println!("US dollars a month, {}, prices of {}", prices.region, prices.date);
            println!("{}", Bill::of(&load, &prices));
            Ok(())
        }
    }
}

fn generate(plan: &Plan, out: &Path) -> anyhow::Result<()> {
    let events = plan.events;
    let style = "{msg} {wide_bar} {pos}/{len} events ({per_sec}, {eta} left)";
    let bar = ProgressBar::new(events)
        .with_message("generating")
        .with_style(ProgressStyle::with_template(style)?);
    let count = || {
        bar.inc(1);
        true
    };
    let generated = generate::generate(plan, out, count)
        .with_context(|| format!("generating into {}", out.display()))?;
    bar.finish_and_clear();
    println!("{events} events in {} files, {} bytes", generated.files.len(), generated.bytes);
    Ok(())
}
