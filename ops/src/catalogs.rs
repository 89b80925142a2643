//! Catalogs: brings files into the table, from the disk or from Braze, and shows what is there.
//!
//! - `place` — where catalogs lie: the table on AWS, or a folder that runs of `local` take.
//! - [`braze`] — one page of Braze's REST API.
//! - [`pull`] — all pages of a catalog, which another run can go on with.

pub mod braze;
mod place;
pub mod pull;

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use catalog::check::{CheckError, Checked, check};
use catalog::file::Format;
use contract::catalog::is_name;
use serde_json::json;

use crate::arguments::{Catalogs, Put};
use crate::now_ms;
use crate::output::{answer, say};
use place::Place;
use pull::{Pauses, Pull};

/// What one write unit of DynamoDB takes, in bytes.
const UNIT_BYTES: u64 = 1024;

/// What an item has beside its columns: key, number of the import, names, about.
const BESIDE_BYTES: u64 = 80;

/// Does what is said of catalogs.
pub async fn catalogs(arguments: &Catalogs) -> anyhow::Result<ExitCode> {
    match arguments {
        Catalogs::Put(arguments) => put(arguments).await,
        Catalogs::List { place } => Place::open(place).await?.list().await,
        Catalogs::Show { name, id, place } => Place::open(place).await?.show(name, id).await,
        Catalogs::Pull(arguments) => {
            ensure_name(&arguments.name)?;
            let place = Place::open(&arguments.place).await?;
            let (url, key) = (arguments.braze_url.clone(), arguments.key.clone());
            let key =
                key.context("set BRAZE_API_KEY to a key with the permission catalogs.get_items")?;
            let source = braze::Braze::new(&url, key.0)?;
            let pull = Pull {
                braze: source,
                name: arguments.name.clone(),
                folder: arguments.state.clone(),
                pauses: Pauses::default(),
            };
            let file = tokio::select! {
                file = pull.run(now_ms()) => file?,
                _ = tokio::signal::ctrl_c() => bail!("stopped; run it again to go on"),
            };
            if arguments.dry_run {
                return only_look(&file);
            }
            let code = import(&place, &arguments.name, &file, true, false).await?;
            if code == ExitCode::SUCCESS {
                pull.forget()?;
            }
            Ok(code)
        }
    }
}

async fn put(arguments: &Put) -> anyhow::Result<ExitCode> {
    ensure_name(&arguments.name)?;
    // What is only looked at needs no place.
    if arguments.dry_run {
        return only_look(&arguments.file);
    }
    let place = Place::open(&arguments.place).await?;
    import(&place, &arguments.name, &arguments.file, !arguments.partial, true).await
}

/// Says what a file holds.
fn only_look(file: &Path) -> anyhow::Result<ExitCode> {
    let Some(checked) = look(file)? else { return Ok(ExitCode::FAILURE) };
    say(format_args!("{} Nothing was written.", told(file, &checked)));
    answer(json!({ "done": false, "items": checked.items, "columns": checked.columns }));
    Ok(ExitCode::SUCCESS)
}

async fn import(
    place: &Place,
    name: &str,
    file: &Path,
    is_whole: bool,
    is_told: bool,
) -> anyhow::Result<ExitCode> {
    let Some(checked) = look(file)? else { return Ok(ExitCode::FAILURE) };
    if is_told {
        eprintln!("{}", told(file, &checked));
    }
    tokio::select! {
        put = place.put(name, file, &checked, is_whole) => put?,
        _ = tokio::signal::ctrl_c() => bail!("stopped; nothing is replaced yet: run it again"),
    }
    let what = if is_whole { "holds" } else { "was given" };
    say(format_args!("{name} {what} {} items.", checked.items));
    answer(json!({ "done": true, "items": checked.items, "columns": checked.columns }));
    Ok(ExitCode::SUCCESS)
}

/// Checks a file; what is wrong is told, each fault on a line.
fn look(path: &Path) -> anyhow::Result<Option<Checked>> {
    let shown = path.display();
    let format = format(path)?;
    let file = File::open(path).with_context(|| format!("opening {shown}"))?;
    match check(format, file) {
        Ok(checked) => Ok(Some(checked)),
        Err(CheckError::Faulty(faults)) => {
            eprintln!("{}\nnothing was written", faults.of_file(&shown.to_string()));
            Ok(None)
        }
        Err(CheckError::Read(error)) => Err(error).with_context(|| format!("reading {shown}")),
    }
}

fn format(path: &Path) -> anyhow::Result<Format> {
    let name = path.to_string_lossy();
    Format::of(&name)
        .with_context(|| format!("{name}: its name ends neither in .csv nor in .jsonl"))
}

fn ensure_name(name: &str) -> anyhow::Result<()> {
    if !is_name(name) {
        bail!(
            "\"{name}\" is no catalog's name: letters without accents, digits, \"-\" and \"_\" only"
        );
    }
    Ok(())
}

fn told(path: &Path, checked: &Checked) -> String {
    let columns: Vec<&str> = checked.columns.iter().map(String::as_str).collect();
    let item_bytes = checked.bytes / checked.items.max(1) + BESIDE_BYTES;
    let units = checked.items * item_bytes.div_ceil(UNIT_BYTES);
    format!(
        "{}: {} items with {}; about {units} write units.",
        path.display(),
        checked.items,
        columns.join(", ")
    )
}
