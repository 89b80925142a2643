//! What a look-up asks for.
//!
//! Everything here comes from outside: names, lengths and repetitions are
//! checked before anything is looked up.

use contract::campaign;
use contract::user_record::{MAX_USER_ID_BYTES, is_user_id};

/// Longest query string that is looked at, in bytes.
const MAX_QUERY_BYTES: usize = 2_048;

/// A look-up that makes sense.
#[derive(Debug, PartialEq, Eq)]
pub struct Query {
    /// The Braze id of the user.
    pub user_id: String,
    /// Name of the campaign; `None` stands for the only one there is.
    pub campaign: Option<String>,
    /// How the answer is written.
    pub format: Format,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// As DynamoDB writes items: `{"S": "text"}`.
    #[default]
    DynamoDb,
    /// As JSON usually looks.
    Plain,
}

/// Why a query makes no sense; the text is sent to the caller.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQuery {
    /// The query string is too long to be one of ours.
    #[error("query string is longer than {MAX_QUERY_BYTES} bytes")]
    TooLong,
    /// A parameter is not known.
    #[error("unknown parameter: user_id, campaign and format are understood")]
    Unknown,
    /// A parameter comes twice.
    #[error("parameter {0} comes more than once")]
    Repeated(&'static str),
    /// There is no user id.
    #[error("parameter user_id is missing: send {{{{${{braze_id}}}}}}")]
    NoUser,
    /// The user id is empty, too long, not UTF-8, or still a Liquid tag.
    #[error(
        "user_id must be 1 to {MAX_USER_ID_BYTES} bytes of UTF-8 without control characters and braces"
    )]
    BadUser,
    /// The campaign's name cannot be one.
    #[error("campaign must be lower-case letters, digits and hyphens")]
    BadCampaign,
    /// The format is not known.
    #[error("format must be \"plain\" or left out")]
    BadFormat,
}

impl Query {
    /// Parses a query string, as it stands in the URL.
    pub fn parse(query: &str) -> Result<Self, BadQuery> {
        if query.len() > MAX_QUERY_BYTES {
            return Err(BadQuery::TooLong);
        }
        let (mut user_id, mut campaign, mut format) = (None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let (slot, name) = match name.as_ref() {
                "user_id" => (&mut user_id, "user_id"),
                "campaign" => (&mut campaign, "campaign"),
                "format" => (&mut format, "format"),
                _ => return Err(BadQuery::Unknown),
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(BadQuery::Repeated(name));
            }
        }
        let user_id = user_id.ok_or(BadQuery::NoUser)?;
        let is_odd =
            |c: char| c.is_control() || matches!(c, char::REPLACEMENT_CHARACTER | '{' | '}');
        if !is_user_id(&user_id) || user_id.chars().any(is_odd) {
            return Err(BadQuery::BadUser);
        }
        if campaign.as_deref().is_some_and(|name| !campaign::is_name(name)) {
            return Err(BadQuery::BadCampaign);
        }
        let format = match format.as_deref() {
            None => Format::DynamoDb,
            Some("plain") => Format::Plain,
            Some(_) => return Err(BadQuery::BadFormat),
        };
        Ok(Self { user_id, campaign, format })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_parameters_are_understood() {
        let query = Query::parse("user_id=a%2Bb+c&campaign=new-episode&format=plain");

        assert_eq!(
            query,
            Ok(Query {
                user_id: "a+b c".to_owned(),
                campaign: Some("new-episode".to_owned()),
                format: Format::Plain,
            })
        );
    }

    #[test]
    fn every_fault_has_its_own_error() {
        let long = format!("user_id={}", "x".repeat(3_000));
        let cases = [
            ("", BadQuery::NoUser),
            ("user_id=", BadQuery::BadUser),
            ("user_id=a%00b", BadQuery::BadUser),
            ("user_id=%ff", BadQuery::BadUser),
            ("user_id={{${braze_id}}}", BadQuery::BadUser),
            ("user_id=a&user_id=b", BadQuery::Repeated("user_id")),
            ("user_id=a&campaign=../x", BadQuery::BadCampaign),
            ("user_id=a&format=xml", BadQuery::BadFormat),
            ("user_id=a&table=b", BadQuery::Unknown),
            (long.as_str(), BadQuery::TooLong),
        ];
        for (query, error) in cases {
            assert_eq!(Query::parse(query), Err(error), "{query}");
        }
        assert_eq!(
            BadQuery::NoUser.to_string(),
            "parameter user_id is missing: send {{${braze_id}}}"
        );
    }
}
