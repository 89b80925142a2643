//! What a program holds of the campaigns, and how it follows the registry.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use contract::metrics::{self, Counts};
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

/// After so many times between two looks without a good one nobody can say what holds.
const OUTDATED_AFTER: u32 = 10;

/// Earlier versions that are tried by a program that holds none yet: so many in a row that
/// nobody can load are no accident of one publication.
const MOST_EARLIER: usize = 5;

/// How campaigns are made of a folder.
pub type Load<T> = Box<dyn Fn(&Path) -> Result<T, NotLoaded> + Send + Sync>;

/// Nobody can tell any more whether what is known still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what campaigns want was last known {} s ago, and may have changed", .0.as_secs())]
pub struct Outdated(pub Duration);

/// Whether what is held is what holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Followed {
    /// It is, or everybody who looks refuses what was published.
    Certainly,
    /// There is something newer, which could not be had.
    Not,
}

/// Why campaigns could not be made of a folder.
pub type NotLoaded = Box<dyn Error + Send + Sync>;

/// Why a version is not held.
enum Failed {
    /// It could not be had: it may be fine.
    Unread(RegistryError),
    /// No campaigns can be made of it.
    Refused(NotLoaded),
}

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
    /// When it was last certain that what is held is what holds for all.
    certain: Mutex<Option<Instant>>,
    refused: AtomicU64,
    unread: AtomicU64,
    complaint: Mutex<Option<String>>,
}

/// When the registry is looked at next.
#[derive(Debug, Clone, Default)]
struct Looking {
    due: Option<Instant>,
    /// The version that could not be loaded, and when it is tried again.
    refused: Option<(Version, Instant)>,
}

impl Failed {
    fn told(&self) -> String {
        match self {
            Self::Unread(error) => causes::told(error),
            Self::Refused(error) => causes::told(&**error),
        }
    }
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
        // First, so that what changes while it is loaded is another version.
        let files = Files::read(folder);
        let campaigns = Arc::new(load(folder)?);
        let version = files?.version();
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
            certain: Mutex::default(),
            refused: AtomicU64::new(0),
            unread: AtomicU64::new(0),
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

    /// The same for whoever has no time for more than `limit`: a look that takes longer goes on
    /// by itself, for those who come later.
    pub async fn within(self: &Arc<Self>, limit: Duration) -> Arc<Edition<T>>
    where
        T: Send + Sync + 'static,
    {
        let current = Arc::clone(self);
        let look = tokio::spawn(async move { current.now().await });
        if timeout(limit, look).await.is_err() {
            // Nobody else waits for it.
            self.has_looked.store(true, Ordering::Release);
            tracing::warn!("campaigns stay as they are known: the registry takes too long");
        }
        self.known()
    }

    /// Says since when nobody can tell whether what is known still holds, if that is longer than
    /// ten looks take: for whoever drops for good what no campaign wants. The author of a folder
    /// is told of it, and has it in hand.
    pub fn outdated(&self) -> Option<Outdated> {
        self.registry.as_ref().filter(|registry| registry.folder().is_none())?;
        let certain = *self.certain.lock().unwrap_or_else(PoisonError::into_inner);
        let age = certain?.elapsed();
        (age > self.follow * OUTDATED_AFTER).then_some(Outdated(age))
    }

    /// Looks for the first time, for whoever must not begin with what may have been replaced: it
    /// fails where that cannot be told.
    pub async fn begin(&self) -> Result<(), RegistryError> {
        self.look_if_due(&mut *self.looking.lock().await).await
    }

    /// Counts what went wrong since this was asked last.
    pub fn count(&self, counts: &mut Counts) {
        counts.add(metrics::CAMPAIGNS_REFUSED, self.refused.swap(0, Ordering::Relaxed));
        counts.add(metrics::CAMPAIGNS_UNREAD, self.unread.swap(0, Ordering::Relaxed));
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
        match &looked {
            Ok(Followed::Certainly) => {
                let mut certain = self.certain.lock().unwrap_or_else(PoisonError::into_inner);
                *certain = Some(Instant::now());
            }
            Ok(Followed::Not) | Err(_) => {
                self.unread.fetch_add(1, Ordering::Relaxed);
            }
        }
        let wait = if looked.is_ok() { self.follow } else { LOOK_AGAIN.min(self.follow) };
        looking.due = Some(Instant::now() + wait);
        self.has_looked.store(true, Ordering::Release);
        looked.map(|_| ())
    }

    async fn look(
        &self,
        registry: &dyn Registry,
        looking: &mut Looking,
    ) -> Result<Followed, RegistryError> {
        let head = timeout(LOOK_TIMEOUT, registry.head());
        let head = match head.await.unwrap_or_else(|_| Err(RegistryError::timed_out())) {
            // Its author is told, who has it in hand.
            Err(error) if registry.folder().is_some() => {
                self.complain(Some(causes::told(&error)));
                return Ok(Followed::Certainly);
            }
            head => head?,
        };
        let known = self.known();
        if head == known.head {
            self.complain(None);
            return Ok(Followed::Certainly);
        }
        let Some(published) = head.current().cloned() else {
            self.take(known.under(known.publication, head));
            return Ok(Followed::Certainly);
        };
        if published.version == known.version {
            let publication = published.number;
            self.take(known.under(publication, head));
            return Ok(Followed::Certainly);
        }
        let tried = looking.refused.as_ref();
        if tried.is_some_and(|(version, again)| {
            *version == published.version && Instant::now() < *again
        }) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            self.take_beside(&known, head);
            return Ok(Followed::Certainly);
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
            Err(failed) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                let complaint = failed.told();
                if registry.folder().is_none() {
                    tracing::error!(version = %published.version, error = complaint, "campaigns not taken over");
                }
                self.take_beside(&known, head.clone());
                self.complain(Some(complaint));
                match failed {
                    Failed::Unread(error) if known.publication == 0 => return Err(error),
                    Failed::Unread(_) => return Ok(Followed::Not),
                    Failed::Refused(_) => {
                        looking.refused = Some((published.version, Instant::now() + LOAD_AGAIN));
                    }
                }
                if known.publication == 0 {
                    self.hold_earlier(registry, &head).await?;
                }
            }
        }
        Ok(Followed::Certainly)
    }

    /// Takes pauses and recalls, which hold all the same where a version cannot be taken. The
    /// head stays unlike the one that was read, so that the version is tried again.
    fn take_beside(&self, known: &Edition<T>, head: Head) {
        let complaint = self.complaint();
        let publications = known.head.publications.clone();
        self.take(known.under(known.publication, Head { publications, ..head }));
        self.complain(complaint);
    }

    /// Takes the latest of the earlier versions that can be loaded, for a program that began
    /// after the one that cannot: others hold that one, and what the program came with may be
    /// much older.
    async fn hold_earlier(
        &self,
        registry: &dyn Registry,
        head: &Head,
    ) -> Result<(), RegistryError> {
        let known = self.known();
        let earlier = head.publications.iter().enumerate().rev().skip(1).take(MOST_EARLIER);
        for (place, earlier) in earlier {
            let campaigns = match earlier.version == known.version {
                true => Ok(Arc::clone(&known.campaigns)),
                false => self.loaded(registry, &earlier.version).await.map(Arc::new),
            };
            let campaigns = match campaigns {
                Ok(campaigns) => campaigns,
                Err(Failed::Unread(error)) => return Err(error),
                Err(Failed::Refused(_)) => continue,
            };
            tracing::warn!(version = %earlier.version, publication = earlier.number, "earlier campaigns taken over");
            let publications = head.publications[..=place].to_vec();
            let complaint = self.complaint();
            self.take(Edition {
                version: earlier.version.clone(),
                publication: earlier.number,
                campaigns,
                head: Head { publications, ..head.clone() },
            });
            self.complain(complaint);
            return Ok(());
        }
        Ok(())
    }

    async fn loaded(&self, registry: &dyn Registry, version: &Version) -> Result<T, Failed> {
        let refused = |error: NotLoaded| Failed::Refused(error);
        if let Some(folder) = registry.folder() {
            let campaigns = (self.load)(folder).map_err(refused)?;
            // Somebody may be about to save it.
            let now = registry.files(version).await.map_err(Failed::Unread)?.version();
            return match now == *version {
                true => Ok(campaigns),
                false => Err(Failed::Unread(RegistryError::Changing)),
            };
        }
        let files = timeout(LOAD_TIMEOUT, registry.files(version));
        let files = files.await.unwrap_or_else(|_| Err(RegistryError::timed_out()));
        let files = files.map_err(Failed::Unread)?;
        let folder = tempfile::Builder::new().prefix("campaigns-").tempdir();
        let no_room = |error| Failed::Unread(RegistryError::NotWritten(error));
        let folder = folder.map_err(no_room)?;
        files.write(folder.path()).map_err(no_room)?;
        (self.load)(folder.path()).map_err(refused)
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
