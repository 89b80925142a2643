//! The price list: one file, with its date and the page that each price is from.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The list that the program carries.
const BUILT_IN: &str = include_str!("../../prices.toml");

/// Prices in US dollars.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Region that they hold for.
    pub region: String,
    /// When the list was made.
    pub date: String,
    /// Kinesis Data Streams, on demand.
    pub kinesis: Kinesis,
    /// Functions.
    pub lambda: Lambda,
    /// Tables, on demand.
    pub dynamodb: DynamoDb,
    /// APIs.
    pub api_gateway: ApiGateway,
    /// Objects.
    pub s3: S3,
    /// Queues.
    pub sqs: Sqs,
    /// Logs.
    pub cloudwatch: CloudWatch,
    /// Traces.
    pub xray: XRay,
    /// The campaign's model.
    pub bedrock: Bedrock,
}

macro_rules! service {
    ($(#[$doc:meta])* $name:ident { $($field:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(missing_docs, reason = "a price is named by its unit")]
        pub struct $name { $(pub $field: f64),+ }
    };
}

service! {
    /// Kinesis Data Streams, on demand.
    Kinesis { stream_hour, gb_in, gb_out, gb_month_kept_beyond_a_day }
}
service! {
    /// Functions.
    Lambda { million_requests, gb_second }
}
service! {
    /// Tables, on demand.
    DynamoDb { million_write_units, million_read_units, gb_month, gb_month_of_recovery }
}
service! {
    /// APIs, and what leaves AWS.
    ApiGateway { million_rest_calls, million_http_calls, gb_out }
}
service! {
    /// Objects.
    S3 { thousand_puts, thousand_gets, gb_month }
}
service! {
    /// Queues.
    Sqs { million_requests }
}
service! {
    /// Logs.
    CloudWatch { log_gb }
}
service! {
    /// Traces.
    XRay { million_traces }
}
service! {
    /// The campaign's model.
    Bedrock { million_input_tokens, million_output_tokens }
}

/// Why a price list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadPrices {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A price is missing, unknown or no number.
    #[error("prices cannot be used")]
    Content(#[from] toml::de::Error),
}

impl Prices {
    /// Reads the list in `file`, or the built-in one.
    pub fn read(file: Option<&Path>) -> Result<Self, BadPrices> {
        let Some(path) = file else { return Ok(toml::from_str(BUILT_IN)?) };
        let text = std::fs::read_to_string(path)
            .map_err(|source| BadPrices::Read { path: path.to_owned(), source })?;
        Ok(toml::from_str(&text)?)
    }
}
