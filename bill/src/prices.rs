//! The price list: one file, with its date and the page that each price is from.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The list that the program carries.
const BUILT_IN: &str = include_str!("../prices.toml");

macro_rules! service {
    ($(#[$doc:meta])* $name:ident { $($field:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(missing_docs, reason = "a price is named by its unit")]
        pub struct $name { pub page: String, $(pub $field: f64),+ }

        impl $name {
            fn prices(&self) -> Vec<(&'static str, f64)> {
                vec![$((stringify!($field), self.$field)),+]
            }
        }
    };
}

macro_rules! list {
    ($($service:ident: $name:ident),+ $(,)?) => {
        /// Prices in US dollars.
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(missing_docs, reason = "the services are documented")]
        pub struct Prices {
            /// Region that they hold for.
            pub region: String,
            /// When the list was made.
            pub date: String,
            /// How its maker came by the prices.
            pub origin: String,
            $(pub $service: $name,)+
            /// The campaign's model.
            pub bedrock: Bedrock,
        }

        impl Prices {
            fn all(&self) -> Vec<(&'static str, Vec<(&'static str, f64)>)> {
                vec![$((stringify!($service), self.$service.prices()),)+ ("bedrock", self.bedrock.prices())]
            }
        }
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
    /// Application Load Balancers.
    LoadBalancer { hour, unit_hour }
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
    /// Logs, and what watches.
    CloudWatch { log_gb, metric_month, alarm_month, dashboard_month }
}
service! {
    /// Traces.
    XRay { million_traces }
}
service! {
    /// The key of everything.
    Kms { key_month, ten_thousand_requests }
}
service! {
    /// The api's credentials.
    SecretsManager { secret_month }
}

list! {
    kinesis: Kinesis,
    lambda: Lambda,
    dynamodb: DynamoDb,
    api_gateway: ApiGateway,
    load_balancer: LoadBalancer,
    s3: S3,
    sqs: Sqs,
    cloudwatch: CloudWatch,
    xray: XRay,
    kms: Kms,
    secrets_manager: SecretsManager,
}

/// The campaign's model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bedrock {
    /// AWS' page, or the file, that the prices are from.
    pub page: String,
    /// Model or inference profile.
    pub model: String,
    /// A million input tokens.
    pub million_input_tokens: f64,
    /// A million output tokens.
    pub million_output_tokens: f64,
}

impl Bedrock {
    /// What a generation costs.
    pub fn usd(&self, input_tokens: f64, output_tokens: f64) -> f64 {
        (input_tokens * self.million_input_tokens + output_tokens * self.million_output_tokens)
            / 1e6
    }

    fn prices(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("million_input_tokens", self.million_input_tokens),
            ("million_output_tokens", self.million_output_tokens),
        ]
    }
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
    #[error("prices in {file} cannot be used: bill/prices.toml is one that can")]
    Content {
        /// The file.
        file: String,
        /// What is wrong.
        #[source]
        source: toml::de::Error,
    },
    /// A price is no amount of money.
    #[error("{service}.{name} in {file} is {usd}: a price is in US dollars, 0 or more")]
    Amount {
        /// The file.
        file: String,
        /// Its table.
        service: &'static str,
        /// The price.
        name: &'static str,
        /// What it says.
        usd: f64,
    },
}

impl Prices {
    /// Reads the list in `file`, or the built-in one.
    pub fn read(file: Option<&Path>) -> Result<Self, BadPrices> {
        let Some(path) = file else { return Self::parse(BUILT_IN, "the built-in list") };
        let text = std::fs::read_to_string(path)
            .map_err(|source| BadPrices::Read { path: path.to_owned(), source })?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Reads a list that stands in `file`.
    pub fn parse(text: &str, file: &str) -> Result<Self, BadPrices> {
        let file = file.to_owned();
        let prices: Self = match toml::from_str(text) {
            Ok(prices) => prices,
            Err(source) => return Err(BadPrices::Content { file, source }),
        };
        for (service, all) in prices.all() {
            if let Some((name, usd)) =
                all.into_iter().find(|(_, usd)| !(usd.is_finite() && *usd >= 0.0))
            {
                return Err(BadPrices::Amount { file, service, name, usd });
            }
        }
        Ok(prices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_list_can_be_read_and_names_its_pages() {
        let prices = Prices::read(None).expect("is a price list");

        assert_eq!(prices.region, "us-east-1");
        assert_eq!(
            BUILT_IN.matches("page = \"https://aws.amazon.com/").count(),
            prices.all().len()
        );
    }

    #[test]
    fn a_price_that_is_no_amount_of_money_is_refused_by_its_name() {
        for wrong in ["nan", "inf", "-0.40"] {
            let text =
                BUILT_IN.replace("million_requests = 0.40", &format!("million_requests = {wrong}"));
            let error = Prices::parse(&text, "x.toml").expect_err("is no amount").to_string();

            assert!(error.starts_with("sqs.million_requests in x.toml is "), "{error}");
        }
    }
}
