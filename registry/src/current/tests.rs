use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use program::aws::CallError;
use tokio::time::advance;

use super::*;

/// A registry that a test writes.
#[derive(Debug, Clone, Default)]
struct Written(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    head: Head,
    versions: HashMap<Version, Files>,
    is_down: bool,
    is_lost: bool,
    delay: Duration,
    looks: usize,
    loads: usize,
}

impl Written {
    fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.0.lock().expect("nobody panicked"))
    }

    fn publish(&self, text: &str) {
        self.with(|state| {
            let files = files(text);
            state.head = state.head.published(&files.version(), 1).expect("is new");
            state.versions.insert(files.version(), files);
        });
    }
}

#[async_trait]
impl Registry for Written {
    async fn head(&self) -> Result<Head, RegistryError> {
        self.with(|state| {
            state.looks += 1;
            match state.is_down {
                true => Err(RegistryError::Head(CallError::TimedOut)),
                false => Ok(state.head.clone()),
            }
        })
    }

    async fn files(&self, version: &Version) -> Result<Files, RegistryError> {
        let delay = self.with(|state| {
            state.loads += 1;
            state.delay
        });
        tokio::time::sleep(delay).await;
        self.with(|state| match state.is_lost {
            true => Err(RegistryError::timed_out()),
            false => Ok(state.versions[version].clone()),
        })
    }
}

fn files(text: &str) -> Files {
    let json = serde_json::json!({ "offer/prompt.liquid": text }).to_string();
    Files::from_json(json.as_bytes()).expect("are files")
}

/// Takes a prompt for a campaign, and refuses a bad one.
fn load(folder: &Path) -> Result<String, NotLoaded> {
    let text = std::fs::read_to_string(folder.join("offer/prompt.liquid"))?;
    if text == "bad" { Err("is bad".into()) } else { Ok(text) }
}

fn follow(registry: &Written) -> Arc<Current<String>> {
    let folder = tempfile::tempdir().expect("temporary folder");
    files("first").write(folder.path()).expect("is written");
    let registry = Some(Box::new(registry.clone()) as _);
    let current = Current::new(folder.path(), Box::new(load), registry, DEFAULT_FOLLOW);
    Arc::new(current.expect("is loaded"))
}

/// What is held: campaigns, publication and what of it is paused.
async fn held(current: &Current<String>) -> (String, u64, bool) {
    let edition = current.now().await;
    let is_paused = edition.head.is_paused("offer");
    (edition.campaigns.to_string(), edition.publication, is_paused)
}

/// How often something published could not be taken over since this was asked last.
fn refused(current: &Current<String>) -> u64 {
    let mut counts = Counts::default();
    current.count(&mut counts);
    counts.get(metrics::CAMPAIGNS_REFUSED)
}

fn of(text: &str, publication: u64) -> (String, u64, bool) {
    (text.to_owned(), publication, false)
}

#[tokio::test(start_paused = true)]
async fn what_a_program_came_with_holds_until_something_is_published() {
    let registry = Written::default();
    let current = follow(&registry);

    assert_eq!(held(&current).await, of("first", 0));
    registry.publish("second");
    advance(DEFAULT_FOLLOW - Duration::from_millis(1)).await;
    assert_eq!(held(&current).await, of("first", 0));
    advance(Duration::from_millis(1)).await;
    assert_eq!(held(&current).await, of("second", 1));
    assert_eq!(registry.with(|state| (state.looks, state.loads)), (2, 1));
    assert_eq!(refused(&current), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_published_holds_from_the_first_look_on_and_what_is_the_same_is_not_loaded() {
    let registry = Written::default();
    registry.publish("first");

    let current = follow(&registry);

    assert_eq!(held(&current).await, of("first", 1));
    assert_eq!(registry.with(|state| state.loads), 0);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_cannot_be_loaded_changes_nothing_and_rings_while_it_holds() {
    let registry = Written::default();
    let current = follow(&registry);
    registry.publish("bad");
    registry.with(|state| {
        state.head = state.head.paused("offer", crate::head::Serves::Content, 1).expect("is new");
    });

    assert_eq!(held(&current).await, ("first".to_owned(), 0, true));
    assert_eq!((refused(&current), current.complaint()), (1, Some("is bad".to_owned())));
    advance(DEFAULT_FOLLOW).await;
    assert_eq!(held(&current).await, ("first".to_owned(), 0, true));
    assert_eq!(refused(&current), 1);
    // What is changed while the version is not tried again holds as well.
    registry.with(|state| state.head = state.head.resumed("offer").expect("was paused"));
    current.looking.lock().await.due = None;
    assert_eq!(held(&current).await, of("first", 0));
    assert_eq!((refused(&current), current.complaint()), (1, Some("is bad".to_owned())));
    registry.with(|state| {
        state.head = state.head.paused("offer", crate::head::Serves::Content, 1).expect("is new");
    });
    registry.publish("good");
    registry.with(|state| state.head = state.head.resumed("offer").expect("was paused"));
    advance(DEFAULT_FOLLOW).await;
    assert_eq!(held(&current).await, of("good", 2));
    assert_eq!((refused(&current), current.complaint()), (0, None));
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_down_leaves_what_is_known_and_is_asked_again_soon() {
    let registry = Written::default();
    let current = follow(&registry);
    registry.with(|state| state.is_down = true);

    assert!(current.begin().await.is_err());
    assert_eq!(held(&current).await, of("first", 0));
    registry.with(|state| state.is_down = false);
    registry.publish("second");
    advance(LOOK_AGAIN).await;
    assert_eq!(held(&current).await, of("second", 1));
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_followed_for_ten_looks_is_outdated_until_the_next_good_one() {
    for is_down in [true, false] {
        let registry = Written::default();
        registry.publish("second");
        let current = follow(&registry);
        assert_eq!(held(&current).await, of("second", 1));
        // Either what holds is not told, or its files cannot be had.
        registry.publish("third");
        registry.with(|state| (state.is_down, state.is_lost) = (is_down, !is_down));

        advance(DEFAULT_FOLLOW * OUTDATED_AFTER).await;
        assert_eq!(held(&current).await, of("second", 1));
        assert_eq!(current.outdated(), None);
        advance(Duration::from_secs(1)).await;
        assert_eq!(held(&current).await, of("second", 1));
        let since = DEFAULT_FOLLOW * OUTDATED_AFTER + Duration::from_secs(1);
        assert_eq!(current.outdated(), Some(Outdated(since)));
        let mut counts = Counts::default();
        current.count(&mut counts);
        assert!(counts.get(metrics::CAMPAIGNS_UNREAD) > 0);
        registry.with(|state| (state.is_down, state.is_lost) = (false, false));
        advance(DEFAULT_FOLLOW).await;
        assert_eq!(held(&current).await, of("third", 2));
        assert_eq!(current.outdated(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_nobody_can_load_does_not_make_what_holds_outdated() {
    let registry = Written::default();
    let current = follow(&registry);
    registry.publish("bad");
    for _ in 0..=OUTDATED_AFTER {
        held(&current).await;
        advance(DEFAULT_FOLLOW).await;
    }

    assert_eq!(held(&current).await, of("first", 0));
    assert_eq!(current.outdated(), None);
}

#[tokio::test(start_paused = true)]
async fn whoever_began_with_an_edition_goes_on_with_it() {
    let registry = Written::default();
    let current = follow(&registry);
    let before = current.now().await;
    registry.publish("second");
    advance(DEFAULT_FOLLOW).await;

    let after = current.now().await;

    assert_eq!((before.campaigns.as_str(), after.campaigns.as_str()), ("first", "second"));
}

#[tokio::test(start_paused = true)]
async fn a_program_that_begins_after_a_bad_version_holds_the_one_before_and_not_its_own() {
    let registry = Written::default();
    ["good", "bad"].iter().for_each(|text| registry.publish(text));
    let current = follow(&registry);

    current.begin().await.expect("there is one that holds");
    assert_eq!(held(&current).await, of("good", 1));
    assert_eq!((refused(&current), current.complaint()), (1, Some("is bad".to_owned())));
    advance(DEFAULT_FOLLOW).await;
    assert_eq!(held(&current).await, of("good", 1));
    assert_eq!(refused(&current), 1, "it rings as long as it holds");
    registry.publish("better");
    advance(DEFAULT_FOLLOW).await;
    assert_eq!(held(&current).await, of("better", 3));
    assert_eq!((refused(&current), current.complaint()), (0, None));
}

#[tokio::test(start_paused = true)]
async fn a_program_does_not_begin_while_what_holds_cannot_be_read() {
    let registry = Written::default();
    registry.publish("second");
    registry.with(|state| state.is_lost = true);
    let current = follow(&registry);

    assert!(current.begin().await.is_err());
    registry.with(|state| state.is_lost = false);
    advance(LOOK_AGAIN).await;
    current.begin().await.expect("it can be read");
    assert_eq!(held(&current).await, of("second", 1));
    // Who holds something goes on with it, and looks again.
    registry.with(|state| state.is_lost = true);
    registry.publish("third");
    advance(DEFAULT_FOLLOW).await;
    assert_eq!(held(&current).await, of("second", 1));
    registry.with(|state| state.is_lost = false);
    advance(DEFAULT_FOLLOW).await;
    assert_eq!(held(&current).await, of("third", 2));
}

#[tokio::test(start_paused = true)]
async fn what_takes_longer_than_one_has_time_for_is_there_for_the_next() {
    let registry = Written::default();
    registry.publish("second");
    registry.with(|state| state.delay = Duration::from_millis(700));
    let current = follow(&registry);
    let limit = Duration::from_millis(600);

    assert_eq!(current.within(limit).await.campaigns.as_str(), "first");
    tokio::time::sleep(Duration::from_millis(101)).await;
    assert_eq!(current.within(limit).await.campaigns.as_str(), "second");
    assert_eq!(registry.with(|state| state.loads), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_has_no_time_goes_on_with_what_is_known_and_the_look_is_repeated_later() {
    let registry = Written::default();
    let current = follow(&registry);
    registry.publish("second");
    registry.with(|state| state.delay = Duration::from_secs(3_600));
    let limit = Duration::from_millis(600);
    let begun = Instant::now();

    assert_eq!(current.within(limit).await.campaigns.as_str(), "first");
    assert_eq!(begun.elapsed(), limit);
    // Nobody waits once more until the look is due again.
    assert_eq!(current.within(limit).await.campaigns.as_str(), "first");
    assert_eq!((begun.elapsed(), registry.with(|state| state.loads)), (limit, 1));
    registry.with(|state| state.delay = Duration::ZERO);
    tokio::time::sleep(LOAD_TIMEOUT + LOOK_AGAIN).await;
    assert_eq!(current.within(limit).await.campaigns.as_str(), "second");
}
