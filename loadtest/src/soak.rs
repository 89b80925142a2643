//! A mixed load on a running `local` for a bounded time, while faults come and go; and at the
//! end every event accounted for.
//!
//! ```text
//! schedule ──> switch ──> PUT /local/faults
//! files ─────> upload ──> (bucket ... api) <── load (look-ups)
//!    |                         |
//!    |         watch <── GET /local/metrics, each second
//!    |           |
//!    +──> reconcile ──> result
//! ```
//!
//! **Open loop**: uploads, look-ups and faults have their moments beforehand. **Independent**:
//! events are counted by reading the files, and compared with what the system counts.
//!
//! Faults are switched off at the end, also after an error or where a person stops the soak.
//! Memory is bounded by the number of files; moments are thinned out.

mod load;
mod reconcile;
pub mod result;
pub mod schedule;
mod switch;
mod watch;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::Client as S3;
use contract::local::Metrics;
use tokio::time::{Instant, sleep};

use crate::client::{BadTarget, Client, Target};
use crate::lookups::users::Users;
use crate::progress;
use crate::replay;
use crate::replay::follow::Follow;
use crate::replay::pace::{self, Pace, TooLong};
use crate::replay::scan::Scan;
use crate::replay::upload::Uploader;
use crate::system::local::{Local, LocalError};

use load::Load;

use reconcile::Facts;
pub use reconcile::{Line, Rule};
use result::SoakResult;
use schedule::Schedule;
use switch::Switch;
use watch::{Observation, Watch};

/// Users of the files who are looked up: enough that the api cannot know them by heart.
pub const USERS: usize = 20_000;

/// Longest soak: a day. Longer ones come from a rate that is wrong.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// Wait before `local` is asked again whether it is done with what was there before.
const SETTLING: Duration = Duration::from_millis(500);

/// Time between two looks at the figures: `local` answers in a few milliseconds.
pub const TICK: Duration = Duration::from_secs(1);

/// What to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The bucket.
    pub bucket: String,
    /// Events a second.
    pub rate: f64,
    /// Uploads at a time.
    pub uploads: usize,
    /// Where content is looked up, figures are read and faults are switched.
    pub api: Target,
    /// Look-ups a second.
    pub look_ups_per_second: f64,
    /// How long the system may take after the last upload.
    pub patience: Duration,
    /// Time between two looks at the figures.
    pub tick: Duration,
    /// Decides the faults, and who is looked up.
    pub seed: u64,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum SoakError {
    /// The files have no schedule.
    #[error(transparent)]
    Pace(#[from] TooLong),
    /// The soak would take too long.
    #[error("the soak would take more than a day: raise the rate")]
    TooLong,
    /// The files hold no event.
    #[error("no event can be read from the files")]
    NoEvents,
    /// The api cannot be asked.
    #[error(transparent)]
    Target(#[from] BadTarget),
    /// The system's figures or faults are out of reach.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The system has work that is none of the soak's.
    #[error("the system is busy with something else: wait until it is done")]
    Busy,
    /// Not one file got into the bucket.
    #[error("no file could be uploaded: {reason}")]
    NoUpload {
        /// Why the first one failed.
        reason: String,
    },
    /// A person ended it.
    #[error("stopped before the end; all faults are off")]
    Stopped,
    /// Faults may be on.
    #[error("FAULTS MAY STILL BE ON, they could not be switched off")]
    StillOn(#[source] LocalError),
}

/// How long the upload of these files takes.
pub fn length(scan: &Scan, rate: f64) -> Result<Duration, SoakError> {
    if scan.events() == 0 {
        return Err(SoakError::NoEvents);
    }
    let length = Duration::try_from_secs_f64(scan.events() as f64 / rate);
    length.ok().filter(|length| *length <= LONGEST).ok_or(SoakError::TooLong)
}

/// Soaks the system with what was scanned, until it is done or `stop` comes.
pub async fn run(
    plan: &Plan,
    scan: &Scan,
    schedule: &Schedule,
    s3: &S3,
    stop: impl Future<Output = ()>,
) -> Result<SoakResult, SoakError> {
    let local = Local::new(&plan.api)?;
    // Whoever cannot switch faults off must not switch any on.
    switch::off(&local).await?;
    let outcome = tokio::select! {
        outcome = soak(plan, scan, schedule, s3, &local) => outcome,
        () = stop => Err(SoakError::Stopped),
    };
    switch::off(&local).await.map_err(SoakError::StillOn)?;
    outcome
}

async fn soak(
    plan: &Plan,
    scan: &Scan,
    schedule: &Schedule,
    s3: &S3,
    local: &Local,
) -> Result<SoakResult, SoakError> {
    let order = pace::schedule(&scan.files, Pace::Rate(plan.rate))?;
    let client = Client::new(&plan.api)?;
    let users = Users::new(scan.followable().map(|(user_id, _)| user_id.to_owned()));
    let before = settled(local, plan.patience).await?;
    let (start, follow) = (Instant::now(), Follow::new(Vec::new()));
    let uploader = Uploader {
        s3,
        bucket: &plan.bucket,
        files: &scan.files,
        follow: &follow,
        uploaded: Mutex::default(),
    };
    let load = Load::new(client, users, plan.look_ups_per_second, plan.seed, start);
    let switch = Switch::new(local, start);
    let bar = progress::bar("soaking", scan.events(), "events");
    let watch = Watch { plan, local, before: &before, uploader: &uploader, load: &load, start };
    let work = async {
        let upload = async {
            uploader.run(&order, start, plan.uploads).await;
            watch::Ending { after: start.elapsed() }
        };
        let calm = async { switch.follow(schedule).await.map_err(SoakError::from) };
        watch.until_done(upload, calm, &|| switch.on(), &bar).await
    };
    let seen = tokio::select! {
        seen = work => seen?,
        () = load.run() => return Err(SoakError::Stopped),
    };
    bar.finish_and_clear();
    let look_ups = load.finish().await;
    let uploaded = uploader.uploaded.into_inner().unwrap_or_else(PoisonError::into_inner);
    let upload = replay::upload_result(&uploaded, seen.upload_took);
    Ok(outcome(plan, scan, switch, seen, upload, look_ups))
}

/// The figures once nothing is under way.
async fn settled(local: &Local, patience: Duration) -> Result<Metrics, SoakError> {
    let asked = Instant::now();
    loop {
        let metrics = local.metrics().await?;
        if metrics.drained {
            return Ok(metrics);
        }
        if asked.elapsed() > patience {
            return Err(SoakError::Busy);
        }
        sleep(SETTLING).await;
    }
}

fn outcome(
    plan: &Plan,
    scan: &Scan,
    switch: Switch<'_>,
    seen: Observation,
    upload: replay::result::Upload,
    look_ups: result::LookUps,
) -> SoakResult {
    let input = replay::input(scan);
    let periods = switch.into_periods();
    let facts = Facts {
        files: input.files,
        damaged: input.damaged_files,
        uploaded: upload.files,
        events: upload.events,
        counted: &seen.counted,
        quota: seen.system.quota.as_ref(),
        look_ups: &look_ups,
        periods: &periods,
    };
    let lines = facts.lines();
    let fates = contract::metrics::Fate::ALL.iter().map(|fate| fate.metric());
    SoakResult {
        url: plan.api.url.clone(),
        rate: plan.rate,
        look_ups_per_second: plan.look_ups_per_second,
        seed: plan.seed,
        input,
        upload,
        drain_secs: seen.drain_took.as_secs_f64(),
        struck: seen.counted.faults.injected.clone(),
        fates: fates.map(|name| (name.to_owned(), seen.counted.count(name))).collect(),
        generations: seen.counted.count(contract::metrics::GENERATIONS),
        system: seen.system,
        periods,
        look_ups,
        lines,
    }
}
