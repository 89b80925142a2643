//! Follows users from the upload of their events to their readable content.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use futures::stream::{self, StreamExt as _};
use http::HeaderValue;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep};

use super::ReplayError;
use super::result::FollowedUsers;
use super::scan::Scan;
use crate::client::{Client, Kind, Reply};
use crate::latency::Latencies;

/// Look-ups of followed users under way at a time.
const POLLERS: usize = 32;

/// How long content stands before it is looked at once more: repeats of an event that is
/// readable are right behind it.
const SETTLING: Duration = Duration::from_secs(2);

/// A user whose content is waited for.
#[derive(Debug, Clone)]
pub(crate) struct User {
    id: String,
    /// The file that their first event is in, as an index.
    file: usize,
    /// Whether all of their events are one, so that content may be written once only.
    is_single: bool,
    repeats: u64,
}

/// The users, before anything is uploaded.
#[derive(Debug, Default)]
pub(super) struct Sample {
    pub(super) users: Vec<User>,
    pub(super) had_content: u64,
}

/// Chooses up to `size` users who have no content yet. `order` has the place of each file.
pub(super) async fn choose(
    client: &Client,
    scan: &Scan,
    order: &[usize],
    size: usize,
) -> Result<Sample, ReplayError> {
    let mut sample = Sample::default();
    let users = scan.followable().filter_map(|(id, candidate)| {
        let file = *candidate.files.iter().min_by_key(|file| order[**file])?;
        let is_single = candidate.ids.len() == 1;
        Some(User { id: id.to_owned(), file, is_single, repeats: candidate.repeats })
    });
    let look_up = |user: User| async {
        let reply = client.look_up(&user.id, None).await;
        (user, reply)
    };
    let mut replies = stream::iter(users).map(look_up).buffered(POLLERS);
    while sample.users.len() < size {
        let Some((user, reply)) = replies.next().await else { break };
        match reply.kind {
            Kind::Miss => sample.users.push(user),
            Kind::Hit => sample.had_content += 1,
            Kind::Unauthorised => return Err(ReplayError::Unauthorised),
            kind => return Err(ReplayError::NoAnswer { url: client.url().to_owned(), kind }),
        }
    }
    Ok(sample)
}

/// Users on their way.
#[derive(Debug)]
pub(crate) struct Follow {
    users: Vec<User>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Users whose events are in the bucket and whose content is not readable yet.
    waiting: VecDeque<usize>,
    began: Vec<Option<Instant>>,
    last_poll: Vec<Option<Instant>>,
    tags: Vec<Option<HeaderValue>>,
    uploaded: u64,
    readable: u64,
    uploads_ended: Option<Instant>,
    freshness: Latencies,
    resolution: Latencies,
}

impl Follow {
    pub(crate) fn new(users: Vec<User>) -> Self {
        let count = users.len();
        let state = State {
            began: vec![None; count],
            last_poll: vec![None; count],
            tags: vec![None; count],
            ..State::default()
        };
        Self { users, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file that was due at this moment is in the bucket.
    pub(super) fn uploaded(&self, file: usize, due: Instant) {
        let mut state = self.state();
        let users = self.users.iter().enumerate().filter(|(_, user)| user.file == file);
        for (index, _) in users {
            state.began[index] = Some(due);
            state.waiting.push_back(index);
            state.uploaded += 1;
        }
    }

    /// No further file will come.
    pub(super) fn uploads_ended(&self) {
        self.state().uploads_ended = Some(Instant::now());
    }

    /// Users in the bucket without readable content, and users with it.
    pub(super) fn progress(&self) -> (u64, u64) {
        let state = self.state();
        (state.uploaded - state.readable, state.readable)
    }

    /// Looks waiting users up until all have content, or `patience` has passed since the
    /// last upload.
    pub(super) async fn poll(&self, client: &Client, per_second: f64, patience: Duration) {
        let mut ticks = interval(Duration::from_secs_f64(1.0 / per_second));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ticks = AsyncMutex::new(ticks);
        join_all((0..POLLERS).map(|_| self.poller(client, &ticks, patience))).await;
    }

    async fn poller(&self, client: &Client, ticks: &AsyncMutex<Interval>, patience: Duration) {
        loop {
            ticks.lock().await.tick().await;
            let user = {
                let mut state = self.state();
                let is_over = state.uploads_ended.is_some_and(|ended| {
                    state.readable == state.uploaded || ended.elapsed() > patience
                });
                if is_over {
                    return;
                }
                state.waiting.pop_front()
            };
            let Some(user) = user else { continue };
            let asked = Instant::now();
            let reply = client.look_up(&self.users[user].id, None).await;
            self.learn(user, asked, reply);
        }
    }

    fn learn(&self, user: usize, asked: Instant, reply: Reply) {
        let mut state = self.state();
        if reply.kind != Kind::Hit {
            state.last_poll[user] = Some(asked);
            state.waiting.push_back(user);
            return;
        }
        let now = Instant::now();
        let began = state.began[user].unwrap_or(now);
        // It became readable at some moment since the look-up before.
        let unseen_since = state.last_poll[user].unwrap_or(began);
        state.freshness.record(now.saturating_duration_since(began));
        state.resolution.record(now.saturating_duration_since(unseen_since));
        state.tags[user] = reply.tag;
        state.readable += 1;
    }

    /// Looks once more at content that was to be written once; says what became of all.
    pub(super) async fn finish(&self, client: &Client, had_content: u64) -> FollowedUsers {
        let (tags, mut followed) = {
            let state = self.state();
            let sampled = self.users.len() as u64;
            let followed = FollowedUsers {
                sampled,
                had_content,
                not_uploaded: sampled - state.uploaded,
                readable: state.readable,
                lost: state.uploaded - state.readable,
                repeated_events: self.users.iter().map(|user| user.repeats).sum(),
                freshness: state.freshness.summary(),
                resolution: state.resolution.summary(),
                ..FollowedUsers::default()
            };
            (state.tags.clone(), followed)
        };
        let singles: Vec<(&User, &HeaderValue)> = self
            .users
            .iter()
            .zip(&tags)
            .filter_map(|(user, tag)| Some((user, tag.as_ref()?)))
            .filter(|(user, _)| user.is_single)
            .collect();
        if !singles.is_empty() {
            sleep(SETTLING).await;
        }
        let look = |(user, tag): (&User, &HeaderValue)| {
            let (id, tag) = (user.id.clone(), tag.clone());
            async move {
                let reply = client.look_up(&id, Some(&tag)).await;
                (reply.kind == Kind::Hit && reply.tag.is_some_and(|new| new != tag), reply.kind)
            }
        };
        let mut replies = stream::iter(singles).map(look).buffer_unordered(POLLERS);
        while let Some((is_another, kind)) = replies.next().await {
            followed.looked_at_twice += u64::from(!kind.is_failure());
            followed.written_twice += u64::from(is_another);
        }
        followed
    }
}
