//! Buckets, with the credentials of the environment, a profile or a process; temporary
//! ones as well.

mod fetch;
mod send;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;

/// What the name of a place in a bucket begins with.
const SCHEME: &str = "s3://";

/// Files on their way at a time.
const AT_A_TIME: usize = 8;

/// Longest way of a file: the largest ones of Currents are a few dozen megabytes.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(120);

/// A client, and where it goes; no endpoint means AWS itself.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// The client.
    pub s3: Client,
    /// The endpoint, if it was set.
    pub endpoint: Option<String>,
}

/// A place in a bucket: everything whose key begins so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Name of the bucket.
    pub bucket: String,
    /// Empty, or ending with a slash.
    pub prefix: String,
}

impl Location {
    /// Reads `s3://BUCKET/PREFIX`; nothing for what does not begin so.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let rest = text.strip_prefix(SCHEME)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Some(Err("names no bucket: write s3://BUCKET/PREFIX".to_owned()));
        }
        let prefix = prefix.trim_end_matches('/');
        let slash = if prefix.is_empty() { "" } else { "/" };
        Some(Ok(Self { bucket: bucket.to_owned(), prefix: format!("{prefix}{slash}") }))
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.prefix)
    }
}

/// A file or folder of this machine, or a place in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Of this machine.
    Path(PathBuf),
    /// In a bucket.
    Bucket(Location),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Location::parse(text).map_or_else(
            || Ok(Self::Path(PathBuf::from(text))),
            |location| location.map(Self::Bucket),
        )
    }
}

impl Bucket {
    /// Connects with what the environment says; `endpoint` goes before its general one.
    pub async fn connect(endpoint: Option<&str>) -> anyhow::Result<Self> {
        let timeouts = TimeoutConfig::builder().operation_timeout(UPLOAD_TIMEOUT).build();
        let environment = program::aws::environment().timeout_config(timeouts);
        let config = program::aws::account(environment).await?;
        let endpoint = endpoint.or(config.endpoint_url()).map(str::to_owned);
        let mut builder = Builder::from(&config);
        if let Some(endpoint) = &endpoint {
            builder = builder.endpoint_url(endpoint).force_path_style(true);
        }
        Ok(Self { s3: Client::from_conf(builder.build()), endpoint })
    }

    /// Whether it is AWS itself.
    pub fn is_aws(&self) -> bool {
        is_aws(self.endpoint.as_deref())
    }
}

/// Whether an endpoint is AWS itself; none at all means AWS.
fn is_aws(endpoint: Option<&str>) -> bool {
    let Some(endpoint) = endpoint else { return true };
    let Ok(uri) = endpoint.parse::<http::Uri>() else { return true };
    let host = uri.host().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    ["amazonaws.com", "amazonaws.com.cn", "aws", "api.aws"]
        .iter()
        .any(|domain| host.strip_suffix(domain).is_some_and(|p| p.is_empty() || p.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_endpoint_elsewhere_is_not_aws() {
        assert!(is_aws(None));
        for aws in [
            "https://s3.us-east-1.amazonaws.com",
            "https://S3.CN-NORTH-1.AMAZONAWS.COM.CN:443/",
            "https://bucket.vpce-1.s3.us-east-1.vpce.amazonaws.com",
            "https://s3.dualstack.us-east-1.api.aws",
            "not an address",
        ] {
            assert!(is_aws(Some(aws)), "{aws}");
        }
        for other in ["http://127.0.0.1:9000", "http://localhost:4566", "http://notamazonaws.com"] {
            assert!(!is_aws(Some(other)), "{other}");
        }
    }

    #[test]
    fn a_place_is_in_a_bucket_or_on_this_machine() {
        let place = |text: &str| text.parse::<Place>();
        let in_bucket = |prefix: &str| {
            let (bucket, prefix) = ("files".to_owned(), prefix.to_owned());
            Ok(Place::Bucket(Location { bucket, prefix }))
        };

        assert_eq!(place("s3://files"), in_bucket(""));
        assert_eq!(place("s3://files/"), in_bucket(""));
        assert_eq!(place("s3://files/a/b"), in_bucket("a/b/"));
        assert_eq!(place("s3://files/a/b/"), in_bucket("a/b/"));
        assert_eq!(place("target/s3"), Ok(Place::Path("target/s3".into())));
        assert!(place("s3:///a").is_err_and(|reason| reason.contains("names no bucket")));
    }
}
