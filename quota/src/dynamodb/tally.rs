//! The tally of a small quota, as attributes of a lane's item.
//!
//! `tally` is JSON, a list for each entry: until when it counts, tokens, calls, and the number
//! of the call if it has not ended. `tally_promised` says until when the lane was promised
//! then. Both are written whole, under the condition that the lane is as it was seen.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use contract::content::EXPIRES_AT;

use crate::dynamodb::{
    BUSY_UNTIL, Item, KEPT_SECS, Lanes, MAX_REMOVED, SLICES, Updated, count, day, number, seen_at,
    send,
};
use crate::lane::{Lane, Refusal};
use crate::table::{Cause, LaneItem, LaneName, Reply, TableError};
use crate::tally::{Entering, Entry, Tally};

const TALLY: &str = "tally";
const PROMISED: &str = "tally_promised";

const ENTER: &str = "calls were not entered in the tally";

/// Updates of one change: others enter calls in between.
const MAX_UPDATES: usize = 8;

/// An entry, as it is written.
type Written = (u64, u64, u64, Option<u64>);

/// Enters calls: [`Tally::enter`], as often as others were there before.
pub(super) async fn enter(
    lanes: &Lanes,
    name: &LaneName,
    entering: &Entering,
    seen: Option<&LaneItem>,
) -> Result<Reply, TableError> {
    let mut seen = match seen {
        Some(seen) => Some(seen.clone()),
        None => look(lanes, name, entering).await?,
    };
    for _ in 0..MAX_UPDATES {
        let before = seen.as_ref().map(|seen| (&seen.lane, &seen.tally));
        let (lane, tally) = match (Tally::enter(before, entering), &seen) {
            (Ok(entered), _) => entered,
            (Err(Refusal::DayUsedUp), _) => return Ok(Reply::DayUsedUp),
            (Err(Refusal::Busy(_)), Some(seen)) => return Ok(Reply::Busy(seen.clone())),
            (Err(Refusal::Busy(lane)), None) => {
                let (tally, learnt, past) = (Tally::default(), Vec::new(), Vec::new());
                return Ok(Reply::Busy(LaneItem { lane, tally, learnt, past }));
            }
        };
        let update = update(lanes, name, entering, (&lane, &tally), seen.as_ref())?;
        seen = match send(update, ENTER).await? {
            Updated::Done(item) => return read_item(&item, entering).map(Reply::Slice),
            Updated::Not(Some(item)) if item.contains_key(BUSY_UNTIL) => {
                Some(read_item(&item, entering)?)
            }
            Updated::Not(_) => None,
        };
    }
    Err(TableError { attempted: ENTER, cause: Cause::KeptChanging(MAX_UPDATES) })
}

/// Looks at the item, if there is one.
async fn look(
    lanes: &Lanes,
    name: &LaneName,
    entering: &Entering,
) -> Result<Option<LaneItem>, TableError> {
    let look = lanes
        .update(name)
        .update_expression(format!("SET {EXPIRES_AT} = :expires_at"))
        .condition_expression(format!("attribute_exists({BUSY_UNTIL})"))
        .expression_attribute_values(":expires_at", expires_at(entering));
    match send(look, ENTER).await? {
        Updated::Done(item) => read_item(&item, entering).map(Some),
        Updated::Not(_) => Ok(None),
    }
}

/// Writes lane and tally, if the item is as it was seen.
fn update(
    lanes: &Lanes,
    name: &LaneName,
    entering: &Entering,
    (lane, tally): (&Lane, &Tally),
    seen: Option<&LaneItem>,
) -> Result<UpdateItemFluentBuilder, TableError> {
    let mut expression = format!(
        "SET {BUSY_UNTIL} = :busy, {SLICES} = :slices, #today = :tokens, \
         {TALLY} = :tally, {PROMISED} = :promised, {EXPIRES_AT} = :expires_at"
    );
    let mut update = lanes
        .update(name)
        .expression_attribute_names("#today", day(entering.day))
        .expression_attribute_values(":busy", number(lane.busy_until_us))
        .expression_attribute_values(":slices", number(lane.slices))
        .expression_attribute_values(":tokens", number(lane.day_tokens))
        .expression_attribute_values(":tally", AttributeValue::S(write(tally)?))
        .expression_attribute_values(":promised", number(tally.promised_us))
        .expression_attribute_values(":expires_at", expires_at(entering));
    let past = seen.map_or(&[] as &[String], |seen| &seen.past);
    for (place, name) in past.iter().take(MAX_REMOVED).enumerate() {
        expression += if place == 0 { " REMOVE " } else { ", " };
        expression += &format!("#past{place}");
        update = update.expression_attribute_names(format!("#past{place}"), name);
    }
    let update = update.update_expression(expression);
    Ok(match seen {
        None => update.condition_expression(format!("attribute_not_exists({BUSY_UNTIL})")),
        Some(seen) => update
            .condition_expression(format!("{BUSY_UNTIL} = :was_busy AND {SLICES} = :was_slices"))
            .expression_attribute_values(":was_busy", number(seen.lane.busy_until_us))
            .expression_attribute_values(":was_slices", number(seen.lane.slices)),
    })
}

fn expires_at(entering: &Entering) -> AttributeValue {
    number(entering.now_us / 1_000_000 + KEPT_SECS)
}

fn read_item(item: &Item, entering: &Entering) -> Result<LaneItem, TableError> {
    seen_at(item, entering.now_us, entering.day)
}

fn write(tally: &Tally) -> Result<String, TableError> {
    let written = |entry: &Entry| (entry.until_us, entry.tokens, entry.calls, entry.open);
    let written: Vec<Written> = tally.entries.iter().map(written).collect();
    serde_json::to_string(&written).map_err(|_| foreign())
}

/// What an item holds of it: nothing, where only slices were taken.
pub(super) fn read(item: &Item) -> Result<Tally, TableError> {
    let Some(text) = item.get(TALLY) else { return Ok(Tally::default()) };
    let text = text.as_s().map_err(|_| foreign())?;
    let written: Vec<Written> = serde_json::from_str(text).map_err(|_| foreign())?;
    let entries = written.into_iter().map(|(until_us, tokens, calls, open)| Entry {
        until_us,
        tokens,
        calls,
        open,
    });
    let promised_us = count(item, PROMISED).ok_or_else(foreign)?;
    Ok(Tally { entries: entries.collect(), promised_us })
}

fn foreign() -> TableError {
    TableError { attempted: ENTER, cause: Cause::ForeignShape }
}
