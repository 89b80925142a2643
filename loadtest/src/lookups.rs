//! Bursts of look-ups on the api, as Braze makes them when a campaign goes out.
//!
//! ```text
//! search (which rate next) -> step (one rate, open loop) -> result
//!                               ^
//!                          mix (hit, miss or stranger)
//! ```
//!
//! **Open loop**: the moment of every look-up is set beforehand, whatever the api
//! does, and its latency counts from that moment. A slow answer so delays none of
//! those after it without their latencies saying so.
//!
//! Memory is bounded by the number of connections and of users.

pub mod mix;
pub mod result;
pub mod search;
mod step;
pub mod users;

use std::sync::Arc;
use std::time::Duration;

use crate::client::{BadTarget, Client, Kind, Target};
use crate::progress;

use mix::Mix;
use result::{LookupsResult, Step};
use search::Search;
use users::Users;

/// Share of look-ups without an answer above which a rate is not kept.
pub const MAX_FAILED_SHARE: f64 = 0.001;

/// Share of look-ups answered otherwise than their kind says above which the run is at fault:
/// content may expire, or a user be deleted, while it runs.
pub const MAX_UNEXPECTED_SHARE: f64 = 0.001;

/// What to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the api is.
    pub target: Target,
    /// What is asked.
    pub mix: Mix,
    /// How fast.
    pub rates: Rates,
    /// How long each rate is held.
    pub step: Duration,
    /// What the 99th percentile must not exceed.
    pub bound: Duration,
    /// Look-ups under way at a time, at most.
    pub in_flight: usize,
    /// Decides the order of kinds and users.
    pub seed: u64,
}

/// Look-ups a second.
#[derive(Debug, Clone, PartialEq)]
pub enum Rates {
    /// Each of these in turn.
    Steps(Vec<f64>),
    /// The highest that is kept between these.
    Search {
        /// Where to begin.
        from: f64,
        /// Where to end at the latest.
        to: f64,
    },
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum LookupsError {
    /// The api cannot be asked.
    #[error(transparent)]
    Target(#[from] BadTarget),
    /// The mix asks for hits, and nobody is known who has content.
    #[error("the mix has hits: name users who have content with --users")]
    NoUsers,
    /// Not one look-up was answered.
    #[error("the api at {url} does not answer: {kind}")]
    NoAnswer {
        /// Who was asked.
        url: String,
        /// What came instead.
        kind: Kind,
    },
}

/// Runs the plan to its end.
pub async fn run(plan: &Plan, users: &Arc<Users>) -> Result<LookupsResult, LookupsError> {
    if plan.mix.asks_for_hits() && users.is_empty() {
        return Err(LookupsError::NoUsers);
    }
    let client = Client::new(&plan.target)?;
    let warm_up = users.any(plan.seed, 0);
    let kind = client.look_up(warm_up, None).await.kind;
    if kind.is_failure() {
        return Err(LookupsError::NoAnswer { url: client.url().to_owned(), kind });
    }
    let mut steps = Vec::new();
    let highest = match &plan.rates {
        Rates::Steps(rates) => {
            for rate in rates {
                steps.push(one_step(plan, &client, users, *rate).await);
            }
            let kept = steps.iter().filter(|step| step.kept).map(|step| step.rate);
            kept.max_by(f64::total_cmp)
        }
        Rates::Search { from, to } => {
            let mut search = Search::new(*from, *to);
            while let Some(rate) = search.next_rate() {
                let step = one_step(plan, &client, users, rate).await;
                search.learn(rate, step.kept);
                steps.push(step);
            }
            search.highest()
        }
    };
    Ok(LookupsResult {
        url: plan.target.url.clone(),
        mix: plan.mix,
        step_secs: plan.step.as_secs_f64(),
        bound_ms: plan.bound.as_secs_f64() * 1e3,
        in_flight: plan.in_flight,
        reuses_connections: plan.target.kept_connections > 0,
        searched: matches!(plan.rates, Rates::Search { .. }),
        highest_rate: highest,
        steps,
    })
}

async fn one_step(plan: &Plan, client: &Client, users: &Arc<Users>, rate: f64) -> Step {
    let total = step::total(rate, plan.step);
    let bar = progress::bar(format!("{rate:.0}/s"), total, "look-ups");
    let step = step::run(plan, client, users, rate, &bar).await;
    bar.finish_and_clear();
    step
}
