//! Takes asks up whose time has come.
//!
//! It pulls: of each model as many as its quota lets it answer, those of a higher class first,
//! and none while the model's day is over. So what waits costs its queue and nothing else. An
//! event source would hand over all that is visible as fast as it can, over and over.
//!
//! ```text
//! later ---(its time has come)---> ready queues --> window --> stages --> removed, or put back
//!   ^  |                           by model, class  of a model               |
//!   +--+ (not yet)                       ^                                   |
//!                                        +------(waits for another time)-----+
//! ```
//!
//! What cannot be answered now goes back as a message of its own, so that only an ask whose
//! worker died has been delivered before. Such asks have their turns in the end, one by one;
//! one whose workers die then as well is given up.
//!
//! - `hands` — what is in hand, and how much may be.

mod hands;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use campaign::CompiledCampaign;
use contract::ask::{Ask, Class, MAX_DELAY, NO_JOB, Queue, Reason};
use contract::dead_letter::{DeadLetter, Input};
use contract::digest;
use contract::metrics::{self, AskFate, Counts};
use futures::future::join_all;
use program::causes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::{AskQueue, Delivery, MAX_MESSAGES, QueueError, place};
use crate::answers::ended;
use crate::batch::Batch;
use crate::conclude::Outcome;
use crate::deadline::Deadline;
use crate::decide::{Fated, Turn, Wanted};
use crate::failure::KILLS;
use crate::handler::Report;
use crate::jobs::JobService;
use crate::jobs::gathering::{Gathering, MOST_QUESTIONS};
use crate::stages::{Stages, Tools};
use crate::store::Key;
use crate::suspects;
use hands::{Hands, InHand};

/// Asks in hand for each question that is asked at a time: enough that none waits for the
/// next ask to be read.
const WINDOW_OF_A_QUESTION: usize = 2;

/// Of so many takes one begins with another class than the highest, each in its turn, so that
/// nobody waits for ever behind what is higher.
const TAKES_OF_ALL: usize = 10;

/// How long an empty queue is left alone while others of its model are in hand.
const LULL: Duration = Duration::from_secs(1);

/// How long events are told that asks wait, in milliseconds: until the next worker looks.
const ANNOUNCED_FOR_MS: u64 = 90_000;

/// How soon they are told again.
const ANNOUNCE_AGAIN: Duration = Duration::from_secs(30);

/// Requests for the queue of later asks at a time.
const MOVERS: usize = 4;

/// How early an ask may be taken up, in milliseconds: SQS counts in seconds.
const EARLY_MS: u64 = 1_000;

/// Time that is kept for the files of jobs and their submission.
const TIME_OF_JOBS: Duration = Duration::from_secs(60);

/// So long nothing happens when all asks that were taken have come to something.
const QUIET: Duration = Duration::from_secs(2);

/// So many empty looks in a row, with as much time between them, say that no more asks come.
const MOST_EMPTY_LOOKS: usize = 3;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// How often an ask waits for its campaign to be known, a quarter of an hour each time.
const MOST_WAITS_FOR_CAMPAIGN: u32 = 100;

/// Takes asks up.
#[derive(Debug)]
pub(crate) struct Worker<'p> {
    campaigns: HashMap<&'p str, &'p Arc<CompiledCampaign>>,
    tools: &'p Tools,
    queue: &'p Arc<dyn AskQueue>,
    /// Most asks of a model in hand.
    window: usize,
    /// Takes so far, of all workers of this instance.
    takes: &'p AtomicUsize,
    /// Where questions come together for jobs, of a worker that gathers asks.
    gathering: Option<Arc<Gathering>>,
}

/// What is counted beside the stages.
type Tally = Mutex<Counts>;

impl<'p> Worker<'p> {
    /// Works for these campaigns; asks at most so many `questions` at a time.
    pub(crate) fn new(
        campaigns: &'p [Arc<CompiledCampaign>],
        tools: &'p Tools,
        queue: &'p Arc<dyn AskQueue>,
        (questions, takes): (usize, &'p AtomicUsize),
    ) -> Self {
        let by_name = campaigns.iter().map(|each| (each.campaign.name.as_str(), each));
        let window = questions * WINDOW_OF_A_QUESTION;
        Self { campaigns: by_name.collect(), tools, queue, window, takes, gathering: None }
    }

    /// Works until nothing is left that can be answered, or the time is over.
    pub(crate) async fn work(&self, deadline: Deadline) -> Report {
        let (turns, incoming) = mpsc::channel(self.window);
        let (hands, tally) = (Hands::new(self.window), Tally::default());
        let feeding = async {
            let models = self.models();
            let of_model = |model| self.feed(model, turns.clone(), (&hands, &tally), deadline);
            let feeds: Vec<_> = models.into_iter().map(of_model).collect();
            drop(turns);
            join_all(feeds).await;
        };
        let (mut report, ()) = tokio::join!(
            self.bring_to_an_end(feeding, incoming, &hands, deadline),
            self.move_all(&tally, deadline),
        );
        for turn in hands.take_aside() {
            // What has no time now shows itself to another worker.
            if !deadline.is_over() {
                report.merge(self.take_with_care(turn, (&hands, &tally), deadline).await);
            }
        }
        report.counts.merge(&tally.into_inner().unwrap_or_else(PoisonError::into_inner));
        report
    }

    /// Takes up the asks that have gathered, in place of others, and makes jobs of what they ask;
    /// tells as well whether more may be there than were taken.
    pub(crate) async fn gather(
        mut self,
        gathering: &Arc<Gathering>,
        service: &dyn JobService,
        deadline: Deadline,
    ) -> (Report, bool) {
        self.gathering = Some(Arc::clone(gathering));
        self.window = MOST_QUESTIONS;
        let (turns, incoming) = mpsc::channel(MAX_MESSAGES);
        let (hands, tally) = (Hands::of_all(self.window), Tally::default());
        let (mut submitted, mut is_all) = (Counts::default(), true);
        let feeding = async {
            is_all = self.feed_gathered(turns, gathering, (&hands, &tally), deadline).await;
            self.until_all_have_joined(gathering, &hands, deadline).await;
            gathering.close(&self.tools.answers, service, &mut submitted).await;
        };
        let mut report = self.bring_to_an_end(feeding, incoming, &hands, deadline).await;
        report.counts.merge(&submitted);
        report.counts.merge(&tally.into_inner().unwrap_or_else(PoisonError::into_inner));
        (report, !is_all)
    }

    /// Takes asks off the queue of jobs, until there is none or as many are in hand as may be. They
    /// show themselves within a second or two of each other, and SQS does not always look
    /// everywhere: one empty look after some that were not is no end.
    ///
    /// Tells whether it took all that there is to take: what is held of them in memory, and a table
    /// that is ill, end it too.
    async fn feed_gathered(
        &self,
        turns: mpsc::Sender<Turn>,
        gathering: &Gathering,
        (hands, tally): (&Hands, &Tally),
        deadline: Deadline,
    ) -> bool {
        let until = deadline.start_by(TIME_OF_JOBS);
        let mut empty_looks = 0;
        while Instant::now() < until && hands.taken() < self.window && !gathering.is_full() {
            if hands.is_any_refused() {
                return true;
            }
            let taken = match self.queue.receive(&Queue::Jobs, MAX_MESSAGES).await {
                Ok(taken) => taken,
                Err(error) => {
                    tracing::warn!(error = causes::told(&error), "asks wait");
                    return true;
                }
            };
            if taken.is_empty() {
                empty_looks += 1;
                if hands.taken() == 0 || empty_looks >= MOST_EMPTY_LOOKS {
                    return true;
                }
                sleep(BETWEEN_LOOKS).await;
                continue;
            }
            empty_looks = 0;
            let mut taken = taken.into_iter();
            while let Some(delivery) = taken.next() {
                // Where nothing is read for so long, as much is held as may be.
                let Ok(Ok(place)) = timeout(QUIET, turns.reserve()).await else {
                    let rest = std::iter::once(delivery).chain(taken);
                    let rest = rest.filter_map(|each| Some((each.ask.ok()?, each.receipt)));
                    self.send_anew(&Queue::Jobs, rest.collect()).await;
                    return false;
                };
                if let Some(turn) = self.admit(delivery, &Queue::Jobs, (hands, tally)).await {
                    place.send(turn);
                }
            }
        }
        false
    }

    /// Waits until what was taken has joined or come to something else.
    async fn until_all_have_joined(
        &self,
        gathering: &Gathering,
        hands: &Hands,
        deadline: Deadline,
    ) {
        let seen = || (gathering.questions(), hands.all_in_hand());
        let until = deadline.start_by(TIME_OF_JOBS);
        let mut before = seen();
        while Instant::now() < until {
            sleep(QUIET).await;
            let now = seen();
            if now == before {
                return;
            }
            before = now;
        }
    }

    /// Brings the turns that `feeding` sends to their ends.
    async fn bring_to_an_end(
        &self,
        feeding: impl Future<Output = ()>,
        incoming: mpsc::Receiver<Turn>,
        hands: &Hands,
        deadline: Deadline,
    ) -> Report {
        let (ended, endings) = mpsc::unbounded_channel();
        let mut report = Report::default();
        let gathering = self.gathering.clone();
        let stages = Stages::of_asks(self.tools.clone(), incoming, gathering, deadline);
        let all = &mut report;
        // The channel of endings closes with the closure that sends them.
        let running = stages.run(move |(_, outcome)| {
            let Outcome { unit, fated, counts, returned_for, got_no_turn } = outcome;
            all.counts.merge(&counts);
            if let Fated::Ask(fate) = fated {
                hands.note(unit, fate, got_no_turn);
                // Who settles is there as long as this is.
                let _ = ended.send((unit, fate));
            }
            all.returned_for = returned_for.or(all.returned_for.take());
        });
        let ((), answering, ()) = tokio::join!(feeding, running, self.settle(endings, hands));
        report.counts.merge(&answering);
        report
    }

    /// Takes up an ask by itself whose worker died before; it is given up if that happened to
    /// it by itself as well.
    async fn take_with_care(
        &self,
        turn: Turn,
        (hands, tally): (&Hands, &Tally),
        deadline: Deadline,
    ) -> Report {
        let (id, input) = (turn.id, turn.input());
        let name = input.name(&Batch::default(), KILLS);
        if suspects::begun_before(self.tools, &name).await >= suspects::MOST_BEGINNINGS {
            let letter = input.letter(&Batch::default(), (KILLS, suspects::DETAIL));
            let campaign = input.key.campaign.as_str();
            let (is_buried, counts) = self.bury(&name, letter).await;
            merge(tally, &counts.of(campaign));
            if is_buried && let Some(InHand { queue, receipt, .. }) = hands.let_go(id) {
                merge(tally, &AskFate::DeadLettered.counts().of(campaign));
                self.remove(&queue, receipt).await;
            }
            return Report::default();
        }
        let (turns, incoming) = mpsc::channel(1);
        let feeding = async move {
            // It is received as long as there is time.
            let _ = turns.send(turn).await;
        };
        let report = self.bring_to_an_end(feeding, incoming, hands, deadline).await;
        suspects::ended(&*self.tools.writer.reader.coordination, &name).await;
        report
    }

    fn models(&self) -> BTreeSet<&str> {
        self.campaigns.values().map(|each| each.campaign.config.model_id.as_str()).collect()
    }

    /// Takes asks of a model up as long as they can be answered.
    async fn feed(
        &self,
        model_id: &str,
        turns: mpsc::Sender<Turn>,
        (hands, tally): (&Hands, &Tally),
        deadline: Deadline,
    ) {
        let mut announced: HashMap<Class, Instant> = HashMap::new();
        loop {
            let room = loop {
                if self.is_to_end(model_id, hands, deadline) {
                    break 0;
                }
                match hands.room(model_id) {
                    0 => hands.changed(LULL).await,
                    room => break room,
                }
            };
            if room == 0 {
                break;
            }
            let most = room.min(MAX_MESSAGES);
            // Counted over all workers of an instance: one alone may take little.
            let take = self.takes.fetch_add(1, Ordering::Relaxed);
            let (queue, class, taken) = match self.take(model_id, most, take).await {
                Ok(Some(taken)) => taken,
                Ok(None) if hands.held_of(model_id) == 0 => break,
                Ok(None) => {
                    hands.changed(LULL).await;
                    continue;
                }
                Err(error) => {
                    tracing::warn!(error = causes::told(&error), "asks wait");
                    break;
                }
            };
            let is_full = taken.len() == most && hands.is_full(model_id, taken.len());
            for delivery in taken {
                if let Some(turn) = self.admit(delivery, &queue, (hands, tally)).await
                    && turns.send(turn).await.is_err()
                {
                    return;
                }
            }
            if is_full && announced.get(&class).is_none_or(|at| at.elapsed() >= ANNOUNCE_AGAIN) {
                announced.insert(class, Instant::now());
                self.announce(model_id, class).await;
            }
        }
        // What went back for the quota waits for the next worker, before all that comes now.
        for class in hands.classes_put_back(model_id) {
            self.announce(model_id, class).await;
        }
    }

    fn is_to_end(&self, model_id: &str, hands: &Hands, deadline: Deadline) -> bool {
        let answers = &self.tools.answers;
        let is_late = Instant::now() >= answers.take_until(deadline);
        is_late || hands.is_refused(model_id) || answers.closed_until_ms(model_id).is_some()
    }

    /// Takes up to `most` messages of a model, of the class that is to be served next.
    async fn take(
        &self,
        model_id: &str,
        most: usize,
        take: usize,
    ) -> Result<Option<(Queue, Class, Vec<Delivery>)>, QueueError> {
        for class in order(take) {
            let queue = Queue::Ready { model_id: model_id.to_owned(), class };
            let taken = self.queue.receive(&queue, most).await?;
            if !taken.is_empty() {
                return Ok(Some((queue, class, taken)));
            }
        }
        Ok(None)
    }

    /// Makes a turn of a message, unless it comes to something without one.
    async fn admit(
        &self,
        delivery: Delivery,
        queue: &Queue,
        (hands, tally): (&Hands, &Tally),
    ) -> Option<Turn> {
        let Delivery { ask, body, receipt, deliveries } = delivery;
        let ask = match ask {
            Ok(ask) => ask,
            Err(error) => {
                let detail = causes::told(&error);
                let input = Input::AskMessage { body: body.clone() };
                let letter = DeadLetter::new("poison_ask", detail, input);
                let name = format!("ask#{}", digest::hex(&body));
                let (is_buried, counts) = self.bury(&name, letter).await;
                merge(tally, &counts);
                if is_buried {
                    count(tally, metrics::POISON_ASKS, 1);
                    self.remove(queue, receipt).await;
                }
                return None;
            }
        };
        let Some(campaign) = self.campaigns.get(ask.campaign.as_str()) else {
            self.wait_for_campaign(ask, (queue, receipt), tally).await;
            return None;
        };
        let now_ms = self.tools.writer.reader.clock.now_ms();
        if ask.reason != Reason::DayQuota && ask.not_before_ms > now_ms + EARLY_MS {
            let moved = self.send_anew(queue, vec![(ask, receipt)]).await;
            count(tally, metrics::ASKS_MOVED, moved);
            return None;
        }
        let key = Key { user_id: ask.user_id.clone(), campaign: ask.campaign.clone() };
        let model_id = campaign.campaign.config.model_id.clone();
        let class = match queue {
            Queue::Ready { model_id: of_queue, class } if *of_queue == model_id => *class,
            Queue::Jobs if self.gathering.is_some() => Class::of(campaign.campaign.config.priority),
            // Its campaign names another model now.
            _ => {
                let moved = self.send_anew(queue, vec![(ask, receipt)]).await;
                count(tally, metrics::ASKS_MOVED, moved);
                return None;
            }
        };
        if let Some(ask) = self.onward(&ask, deliveries, campaign) {
            let moved = self.send_anew(queue, vec![(ask, receipt)]).await;
            count(tally, metrics::ASKS_MOVED, moved);
            return None;
        }
        let mut counts = Counts::default();
        counts.took(metrics::ASK_AGE, self.tools.writer.reader.clock.since_ms(ask.first_seen_ms));
        merge(tally, &counts.of(&ask.campaign));
        let (queue, is_suspect) = (queue.clone(), deliveries > 1);
        let id = hands.take(InHand { ask: ask.clone(), queue, receipt, model_id, class });
        let turn = Turn { id, campaign: Arc::clone(campaign), key, wanted: Wanted::Ask(ask) };
        if is_suspect {
            hands.set_aside(turn);
            return None;
        }
        Some(turn)
    }

    /// The ask that goes on in an ask's place, where that is not to be answered here: it gathers for
    /// a job first, or a worker died when it did.
    fn onward(&self, ask: &Ask, deliveries: u32, campaign: &CompiledCampaign) -> Option<Ask> {
        if self.gathering.is_some() {
            let alone = || Ask { job: NO_JOB.to_owned(), ..ask.clone() };
            return (deliveries > 1).then(alone);
        }
        let waits = match ask.reason {
            Reason::Due | Reason::Operator => true,
            // It waited for something else before it could gather.
            Reason::Paused | Reason::Halted | Reason::Budget => true,
            _ => false,
        };
        let waits = waits && ask.job.is_empty();
        let gathers = self.tools.answers.gathers(campaign).filter(|_| waits)?;
        Some(Ask { not_before_ms: gathers.at_ms, ..ask.clone().waiting_for(Reason::Job) })
    }

    /// Those asks whose job has ended wait for it no longer.
    async fn without_ended_jobs(&self, asks: &mut [(Ask, String)]) {
        let now_ms = self.tools.writer.reader.clock.now_ms();
        let waits = |ask: &Ask| {
            ask.reason == Reason::Job
                && !ask.job.is_empty()
                && ask.job != NO_JOB
                && ask.not_before_ms > now_ms
        };
        let jobs: BTreeSet<String> =
            asks.iter().filter(|(ask, _)| waits(ask)).map(|(ask, _)| ended(&ask.job)).collect();
        if jobs.is_empty() {
            return;
        }
        let jobs: Vec<String> = jobs.into_iter().collect();
        match self.tools.writer.reader.coordination.notices(&jobs).await {
            Ok(notices) => {
                for (ask, _) in asks.iter_mut().filter(|(ask, _)| waits(ask)) {
                    if notices.contains_key(&ended(&ask.job)) {
                        ask.not_before_ms = now_ms;
                    }
                }
            }
            // They are looked at again in a quarter of an hour.
            Err(error) => tracing::debug!(error = causes::told(&error), "notices were not read"),
        }
    }

    /// An ask of a campaign that this worker does not know waits for one that does: another
    /// version may have parked it. After about a day it is given up.
    async fn wait_for_campaign(&self, ask: Ask, (queue, receipt): (&Queue, String), tally: &Tally) {
        if ask.attempts >= MOST_WAITS_FOR_CAMPAIGN {
            let detail = format!("no campaign is called {}", ask.campaign);
            let name = format!("ask#{}", digest::hex(ask.encode()));
            let input = Input::Ask { ask, event_id: None, prompt_hash: None };
            let letter = DeadLetter::new("unknown_campaign", detail, input);
            let (is_buried, counts) = self.bury(&name, letter).await;
            // Its campaign's name is somebody's guess: there would be metrics without end.
            merge(tally, &counts);
            let fate = match is_buried {
                true => AskFate::DeadLettered,
                false => return merge(tally, &AskFate::Returned.counts()),
            };
            merge(tally, &fate.counts());
            return self.remove(queue, receipt).await;
        }
        let later = Ask { attempts: ask.attempts + 1, ..ask };
        match self.queue.send(&Queue::Later, &[(later, MAX_DELAY)]).await {
            Ok(refused) if refused.is_empty() => {
                merge(tally, &AskFate::ParkedAgain.counts());
                self.remove(queue, receipt).await;
            }
            // It shows itself again.
            Ok(_) => merge(tally, &AskFate::Returned.counts()),
            Err(error) => {
                merge(tally, &AskFate::Returned.counts());
                told(Err(error));
            }
        }
    }

    /// Writes a letter; tells whether it is written, and what was counted.
    async fn bury(&self, name: &str, letter: DeadLetter) -> (bool, Counts) {
        let mut counts = Counts::default();
        let is_buried = self.tools.writer.letters.bury_once(name, &letter, &mut counts).await;
        (is_buried, counts)
    }

    async fn announce(&self, model_id: &str, class: Class) {
        let until_ms = self.tools.writer.reader.clock.now_ms() + ANNOUNCED_FOR_MS;
        self.tools.answers.announce_waiting(model_id, class, until_ms).await;
    }

    /// Removes what is over, and puts back what is not.
    async fn settle(&self, mut endings: mpsc::UnboundedReceiver<(usize, AskFate)>, hands: &Hands) {
        let mut some = Vec::new();
        while endings.recv_many(&mut some, self.window).await > 0 {
            let mut over: HashMap<Queue, Vec<String>> = HashMap::new();
            let mut returned: HashMap<Queue, Vec<(Ask, String)>> = HashMap::new();
            for (id, fate) in some.drain(..) {
                let Some(InHand { ask, queue, receipt, .. }) = hands.let_go(id) else { continue };
                match fate {
                    AskFate::Returned => returned.entry(queue).or_default().push((ask, receipt)),
                    _ => over.entry(queue).or_default().push(receipt),
                }
            }
            let removing = over.iter().flat_map(|(queue, receipts)| {
                let some = receipts.chunks(MAX_MESSAGES);
                some.map(async move |receipts| told(self.queue.delete(queue, receipts).await))
            });
            let returned = returned.into_iter();
            let returning = returned.map(async |(queue, asks)| self.send_anew(&queue, asks).await);
            tokio::join!(join_all(removing), join_all(returning));
        }
    }

    async fn remove(&self, queue: &Queue, receipt: String) {
        told(self.queue.delete(queue, &[receipt]).await);
    }

    /// Moves asks on that waited for a time that has come, or that is nearer now, or for a model
    /// that their campaign no longer names.
    async fn move_all(&self, tally: &Tally, deadline: Deadline) {
        let mut queues = vec![Queue::Later; MOVERS];
        if !self.tools.answers.has_jobs() {
            queues.push(Queue::Jobs);
        }
        queues.extend(self.queue.queues_beside(&self.models()));
        let movers = queues.iter().map(|queue| self.move_from(queue, tally, deadline));
        join_all(movers).await;
    }

    async fn move_from(&self, queue: &Queue, tally: &Tally, deadline: Deadline) {
        while !deadline.is_over() {
            let moved = match self.queue.receive(queue, MAX_MESSAGES).await {
                Ok(moved) => moved,
                Err(error) => return tracing::warn!(error = causes::told(&error), "asks wait"),
            };
            if moved.is_empty() {
                return;
            }
            let (mut asks, mut rest) = (Vec::new(), Vec::new());
            for delivery in moved {
                match &delivery.ask {
                    Ok(ask) if self.campaigns.contains_key(ask.campaign.as_str()) => {
                        asks.push((ask.clone(), delivery.receipt));
                    }
                    _ => rest.push(delivery),
                }
            }
            self.without_ended_jobs(&mut asks).await;
            let moved = self.send_anew(queue, asks).await;
            count(tally, metrics::ASKS_MOVED, moved);
            // What is none, or of no campaign, comes to its end here.
            let hands = Hands::new(0);
            for delivery in rest {
                self.admit(delivery, queue, (&hands, tally)).await;
            }
        }
    }

    /// Sends asks to where they belong now, and then removes them from where they were; tells
    /// how many.
    async fn send_anew(&self, from: &Queue, asks: Vec<(Ask, String)>) -> u64 {
        let mut moved = 0;
        let now_ms = self.tools.writer.reader.clock.now_ms();
        let mut by_queue: HashMap<Queue, Vec<(Ask, Duration, String)>> = HashMap::new();
        for (ask, receipt) in asks {
            let Some(campaign) = self.campaigns.get(ask.campaign.as_str()) else { continue };
            let ask = self.without_jobs(ask, campaign);
            let (queue, delay) = place(&ask, &campaign.campaign.config, now_ms);
            by_queue.entry(queue).or_default().push((ask, delay, receipt));
        }
        for (queue, asks) in by_queue {
            for some in asks.chunks(MAX_MESSAGES) {
                moved += self.move_some(from, &queue, some).await;
            }
        }
        moved
    }

    /// An ask that is to gather where nothing gathers goes on by itself.
    fn without_jobs(&self, ask: Ask, campaign: &CompiledCampaign) -> Ask {
        let gathers = ask.reason == Reason::Job && ask.job.is_empty();
        match gathers && self.tools.answers.gathers(campaign).is_none() {
            true => Ask { job: NO_JOB.to_owned(), not_before_ms: 0, ..ask },
            false => ask,
        }
    }

    /// Sends as many asks as one request takes; tells how many of them were moved.
    async fn move_some(&self, from: &Queue, to: &Queue, asks: &[(Ask, Duration, String)]) -> u64 {
        let sent: Vec<(Ask, Duration)> =
            asks.iter().map(|(ask, delay, _)| (ask.clone(), *delay)).collect();
        let refused = match self.queue.send(to, &sent).await {
            Ok(refused) => refused,
            Err(error) => {
                told(Err(error));
                return 0;
            }
        };
        let receipts = asks.iter().enumerate().filter(|(place, _)| !refused.contains(place));
        let receipts: Vec<String> = receipts.map(|(_, (_, _, receipt))| receipt.clone()).collect();
        if !receipts.is_empty() {
            told(self.queue.delete(from, &receipts).await);
        }
        receipts.len() as u64
    }
}

/// In which order a take looks into the queues of a model.
fn order(take: usize) -> [Class; 3] {
    let mut classes = Class::ALL;
    if take.is_multiple_of(TAKES_OF_ALL) {
        let others = classes.len() - 1;
        classes.rotate_left(1 + take / TAKES_OF_ALL % others);
    }
    classes
}

fn merge(tally: &Tally, counts: &Counts) {
    tally.lock().unwrap_or_else(PoisonError::into_inner).merge(counts);
}

fn count(tally: &Tally, name: &'static str, n: u64) {
    tally.lock().unwrap_or_else(PoisonError::into_inner).add(name, n);
}

/// What a queue did not do, it shows again: one more of an ask finds that it is over.
fn told(done: Result<(), QueueError>) {
    if let Err(error) = done {
        tracing::warn!(error = causes::told(&error), "asks may be taken up twice");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_comes_first_now_and_then_and_the_highest_nearly_always() {
        let first = |wanted| (1..=20).filter(|take| order(*take)[0] == wanted).count();

        assert_eq!(Class::ALL.map(first), [18, 1, 1]);
    }
}
