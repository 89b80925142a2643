//! Stand-ins for everything outside of the processor, and the means to drive it.

pub(crate) mod gate;
pub(crate) mod model;

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_lambda_events::event::kinesis::{KinesisEvent, KinesisEventRecord};
use campaign::CompiledCampaign;
use contract::dead_letter::DeadLetter;
use contract::metrics::{self, Counts};
use contract::user_record::{Event, UserRecord, VERSION};
use processor::dead_letters::{DeadLetterQueue, NotQueued};
use processor::handler::{Jobs, Ports, Processor, Report, models};
use processor::held::Held;
use processor::jobs::schedule::Schedule;
use quota::clock::Clock;
use quota::jitter::Jitter;
use quota::{Instance, ModelQuota, ModelQuotas, Quotas};
use registry::current::Current;
use serde_json::{Map, Value};
use tokio::time::Instant;

use quota::simulated::memory::Memory as Lanes;

use catalog::cache::{CachedItems, DEFAULT_MAX_BYTES};
use catalog::table::Memory as Catalogs;
use gate::Gate;
use model::Scripted;
use processor::simulated::jobs::Jobs as SimulatedJobs;
use processor::simulated::memory::Memory;
use processor::simulated::queues::Queues;

/// When the world begins, in UNIX milliseconds.
pub(crate) const EPOCH_MS: u64 = 1_800_000_000_000;

/// How often a worker looks for asks.
pub(crate) const SCHEDULE: Duration = Duration::from_secs(60);

/// Time of an invocation.
pub(crate) const FUNCTION_TIMEOUT: Duration = Duration::from_secs(60);

/// What all instances share.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) campaigns: Vec<Arc<CompiledCampaign>>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) catalogs: Arc<Catalogs>,
    pub(crate) model: Arc<Scripted>,
    pub(crate) letters: Arc<Mutex<Vec<DeadLetter>>>,
    pub(crate) asks: Arc<Queues>,
    /// Jobs, where there are any.
    pub(crate) jobs: Option<Arc<SimulatedJobs>>,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) quotas: ModelQuotas,
    /// When it began, in UNIX milliseconds.
    pub(crate) epoch_ms: u64,
    started: Instant,
}

/// Questions that an instance asks at a time.
pub(crate) const QUESTIONS: usize = 4;

impl World {
    /// Begins with nothing, on tokio's clock.
    pub(crate) fn new() -> Self {
        Self::of(test_campaigns().to_vec())
    }

    pub(crate) fn of(campaigns: Vec<Arc<CompiledCampaign>>) -> Self {
        Self {
            campaigns,
            memory: Arc::default(),
            catalogs: Arc::default(),
            model: Arc::default(),
            letters: Arc::default(),
            asks: Arc::default(),
            jobs: None,
            lanes: Arc::default(),
            quotas: ModelQuotas::same(ModelQuota::of_tokens(1_000_000)),
            epoch_ms: EPOCH_MS,
            started: Instant::now(),
        }
    }

    /// An instance of the function whose every way out leads through `gate`.
    pub(crate) fn instance(&self, gate: &Gate, seed: u64) -> Processor {
        self.instance_of(self.ports(gate, seed), QUESTIONS, seed)
    }

    /// An instance that reaches `ports`, and asks at most so many questions at a time.
    pub(crate) fn instance_of(&self, ports: Ports, questions: usize, seed: u64) -> Processor {
        let chance = Jitter::seeded(seed);
        let campaigns = Current::fixed(Held::of(self.campaigns.clone()));
        Processor::new(Arc::new(campaigns), ports, questions, (self.clock(), chance))
    }

    /// The way to everything through `gate`.
    pub(crate) fn ports(&self, gate: &Gate, seed: u64) -> Ports {
        let lanes: Arc<Lanes> = Arc::clone(&self.lanes);
        let of_quota = Instance {
            table: lanes,
            instances: NonZeroU32::MIN.saturating_add(3),
            clock: self.clock(),
            jitter: Arc::new(Jitter::seeded(seed)),
        };
        let models = models(&self.campaigns);
        Ports {
            model: Arc::new(gate.over(Arc::clone(&self.model))),
            quotas: Quotas::new(&self.quotas, models, &of_quota).expect("any model"),
            table: Arc::new(gate.over(Arc::clone(&self.memory))),
            items: CachedItems::new(
                Arc::new(gate.over(Arc::clone(&self.catalogs))),
                DEFAULT_MAX_BYTES,
            ),
            coordination: Arc::new(gate.over(Arc::clone(&self.memory))),
            dead_letters: Arc::new(gate.over(Letters(Arc::clone(&self.letters)))),
            asks: Arc::new(gate.over(Arc::clone(&self.asks))),
            jobs: self.jobs.as_ref().map(|jobs| {
                let service: Arc<SimulatedJobs> = Arc::clone(jobs);
                Jobs { service, schedule: Schedule::default() }
            }),
        }
    }

    pub(crate) fn clock(&self) -> Clock {
        Clock::Tokio { started: self.started, epoch_ms: self.epoch_ms }
    }

    /// When an invocation that begins now must have ended.
    pub(crate) fn deadline(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.clock().now_ms()) + FUNCTION_TIMEOUT
    }

    /// One invocation without faults.
    pub(crate) async fn deliver(&self, records: &[Vec<u8>]) -> Report {
        let instance = self.instance(&Gate::open(), 1);
        instance.handle(delivery(records.iter().enumerate()), self.deadline()).await
    }

    /// The worker of one invocation without faults.
    pub(crate) async fn work(&self) -> Report {
        self.instance(&Gate::open(), 2).work(self.deadline()).await
    }

    /// Nothing is to blame for the crashes of a machine: what was worked on by itself just then
    /// did not cause this one. The tests of suspects have those that are.
    pub(crate) fn blame_nobody(&self) {
        self.memory.tables().begun.retain(|name, _| name.starts_with("batch#"));
    }

    /// Lets workers look once a minute until no ask waits any more; tells what they counted.
    /// After so long somebody waits for ever.
    pub(crate) async fn settle(&self, at_most: Duration) -> Counts {
        let until = Instant::now() + at_most;
        let worker = self.instance(&Gate::open(), 2);
        let mut counts = Counts::default();
        while let Some(next) = self.asks.next_visible() {
            assert!(Instant::now() < until, "asks wait for ever: {:?}", self.asks.asks());
            tokio::time::sleep_until(next).await;
            counts.merge(&worker.work(self.deadline()).await.counts);
            if self.asks.next_visible().is_some() {
                tokio::time::sleep(SCHEDULE).await;
            }
        }
        assert_eq!(counts.ask_fates(), counts.get(metrics::ASKS_RECEIVED), "{}", counts.to_json());
        counts
    }

    pub(crate) fn letters(&self) -> Vec<DeadLetter> {
        self.letters.lock().expect("whole").clone()
    }
}

/// The dead-letter queue.
#[derive(Debug)]
pub(crate) struct Letters(pub(crate) Arc<Mutex<Vec<DeadLetter>>>);

#[async_trait]
impl DeadLetterQueue for Letters {
    async fn send(&self, letter: &DeadLetter) -> Result<(), NotQueued> {
        self.0.lock().expect("whole").push(letter.clone());
        Ok(())
    }
}

/// The campaigns of these tests, compiled once.
pub(crate) fn test_campaigns() -> &'static [Arc<CompiledCampaign>] {
    static CAMPAIGNS: OnceLock<Vec<Arc<CompiledCampaign>>> = OnceLock::new();
    CAMPAIGNS.get_or_init(|| campaigns_in("tests/campaigns"))
}

/// The campaigns of a folder of this crate, compiled anew.
pub(crate) fn campaigns_in(folder: &str) -> Vec<Arc<CompiledCampaign>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    campaign::load(&folder).expect("campaigns are valid")
}

/// What Kinesis hands over: records with their sequence numbers.
pub(crate) fn delivery<'a>(records: impl Iterator<Item = (usize, &'a Vec<u8>)>) -> KinesisEvent {
    let mut delivery = KinesisEvent::default();
    for (number, data) in records {
        let mut record = KinesisEventRecord::default();
        record.event_id = Some(contract::digest::hex(data));
        record.kinesis.sequence_number = number.to_string();
        record.kinesis.data.0.clone_from(data);
        delivery.records.push(record);
    }
    delivery
}

/// A user record as it is on the stream.
pub(crate) fn user_record(user_id: &str, event_type: &str, events: Vec<Event>) -> UserRecord {
    UserRecord {
        v: VERSION,
        user_id: user_id.to_owned(),
        event_type: event_type.to_owned(),
        uploaded_at_ms: EPOCH_MS,
        redriven_at_ms: None,
        origin: String::new(),
        events,
    }
}

/// An event about a show, with something in it that no campaign asks for.
pub(crate) fn event(id: &str, time: i64, show: &str) -> Event {
    let fields = [("show", show), ("secret", SECRET)];
    let fields: Map<String, Value> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    Event { id: id.to_owned(), time, fields }
}

/// What must not leave the event.
pub(crate) const SECRET: &str = "4111 1111 1111 1111";
