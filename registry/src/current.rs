//! What a program holds of the campaigns, and how it follows the registry.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use program::causes;
use tokio::time::{Instant, timeout};

use crate::files::{Files, Version};
use crate::head::Head;
use crate::{Registry, RegistryError};

/// How often the registry is looked at, unless a setting says otherwise: within a minute all
/// instances have seen a change, and one look costs a small read.
pub const DEFAULT_FOLLOW: Duration = Duration::from_secs(30);

/// Longest look at the head: whoever looks has something to answer.
const LOOK_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest load of a version.
const LOAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How soon a look that failed is repeated.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How soon a version that could not be loaded is tried again.
const LOAD_AGAIN: Duration = Duration::from_secs(30);

/// How campaigns are made of a folder.
pub type Load<T> = Box<dyn Fn(&Path) -> Result<T, NotLoaded> + Send + Sync>;

/// Why campaigns could not be made of a folder.
pub type NotLoaded = Box<dyn Error + Send + Sync>;

/// What a program holds of the campaigns at one time. It never changes: whoever began with one
/// goes on with it.
#[derive(Debug)]
pub struct Edition<T> {
    /// Which files.
    pub version: Version,
    /// Number of the publication, 0 for what the program came with.
    pub publication: u64,
    /// The campaigns.
    pub campaigns: Arc<T>,
    /// What else holds.
    pub head: Head,
}

/// The campaigns of a program, as they are now.
pub struct Current<T> {
    registry: Option<Box<dyn Registry>>,
    load: Load<T>,
    follow: Duration,
    edition: RwLock<Arc<Edition<T>>>,
    looking: tokio::sync::Mutex<Looking>,
    has_looked: AtomicBool,
    refused: AtomicU64,
    complaint: Mutex<Option<String>>,
}

/// When the registry is looked at next.
#[derive(Debug, Clone, Default)]
struct Looking {
    due: Option<Instant>,
    /// The version that could not be loaded, and when it is tried again.
    refused: Option<(Version, Instant)>,
}

impl<T> Edition<T> {
    /// The same campaigns under another head.
    fn under(&self, publication: u64, head: Head) -> Self {
        let (version, campaigns) = (self.version.clone(), Arc::clone(&self.campaigns));
        Self { version, publication, campaigns, head }
    }
}

impl<T> Current<T> {
    /// Begins with a folder, and follows the registry, if there is one, from the first look on.
    pub fn new(
        folder: &Path,
        load: Load<T>,
        registry: Option<Box<dyn Registry>>,
        follow: Duration,
    ) -> Result<Self, NotLoaded> {
        let campaigns = Arc::new(load(folder)?);
        let version = Files::read(folder)?.version();
        Ok(Self::of(
            Edition { version, publication: 0, campaigns, head: Head::default() },
            load,
            registry,
            follow,
        ))
    }

    /// Campaigns that stay as they are.
    pub fn fixed(campaigns: T) -> Self {
        let version = Files::default().version();
        let campaigns = Arc::new(campaigns);
        let edition = Edition { version, publication: 0, campaigns, head: Head::default() };
        Self::of(edition, Box::new(|_| Err("campaigns are fixed".into())), None, DEFAULT_FOLLOW)
    }

    fn of(
        edition: Edition<T>,
        load: Load<T>,
        registry: Option<Box<dyn Registry>>,
        follow: Duration,
    ) -> Self {
        let has_looked = AtomicBool::new(registry.is_none());
        Self {
            registry,
            load,
            follow,
            edition: RwLock::new(Arc::new(edition)),
            looking: tokio::sync::Mutex::default(),
            // Where there is nothing to look at, nobody waits for a look.
            has_looked,
            refused: AtomicU64::new(0),
            complaint: Mutex::default(),
        }
    }

    /// What holds, as it is known already.
    pub fn known(&self) -> Arc<Edition<T>> {
        // An edition is replaced as a whole, so a panic elsewhere harms nothing.
        Arc::clone(&self.edition.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What holds, not older than the time between two looks, as far as the registry can be
    /// reached. Whoever comes while another looks goes on with what is known.
    pub async fn now(&self) -> Arc<Edition<T>> {
        let looking = match self.has_looked.load(Ordering::Acquire) {
            true => self.looking.try_lock().ok(),
            // Nobody has looked yet: all wait for the first look.
            false => Some(self.looking.lock().await),
        };
        if let Some(mut looking) = looking
            && let Err(error) = self.look_if_due(&mut looking).await
        {
            tracing::warn!(error = causes::told(&error), "campaigns stay as they are known");
        }
        self.known()
    }

    /// The same for whoever has no time for more than `limit`: a look that takes longer is left,
    /// and repeated a little later.
    pub async fn within(&self, limit: Duration) -> Arc<Edition<T>> {
        if timeout(limit, self.now()).await.is_err() {
            tracing::warn!("campaigns stay as they are known: the registry takes too long");
        }
        self.known()
    }

    /// Looks for the first time, for whoever must not begin with what may have been replaced.
    pub async fn begin(&self) -> Result<(), RegistryError> {
        self.look_if_due(&mut *self.looking.lock().await).await
    }

    /// How often something published could not be taken over since this was asked last.
    pub fn take_refused(&self) -> u64 {
        self.refused.swap(0, Ordering::Relaxed)
    }

    /// Why what was published last could not be taken over, if it could not.
    pub fn complaint(&self) -> Option<String> {
        self.complaint.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn complain(&self, complaint: Option<String>) {
        *self.complaint.lock().unwrap_or_else(PoisonError::into_inner) = complaint;
    }

    async fn look_if_due(&self, looking: &mut Looking) -> Result<(), RegistryError> {
        let Some(registry) = self.registry.as_deref() else { return Ok(()) };
        if looking.due.is_some_and(|due| Instant::now() < due) {
            return Ok(());
        }
        // Noted first, so that a look that is left is not begun anew at once.
        looking.due = Some(Instant::now() + LOOK_AGAIN.min(self.follow));
        let looked = self.look(registry, looking).await;
        let wait = if looked.is_ok() { self.follow } else { LOOK_AGAIN.min(self.follow) };
        looking.due = Some(Instant::now() + wait);
        self.has_looked.store(true, Ordering::Release);
        looked
    }

    async fn look(
        &self,
        registry: &dyn Registry,
        looking: &mut Looking,
    ) -> Result<(), RegistryError> {
        let head = timeout(LOOK_TIMEOUT, registry.head());
        let head = head.await.unwrap_or_else(|_| Err(RegistryError::timed_out()))?;
        let known = self.known();
        if head == known.head {
            return Ok(());
        }
        let Some(published) = head.current().cloned() else {
            self.take(known.under(known.publication, head));
            return Ok(());
        };
        if published.version == known.version {
            let publication = published.number;
            self.take(known.under(publication, head));
            return Ok(());
        }
        let tried = looking.refused.as_ref();
        if tried.is_some_and(|(version, again)| {
            *version == published.version && Instant::now() < *again
        }) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        match self.loaded(registry, &published.version).await {
            Ok(campaigns) => {
                looking.refused = None;
                tracing::info!(version = %published.version, publication = published.number, "campaigns taken over");
                self.take(Edition {
                    version: published.version,
                    publication: published.number,
                    campaigns: Arc::new(campaigns),
                    head,
                });
            }
            Err(error) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                let complaint = causes::told(&*error);
                if registry.folder().is_none() {
                    tracing::error!(version = %published.version, error = complaint, "campaigns not taken over");
                }
                looking.refused = Some((published.version, Instant::now() + LOAD_AGAIN));
                // Pauses and recalls hold all the same; the head stays unlike the one that was
                // read, so that the version is tried again.
                let publications = known.head.publications.clone();
                self.take(known.under(known.publication, Head { publications, ..head }));
                self.complain(Some(complaint));
            }
        }
        Ok(())
    }

    async fn loaded(&self, registry: &dyn Registry, version: &Version) -> Result<T, NotLoaded> {
        if let Some(folder) = registry.folder() {
            return (self.load)(folder);
        }
        let files = timeout(LOAD_TIMEOUT, registry.files(version));
        let files = files.await.unwrap_or_else(|_| Err(RegistryError::timed_out()))?;
        let folder = tempfile::Builder::new().prefix("campaigns-").tempdir()?;
        files.write(folder.path())?;
        (self.load)(folder.path())
    }

    fn take(&self, edition: Edition<T>) {
        if edition.head.current().is_none_or(|current| current.version == edition.version) {
            self.complain(None);
        }
        *self.edition.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(edition);
    }
}

impl<T> fmt::Debug for Current<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Edition { version, publication, .. } = &*self.known();
        f.debug_struct("Current")
            .field("version", version)
            .field("publication", publication)
            .finish()
    }
}

#[cfg(test)]
mod tests;
