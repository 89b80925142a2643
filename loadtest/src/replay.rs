//! Replays Currents files into a bucket, and follows users to their readable content.
//!
//! ```text
//! files -> scan -> pace (when each is due) -> upload -> (bucket ... api)
//!            |                                   |          |
//!            +--> followed users ----------> follow <-------+
//! ```
//!
//! **Open loop**: the moment of every upload is set beforehand, and freshness counts from
//! it. **Followed** are users who have no content before: whoever has none in the end is
//! lost, whatever the reason, be it a dead letter. Users who are deleted anywhere in the
//! files are left out.
//!
//! Memory is bounded by the number of files and of followed users.

pub mod cost;
pub(crate) mod follow;
mod look;
pub mod pace;
mod points;
pub mod result;
pub mod scan;
pub(crate) mod upload;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::Client as S3;
use indicatif::ProgressBar;
use tokio::time::{Instant, sleep};

use crate::client::{BadTarget, Client, Kind, Target};
use crate::progress;

use follow::Follow;
use look::Look;
use pace::{Pace, TooLong};
use points::Points;
use result::{Input, Point, ReplayResult, Upload};
use scan::Scan;
use upload::{UploadCount, Uploader};

/// Candidates for each user that is followed: some have content already, some are deleted.
pub const CANDIDATES_EACH: usize = 4;

/// What to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The bucket.
    pub bucket: String,
    /// Where it is; none for AWS itself.
    pub endpoint: Option<String>,
    /// How fast.
    pub pace: Pace,
    /// Uploads at a time.
    pub uploads: usize,
    /// Which events ask for content, in words.
    pub trigger: String,
    /// Where content is read.
    pub api: Target,
    /// Users to follow.
    pub sample: usize,
    /// Look-ups of followed users a second.
    pub polls_per_second: f64,
    /// How long content is waited for after the last upload.
    pub patience: Duration,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The files have no schedule.
    #[error(transparent)]
    Pace(#[from] TooLong),
    /// The api cannot be asked.
    #[error(transparent)]
    Target(#[from] BadTarget),
    /// The api refuses the credentials.
    #[error("the api refuses the credentials: set LOADTEST_CREDENTIALS=USER:PASSWORD")]
    Unauthorised,
    /// The api gives no answer that says whether a user has content.
    #[error("{url} does not say whether a user has content ({kind})")]
    NoAnswer {
        /// Who was asked.
        url: String,
        /// What it gave.
        kind: Kind,
    },
    /// There is nobody to follow.
    #[error(
        "nobody can be followed: {asking} users have events that ask for content, and \
         {had_content} of them have content already, so that none could be seen to come; \
         generate files with another --seed"
    )]
    Nobody {
        /// Users with such events, as far as they were kept.
        asking: usize,
        /// Those with content.
        had_content: u64,
    },
    /// Not one file got into the bucket.
    #[error("no file could be uploaded: {reason}")]
    NoUpload {
        /// Why the first one failed.
        reason: String,
    },
}

/// Replays what was scanned.
pub async fn run(plan: &Plan, scan: &Scan, s3: &S3) -> Result<ReplayResult, ReplayError> {
    let schedule = pace::schedule(&scan.files, plan.pace)?;
    let mut order = vec![0; scan.files.len()];
    for (place, (file, _)) in schedule.iter().enumerate() {
        order[*file] = place;
    }
    let client = Client::new(&plan.api)?;
    let sample = follow::choose(&client, scan, &order, plan.sample).await?;
    if sample.users.is_empty() && plan.sample > 0 {
        let asking = scan.followable().count();
        return Err(ReplayError::Nobody { asking, had_content: sample.had_content });
    }
    let follow = Follow::new(sample.users);
    let uploader = Uploader {
        s3,
        bucket: &plan.bucket,
        files: &scan.files,
        follow: &follow,
        uploaded: Mutex::default(),
    };
    let bar = progress::bar("replaying", scan.events(), "events");
    let look = Look::new(&plan.api).await;
    let (start, mut points) = (Instant::now(), Points::default());
    let work = async {
        let upload = async {
            uploader.run(&schedule, start, plan.uploads).await;
            start.elapsed()
        };
        tokio::join!(upload, follow.poll(&client, plan.polls_per_second, plan.patience)).0
    };
    let uploaded_events = || uploader.events();
    let upload_took = tokio::select! {
        took = work => took,
        () = watch(&uploader, &follow, start, &mut points, &bar) => start.elapsed(),
        () = look.each_second(start, &uploaded_events) => start.elapsed(),
    };
    points.push(point(&uploader, &follow, start));
    look.once(start, &uploaded_events).await;
    bar.finish_and_clear();
    let uploaded = uploader.uploaded.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let (0, Some(reason)) = (uploaded.files, &uploaded.first_failure) {
        return Err(ReplayError::NoUpload { reason: reason.clone() });
    }
    Ok(ReplayResult {
        bucket: plan.bucket.clone(),
        endpoint: plan.endpoint.clone(),
        pace: plan.pace.to_string(),
        trigger: plan.trigger.clone(),
        input: input(scan),
        upload: upload_result(&uploaded, upload_took),
        followed: follow.finish(&client, sample.had_content).await,
        points: points.into_vec(),
        system: look.into_system(),
    })
}

/// Notes how it goes on, until it is dropped.
async fn watch(
    uploader: &Uploader<'_>,
    follow: &Follow,
    start: Instant,
    points: &mut Points,
    bar: &ProgressBar,
) {
    loop {
        let now = point(uploader, follow, start);
        bar.set_position(now.events);
        if now.waiting > 0 {
            bar.set_message(format!("{} to become readable", now.waiting));
        }
        points.push(now);
        sleep(points.interval()).await;
    }
}

fn point(uploader: &Uploader<'_>, follow: &Follow, start: Instant) -> Point {
    let (waiting, readable) = follow.progress();
    Point { secs: start.elapsed().as_secs_f64(), events: uploader.events(), waiting, readable }
}

pub(crate) fn input(scan: &Scan) -> Input {
    Input {
        files: scan.files.len() as u64,
        damaged_files: scan.damaged,
        bytes: scan.bytes(),
        events: scan.events(),
        triggers: scan.triggers,
    }
}

pub(crate) fn upload_result(uploaded: &UploadCount, took: Duration) -> Upload {
    let secs = took.as_secs_f64();
    Upload {
        files: uploaded.files,
        events: uploaded.events,
        failed_files: uploaded.failed_files,
        first_failure: uploaded.first_failure.clone(),
        secs,
        events_per_second: uploaded.events as f64 / secs.max(1e-9),
        delay: uploaded.delay.summary(),
    }
}
