//! The program `loadtest`: makes Currents files.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use loadtest::generate::{self, Plan};
use loadtest::writer::Compression;

/// Makes load that looks like Braze Currents.
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
}

fn main() -> anyhow::Result<()> {
    let Arguments { command: Command::Generate { events, users, seed, codec, out } } =
        Arguments::parse();
    let style = "{msg} {wide_bar} {pos}/{len} events ({per_sec}, {eta} left)";
    let bar = ProgressBar::new(events)
        .with_message("generating")
        .with_style(ProgressStyle::with_template(style)?);
    let plan = Plan { events, users, seed, compression: codec };
    let count = || {
        bar.inc(1);
        true
    };
    let generated = generate::generate(&plan, &out, count)
        .with_context(|| format!("generating into {}", out.display()))?;
    bar.finish_and_clear();
    println!("{events} events in {} files, {} bytes", generated.files.len(), generated.bytes);
    Ok(())
}
