//! What a campaign's budget of the day lets one question take.

use campaign::{Budget, CompiledCampaign, Price};
use contract::units::PRICE_OF_JOBS;

use crate::coordination::BudgetOfDay;
use crate::model::{self, CACHE_WRITES_FOR_ONE_MORE, Calls, Usage};
use crate::store::DAY_SECS;

/// What one question may take of its campaign's budget.
#[derive(Debug)]
pub(crate) struct Allowance {
    pub(crate) budget: BudgetOfDay,
    unit: BudgetUnit,
    /// What is charged before each call: its worst case.
    pub(crate) most: u64,
    /// Calls that were charged.
    pub(crate) charged: u32,
}

/// What a budget counts.
#[derive(Debug, Clone, Copy)]
enum BudgetUnit {
    Tokens,
    /// Millionths of a dollar, at this price.
    MicroUsd(Price),
}

impl BudgetUnit {
    fn amount(self, input_tokens: u64, output_tokens: u64) -> u64 {
        match self {
            Self::Tokens => input_tokens + output_tokens,
            // Rounded up: a thousand small calls are not free.
            Self::MicroUsd(price) => {
                (price.usd(input_tokens, output_tokens) * 1e6).ceil().max(0.0) as u64
            }
        }
    }

    /// What an amount comes to in a job: tokens cost less there, and are as many.
    fn in_a_job(self, amount: u64) -> u64 {
        match self {
            Self::Tokens => amount,
            Self::MicroUsd(_) => (amount as f64 * PRICE_OF_JOBS).ceil() as u64,
        }
    }
}

/// What a campaign's budget counts, and how much of it there is in a day.
fn unit_and_limit(campaign: &CompiledCampaign) -> Option<(BudgetUnit, u64)> {
    let config = &campaign.campaign.config;
    Some(match (config.budget?, config.price) {
        (Budget::Tokens(limit), _) => (BudgetUnit::Tokens, limit),
        (Budget::Usd(limit), Some(price)) => {
            (BudgetUnit::MicroUsd(price), (limit * 1e6).max(0.0) as u64)
        }
        (Budget::Usd(_), None) => return None,
    })
}

/// The budget of a day, if the campaign has one.
pub(crate) fn of_day(campaign: &CompiledCampaign, day: i64) -> Option<BudgetOfDay> {
    let (_, limit) = unit_and_limit(campaign)?;
    Some(BudgetOfDay { campaign: campaign.campaign.name.clone(), day, limit })
}

/// What an answer of a job takes of its campaign's budget.
pub(crate) fn used_in_a_job(campaign: &CompiledCampaign, usage: Usage) -> u64 {
    unit_and_limit(campaign).map_or(0, |(unit, _)| {
        unit.in_a_job(unit.amount(usage.priced_input_tokens(), usage.output_tokens))
    })
}

impl Allowance {
    /// Of a campaign that has a budget.
    pub(crate) fn of(campaign: &CompiledCampaign, prompt: &str, now: i64) -> Option<Self> {
        let (unit, limit) = unit_and_limit(campaign)?;
        let config = &campaign.campaign.config;
        let mut input_tokens = model::estimated_input_tokens(campaign, prompt, None);
        if config.cache_system {
            // All of it may be written into the cache.
            input_tokens += input_tokens.div_ceil(CACHE_WRITES_FOR_ONE_MORE);
        }
        let most = unit.amount(input_tokens, u64::from(config.max_tokens));
        let campaign = campaign.campaign.name.clone();
        let budget = BudgetOfDay { campaign, day: now.div_euclid(DAY_SECS), limit };
        Some(Self { budget, unit, most, charged: 0 })
    }

    /// The same, for a question that is asked in a job.
    pub(crate) fn in_a_job(campaign: &CompiledCampaign, prompt: &str, now: i64) -> Option<Self> {
        let allowance = Self::of(campaign, prompt, now)?;
        let most = allowance.unit.in_a_job(allowance.most);
        Some(Self { most, ..allowance })
    }

    /// What the budget was charged too little for these calls, or too much (below zero). A
    /// call whose outcome is not known counts with its worst case.
    pub(crate) fn difference(&self, calls: &Calls) -> i64 {
        let known = self.unit.amount(calls.spent.priced_input_tokens(), calls.spent.output_tokens);
        let used = known + self.most * u64::from(calls.unknown);
        let charged = self.most * u64::from(self.charged);
        i64::try_from(used).unwrap_or(i64::MAX) - i64::try_from(charged).unwrap_or(i64::MAX)
    }
}
