//! One event of any type, as a value of the Avro library.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use rand::rngs::StdRng;

use crate::write::encode::Shape;
pub use crate::write::encode::WATCHED;

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
    let mut bytes = Vec::new();
    Shape::new(schema).write(&occasion.user_id, occasion.time, rng, &mut bytes);
    let read = || GenericDatumReader::builder(schema).build()?.read_value(&mut &bytes[..]);
    #[expect(clippy::expect_used, reason = "written by this very schema; a test reads all types")]
    read().expect("an event is what its schema says")
}
