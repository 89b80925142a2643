//! Campaigns that are switched, paused and put back while batches are worked on.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use contract::metrics::Fate;
use futures::future::join_all;
use processor::handler::Processor;
use processor::held::Held;
use processor::store::Key;
use quota::jitter::Jitter;
use registry::current::Current;
use registry::files::{Files, Version};
use registry::head::{Head, NoChange, Serves};
use registry::{Registry, RegistryError};
use tokio::time::sleep;

use crate::world::gate::Gate;
use crate::world::{QUESTIONS, World, delivery, event, user_record};

/// Versions that are switched between.
const VERSIONS: u64 = 3;

/// Time between two looks at the registry.
const FOLLOW: Duration = Duration::from_millis(100);

/// A registry that a test writes.
#[derive(Debug, Clone, Default)]
struct Written(Arc<Mutex<(Head, HashMap<Version, Files>)>>);

#[async_trait]
impl Registry for Written {
    async fn head(&self) -> Result<Head, RegistryError> {
        Ok(self.0.lock().expect("whole").0.clone())
    }

    async fn files(&self, version: &Version) -> Result<Files, RegistryError> {
        Ok(self.0.lock().expect("whole").1[version].clone())
    }
}

impl Written {
    fn publish(&self, number: u64) {
        let (files, mut state) = (files(number), self.0.lock().expect("whole"));
        state.0 = state.0.published(&files.version(), 1).expect("is another");
        state.1.insert(files.version(), files);
    }

    fn change(&self, change: impl FnOnce(&Head) -> Result<Head, NoChange>) {
        let mut state = self.0.lock().expect("whole");
        state.0 = change(&state.0).expect("is possible");
    }
}

/// A version whose prompt, and whose model, say its number.
fn files(number: u64) -> Files {
    let plain = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/campaigns/plain");
    let mut files = serde_json::Map::new();
    let names =
        ["answer.schema.json", "campaign.toml", "fallback.json", "prompt.liquid", "system.liquid"];
    for name in names {
        let text = std::fs::read_to_string(plain.join(name)).expect("is read");
        let text = text
            .replace("test-model", &format!("model-{number}"))
            .replace("Write a heading", &format!("{number}: write a heading"));
        files.insert(format!("plain/{name}"), text.into());
    }
    Files::from_json(serde_json::Value::Object(files).to_string().as_bytes()).expect("are files")
}

fn world() -> World {
    let all = (1..=VERSIONS).flat_map(|number| {
        let folder = tempfile::tempdir().expect("temporary folder");
        files(number).write(folder.path()).expect("is written");
        campaign::load(folder.path()).expect("is valid")
    });
    // Of these it takes the models, each of which has a quota.
    World::of(all.collect())
}

/// An instance that follows the registry, and came with the first version.
async fn instance(world: &World, registry: &Written, seed: u64) -> Processor {
    let folder = tempfile::tempdir().expect("temporary folder");
    files(1).write(folder.path()).expect("is written");
    let load = Box::new(|folder: &Path| Ok(Held::read(folder)?));
    let registry = Some(Box::new(registry.clone()) as _);
    let current = Current::new(folder.path(), load, registry, FOLLOW).expect("is valid");
    current.begin().await.expect("is there");
    let chance = (world.clock(), Jitter::seeded(seed));
    Processor::new(Arc::new(current), world.ports(&Gate::open(), seed), QUESTIONS, chance)
}

fn watched(user: usize, batch: usize) -> Vec<u8> {
    let (id, show) = (format!("e{user}-{batch}"), format!("show {user} {batch}"));
    let time = 1_000 + i64::try_from(batch).expect("is small");
    user_record(&format!("u{user}"), "watched", vec![event(&id, time, &show)]).encode()
}

#[tokio::test(start_paused = true)]
async fn a_switch_in_the_middle_of_batches_mixes_no_two_versions_in_one_content() {
    let (world, registry) = (world(), Written::default());
    registry.publish(1);
    world.model.take(Duration::from_millis(700));
    let instances = [instance(&world, &registry, 1).await, instance(&world, &registry, 2).await];
    let switching = async {
        for n in 1..40 {
            sleep(Duration::from_millis(130)).await;
            registry.publish(n % VERSIONS + 1);
        }
    };
    let batches = (0..12).map(|batch| {
        let (world, instance) = (&world, &instances[batch % 2]);
        async move {
            sleep(Duration::from_millis(230) * u32::try_from(batch).expect("is small")).await;
            let records: Vec<Vec<u8>> =
                (0..6).map(|user| watched(batch * 6 + user, batch)).collect();
            instance.handle(delivery(records.iter().enumerate()), world.deadline()).await
        }
    });

    let (_, reports) = tokio::join!(switching, join_all(batches));

    let stored = reports.iter().map(|report| report.counts.get(Fate::Stored.metric())).sum::<u64>();
    assert_eq!(stored, 12 * 6);
    let publications = registry.0.lock().expect("whole").0.publications.clone();
    let mut seen = std::collections::BTreeSet::new();
    for (key, item) in &world.memory.tables().items {
        let (content, _) = item.content.as_ref().expect("is written");
        let of = publications.iter().find(|each| each.number == content.publication);
        let version = &of.expect("was published").version;
        let number = (1..=VERSIONS).find(|number| files(*number).version() == *version);
        let number = number.expect("is one of them");
        assert_eq!(content.campaigns_version, version.as_str(), "{key:?}");
        assert_eq!(content.model_id, format!("model-{number}"), "{key:?}");
        let heading = content.data["heading"].as_str().expect("is a text");
        assert!(heading.starts_with(&format!("{number}: ")), "{key:?}: {heading}");
        seen.insert(content.publication);
    }
    assert!(seen.len() > 3, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_paused_campaign_asks_nothing_and_what_waited_is_answered_when_it_goes_on() {
    let (world, registry) = (world(), Written::default());
    registry.publish(1);
    let instance = instance(&world, &registry, 1).await;
    registry.change(|head| head.paused("plain", Serves::Content, 1));
    sleep(FOLLOW).await;

    let record = watched(1, 1);
    let report = instance.handle(delivery([(0, &record)].into_iter()), world.deadline()).await;

    assert_eq!(report.counts.get(Fate::Parked.metric()), 1, "{}", report.counts.to_json());
    assert_eq!(world.model.calls(), 0);
    for _ in 0..40 {
        // However often workers look.
        sleep(Duration::from_mins(1)).await;
        instance.work(world.deadline()).await;
    }
    assert_eq!((world.model.calls(), world.asks.asks().len()), (0, 1));
    registry.publish(2);
    registry.change(|head| head.resumed("plain"));
    for _ in 0..20 {
        sleep(Duration::from_mins(1)).await;
        instance.work(world.deadline()).await;
    }
    let key = Key { user_id: "u1".to_owned(), campaign: "plain".to_owned() };
    let tables = world.memory.tables();
    let (content, _) = tables.items[&key].content.as_ref().expect("is written");
    assert_eq!((content.publication, world.model.calls()), (2, 1));
    assert!(world.asks.asks().is_empty());
}
