//! Makes one event of any type.
//!
//! The streaming service of the sample campaign gets values that tell a story;
//! every other field gets a plausible value of its type.

use apache_avro::Schema;
use apache_avro::schema::{RecordField, RecordSchema};
use apache_avro::types::Value;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, RngExt as _};
use serde_json::json;

/// The event that the sample campaign waits for.
pub const WATCHED: &str = "episode_watched";

/// Names of custom events, with their shares.
const CUSTOM_EVENTS: [(&str, u32); 3] = [(WATCHED, 60), ("trailer_viewed", 25), ("searched", 15)];

/// Shows with their genres.
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
const PLATFORMS: [&str; 4] = ["ios", "android", "web", "tv"];
const TIMEZONES: [&str; 4] =
    ["America/New_York", "Europe/Berlin", "Europe/Madrid", "Asia/Singapore"];

/// One user's visit: who and when.
#[derive(Debug, Clone)]
pub struct Occasion {
    /// The Braze id.
    pub user_id: String,
    /// UNIX seconds.
    pub time: i64,
}

/// Makes an event of the type that `schema` describes.
pub fn event(schema: &Schema, occasion: &Occasion, rng: &mut StdRng) -> Value {
    let Schema::Record(record) = schema else {
        return Value::Null;
    };
    let custom_event = weighted(&CUSTOM_EVENTS, rng);
    let fields = record
        .fields
        .iter()
        .map(|field| (field.name.clone(), field_value(record, field, custom_event, occasion, rng)));
    Value::Record(fields.collect())
}

fn field_value(
    record: &RecordSchema,
    field: &RecordField,
    custom_event: &str,
    occasion: &Occasion,
    rng: &mut StdRng,
) -> Value {
    let text = match field.name.as_str() {
        "id" => uuid(rng),
        "user_id" => occasion.user_id.clone(),
        "external_user_id" => format!("customer-{}", &occasion.user_id[..8]),
        "email_address" => format!("{}@example.com", &occasion.user_id[..12]),
        "name" if has_properties(record) => custom_event.to_owned(),
        "properties" => properties(custom_event, rng),
        "product_id" => ["monthly-plan", "annual-plan", "gift-card"][rng.random_range(0..3)].into(),
        "currency" => "USD".to_owned(),
        "platform" => pick(&PLATFORMS, rng),
        "timezone" => pick(&TIMEZONES, rng),
        name => return plain_value(name, &field.schema, occasion, rng),
    };
    in_type(&field.schema, Value::String(text))
}

fn has_properties(record: &RecordSchema) -> bool {
    record.fields.iter().any(|field| field.name == "properties")
}

fn properties(custom_event: &str, rng: &mut StdRng) -> String {
    let (show, genre) = SHOWS[rng.random_range(0..SHOWS.len())];
    let properties = match custom_event {
        "searched" => json!({ "query": genre, "language": pick(&LANGUAGES, rng) }),
        _ => json!({
            "show": show,
            "genre": genre,
            "season": rng.random_range(1..=4),
            "episode": rng.random_range(1..=10),
            "language": pick(&LANGUAGES, rng),
        }),
    };
    properties.to_string()
}

/// A value that only has to be of the right type.
fn plain_value(name: &str, schema: &Schema, occasion: &Occasion, rng: &mut StdRng) -> Value {
    match schema {
        Schema::Union(union) => {
            // Most optional fields of real files are null.
            if name != "time" && rng.random_bool(0.6) {
                return Value::Union(0, Box::new(Value::Null));
            }
            let inner = union
                .variants()
                .last()
                .map_or(Value::Null, |inner| plain_value(name, inner, occasion, rng));
            Value::Union(1, Box::new(inner))
        }
        Schema::Int if name == "time" => {
            Value::Int(i32::try_from(occasion.time).unwrap_or(i32::MAX))
        }
        Schema::Long if name == "time" => Value::Long(occasion.time),
        Schema::Int => Value::Int(rng.random_range(0..10_000)),
        Schema::Long => Value::Long(rng.random_range(0..1_000_000)),
        Schema::Float => Value::Float(rng.random_range(100..10_000) as f32 / 100.0),
        Schema::Boolean => Value::Boolean(rng.random()),
        Schema::Array(array) => {
            let mut item = || plain_value(name, &array.items, occasion, rng);
            Value::Array(vec![item(), item()])
        }
        _ => Value::String(format!("{name}-{}", rng.random_range(0..1_000))),
    }
}

/// Puts a value into a union where the schema asks for one.
fn in_type(schema: &Schema, value: Value) -> Value {
    match schema {
        Schema::Union(_) => Value::Union(1, Box::new(value)),
        _ => value,
    }
}

fn weighted<'a>(choices: &[(&'a str, u32)], rng: &mut StdRng) -> &'a str {
    choices.choose_weighted(rng, |(_, weight)| *weight).map_or("", |(name, _)| name)
}

fn pick(choices: &[&str], rng: &mut StdRng) -> String {
    choices[rng.random_range(0..choices.len())].to_owned()
}

fn uuid(rng: &mut StdRng) -> String {
    let mut bytes = [0_u8; 16];
    rng.fill_bytes(&mut bytes);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}
