//! Who may look content up.
//!
//! Callers send what Braze can store: Basic credentials, or the password alone as a bearer
//! token. The secret is kept as hashes and compared in constant time, so neither its length
//! nor its beginning can be measured from outside. Two secrets can be valid at once, so that
//! one can be replaced without a gap; see [`secrets_manager`].
//!
//! While no secret is known at all nobody can be told apart; what happens then is up to the
//! caller ([`Access::Unverifiable`]).

pub mod managed;
pub mod secrets_manager;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use managed::ManagedSecrets;

/// Decides about callers.
#[derive(Debug)]
pub enum Gate {
    /// Everybody may; only the program `local` has a switch for it.
    Open,
    /// Who knows one of these.
    Fixed(ValidSecrets),
    /// Who knows what AWS Secrets Manager holds.
    Managed(ManagedSecrets),
}

/// What is known of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The credentials are valid, or none are asked for.
    Granted,
    /// There are none, or they are wrong.
    Refused,
    /// There are some, and no secret to compare them with.
    Unverifiable,
}

impl Gate {
    /// Judges a call by its headers; `now` is in UNIX seconds.
    pub async fn judge(&self, headers: &HeaderMap, now: i64) -> Access {
        let granted = match self {
            Self::Open => true,
            Self::Fixed(accepted) => {
                CallCredentials::of(headers).is_some_and(|presented| accepted.accepts(&presented))
            }
            Self::Managed(managed) => match CallCredentials::of(headers) {
                Some(presented) => return managed.judge(&presented, now).await,
                None => false,
            },
        };
        if granted { Access::Granted } else { Access::Refused }
    }
}

/// A secret as it is stored: `{"username": "braze", "password": "..."}`.
#[derive(Deserialize)]
pub struct Secret {
    /// User name of Basic credentials.
    pub username: String,
    /// Password of Basic credentials, and the bearer token.
    pub password: String,
}

/// The secret cannot be one; says nothing of what it holds.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// It is not of the shape.
    #[error("the secret is not {{\"username\": \"...\", \"password\": \"...\"}}")]
    Malformed,
    /// A part is empty, or the user name holds a colon, which ends it in Basic credentials.
    #[error("the secret's username and password must not be empty, nor the username hold a colon")]
    Unusable,
    /// The password does not fit into a header as a bearer token.
    #[error("the secret's password must be ASCII without control characters and outer blanks")]
    Unsendable,
}

impl Secret {
    /// Reads a secret.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        // The parser's own words would quote the secret.
        let secret: Self = serde_json::from_str(text).map_err(|_| BadSecret::Malformed)?;
        let (username, password) = (&secret.username, &secret.password);
        if username.is_empty() || username.contains(':') || password.is_empty() {
            return Err(BadSecret::Unusable);
        }
        // What a header's value may hold everywhere on its way, and keeps (RFC 9110, 5.5).
        let is_sendable = password.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !is_sendable || password.trim() != password {
            return Err(BadSecret::Unsendable);
        }
        Ok(secret)
    }
}

/// The secrets that are valid, as hashes.
#[derive(Clone, PartialEq, Eq)]
pub struct ValidSecrets(Vec<Hashed>);

#[derive(Clone, PartialEq, Eq)]
struct Hashed {
    /// Of `username:password`.
    basic: [u8; 32],
    /// Of the password.
    token: [u8; 32],
}

impl ValidSecrets {
    /// Accepts any of `secrets`.
    pub fn new(secrets: &[Secret]) -> Self {
        let hashed = secrets.iter().map(|Secret { username, password }| Hashed {
            basic: hash(format!("{username}:{password}").as_bytes()),
            token: hash(password.as_bytes()),
        });
        Self(hashed.collect())
    }

    /// Compares with all of them, whichever fits.
    pub fn accepts(&self, presented: &CallCredentials) -> bool {
        let fits = self.0.iter().map(|hashed| match presented {
            CallCredentials::Basic(hash) => hashed.basic.ct_eq(hash),
            CallCredentials::Token(hash) => hashed.token.ct_eq(hash),
        });
        fits.fold(Choice::from(0), |any, fit| any | fit).into()
    }
}

impl fmt::Debug for ValidSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

/// Credentials of a call, as hashes.
#[derive(Clone, Copy)]
pub enum CallCredentials {
    /// Of `username:password`.
    Basic([u8; 32]),
    /// Of a bearer token.
    Token([u8; 32]),
}

impl CallCredentials {
    /// Reads the `Authorization` header, unless there is none, or more than one.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("basic") {
            let decoded = STANDARD.decode(rest.trim()).ok()?;
            Some(Self::Basic(hash(&decoded)))
        } else if scheme.eq_ignore_ascii_case("bearer") {
            Some(Self::Token(hash(rest.trim().as_bytes())))
        } else {
            None
        }
    }
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(password: &str) -> Secret {
        Secret { username: "braze".to_owned(), password: password.to_owned() }
    }

    fn accepts(value: &str) -> bool {
        let accepted = ValidSecrets::new(&[secret("new"), secret("old")]);
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().expect("is a header"));
        CallCredentials::of(&headers).is_some_and(|presented| accepted.accepts(&presented))
    }

    fn basic(credentials: &str) -> String {
        format!("Basic {}", STANDARD.encode(credentials))
    }

    #[test]
    fn either_of_two_secrets_is_valid_as_basic_credentials_and_as_a_token() {
        for password in ["new", "old"] {
            assert!(accepts(&basic(&format!("braze:{password}"))));
            assert!(accepts(&format!("Bearer {password}")));
            assert!(accepts(&format!("bearer {password}")));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let wrong = [
            basic("braze:ne"),
            basic("braze:news"),
            basic("other:new"),
            basic("braze"),
            basic(""),
            basic(":"),
            "Basic new".to_owned(),
            "Basic ".to_owned(),
            "Bearer braze:new".to_owned(),
            "Bearer ".to_owned(),
            "Bearer".to_owned(),
            "Digest new".to_owned(),
            "new".to_owned(),
        ];
        for value in wrong {
            assert!(!accepts(&value), "{value}");
        }
    }

    #[test]
    fn two_headers_are_refused_though_one_is_right() {
        let mut headers = HeaderMap::new();
        headers.append(header::AUTHORIZATION, "Bearer new".parse().expect("is a header"));
        headers.append(header::AUTHORIZATION, "Bearer new".parse().expect("is a header"));

        assert!(CallCredentials::of(&headers).is_none());
    }

    #[test]
    fn a_secret_that_cannot_work_is_refused_without_quoting_it() {
        let bad = |text: &str| Secret::parse(text).err();

        assert_eq!(bad("hunter2"), Some(BadSecret::Malformed));
        assert_eq!(bad(r#"{"username":"braze"}"#), Some(BadSecret::Malformed));
        assert_eq!(bad(r#"{"username":"a:b","password":"c"}"#), Some(BadSecret::Unusable));
        assert_eq!(bad(r#"{"username":"a","password":""}"#), Some(BadSecret::Unusable));
        for password in ["päss", " b", "b ", "a\\nb"] {
            let text = format!(r#"{{"username":"a","password":"{password}"}}"#);
            assert_eq!(bad(&text), Some(BadSecret::Unsendable), "{password}");
        }
        assert!(Secret::parse(r#"{"username":"a","password":"b c","more":1}"#).is_ok());
        assert_eq!(format!("{:?}", ValidSecrets::new(&[secret("new")])), "1 secrets");
    }
}
