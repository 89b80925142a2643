//! What a person asks for by hand (`ops ask --data`), and asks that were given up and are to be
//! sent again.
//!
//! What is asked for stays in its file until all of it is on the queues: a run that is stopped on
//! the way leaves it to the next one, and what is asked twice is answered once.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use contract::ask::{Ask, Queue};
use contract::local::{BY_HAND_FILE, ByHand};
use processor::asks::{AskQueue as _, MAX_MESSAGES, Sqs, place};
use processor::eligibility::State;
use processor::store::{ContentTable as _, DynamoDb, Key};

use crate::aws::TABLE;
use crate::pipeline::Pipeline;
use crate::redriven::{lines, now_ms};

/// Users who are looked up at once.
const LOOKED_UP: usize = 200;

/// What is asked for in a folder.
pub fn asked(folder: &Path) -> anyhow::Result<Vec<ByHand>> {
    let read = |line: String| {
        let read = serde_json::from_str(&line);
        read.with_context(|| format!("{BY_HAND_FILE}: a line that this build does not know"))
    };
    lines(&folder.join(BY_HAND_FILE))?.into_iter().map(read).collect()
}

/// Puts all of it on the queues; says how many asks these are.
pub async fn send(folder: &Path, asked: &[ByHand], pipeline: &Pipeline) -> anyhow::Result<usize> {
    let table = DynamoDb::new(pipeline.aws.dynamodb.clone(), TABLE.to_owned());
    let mut sent = 0;
    for some in asked.chunks(LOOKED_UP) {
        let asks = users(some, &table).await?;
        send_all(&asks, pipeline).await?;
        sent += asks.len();
        for each in some {
            if let ByHand::Everybody { ask, seen_since } = each {
                sent += send_everybody(ask, *seen_since, &table, pipeline).await?;
            }
        }
    }
    let file = folder.join(BY_HAND_FILE);
    fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
    Ok(sent)
}

/// Puts asks on the queues, each where those of its campaign wait.
pub(crate) async fn send_all(asks: &[Ask], pipeline: &Pipeline) -> anyhow::Result<()> {
    let queue = Sqs::new(pipeline.aws.sqs.clone(), pipeline.ask_queues.clone());
    let now_ms = now_ms();
    let place = |ask: &Ask| {
        let campaign = pipeline.campaigns.iter().find(|each| each.name == ask.campaign);
        // One of a campaign that is gone comes to its end where those are that wait.
        campaign.map_or((Queue::Later, Duration::ZERO), |each| place(ask, &each.config, now_ms))
    };
    let of_one_place = asks.chunk_by(|a, b| place(a) == place(b));
    for some in of_one_place.flat_map(|some| some.chunks(MAX_MESSAGES)) {
        let (waits_on, delay) = place(&some[0]);
        let some: Vec<(Ask, Duration)> = some.iter().map(|each| (each.clone(), delay)).collect();
        let refused = queue.send(&waits_on, &some).await.context("sending asks")?;
        ensure!(refused.is_empty(), "the queue does not take {} asks", refused.len());
    }
    Ok(())
}

/// The asks of users who are named.
async fn users(some: &[ByHand], table: &DynamoDb) -> anyhow::Result<Vec<Ask>> {
    let named: Vec<(&Ask, Option<i64>)> = some
        .iter()
        .filter_map(|each| match each {
            ByHand::One { ask, seen_since } => Some((ask, *seen_since)),
            ByHand::Everybody { .. } => None,
        })
        .collect();
    let key = |ask: &Ask| Key { user_id: ask.user_id.clone(), campaign: ask.campaign.clone() };
    let since = named.iter().filter(|(_, seen_since)| seen_since.is_some());
    let keys: Vec<Key> = since.map(|(ask, _)| key(ask)).collect();
    let states = table.load(&keys).await.context("reading what is remembered")?;
    let is_asked = |ask: &Ask, seen_since: Option<i64>| {
        let state = states.get(&key(ask));
        seen_since.is_none_or(|since| state.is_some_and(|state| is_seen(state, since)))
    };
    let asked = named.into_iter().filter(|(ask, seen_since)| is_asked(ask, *seen_since));
    Ok(asked.map(|(ask, _)| ask.clone()).collect())
}

/// Sends the ask for everybody of whom something is remembered.
async fn send_everybody(
    ask: &Ask,
    seen_since: Option<i64>,
    table: &DynamoDb,
    pipeline: &Pipeline,
) -> anyhow::Result<usize> {
    let (mut from, mut sent) = (None, 0);
    loop {
        let page = table.page(&ask.campaign, from).await.context("reading the content table")?;
        let seen = page
            .items
            .into_iter()
            .filter(|(_, state)| seen_since.is_none_or(|since| is_seen(state, since)));
        let asks: Vec<Ask> =
            seen.map(|(key, _)| Ask { user_id: key.user_id, ..ask.clone() }).collect();
        send_all(&asks, pipeline).await?;
        sent += asks.len();
        from = page.next;
        if from.is_none() {
            return Ok(sent);
        }
    }
}

/// Whether a user's newest event is not older than this.
fn is_seen(state: &State, since: i64) -> bool {
    state.memory.history.last().is_some_and(|newest| newest.time >= since)
}
