//! The catalogs of a folder, in the embedded table.
//!
//! All files are checked before any is imported; one that a kept table holds already is not
//! imported again.

use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, bail};
use aws_sdk_dynamodb::Client;
use catalog::fault::Faults;
use catalog::folder::{CatalogFile, checked};
use catalog::import::{Import, Progress};
use catalog::table::{DynamoDb, ImportTable as _, SweepPlace};

use crate::aws::CATALOG_TABLE;

/// The embedded table of catalogs.
pub(crate) fn table(client: &Client) -> DynamoDb {
    DynamoDb::new(client.clone(), CATALOG_TABLE.to_owned())
}

/// Imports the catalogs of a folder, each as a whole.
pub(crate) async fn import(folder: &Path, table: &DynamoDb) -> anyhow::Result<()> {
    for (file, checked) in checked(folder)? {
        let source = source(&file)?;
        let held = table.head(&file.name).await?;
        if held.is_some_and(|head| head.source == source) {
            continue;
        }
        let number = u64::try_from(UNIX_EPOCH.elapsed().unwrap_or_default().as_millis())?;
        let (catalog, table) = (file.name.clone(), Arc::new(table.clone()));
        let import = Import { table, catalog, number, is_whole: true, source };
        let mut faults = Faults::default();
        let rows = file.rows(&mut faults)?;
        let failed = || format!("importing {}", file.path.display());
        let written = import.write(rows, Progress::default(), None, |_| {}).await;
        let end = written.map_err(|(_, stopped)| stopped).with_context(failed)?;
        if end.place.items != checked.items {
            bail!("{} changed while it was imported: run again", file.path.display());
        }
        import.end(&checked, number).await.with_context(failed)?;
        import.sweep(SweepPlace::beginning(), None, |_| {}).await.with_context(failed)?;
        tracing::info!(catalog = file.name, items = checked.items, "catalog imported");
    }
    Ok(())
}

/// Tells a file from one of the same name with another content.
fn source(file: &CatalogFile) -> anyhow::Result<String> {
    let failed = || format!("reading {}", file.path.display());
    let about = file.path.metadata().with_context(failed)?;
    let modified = about.modified().with_context(failed)?;
    let modified_ms = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let name = file.path.file_name().unwrap_or_default().to_string_lossy();
    Ok(format!("{name}, {} bytes, {modified_ms}", about.len()))
}
