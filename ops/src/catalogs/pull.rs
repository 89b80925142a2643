//! All pages of a catalog of Braze's, into a file.
//!
//! What came is kept after every page, so that a pull that was stopped goes on where it was. The
//! catalog changes only once everything is there. Fifty requests a minute of fifty items each
//! are 2,500 items a minute: a million take some seven hours.
//!
//! Places in Braze's catalogs are numbers of items, so what is added or removed during a pull
//! moves the rest: an item that comes twice is taken once, and one that moved back over the place
//! is missed. Pull while nobody edits.

mod state;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use catalog::check::MAX_ITEMS;
use tokio::time::{Instant, sleep, sleep_until};

use super::braze::{Answer, Braze, Wait};
use crate::now_ms;
use state::State;

/// Attempts at a page.
const MAX_ATTEMPTS: u32 = 8;

/// Longest wait for Braze's limit, whose windows are of a minute; a clock that is wrong by more
/// would wait for ever.
const MAX_WAIT: Duration = Duration::from_secs(120);

/// Pages after which it is told how far it is: about every half a minute.
const TOLD_EVERY: u64 = 25;

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub struct Pauses {
    /// From one request to the next.
    pub between: Duration,
    /// After the first trouble; twice as long after each further one.
    pub trouble: Duration,
    /// After too many requests, where Braze does not say how long.
    pub busy: Duration,
}

impl Default for Pauses {
    /// As Braze documents its limit: 50 requests a minute, shared with others of the workspace.
    fn default() -> Self {
        Self {
            between: Duration::from_millis(1_200),
            trouble: Duration::from_secs(1),
            busy: Duration::from_secs(60),
        }
    }
}

/// A pull of one catalog.
#[derive(Debug)]
pub struct Pull {
    /// Where from.
    pub braze: Braze,
    /// Name of the catalog.
    pub name: String,
    /// Folder of what came so far.
    pub folder: PathBuf,
    /// How long is waited.
    pub pauses: Pauses,
}

impl Pull {
    /// Gets all pages, or those that are missing, and returns the file of all items.
    pub async fn run(&self, now_ms: u64) -> anyhow::Result<PathBuf> {
        let mut state = State::open(&self.folder, self.braze.url(), &self.name, now_ms)?;
        if state.pages() > 0 {
            eprintln!("going on behind {} items that came before", state.items());
        }
        let mut earliest = Instant::now();
        while let Some(path) = state.next().map(str::to_owned) {
            sleep_until(earliest).await;
            earliest = Instant::now() + self.pauses.between;
            let (items, next, open_at) = self.page(&path).await?;
            if next.as_ref() == Some(&path) {
                bail!("Braze's next page is the same again: the pull would never end");
            }
            state.take(items, next)?;
            if state.items() > MAX_ITEMS as u64 {
                bail!("the catalog has more than {MAX_ITEMS} items");
            }
            if state.pages().is_multiple_of(TOLD_EVERY) {
                eprintln!("{} items came", state.items());
            }
            if let Some(at) = open_at.filter(|_| state.next().is_some()) {
                earliest = earliest.max(Instant::now() + until(at)?);
            }
        }
        eprintln!("all {} items came", state.items());
        Ok(state.file())
    }

    /// Removes what came, when it is in its place.
    pub fn forget(&self) -> anyhow::Result<()> {
        State::remove(&self.folder, &self.name)
    }

    async fn page(&self, path: &str) -> anyhow::Result<Page> {
        let mut trouble = self.pauses.trouble;
        let mut last = String::new();
        for _ in 0..MAX_ATTEMPTS {
            let pause = match self.braze.get(path).await? {
                Answer::Page { items, next, open_at } => return Ok((items, next, open_at)),
                Answer::Busy(wait) => {
                    last = "too many requests (429)".to_owned();
                    match wait {
                        Wait::For(pause) => pause,
                        Wait::Until(at) => until(at)?,
                        Wait::Unknown => self.pauses.busy,
                    }
                }
                Answer::Trouble(why) => {
                    last = why;
                    let pause = trouble;
                    trouble *= 2;
                    pause
                }
            };
            if pause > MAX_WAIT {
                bail!("Braze asks to wait {} s: run it again then", pause.as_secs());
            }
            if pause >= Duration::from_secs(5) {
                eprintln!("{last}: waiting {} s", pause.as_secs());
            }
            sleep(pause).await;
        }
        bail!("{last}, {MAX_ATTEMPTS} times; what came is kept: run it again to go on")
    }
}

type Page = (Vec<serde_json::Map<String, serde_json::Value>>, Option<String>, Option<u64>);

/// How long it is until a time in UNIX seconds, by this machine's clock.
fn until(at_secs: u64) -> anyhow::Result<Duration> {
    let at_ms = at_secs.checked_mul(1_000).context("Braze's limit ends at no time")?;
    let wait = Duration::from_millis(at_ms.saturating_sub(now_ms()));
    if wait > MAX_WAIT {
        bail!("Braze's limit ends in {} s: is this machine's clock right?", wait.as_secs());
    }
    Ok(wait)
}
