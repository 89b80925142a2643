//! Copies files out of a bucket.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::{AT_A_TIME, Bucket, Location};
use crate::progress;
use currents::input::Input;

impl Bucket {
    /// Copies the `.avro` files of a place into `folder`, and adds them to the input that a
    /// person named as number `number`.
    ///
    /// Keys come from outside, so files get names of their own.
    pub async fn fetch(
        &self,
        location: &Location,
        folder: &Path,
        (input, number): (&mut Input, usize),
    ) -> anyhow::Result<()> {
        let keys = self.keys(location).await?;
        anyhow::ensure!(
            !keys.is_empty(),
            "{location} holds no .avro file: name a place that Currents exported to"
        );
        let bar = progress::bar("fetching", keys.len() as u64, "files");
        let paths = keys.iter().enumerate();
        let paths: Vec<_> = paths.map(|(n, _)| folder.join(format!("{number}-{n}.avro"))).collect();
        stream::iter(keys.iter().zip(&paths))
            .map(|(key, path)| self.copy(&location.bucket, key, path))
            .buffer_unordered(AT_A_TIME)
            .try_for_each(|()| async {
                bar.inc(1);
                Ok(())
            })
            .await?;
        bar.finish_and_clear();
        for (key, path) in keys.iter().zip(&paths) {
            let name = key.strip_prefix(&location.prefix).unwrap_or(key);
            input.add_file(path, number, name);
        }
        Ok(())
    }

    async fn keys(&self, location: &Location) -> anyhow::Result<Vec<String>> {
        let list = self.s3.list_objects_v2().bucket(&location.bucket).prefix(&location.prefix);
        let mut pages = list.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.with_context(|| format!("cannot list {location}"))?;
            let named = page.contents.into_iter().flatten().filter_map(|object| object.key);
            keys.extend(named.filter(|key| key.ends_with(".avro")));
        }
        Ok(keys)
    }

    async fn copy(&self, bucket: &str, key: &str, path: &Path) -> anyhow::Result<()> {
        let failed = || format!("cannot read s3://{bucket}/{key}");
        let object = self.s3.get_object().bucket(bucket).key(key).send().await;
        let mut body = object.with_context(failed)?.body;
        let written = || format!("cannot write {}", path.display());
        let mut file = File::create(path).with_context(written)?;
        while let Some(bytes) = body.try_next().await.with_context(failed)? {
            file.write_all(&bytes).with_context(written)?;
        }
        Ok(())
    }
}
