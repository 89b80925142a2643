//! The items of the coordination table.
//!
//! Items, by what their key begins with:
//!
//! | key | attributes |
//! | --- | --- |
//! | `answer#<hash>` | `owner`, `lease_until` (UNIX ms), `failed_calls`, `last_failure`; or `answer` (JSON), `input_tokens`, `output_tokens`; or `reason`, `detail`, `attempts`, `given_up_at` (UNIX ms) |
//! | `budget#<campaign>#<day>` | `spent`, `last_spent` (name of what spent last) |
//! | `notice#<name>` | `until` (UNIX ms) |
//! | `begun#<name>` | `begun` (how often) |
//! | `mark#<name>` | |

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use contract::content::COORDINATION_KEY;

use crate::coordination::{BudgetOfDay, Entry, Failures, job_of_owner};
use crate::model::Usage;
use crate::store::dynamodb::Item;

/// How long an item outlives its lease or its day, in seconds.
const GRACE_SECS: i64 = 48 * 3_600;

pub(super) const ANSWER: &str = "answer";
pub(super) const INPUT_TOKENS: &str = "input_tokens";
pub(super) const OUTPUT_TOKENS: &str = "output_tokens";
pub(super) const LEASE_UNTIL: &str = "lease_until";
pub(super) const OWNER: &str = "owner";
pub(super) const REASON: &str = "reason";
pub(super) const DETAIL: &str = "detail";
pub(super) const ATTEMPTS: &str = "attempts";
pub(super) const GIVEN_UP_AT: &str = "given_up_at";
pub(super) const SPENT: &str = "spent";
pub(super) const LAST_SPENT: &str = "last_spent";
pub(super) const FAILED_CALLS: &str = "failed_calls";
pub(super) const LAST_FAILURE: &str = "last_failure";
pub(super) const UNTIL: &str = "until";
pub(super) const BEGUN: &str = "begun";

/// When the item of something that ends at a time (UNIX milliseconds) may go, in UNIX seconds.
pub(super) fn end_after(until_ms: u64) -> i64 {
    i64::try_from(until_ms / 1_000).unwrap_or(i64::MAX).saturating_add(GRACE_SECS)
}

/// What came to nothing before the turn that an item was just taken for, which is counted in
/// advance.
pub(super) fn failed_before(item: &Item) -> Failures {
    let counted = item.get(FAILED_CALLS).and_then(|calls| calls.as_n().ok()?.parse().ok());
    let last = item.get(LAST_FAILURE).and_then(|last| last.as_s().ok());
    Failures {
        calls: counted.unwrap_or(1_u32).saturating_sub(1),
        last: last.cloned().unwrap_or_default(),
    }
}

/// The key of an item.
pub(super) fn key(name: String) -> Item {
    HashMap::from([(COORDINATION_KEY.to_owned(), AttributeValue::S(name))])
}

pub(super) fn budget_key(budget: &BudgetOfDay) -> String {
    format!("budget#{}#{}", budget.campaign, budget.day)
}

pub(super) fn notice_key(name: &str) -> String {
    format!("notice#{name}")
}

pub(super) fn begun_key(name: &str) -> String {
    format!("begun#{name}")
}

pub(super) fn mark_key(name: &str) -> String {
    format!("mark#{name}")
}

/// When the item of a budget may go, in UNIX seconds.
pub(super) fn end_of(budget: &BudgetOfDay) -> i64 {
    (budget.day + 1).saturating_mul(24 * 3_600).saturating_add(GRACE_SECS)
}

/// What an item says of a prompt, if it is one that this program writes.
pub(super) fn entry(item: &Item) -> Option<Entry> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let count = |name: &str| item.get(name)?.as_n().ok()?.parse::<u64>().ok();
    if let Some(json) = text(ANSWER) {
        let usage = Usage {
            input_tokens: count(INPUT_TOKENS).unwrap_or_default(),
            output_tokens: count(OUTPUT_TOKENS).unwrap_or_default(),
            ..Usage::default()
        };
        return Some(Entry::Answered { data: serde_json::from_str(json).ok()?, usage });
    }
    if let Some(reason) = text(REASON) {
        return Some(Entry::GivenUp {
            reason: reason.clone(),
            detail: text(DETAIL).cloned().unwrap_or_default(),
            attempts: count(ATTEMPTS).and_then(|n| u32::try_from(n).ok()).unwrap_or_default(),
            at_ms: count(GIVEN_UP_AT).unwrap_or_default(),
        });
    }
    let job = text(OWNER).and_then(|owner| job_of_owner(owner));
    Some(Entry::Leased { until_ms: count(LEASE_UNTIL)?, job })
}
