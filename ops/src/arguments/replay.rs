//! What `ops replay` takes.

use std::num::NonZeroU32;
use std::str::FromStr;

use clap::Args;

use super::Since;
use crate::consent::Consent;

/// Lets files be read that lie in a bucket already.
#[derive(Debug, Args)]
pub struct Replay {
    /// Where they lie: s3://BUCKET/PREFIX, in the bucket of the deployment.
    #[arg(value_name = "S3_URL")]
    pub place: Place,

    /// Files that came at this time (2026-01-31T12:00:00Z) or later ...
    #[arg(long, value_name = "TIME")]
    pub from: Since,

    /// ... and before this one.
    #[arg(long, value_name = "TIME")]
    pub to: Since,

    /// Only these event types, by the folders of Currents: users.behaviors.CustomEvent,...
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    pub types: Vec<String>,

    /// Files in a second at most.
    #[arg(long, value_name = "N", default_value = "10")]
    pub rate: NonZeroU32,

    /// Queue of uploads of the deployment: CONTINUATION_QUEUE_URL of ingest.
    #[arg(long, value_name = "URL", env = "UPLOADS_QUEUE_URL")]
    pub queue: Option<String>,

    /// Go on behind this key, where an earlier replay was stopped.
    #[arg(long, value_name = "KEY")]
    pub after: Option<String>,

    /// Whether it is wanted.
    #[command(flatten)]
    pub consent: Consent,
}

/// A place in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bucket.
    pub bucket: String,
    /// Beginning of the keys.
    pub prefix: String,
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let place = text.strip_prefix("s3://").filter(|place| !place.is_empty());
        let place = place.ok_or("say s3://BUCKET/PREFIX")?;
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() {
            return Err("names no bucket: say s3://BUCKET/PREFIX");
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bucket_and_the_beginning_of_keys() {
        let place = |bucket: &str, prefix: &str| {
            Ok(Place { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
        };

        assert_eq!("s3://b/a/c=d/".parse(), place("b", "a/c=d/"));
        assert_eq!("s3://b".parse(), place("b", ""));
        for wrong in ["b/a", "s3://", "s3:///a", "https://b/a"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
