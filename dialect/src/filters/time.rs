//! Filters of times.

use liquid_core::Result;
use liquid_core::model::Value;

use super::{Call, Filter, as_text, filter};
use crate::moment::{self, Unreadable};
use crate::{ruby, state};

pub(super) const FILTERS: &[Filter] =
    &[filter("date", (0, 1), date), filter("time_zone", (1, 1), time_zone)];

/// Formats a time; what is none stays as it is, as in Ruby, and its author is told.
fn date(call: &Call<'_>) -> Result<Value> {
    let format = call.text_of(0);
    if call.input.is_nil() || format.is_empty() {
        return Ok(call.input.to_value());
    }
    match read(call)? {
        Some(time) => as_text(moment::format(&time, &format)),
        None => Ok(call.input.to_value()),
    }
}

/// Puts a time into a zone; an unknown zone changes nothing.
fn time_zone(call: &Call<'_>) -> Result<Value> {
    let Some(time) = read(call)? else { return Ok(call.input.to_value()) };
    let zone = call.text_of(0);
    Ok(match moment::in_zone(&time, &zone) {
        Some(time) => moment::value(&time),
        None => {
            call.complain(format!("\"{zone}\" is no time zone such as Europe/Vienna"));
            moment::value(&time)
        }
    })
}

fn read(call: &Call<'_>) -> Result<Option<jiff::ZonedDateTime>> {
    let now = state::with(call.runtime, |state| state.now);
    match moment::read(call.input, now) {
        Ok(time) => Ok(Some(time)),
        Err(Unreadable::NoTime) => {
            if !call.input.is_nil() {
                call.complain(format!("\"{}\" is no time", ruby::text(call.input)));
            }
            Ok(None)
        }
        Err(Unreadable::NoNow) => Err(liquid_core::Error::with_msg(
            "there is no now: instructions are the same at all times",
        )),
    }
}
