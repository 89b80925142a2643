//! Where catalogs lie: in the table on AWS, or in a folder that runs of `local` take.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use catalog::check::Checked;
use catalog::fault::Faults;
use catalog::file::Rows;
use catalog::folder::{checked, files};
use catalog::import::{Import, Progress, Standing};
use catalog::table::{CatalogTable as _, DynamoDb, ImportTable as _, PutResult, SweepPlace};
use contract::catalog::ItemKey;
use serde_json::json;

use super::format;
use crate::arguments::CatalogPlace;
use crate::now_ms;
use crate::output::{answer, say};

/// Items after which it is told how far an import is.
const TOLD_EVERY: u64 = 10_000;

pub(super) enum Place {
    Table(DynamoDb),
    Folder(PathBuf),
}

impl Place {
    pub(super) async fn open(place: &CatalogPlace) -> anyhow::Result<Self> {
        if let Some(folder) = &place.folder {
            return Ok(Self::Folder(folder.clone()));
        }
        let table = place.table.clone().filter(|name| !name.is_empty());
        let table = table.context(
            "say where: --table NAME (CATALOG_TABLE of the deployment), or --folder DIR for runs \
             of local",
        )?;
        let config = program::aws::account(program::aws::environment()).await?;
        let client = aws_sdk_dynamodb::Client::new(&config);
        Ok(Self::Table(DynamoDb::new(client, table).without_kept_heads()))
    }

    pub(super) async fn put(
        &self,
        name: &str,
        file: &Path,
        checked: &Checked,
        is_whole: bool,
    ) -> anyhow::Result<()> {
        match self {
            Self::Table(table) => put(table, name, file, checked, is_whole).await,
            Self::Folder(_) if !is_whole => {
                bail!("a folder holds whole catalogs: put the whole file, without --partial")
            }
            Self::Folder(folder) => copy(folder, name, file),
        }
    }

    pub(super) async fn list(&self) -> anyhow::Result<ExitCode> {
        let mut listed = serde_json::Map::new();
        let mut line = |name: &str, items: u64, columns: &BTreeSet<String>, from: &str| {
            line(name, items, columns, from);
            let of = json!({ "items": items, "columns": columns, "from": from });
            listed.insert(name.to_owned(), of);
        };
        match self {
            Self::Folder(folder) => {
                for (file, checked) in checked(folder)? {
                    line(&file.name, checked.items, &checked.columns, &file.path.to_string_lossy());
                }
            }
            Self::Table(table) => {
                for name in table.catalogs().await? {
                    let Some(head) = table.head(&name).await? else { continue };
                    let puts = match head.puts {
                        0 => String::new(),
                        puts => format!(", {puts} put since"),
                    };
                    let ago_secs = now_ms().saturating_sub(head.imported_at_ms) / 1_000;
                    let from = format!("{}{puts}, {} min ago", head.source, ago_secs / 60);
                    line(&name, head.items, &head.columns, &from);
                }
            }
        }
        answer(json!({ "catalogs": listed }));
        Ok(ExitCode::SUCCESS)
    }

    pub(super) async fn show(&self, name: &str, id: &str) -> anyhow::Result<ExitCode> {
        let item = match self {
            Self::Table(table) => {
                let key = ItemKey { catalog: name.to_owned(), id: id.to_owned() };
                let found = table.items(&[key]).await?;
                found.into_iter().find_map(|(_, item)| item).map(Arc::unwrap_or_clone)
            }
            Self::Folder(folder) => {
                let files = files(folder)?;
                let file = files.iter().find(|file| file.name == name);
                let file =
                    file.with_context(|| format!("no catalog {name} in {}", folder.display()))?;
                let mut faults = Faults::default();
                let mut rows = file.rows(&mut faults)?;
                loop {
                    match rows.next(&mut faults)? {
                        Some(row) if row.id == id => break Some(row.item),
                        Some(_) => {}
                        None => break None,
                    }
                }
            }
        };
        match item {
            Some(item) => {
                say(serde_json::to_string_pretty(&item)?);
                answer(json!({ "item": item }));
                Ok(ExitCode::SUCCESS)
            }
            None => bail!("{name} has no item {id:?}"),
        }
    }
}

fn line(name: &str, items: u64, columns: &BTreeSet<String>, from: &str) {
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    say(format_args!("{name}: {items} items from {from}\n  {}", columns.join(", ")));
}

async fn put(
    table: &DynamoDb,
    name: &str,
    file: &Path,
    checked: &Checked,
    is_whole: bool,
) -> anyhow::Result<()> {
    let import = Import {
        table: Arc::new(table.clone()),
        catalog: name.to_owned(),
        number: now_ms(),
        is_whole,
        source: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    if import.standing().await? != Standing::Wanted {
        bail!("{name} was replaced by a file that is newer than this machine's clock");
    }
    let failed = || format!("reading {}", file.display());
    let mut faults = Faults::default();
    let opened = fs::File::open(file).with_context(failed)?;
    let rows = Rows::begin(format(file)?, opened, &mut faults).with_context(failed)?;
    let mut next = TOLD_EVERY;
    let told = |progress: Progress| {
        if progress.place.items >= next {
            eprintln!("{} of {} items are written", progress.place.items, checked.items);
            next = progress.place.items + TOLD_EVERY;
        }
    };
    let written = import.write(rows, Progress::default(), None, told).await;
    let end = written.map_err(|(reached, stopped)| {
        let items = reached.place.items;
        anyhow::Error::new(stopped).context(format!("{items} items are written; run it again"))
    })?;
    if end.place.items != checked.items {
        bail!("{} changed while it was imported: run it again", file.display());
    }
    if import.end(checked, now_ms()).await? == PutResult::Newer {
        bail!("a newer import replaced {name} meanwhile");
    }
    if is_whole {
        let told = |removed| {
            if removed > 0 {
                eprintln!("{removed} items that are gone were removed");
            }
        };
        import.sweep(SweepPlace::beginning(), None, told).await.context(
            "all items are there, and what is gone is not seen any more; it was not removed",
        )?;
    }
    Ok(())
}

/// Copies a file in under the catalog's name, as a whole or not at all.
fn copy(folder: &Path, name: &str, file: &Path) -> anyhow::Result<()> {
    let failed = || format!("writing into {}", folder.display());
    fs::create_dir_all(folder).with_context(failed)?;
    let ending = file.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let kept = folder.join(format!("{name}.{ending}"));
    let new = folder.join(format!("{name}.{ending}.new"));
    fs::copy(file, &new).with_context(failed)?;
    for old in files(folder)?.into_iter().filter(|old| old.name == name && old.path != kept) {
        fs::remove_file(old.path).with_context(failed)?;
    }
    fs::rename(new, kept).with_context(failed)
}
