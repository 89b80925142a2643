//! What a replay costs on AWS, at most, about.

use std::fmt;

use super::scan::Scan;
use bill::prices::Prices;

/// Write units of a content: a few items and locks, two kilobytes each.
const WRITE_UNITS_PER_CONTENT: f64 = 5.0 * 2.0;

/// Bytes of an event on the stream, about.
const STREAM_BYTES: f64 = 500.0;

/// Tokens of a generation of a short text, in and out.
const INPUT_TOKENS: f64 = 600.0;
const OUTPUT_TOKENS: f64 = 300.0;

const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

/// What is replayed, and its price.
#[derive(Debug, Clone)]
pub struct Estimate {
    objects: u64,
    events: u64,
    triggers: u64,
    bytes: u64,
    usd_per_generation: f64,
    prices: Prices,
}

impl Estimate {
    /// Adds up what is in the files; without a price of a generation, it is that of a short
    /// text.
    pub fn of(scan: &Scan, usd_per_generation: Option<f64>, prices: Prices) -> Self {
        let short_text = prices.bedrock.usd(INPUT_TOKENS, OUTPUT_TOKENS);
        Self {
            objects: scan.files.len() as u64,
            events: scan.events(),
            triggers: scan.triggers,
            bytes: scan.bytes(),
            usd_per_generation: usd_per_generation.unwrap_or(short_text),
            prices,
        }
    }

    /// The model's part in dollars, where every event that asks for content gets one of its own.
    pub fn model_usd(&self) -> f64 {
        self.triggers as f64 * self.usd_per_generation
    }

    /// The rest in dollars.
    pub fn other_usd(&self) -> f64 {
        let Prices { dynamodb, kinesis, s3, .. } = &self.prices;
        let stream_gib = self.events as f64 * STREAM_BYTES / GIB;
        let write_units = self.triggers as f64 * WRITE_UNITS_PER_CONTENT;
        self.objects as f64 * s3.thousand_puts / 1e3
            + stream_gib * (kinesis.gb_in + kinesis.gb_out)
            + write_units * dynamodb.million_write_units / 1e6
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} events in {} files, {} bytes; {} ask for content.\n\
             Cost on AWS, at most, about: ${:.2} for the model, if every one of them gets its own \
             generation,\nand ${:.2} for S3, Kinesis and DynamoDB; Lambda and the api come on top.",
            self.events,
            self.objects,
            self.bytes,
            self.triggers,
            self.model_usd(),
            self.other_usd()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_costs_by_events_that_ask() {
        let estimate = Estimate {
            objects: 1_000,
            events: 1_000_000,
            triggers: 1_000,
            bytes: 1,
            usd_per_generation: 0.002,
            prices: Prices::read(None).expect("the built-in list is whole"),
        };

        assert!((estimate.model_usd() - 2.0).abs() < 1e-9);
        assert!(estimate.other_usd() > 0.005 && estimate.other_usd() < 0.2);
    }
}
