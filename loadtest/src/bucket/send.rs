//! Generates files straight into a bucket.

use anyhow::Context as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc;

use super::{AT_A_TIME, Bucket, Location};
use currents::generate::{GeneratedFiles, Plan, Sink, SinkError, generate_into};

/// A file on its way.
type Sent = (String, Vec<u8>);

/// Hands files over to the uploads, and waits while they are behind.
struct Sending(mpsc::Sender<Sent>);

impl Sink for Sending {
    fn put(&mut self, key: &str, bytes: Vec<u8>) -> Result<(), SinkError> {
        self.0.blocking_send((key.to_owned(), bytes)).map_err(|_| SinkError::Closed)
    }
}

impl Bucket {
    /// Writes the files of a plan below a place; no more than a few are in memory.
    pub async fn generate(
        &self,
        plan: Plan,
        location: &Location,
        go_on: impl FnMut(u64) -> bool + Send + 'static,
    ) -> anyhow::Result<GeneratedFiles> {
        let (sender, receiver) = mpsc::channel(1);
        let making = move || generate_into(&plan, &mut Sending(sender), go_on);
        let making = tokio::task::spawn_blocking(making);
        let files = stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|file| (file, receiver))
        });
        let uploads = files.map(|file| self.put(location, file)).buffer_unordered(AT_A_TIME);
        let sent = uploads.try_for_each(|()| async { Ok(()) }).await;
        let generated = making.await.context("the making of files broke off")?;
        // An upload that failed is why no more files were taken.
        sent?;
        Ok(generated?)
    }

    async fn put(&self, location: &Location, (key, bytes): Sent) -> anyhow::Result<()> {
        let key = format!("{}{key}", location.prefix);
        let put = self.s3.put_object().bucket(&location.bucket).key(&key).body(bytes.into());
        let sent = put.send().await;
        sent.map(drop).with_context(|| format!("cannot write s3://{}/{key}", location.bucket))
    }
}
