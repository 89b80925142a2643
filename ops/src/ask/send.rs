//! Puts asks on their queues, no faster than is said.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, bail};
use contract::ask::{Ask, Queue};
use processor::asks::{AskQueue, MAX_MESSAGES, place};
use processor::eligibility::{Candidate, Memory, State};
use processor::store::{ContentTable, DAY_SECS, Key, WaitingAsk, Write, WriteResult};
use tokio::time::{Duration, sleep};

use super::look::{Look, Plan, Seen};
use crate::now_ms;
use crate::pace::Pace;
use crate::progress::Progress;

/// Attempts at asks that the queue does not take.
const MAX_ATTEMPTS: u32 = 5;

/// Wait before the second attempt; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Times that a user is looked at whose item somebody else changes meanwhile.
const MAX_ROUNDS: usize = 4;

/// One who is to be asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) ask: Ask,
    /// What they did that may not be remembered.
    pub(super) fresh: Vec<Candidate>,
}

/// Sends asks.
pub(super) struct Sender<'s> {
    table: &'s dyn ContentTable,
    queue: &'s dyn AskQueue,
    look: &'s Look<'s>,
    rate: NonZeroU32,
    sent: AtomicU64,
}

impl<'s> Sender<'s> {
    /// Sends at most `rate` asks a second.
    pub(super) fn new(
        table: &'s dyn ContentTable,
        queue: &'s dyn AskQueue,
        look: &'s Look<'s>,
        rate: NonZeroU32,
    ) -> Self {
        Self { table, queue, look, rate, sent: AtomicU64::default() }
    }

    /// Asks that were sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Sends all.
    pub(super) async fn send(&self, wanted: Vec<Wanted>) -> anyhow::Result<()> {
        let (mut progress, mut pace) = (Progress::default(), Pace::new(self.rate));
        let mut wanted = wanted.into_iter().peekable();
        while wanted.peek().is_some() {
            let some: Vec<Wanted> = wanted.by_ref().take(MAX_MESSAGES).collect();
            pace.turn(some.len()).await;
            let mut by_queue: BTreeMap<Queue, Vec<(Ask, Duration)>> = BTreeMap::new();
            for Wanted { ask, fresh } in some {
                let Some(ask) = self.remember(ask, &fresh).await? else { continue };
                let config = &self.look.campaign.campaign.config;
                let (queue, delay) = place(&ask, config, now_ms());
                by_queue.entry(queue).or_default().push((ask, delay));
            }
            for (queue, asks) in by_queue {
                self.put(&queue, asks).await?;
            }
            progress.tell("sent", self.sent());
        }
        Ok(())
    }

    /// Writes what must be remembered before the ask; none is to be sent for one who gets
    /// nothing any more.
    async fn remember(&self, ask: Ask, fresh: &[Candidate]) -> anyhow::Result<Option<Ask>> {
        if fresh.is_empty() {
            return Ok(Some(ask));
        }
        let key = Key { user_id: ask.user_id, campaign: ask.campaign };
        for _ in 0..MAX_ROUNDS {
            let states = self.table.load(std::slice::from_ref(&key)).await;
            let mut states = states.context("reading the table")?;
            let state = states.remove(&key).unwrap_or_default();
            let Plan { ask, writes, .. } = match self.look.at(&key.user_id, fresh, &state) {
                Seen::Left(_) => return Ok(None),
                Seen::Wanted(plan) => *plan,
            };
            let Some((memory, until_ms)) = writes else { return Ok(Some(ask)) };
            let write = self.write(&state, memory, until_ms);
            let written = self.table.write(&key, state.revision, &write).await;
            if written.context("writing what is remembered")? == WriteResult::Done {
                return Ok(Some(ask));
            }
        }
        // Whoever changes it all the time decides by what happens now.
        Ok(None)
    }

    fn write(&self, state: &State, memory: Memory, until_ms: u64) -> Write {
        let now_ms = now_ms();
        let days = i64::from(self.look.campaign.campaign.config.ttl_days);
        let now = i64::try_from(now_ms / 1_000).unwrap_or(i64::MAX);
        let ask = WaitingAsk::Until(until_ms);
        Write {
            revision: Write::revision_after(state.revision, now_ms),
            content: None,
            asked: None,
            packed: state.packed.clone(),
            language: self.look.campaign.language(memory.history.last()),
            memory,
            keeps_content: state.written_for.is_some(),
            is_announced: state.parked_until_ms.is_some(),
            ask,
            expires_at: ask.expires_at(now.saturating_add(days * DAY_SECS)),
        }
    }

    async fn put(&self, queue: &Queue, mut asks: Vec<(Ask, Duration)>) -> anyhow::Result<()> {
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            let refused = self.queue.send(queue, &asks).await.context("sending asks")?;
            self.sent.fetch_add((asks.len() - refused.len()) as u64, Ordering::Relaxed);
            let mut place = 0..asks.len();
            asks.retain(|_| place.next().is_some_and(|place| refused.contains(&place)));
            if asks.is_empty() {
                return Ok(());
            }
            if attempt == MAX_ATTEMPTS {
                break;
            }
            sleep(wait).await;
            wait *= 2;
        }
        bail!("the queue does not take {} asks", asks.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use campaign::{CompiledCampaign, Past};
    use processor::asks::{Delivery, QueueError};
    use processor::eligibility::Role;
    use processor::simulated::memory::Memory as Tables;
    use tokio::time::Instant;

    use super::*;

    /// Takes asks, but for the first of every other request.
    #[derive(Debug, Default)]
    struct Fussy {
        requests: Mutex<Vec<(Instant, Vec<String>)>>,
    }

    #[async_trait]
    impl AskQueue for Fussy {
        async fn send(
            &self,
            _: &Queue,
            asks: &[(Ask, Duration)],
        ) -> Result<Vec<usize>, QueueError> {
            let mut requests = self.requests.lock().expect("nobody panicked");
            let users = asks.iter().map(|(ask, _)| ask.user_id.clone());
            requests.push((Instant::now(), users.collect()));
            Ok(if requests.len() % 2 == 1 { vec![0] } else { Vec::new() })
        }

        async fn receive(&self, _: &Queue, _: usize) -> Result<Vec<Delivery>, QueueError> {
            Ok(Vec::new())
        }

        fn queues_beside(&self, _: &BTreeSet<&str>) -> Vec<Queue> {
            Vec::new()
        }

        async fn delete(&self, _: &Queue, _: &[String]) -> Result<(), QueueError> {
            Ok(())
        }
    }

    fn campaign() -> Arc<CompiledCampaign> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaign/tests/campaigns");
        let mut campaigns = campaign::load(&folder).expect("is valid");
        campaigns.remove(0)
    }

    fn rate(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).expect("is not zero")
    }

    #[tokio::test(start_paused = true)]
    async fn asks_go_out_in_tens_at_the_rate_that_is_said_and_none_is_forgotten() {
        let (campaign, queue) = (campaign(), Fussy::default());
        let look = Look::new(&campaign, false, None, now_ms());
        let table = Tables::default();
        let sender = Sender::new(&table, &queue, &look, rate(5));
        let users = (0..25).map(|n| format!("u{n}"));
        let wanted = users.map(|user| Wanted { ask: look.ask(&user), fresh: Vec::new() });

        let begun = Instant::now();
        sender.send(wanted.collect()).await.expect("are sent");

        assert_eq!(sender.sent(), 25);
        let requests = queue.requests.lock().expect("nobody panicked").clone();
        let firsts: Vec<(u128, usize)> = requests
            .iter()
            .filter(|(_, users)| users.len() > 1)
            .map(|(at, users)| ((*at - begun).as_millis(), users.len()))
            .collect();
        assert_eq!(firsts, [(0, 10), (2_000, 10), (4_000, 5)]);
        let again: Vec<&[String]> = requests
            .iter()
            .map(|(_, users)| users.as_slice())
            .filter(|users| users.len() == 1)
            .collect();
        assert_eq!(again, [["u0"], ["u10"], ["u20"]]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_users_did_is_remembered_before_their_ask_is_sent() {
        let (campaign, queue) = (campaign(), Fussy::default());
        let look = Look::new(&campaign, false, None, now_ms());
        let table = Tables::default();
        let sender = Sender::new(&table, &queue, &look, rate(100));
        let fields = serde_json::json!({"properties": {"show": "S", "season": 1, "episode": 2}});
        let fields = fields.as_object().expect("is an object").clone();
        let (id, event_type) = ("e".to_owned(), "users.behaviors.CustomEvent".to_owned());
        let event = Past { id, time: 7, event_type, fields };
        let fresh = vec![Candidate { event, role: Role::TRIGGER, redriven_at_ms: None }];
        let wanted = || vec![Wanted { ask: look.ask("u"), fresh: fresh.clone() }];

        sender.send(wanted()).await.expect("is sent");

        let key = Key { user_id: "u".to_owned(), campaign: look.name().to_owned() };
        let mut states = table.load(std::slice::from_ref(&key)).await.expect("is read");
        let remembered = states.remove(&key).expect("is there");
        let history = vec![fresh[0].event.clone()];
        assert_eq!(remembered.memory, Memory { history, ..Memory::default() });
        assert!(remembered.parked_until_ms.is_some_and(|until| until > now_ms()));
        assert_eq!(sender.sent(), 1);

        // Whoever is cut off begins again: it is remembered, and the ask goes out once more.
        sender.send(wanted()).await.expect("is sent");
        assert_eq!(sender.sent(), 2);
    }
}
