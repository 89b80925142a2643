//! Makes events of any type, straight in Avro's binary form.
//!
//! The streaming service of the sample campaign gets values that tell a story;
//! every other field gets a plausible value of its type.
//! <https://avro.apache.org/docs/1.12.0/specification/#binary-encoding>

use apache_avro::Schema;
use apache_avro::schema::RecordSchema;
use rand::{Rng, RngExt as _};

/// The event that the sample campaign waits for.
pub const WATCHED: &str = "episode_watched";

/// Names of custom events, with their shares in a hundred.
const CUSTOM_EVENTS: [(&str, u32); 3] = [(WATCHED, 60), ("trailer_viewed", 25), ("searched", 15)];

/// Shows with their genres; neither holds anything that JSON escapes.
const SHOWS: [(&str, &str); 12] = [
    ("Harbour Lights", "drama"),
    ("The Ninth Witness", "crime"),
    ("Salt & Cedar", "food"),
    ("Orbit of Two", "science fiction"),
    ("Paper Kingdoms", "history"),
    ("Midnight Allotment", "comedy"),
    ("Glass Mountain", "thriller"),
    ("The Understudy", "drama"),
    ("Low Tide Detectives", "crime"),
    ("Every Other Summer", "romance"),
    ("Engine Room", "documentary"),
    ("Foxglove Lane", "family"),
];

const LANGUAGES: [&str; 5] = ["en", "en", "de", "es", "fr"];
const COUNTRIES: [&str; 4] = ["US", "DE", "ES", "FR"];
const FIRST_NAMES: [&str; 8] =
    ["Ada", "Ben", "Chiara", "Deniz", "Émile", "Frieda", "Goran", "Hana"];
const PLATFORMS: [&str; 4] = ["ios", "android", "web", "tv"];
const PRODUCTS: [&str; 3] = ["monthly-plan", "annual-plan", "gift-card"];
const TIMEZONES: [&str; 4] =
    ["America/New_York", "Europe/Berlin", "Europe/Madrid", "Asia/Singapore"];

/// Most optional fields of real files are null: six in ten of these 256.
const NULLS: u8 = 154;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// How events of one type are made.
#[derive(Debug, Clone)]
pub struct Shape(Vec<Field>);

#[derive(Debug, Clone)]
struct Field {
    union: Option<Union>,
    make: Make,
}

/// The places of a union's two types.
#[derive(Debug, Clone, Copy)]
struct Union {
    null: i64,
    value: i64,
    may_be_null: bool,
}

#[derive(Debug, Clone)]
enum Make {
    Id,
    UserId,
    ExternalUserId,
    EmailAddress,
    EventName,
    Properties,
    CustomAttributes,
    OneOf(&'static [&'static str]),
    Time,
    Int,
    Long,
    Float,
    Boolean,
    Text(String),
    Pair(Box<Field>),
}

impl Shape {
    /// Looks at a schema once, for all events of its type.
    pub fn new(schema: &Schema) -> Self {
        let Schema::Record(record) = schema else { return Self(Vec::new()) };
        let fields = record.fields.iter();
        Self(fields.map(|field| Field::new(record, &field.name, &field.schema)).collect())
    }

    /// Writes an event of this user at this time, in UNIX seconds.
    pub fn write(&self, user_id: &str, time: i64, rng: &mut impl Rng, out: &mut Vec<u8>) {
        let custom_event = custom_event(rng);
        for field in &self.0 {
            field.write(user_id, time, custom_event, rng, out);
        }
    }
}

impl Field {
    fn new(record: &RecordSchema, name: &str, schema: &Schema) -> Self {
        let tells_of_custom_events = record.fields.iter().any(|field| field.name == "properties");
        let tells_of_a_profile =
            record.fields.iter().any(|field| field.name == "custom_attributes");
        let story = match name {
            "custom_attributes" => Some(Make::CustomAttributes),
            "first_name" if tells_of_a_profile => Some(Make::OneOf(&FIRST_NAMES)),
            "language" if tells_of_a_profile => Some(Make::OneOf(&LANGUAGES)),
            "country" if tells_of_a_profile => Some(Make::OneOf(&COUNTRIES)),
            "id" => Some(Make::Id),
            "user_id" => Some(Make::UserId),
            "external_user_id" => Some(Make::ExternalUserId),
            "email_address" => Some(Make::EmailAddress),
            "name" if tells_of_custom_events => Some(Make::EventName),
            "properties" => Some(Make::Properties),
            "product_id" => Some(Make::OneOf(&PRODUCTS)),
            "currency" => Some(Make::OneOf(&["USD"])),
            "platform" => Some(Make::OneOf(&PLATFORMS)),
            "timezone" => Some(Make::OneOf(&TIMEZONES)),
            _ => None,
        };
        let may_be_null = story.is_none() && name != "time";
        let (union, inner) = union(schema, may_be_null);
        Self { union, make: story.unwrap_or_else(|| plain(name, inner)) }
    }

    fn write(
        &self,
        user_id: &str,
        time: i64,
        custom_event: &str,
        rng: &mut impl Rng,
        out: &mut Vec<u8>,
    ) {
        if let Some(Union { null, value, may_be_null }) = self.union {
            let is_null = may_be_null && rng.random::<u8>() < NULLS;
            long(if is_null { null } else { value }, out);
            if is_null {
                return;
            }
        }
        let start = |length: usize| user_id.get(..length).unwrap_or(user_id);
        match &self.make {
            Make::Id => uuid(rng, out),
            Make::UserId => text(user_id, out),
            Make::ExternalUserId => text_of(&["customer-", start(8)], out),
            Make::EmailAddress => text_of(&[start(12), "@example.com"], out),
            Make::EventName => text(custom_event, out),
            Make::Properties => properties(custom_event, rng, out),
            Make::CustomAttributes => {
                let (_, genre) = SHOWS[rng.random_range(0..SHOWS.len())];
                text_of(&["{\"favourite_genre\":\"", genre, "\"}"], out);
            }
            Make::OneOf(choices) => text(choices[rng.random_range(0..choices.len())], out),
            Make::Time => long(time, out),
            Make::Int => long(rng.random_range(0..10_000), out),
            Make::Long => long(rng.random_range(0..1_000_000), out),
            Make::Float => {
                let cents: u16 = rng.random_range(100..10_000);
                out.extend_from_slice(&(f32::from(cents) / 100.0).to_le_bytes());
            }
            Make::Boolean => out.push(u8::from(rng.random::<bool>())),
            Make::Text(prefix) => numbered(prefix, rng.random_range(0..1_000), out),
            Make::Pair(item) => {
                long(2, out);
                item.write(user_id, time, custom_event, rng, out);
                item.write(user_id, time, custom_event, rng, out);
                long(0, out);
            }
        }
    }
}

/// A union of null and something else, and what that is.
fn union(schema: &Schema, may_be_null: bool) -> (Option<Union>, &Schema) {
    let Schema::Union(union) = schema else { return (None, schema) };
    let is_null = |schema: &Schema| matches!(schema, Schema::Null);
    let variants = union.variants();
    let null = variants.iter().position(is_null);
    let value = variants.iter().position(|schema| !is_null(schema)).unwrap_or(0);
    let place = |at: usize| i64::try_from(at).unwrap_or(0);
    let union = Union {
        null: place(null.unwrap_or(value)),
        value: place(value),
        may_be_null: may_be_null && null.is_some(),
    };
    (Some(union), variants.get(value).unwrap_or(schema))
}

/// A value that only has to be of the right type.
fn plain(name: &str, schema: &Schema) -> Make {
    match schema {
        Schema::Int | Schema::Long if name == "time" => Make::Time,
        Schema::Int => Make::Int,
        Schema::Long => Make::Long,
        Schema::Float => Make::Float,
        Schema::Boolean => Make::Boolean,
        Schema::Array(array) => {
            let (union, inner) = union(&array.items, true);
            Make::Pair(Box::new(Field { union, make: plain(name, inner) }))
        }
        _ => Make::Text(format!("{name}-")),
    }
}

fn custom_event(rng: &mut impl Rng) -> &'static str {
    let mut point = rng.random_range(0..CUSTOM_EVENTS.iter().map(|(_, share)| share).sum::<u32>());
    for (name, share) in CUSTOM_EVENTS {
        if point < share {
            return name;
        }
        point -= share;
    }
    WATCHED
}

fn properties(custom_event: &str, rng: &mut impl Rng, out: &mut Vec<u8>) {
    let (show, genre) = SHOWS[rng.random_range(0..SHOWS.len())];
    let language = LANGUAGES[rng.random_range(0..LANGUAGES.len())];
    if custom_event == "searched" {
        return text_of(&["{\"language\":\"", language, "\",\"query\":\"", genre, "\"}"], out);
    }
    let digit = |n: usize| ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"][n];
    let (season, episode) = (digit(rng.random_range(0..4)), digit(rng.random_range(0..10)));
    let parts = ["{\"episode\":", episode, ",\"genre\":\"", genre, "\",\"language\":\"", language];
    let rest = ["\",\"season\":", season, ",\"show\":\"", show, "\"}"];
    text_of(&[&parts[..], &rest[..]].concat(), out);
}

fn uuid(rng: &mut impl Rng, out: &mut Vec<u8>) {
    let mut bytes = [0_u8; 16];
    rng.fill_bytes(&mut bytes);
    bytes[6] = (bytes[6] & 0x0F) | 0x40;
    bytes[8] = (bytes[8] & 0x3F) | 0x80;
    let mut digits = [b'-'; 36];
    let mut at = 0;
    for (n, byte) in bytes.iter().enumerate() {
        if matches!(n, 4 | 6 | 8 | 10) {
            at += 1;
        }
        digits[at] = HEX[usize::from(byte >> 4)];
        digits[at + 1] = HEX[usize::from(byte & 0x0F)];
        at += 2;
    }
    long(36, out);
    out.extend_from_slice(&digits);
}

/// Writes a text that ends with a number below a thousand.
fn numbered(prefix: &str, number: u16, out: &mut Vec<u8>) {
    let digits = [number / 100, number / 10 % 10, number % 10].map(|digit| b'0' + digit as u8);
    let skipped = if number >= 100 { 0 } else { 1 + usize::from(number < 10) };
    length(prefix.len() + 3 - skipped, out);
    out.extend_from_slice(prefix.as_bytes());
    out.extend_from_slice(&digits[skipped..]);
}

/// Writes a text as Avro's string.
pub(crate) fn text(text: &str, out: &mut Vec<u8>) {
    length(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn text_of(parts: &[&str], out: &mut Vec<u8>) {
    length(parts.iter().map(|part| part.len()).sum(), out);
    parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
}

/// Writes a length as Avro's long.
pub(crate) fn length(length: usize, out: &mut Vec<u8>) {
    long(i64::try_from(length).unwrap_or(i64::MAX), out);
}

/// Writes Avro's zig-zag variable-length integer.
pub(crate) fn long(n: i64, out: &mut Vec<u8>) {
    let mut rest = ((n << 1) ^ (n >> 63)) as u64;
    while rest >= 0x80 {
        out.push((rest & 0x7F) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
