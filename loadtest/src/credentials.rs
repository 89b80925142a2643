//! Credentials of the api, which nothing ever prints.

use std::convert::Infallible;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderValue;

/// `USER:PASSWORD`, as it was given.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials(String);

/// Why credentials cannot be sent. The text never holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("credentials must be USER:PASSWORD")]
pub struct BadCredentials;

impl Credentials {
    /// Takes them as they are: what the command line refuses, it prints.
    pub fn given(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }

    /// The header that Braze sends, marked so that no log shows it.
    pub fn header(&self) -> Result<HeaderValue, BadCredentials> {
        if !self.0.contains(':') {
            return Err(BadCredentials);
        }
        let mut header = HeaderValue::try_from(format!("Basic {}", BASE64.encode(&self.0)))
            .map_err(|_| BadCredentials)?;
        header.set_sensitive(true);
        Ok(header)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_sent_as_basic_and_never_shown() {
        let credentials = Credentials::given("braze:local").expect("is taken");
        let header = credentials.header().expect("is a header");

        assert_eq!(header, "Basic YnJhemU6bG9jYWw=");
        assert!(!format!("{credentials:?} {header:?}").contains("YnJh"));
        assert!(!format!("{credentials:?}").contains("local"));
    }

    #[test]
    fn what_is_no_pair_is_refused_without_being_repeated() {
        let error = Credentials::given("s3cret").expect("is taken").header().expect_err("no pair");

        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}
