//! What a campaign's budget of the day lets one question take.

use campaign::{Budget, CompiledCampaign, Price};

use crate::coordination::BudgetOfDay;
use crate::model::{self, CACHE_WRITES_FOR_ONE_MORE, Calls};
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
}

impl Allowance {
    /// Of a campaign that has a budget.
    pub(crate) fn of(campaign: &CompiledCampaign, prompt: &str, now: i64) -> Option<Self> {
        let config = &campaign.campaign.config;
        let (unit, limit) = match (config.budget?, config.price) {
            (Budget::Tokens(limit), _) => (BudgetUnit::Tokens, limit),
            (Budget::Usd(limit), Some(price)) => {
                (BudgetUnit::MicroUsd(price), (limit * 1e6).max(0.0) as u64)
            }
            (Budget::Usd(_), None) => return None,
        };
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

    /// What the budget was charged too little for these calls, or too much (below zero). A
    /// call whose outcome is not known counts with its worst case.
    pub(crate) fn difference(&self, calls: &Calls) -> i64 {
        let known = self.unit.amount(calls.spent.priced_input_tokens(), calls.spent.output_tokens);
        let used = known + self.most * u64::from(calls.unknown);
        let charged = self.most * u64::from(self.charged);
        i64::try_from(used).unwrap_or(i64::MAX) - i64::try_from(charged).unwrap_or(i64::MAX)
    }
}
