//! Deletes once more those of a list: a restored table has them again.
//!
//! Each is deleted as of its own time, so that who came back since then keeps what is new; who
//! is deleted already stays so. So a run that ended early is begun again.

use std::num::NonZeroU32;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use ingest::stream::again::Target;
use processor::store::{DAY_SECS, DynamoDb};
use serde_json::json;
use tokio::time::{Duration, Instant, sleep};

use super::deletion::{Deletion, send};
use super::holdings::Holdings;
use super::{Account, POLL_INTERVAL, list, target};
use crate::arguments::Erase;
use crate::outcome::moment;
use crate::output::{answer, say};
use crate::pace::Pace;
use crate::progress::Progress;

/// How long a deletion can be under way before it is done, in seconds: its notification waits in
/// the queue of uploads for two weeks at most, then its record on the stream for one. So one of
/// that much before the time of a restore may be missing there.
const UNDER_WAY_SECS: i64 = 21 * DAY_SECS;

/// Most deletions that are sent at once.
const SENT_AT_ONCE: usize = 100;

/// Users who are looked at at a time.
const LOOKED_AT: usize = 16;

/// Deletes those of a list again who were deleted since a time.
pub(super) async fn again(
    account: &Account,
    arguments: &Erase,
    since: i64,
    file: &Path,
) -> anyhow::Result<ExitCode> {
    let all = list::read(file)?;
    let (listed, since) = (all.len(), since.saturating_sub(UNDER_WAY_SECS));
    let wanted = not_before(since, all);
    let n = wanted.len();
    say(format_args!(
        "Of {listed} deletions {} are of {} or later: three weeks before the time that was said, \
         because a deletion can be under way that long.",
        n,
        moment(since)
    ));
    let told = |is_done: bool, left: usize| {
        answer(json!({ "done": is_done, "listed": listed, "wanted": n, "left": left }));
    };
    told(false, n);
    if arguments.consent.dry_run || wanted.is_empty() {
        say("Nothing was changed.");
        return Ok(ExitCode::SUCCESS);
    }
    let target = target(account, arguments)?;
    if let Some(ended) =
        arguments.consent.ends(&format!("Send them again? [{}]", arguments.table))?
    {
        return Ok(ended);
    }
    send_all(&target, &wanted, arguments.rate).await?;
    let table = DynamoDb::new(account.dynamodb.clone(), arguments.table.clone());
    let limit = Duration::from_secs(arguments.wait_secs.into());
    let left = wait(&table, wanted, limit).await?;
    told(left == 0, left);
    if left > 0 {
        say(format_args!(
            "Not done: {left} users are still there. Look at the runbook for events-late, and run \
             this again: that does no harm."
        ));
        return Ok(ExitCode::FAILURE);
    }
    say("Done: what happened before these deletions is gone from the content table.");
    Ok(ExitCode::SUCCESS)
}

fn not_before(since: i64, all: Vec<Deletion>) -> Vec<Deletion> {
    all.into_iter().filter(|each| each.at >= since).collect()
}

/// Sends all, no faster than is said.
async fn send_all(target: &Target, wanted: &[Deletion], rate: NonZeroU32) -> anyhow::Result<()> {
    let (mut progress, mut pace, mut sent) = (Progress::default(), Pace::new(rate), 0);
    let most = usize::try_from(rate.get()).unwrap_or(SENT_AT_ONCE).min(SENT_AT_ONCE);
    for some in wanted.chunks(most) {
        pace.turn(some.len()).await;
        let failed = || format!("{sent} deletions were sent; begin again: that does no harm");
        send(target, some).await.with_context(failed)?;
        sent += some.len() as u64;
        progress.tell("deletions sent:", sent);
    }
    Ok(())
}

/// Waits until all are gone, or for so long none has gone; says how many are left.
async fn wait(table: &DynamoDb, mut left: Vec<Deletion>, limit: Duration) -> anyhow::Result<usize> {
    let (all, mut progress) = (left.len(), Progress::default());
    let mut end = Instant::now() + limit;
    while !left.is_empty() {
        let before = left.len();
        let looked = stream::iter(left).map(async |each| {
            let is_gone = Holdings::read(table, &each.user_id).await?.is_gone(each.at);
            anyhow::Ok((!is_gone).then_some(each))
        });
        let looked: Vec<Option<Deletion>> = looked.buffered(LOOKED_AT).try_collect().await?;
        left = looked.into_iter().flatten().collect();
        if left.len() < before {
            end = Instant::now() + limit;
        }
        progress.tell("users gone:", (all - left.len()) as u64);
        if Instant::now() >= end {
            break;
        }
        if !left.is_empty() {
            sleep(POLL_INTERVAL).await;
        }
    }
    Ok(left.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_of_the_very_second_is_sent_again_and_an_older_one_is_not() {
        let of = |at| Deletion { user_id: format!("u{at}"), at };

        let wanted = not_before(100, vec![of(99), of(100), of(101)]);

        assert_eq!(wanted, [of(100), of(101)]);
    }
}
