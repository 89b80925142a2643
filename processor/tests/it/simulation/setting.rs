//! What differs from run to run beside the story: campaigns, quotas, the hour, and what the
//! model's service does.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use campaign::{Budget, CompiledCampaign, OverBudget};
use processor::model::{ModelError, Refusal};
use quota::{ModelQuota, ModelQuotas};
use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::Instant;

use crate::world::model::Spell;
use crate::world::{EPOCH_MS, World, campaigns_in};

/// The models of all campaigns.
const MODELS: [&str; 2] = ["test-model", "other-model"];

/// Campaigns that ask the second model, where there are two.
const OF_OTHER_MODEL: [&str; 2] = ["slow", "abandoned"];

/// Longer than any run: answers stand to its end, and every prompt is asked once.
const CACHE_HOURS: u32 = 24 * 30;

/// Tokens in a day that let about two calls through at a time, and some tens in all.
const SMALL_BUDGET: u64 = 600;

/// From the beginning of the world to midnight, in milliseconds, and a little less.
const TO_MIDNIGHT_MS: u64 = (16 * 60 - 20) * 60_000;

/// Tokens in a minute of which no run uses up a part worth to speak of.
const AMPLE: u64 = 1_000_000;

const DAY: Duration = Duration::from_secs(86_400);

/// Which campaigns there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Variant {
    /// With those that wait by themselves.
    waits: bool,
    /// With the one that speaks of attributes and items.
    is_grounded: bool,
    is_on_two_models: bool,
    has_budget: bool,
}

/// A world by chance.
pub(super) fn world(rng: &mut StdRng) -> World {
    let variant = Variant {
        waits: rng.random_bool(0.5),
        is_grounded: rng.random_bool(0.5),
        is_on_two_models: rng.random_bool(0.5),
        has_budget: rng.random_bool(0.2),
    };
    let mut world = World::of(campaigns(variant));
    let quotas = MODELS.map(|model_id| (model_id.to_owned(), quota(rng)));
    let is_of_the_day = quotas.iter().any(|(_, quota)| quota.tokens_per_day.is_some());
    world.quotas = ModelQuotas(BTreeMap::from(quotas));
    if is_of_the_day || variant.has_budget || rng.random_bool(0.1) {
        world.epoch_ms = EPOCH_MS + TO_MIDNIGHT_MS;
    }
    world.model.take(Duration::from_millis(rng.random_range(100..3_000)));
    let spells = MODELS.into_iter().filter_map(|model_id| spell(model_id, rng));
    world.model.spells.lock().expect("whole").extend(spells);
    world
}

/// Whether not everybody who asks the model may be let through.
pub(super) fn is_scarce(world: &World) -> bool {
    let is_ample = |quota: &ModelQuota| *quota == ModelQuota::of_tokens(AMPLE);
    let has_budget = |each: &Arc<CompiledCampaign>| each.campaign.config.budget.is_some();
    !world.quotas.0.values().all(is_ample)
        || world.campaigns.iter().any(has_budget)
        || !world.model.spells.lock().expect("whole").is_empty()
}

/// Ample; or so small that much must wait, by the minute or by the day.
fn quota(rng: &mut StdRng) -> ModelQuota {
    let of_day = |tokens| ModelQuota {
        tokens_per_day: NonZeroU64::new(tokens),
        ..ModelQuota::of_tokens(AMPLE)
    };
    match rng.random_range(0..10) {
        0..5 => ModelQuota::of_tokens(AMPLE),
        5..7 => ModelQuota::of_tokens(3_000),
        7..9 => ModelQuota::of_tokens(1_500),
        _ => of_day(1_500),
    }
}

/// For some minutes, or hours, the service answers nobody.
fn spell(model_id: &'static str, rng: &mut StdRng) -> Option<Spell> {
    let refusals: [fn() -> ModelError; 6] = [
        || ModelError::NotAllowed(Refusal::default()),
        || ModelError::NotServed("expired".to_owned()),
        || ModelError::Failed("outage".to_owned()),
        || ModelError::Unavailable("outage".to_owned()),
        || ModelError::DailyQuota,
        || ModelError::Throttled(None),
    ];
    let (kind, from, minutes) =
        (rng.random_range(0..refusals.len()), rng.random_range(0..60), rng.random_range(1..90));
    let from =
        Instant::now() + Duration::from_secs(from).mul_f64(f64::from(rng.random_range(0..2)));
    let until = from + Duration::from_secs(minutes * 60).min(DAY);
    let spell = Spell { model_id, from, until, refusal: refusals[kind] };
    rng.random_bool(0.25).then_some(spell)
}

/// The campaigns of a variant, compiled once.
fn campaigns(variant: Variant) -> Vec<Arc<CompiledCampaign>> {
    type Compiled = BTreeMap<Variant, Vec<Arc<CompiledCampaign>>>;
    static COMPILED: Mutex<Compiled> = Mutex::new(BTreeMap::new());
    // A run that failed meanwhile has left it whole.
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    compiled.entry(variant).or_insert_with(|| compile(variant)).clone()
}

fn compile(variant: Variant) -> Vec<Arc<CompiledCampaign>> {
    let mut campaigns = campaigns_in("tests/campaigns");
    if variant.waits {
        campaigns.extend(campaigns_in("tests/waiting"));
    }
    if variant.is_grounded {
        let grounded = campaigns_in("tests/grounded").into_iter();
        campaigns.extend(grounded.filter(|each| each.campaign.name == "greeting"));
    }
    for each in &mut campaigns {
        let campaign = &mut Arc::get_mut(each).expect("nobody else holds it").campaign;
        let config = &mut campaign.config;
        config.cache_hours = CACHE_HOURS;
        if variant.is_on_two_models && OF_OTHER_MODEL.contains(&campaign.name.as_str()) {
            MODELS[1].clone_into(&mut config.model_id);
        }
        if variant.has_budget && campaign.name == "plain" {
            config.budget = Some(Budget::Tokens(SMALL_BUDGET));
            config.over_budget = OverBudget::Wait;
        }
    }
    campaigns
}
