//! Times: read as Braze reads them, in a zone, and written as Ruby writes them.
//!
//! A time in a zone is a value of its own, so that `'now' | time_zone: 'Asia/Tokyo'` can be
//! kept in a variable and formatted later: an object with a name that no event can write.

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use liquid_core::ValueView;
use liquid_core::model::{Object, Value};

use crate::ruby::{self, Kind};

/// The name under which the time is.
const MARK: &str = "\u{1}time";

/// How times without a zone are written, besides ISO 8601.
const FORMATS: [&str; 13] = [
    "%d %B %Y %H:%M:%S",
    "%d %b %Y %H:%M:%S",
    "%a, %d %b %Y %H:%M:%S",
    "%B %d, %Y %H:%M:%S",
    "%b %d, %Y %H:%M:%S",
    "%B %d, %Y %I:%M %p",
    "%b %d, %Y %I:%M %p",
    "%B %d, %Y %H:%M",
    "%a %b %d %H:%M:%S %Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y-%m-%d %I:%M %p",
    "%Y-%m-%d %I:%M:%S %p",
];

/// How dates are written, besides ISO 8601.
const DATES: [&str; 10] = [
    "%d %B %Y",
    "%d %b %Y",
    "%B %d, %Y",
    "%b %d, %Y",
    "%B %d %Y",
    "%b %d %Y",
    "%Y/%m/%d",
    "%d-%b-%Y",
    "%d/%m/%Y",
    "%d.%m.%Y",
];

/// Years of two digits are none that anybody means.
const FIRST_YEAR: i16 = 1_000;

/// Longest text that is taken for a time.
const MAX_BYTES: usize = 64;

/// Flags of a directive.
const FLAGS: [char; 6] = ['-', '_', '0', '^', '#', ':'];

/// Most digits of a directive's width: nobody wants more than 999 blanks.
const MAX_WIDTH_DIGITS: usize = 3;

/// Directives of strftime that show something finer than a day.
const FINE: &str = "HkIlMSLNsTXRrcpPQ+";

/// Why a time cannot be told.
pub(crate) enum Unreadable {
    /// It is no time.
    NoTime,
    /// It is the word for the time of rendering, which there is none of.
    NoNow,
}

/// A time as a value.
pub(crate) fn value(time: &ZonedDateTime) -> Value {
    let text = Value::scalar(time.to_string());
    Value::Object(Object::from_iter([(MARK.into(), text)]))
}

/// Tells whether a value is a time.
pub(crate) fn is_time(value: &dyn ValueView) -> bool {
    value.as_object().is_some_and(|object| object.contains_key(MARK))
}

/// The time that a value is.
pub(crate) fn of(value: &dyn ValueView) -> Option<ZonedDateTime> {
    value.as_object()?.get(MARK)?.to_kstr().as_str().parse().ok()
}

/// Reads a time: a time, UNIX seconds, "now" or a text.
pub(crate) fn read(value: &dyn ValueView, now: Option<i64>) -> Result<ZonedDateTime, Unreadable> {
    if let Some(time) = of(value) {
        return Ok(time);
    }
    let read = match ruby::kind(value) {
        Kind::Integer(seconds) => in_utc(seconds),
        Kind::Text(text) => {
            let text = text.trim();
            if ["now", "today"].iter().any(|word| text.eq_ignore_ascii_case(word)) {
                return now.and_then(in_utc).ok_or(Unreadable::NoNow);
            }
            parse(text).or_else(|| on_day(text, now?))
        }
        // Braze sends a date inside a nested attribute so.
        Kind::Map(map) => map.get("$time").and_then(|time| parse(ruby::text(time).trim())),
        _ => None,
    };
    read.ok_or(Unreadable::NoTime)
}

fn in_utc(seconds: i64) -> Option<ZonedDateTime> {
    Some(Timestamp::from_second(seconds).ok()?.to_zoned_datetime(TimeZone::UTC))
}

fn parse(text: &str) -> Option<ZonedDateTime> {
    if text.is_empty() || text.len() > MAX_BYTES {
        return None;
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return in_utc(text.parse().ok()?);
    }
    if let Ok(time) = text.parse::<ZonedDateTime>() {
        return Some(time);
    }
    let text = text.replace("UTC", "Z").replace("GMT", "Z");
    let (civil, offset) = split_offset(text.trim());
    let zone = match offset {
        Some(offset) => offset,
        None => TimeZone::UTC,
    };
    civil_time(civil)?.to_zoned_datetime(zone).ok()
}

/// The offset at the end of a time: `Z`, `+02:00`, `-0500`, `+02`.
fn split_offset(text: &str) -> (&str, Option<TimeZone>) {
    if let Some(rest) = text.strip_suffix(['Z', 'z']) {
        return (rest.trim(), Some(TimeZone::UTC));
    }
    // A date has hyphens of its own: an offset stands behind a time.
    let Some(clock) = text.find(':') else { return (text, None) };
    let Some(sign) = text[clock..].rfind(['+', '-']).map(|at| clock + at) else {
        return (text, None);
    };
    let digits: String = text[sign + 1..].chars().filter(|c| *c != ':').collect();
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return (text, None);
    }
    let hours: i32 = digits[..2].parse().unwrap_or_default();
    let minutes: i32 = digits.get(2..).and_then(|minutes| minutes.parse().ok()).unwrap_or_default();
    let seconds = hours * 3_600 + minutes * 60;
    let seconds = if text.as_bytes()[sign] == b'-' { -seconds } else { seconds };
    let offset = jiff::tz::Offset::from_seconds(seconds).ok().map(TimeZone::fixed);
    (text[..sign].trim(), offset)
}

fn civil_time(text: &str) -> Option<DateTime> {
    if let Ok(time) = text.parse::<DateTime>() {
        return Some(time);
    }
    for format in FORMATS {
        if let Ok(time) = strtime::parse(format, text).and_then(|parsed| parsed.to_datetime()) {
            return Some(time);
        }
    }
    for format in DATES {
        if let Ok(date) = strtime::parse(format, text).and_then(|parsed| parsed.to_date())
            && date.year() >= FIRST_YEAR
        {
            return Some(date.to_datetime(Time::midnight()));
        }
    }
    loose(text)
}

/// `2021-08-04 9:00`, and `2023-12-22T24:00`, which Ruby reads as the next day's midnight.
fn loose(text: &str) -> Option<DateTime> {
    let (date, clock) = text.split_once(['T', ' '])?;
    let date: Date = date.parse().ok()?;
    let mut parts = clock.trim().splitn(3, ':');
    let hour: i8 = parts.next()?.parse().ok()?;
    let minute: i8 = parts.next()?.parse().ok()?;
    let second = parts.next().unwrap_or("0");
    let second = second.split([':', '.']).next()?;
    let second: i8 = second.parse().ok()?;
    if hour == 24 && minute == 0 && second == 0 {
        return Some(date.tomorrow().ok()?.to_datetime(Time::midnight()));
    }
    Some(date.to_datetime(Time::new(hour, minute, second, 0).ok()?))
}

/// A time without a date is one of the day of rendering, a day without a year one of its year,
/// a month its first day.
fn on_day(text: &str, now: i64) -> Option<ZonedDateTime> {
    let today = in_utc(now)?.date();
    if let Ok(time) = strtime::parse("%H:%M", text).and_then(|parsed| parsed.to_time()) {
        return today.to_datetime(time).to_zoned_datetime(TimeZone::UTC).ok();
    }
    let completed = [format!("1 {text}"), format!("{text}, {}", today.year())];
    completed.iter().find_map(|text| parse(text))
}

/// Puts a time into a zone of the IANA database.
pub(crate) fn in_zone(time: &ZonedDateTime, zone: &str) -> Option<ZonedDateTime> {
    Some(time.with_time_zone(TimeZone::get(zone).ok()?))
}

/// What Ruby prints of a time that is not formatted.
pub(crate) fn text(time: &ZonedDateTime) -> String {
    let zone = if time.time_zone() == &TimeZone::UTC { "UTC" } else { "%z" };
    format(time, &format!("%Y-%m-%d %H:%M:%S {zone}"))
}

/// Writes a time as a format says; a format that is none stays as it is.
pub(crate) fn format(time: &ZonedDateTime, format: &str) -> String {
    if widths(format).any(|digits| digits > MAX_WIDTH_DIGITS) {
        return format.to_owned();
    }
    strftime::string::strftime(&Ruby::of(time), format).unwrap_or_else(|_| format.to_owned())
}

/// How many digits the widths of a format have.
fn widths(format: &str) -> impl Iterator<Item = usize> {
    format.split('%').skip(1).map(|directive| {
        let width = directive.trim_start_matches(FLAGS);
        width.bytes().take_while(u8::is_ascii_digit).count()
    })
}

/// Tells whether a format shows anything finer than a day.
pub(crate) fn is_fine(format: &str) -> bool {
    format.split('%').skip(1).any(|rest| {
        let directive =
            rest.trim_start_matches(FLAGS).trim_start_matches(|c: char| c.is_ascii_digit());
        directive.starts_with(|c| FINE.contains(c))
    })
}

/// A time as the formatter asks for it.
struct Ruby<'t> {
    time: &'t ZonedDateTime,
    zone: String,
}

impl<'t> Ruby<'t> {
    fn of(time: &'t ZonedDateTime) -> Self {
        let zone = time.time_zone().to_offset_info(time.timestamp()).abbreviation().to_owned();
        // An offset has no name.
        let zone = if zone.starts_with(['+', '-']) { String::new() } else { zone };
        Self { time, zone }
    }
}

impl strftime::Time for Ruby<'_> {
    fn year(&self) -> i32 {
        self.time.year().into()
    }

    fn month(&self) -> u8 {
        self.time.month().unsigned_abs()
    }

    fn day(&self) -> u8 {
        self.time.day().unsigned_abs()
    }

    fn hour(&self) -> u8 {
        self.time.hour().unsigned_abs()
    }

    fn minute(&self) -> u8 {
        self.time.minute().unsigned_abs()
    }

    fn second(&self) -> u8 {
        self.time.second().unsigned_abs()
    }

    fn nanoseconds(&self) -> u32 {
        self.time.subsec_nanosecond().unsigned_abs()
    }

    fn day_of_week(&self) -> u8 {
        self.time.weekday().to_sunday_zero_offset().unsigned_abs()
    }

    fn day_of_year(&self) -> u16 {
        self.time.day_of_year().unsigned_abs()
    }

    fn to_int(&self) -> i64 {
        self.time.timestamp().as_second()
    }

    fn is_utc(&self) -> bool {
        self.time.time_zone() == &TimeZone::UTC
    }

    fn utc_offset(&self) -> i32 {
        self.time.offset().seconds()
    }

    fn time_zone(&self) -> &str {
        &self.zone
    }
}
