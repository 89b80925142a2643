//! What a look-up asks for.
//!
//! Everything here comes from outside: names, lengths, characters and repetitions are
//! checked before anything is looked up. Parameters that are not known mean nothing, as those
//! that links are given on their way, such as `utm_source`.

use contract::user_record::{LOOK_UP_CHARACTERS, MAX_USER_ID_BYTES, can_be_looked_up};
use http::StatusCode;

/// Longest query string that is looked at, in bytes: a user id and the names of
/// [`MAX_CAMPAIGNS`] campaigns are less than a thousand.
pub const MAX_QUERY_BYTES: usize = 2_048;

/// Most campaigns of one call: Braze takes answers of 1 MB at most, and DynamoDB gives up to
/// a hundred items at once.
pub const MAX_CAMPAIGNS: usize = 10;

/// A look-up that makes sense.
#[derive(Debug, PartialEq, Eq)]
pub struct Query {
    /// The Braze id of the user.
    pub user_id: String,
    /// Names of campaigns; none stands for the only one there is.
    pub campaigns: Vec<String>,
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
    /// A parameter comes twice.
    #[error("parameter {0} comes more than once")]
    Repeated(&'static str),
    /// There is no user id.
    #[error("parameter user_id is missing: send {{{{${{braze_id}}}}}}")]
    NoUser,
    /// The user id is empty, too long, of other characters, or still a Liquid tag.
    #[error(
        "user_id must be 1 to {MAX_USER_ID_BYTES} letters and digits of ASCII or \
         {LOOK_UP_CHARACTERS}, encoded once as in every URL, in Liquid \
         {{{{${{braze_id}} | url_param_escape}}}}: a raw + arrives as a blank (send %2B), and a \
         raw & (%26) or # (%23) ends it"
    )]
    BadUser,
    /// The user id holds a percent sign and two digits, as what was encoded twice does.
    #[error(
        "user_id is encoded twice, or not as in URLs: encode it once, in Liquid \
         {{{{${{braze_id}} | url_param_escape}}}}, so that a + is sent as %2B"
    )]
    EncodedTwice,
    /// The user id holds a blank, as which a `+` arrives that is not encoded.
    #[error(
        "user_id holds a blank, as which a + arrives that is not encoded: send %2B in its place, \
         in Liquid {{{{${{braze_id}} | url_param_escape}}}}"
    )]
    BlankInUser,
    /// A campaign's name cannot be one.
    #[error(
        "campaign must be lower-case letters, digits and hyphens, or several such names \
         with a comma between"
    )]
    BadCampaign,
    /// A campaign is named twice.
    #[error("campaign must not name one twice")]
    RepeatedCampaign,
    /// Too many campaigns are named.
    #[error("campaign must not name more than {MAX_CAMPAIGNS}")]
    TooManyCampaigns,
    /// The format is not known.
    #[error("format must be \"plain\" or left out")]
    BadFormat,
}

impl BadQuery {
    /// Status and code of the answer.
    pub fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::TooLong => (StatusCode::URI_TOO_LONG, "query_too_long"),
            _ => (StatusCode::BAD_REQUEST, "bad_query"),
        }
    }
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
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(BadQuery::Repeated(name));
            }
        }
        let user_id = user_id.ok_or(BadQuery::NoUser)?;
        if !can_be_looked_up(&user_id) {
            return Err(why_not(&user_id));
        }
        let campaigns = campaign.as_deref().map_or(Ok(Vec::new()), names)?;
        let format = match format.as_deref() {
            None => Format::DynamoDb,
            Some("plain") => Format::Plain,
            Some(_) => return Err(BadQuery::BadFormat),
        };
        Ok(Self { user_id, campaigns, format })
    }
}

/// What makes a user id one that cannot be looked up, and so what to send in its place.
fn why_not(user_id: &str) -> BadQuery {
    if can_be_looked_up(&user_id.replace(' ', "+")) {
        return BadQuery::BlankInUser;
    }
    let again: Option<(_, _)> = form_urlencoded::parse(user_id.as_bytes()).next();
    match again {
        Some((decoded, _)) if user_id.contains('%') && can_be_looked_up(&decoded) => {
            BadQuery::EncodedTwice
        }
        _ => BadQuery::BadUser,
    }
}

fn names(list: &str) -> Result<Vec<String>, BadQuery> {
    let mut names: Vec<String> = Vec::new();
    for name in list.split(',') {
        if !campaign::is_name(name) {
            return Err(BadQuery::BadCampaign);
        }
        if names.iter().any(|known| known == name) {
            return Err(BadQuery::RepeatedCampaign);
        }
        if names.len() == MAX_CAMPAIGNS {
            return Err(BadQuery::TooManyCampaigns);
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_that_is_not_encoded_is_told_what_to_send() {
        let error = Query::parse("user_id=ab+cd").expect_err("holds a blank");

        assert_eq!(error, BadQuery::BlankInUser);
        assert!(error.to_string().contains("send %2B"), "{error}");
        assert!(error.to_string().contains("{{${braze_id} | url_param_escape}}"), "{error}");
        assert_eq!(Query::parse("user_id=a%2Bb").map(|query| query.user_id), Ok("a+b".to_owned()));
        assert_eq!(Query::parse("user_id=a+<b"), Err(BadQuery::BadUser));
    }

    #[test]
    fn a_character_that_arrives_wrong_is_told_what_to_send() {
        for (query, told) in [
            // The rest of the id is another parameter's name, or never sent.
            ("user_id=&co", "& (%26)"),
            ("user_id=#co", "# (%23)"),
            ("user_id=a%2520b", "(send %2B)"),
            ("user_id=a+b+%3C", "(send %2B)"),
            ("user_id=a%252Bb", "encode it once"),
            ("user_id=a%25b", "encoded once"),
            ("user_id=%7B%7B%24%7Bbraze_id%7D%7D%7D", "{{${braze_id} | url_param_escape}}"),
        ] {
            let error = Query::parse(query).expect_err("cannot be looked up").to_string();
            assert!(error.contains(told), "{query}: {error}");
        }
        for raw in ["a=b", "a/b", "a:b", "a@b", "a|b", "a~b", "a.b-c_d"] {
            let query = Query::parse(&format!("user_id={raw}"));
            assert_eq!(query.map(|query| query.user_id).as_deref(), Ok(raw));
        }
    }

    #[test]
    fn encoded_parameters_are_understood() {
        let query = Query::parse("user_id=a%2Bb&campaign=new-episode%2Coffer&format=plain");

        assert_eq!(
            query,
            Ok(Query {
                user_id: "a+b".to_owned(),
                campaigns: vec!["new-episode".to_owned(), "offer".to_owned()],
                format: Format::Plain,
            })
        );
    }

    #[test]
    fn unknown_parameters_are_ignored() {
        let with = Query::parse("utm_source=x&user_id=a&campaign=b&utm_source=%ff&User_Id=c");

        assert_eq!(with, Query::parse("user_id=a&campaign=b"));
        assert!(with.is_ok());
    }

    #[test]
    fn every_fault_has_its_own_error() {
        let long = format!("user_id={}", "x".repeat(3_000));
        let many: Vec<String> = (0..=MAX_CAMPAIGNS).map(|n| format!("c{n}")).collect();
        let many = format!("user_id=a&campaign={}", many.join(","));
        let cases = [
            ("", BadQuery::NoUser),
            ("user_id=", BadQuery::BadUser),
            ("user_id=a%00b", BadQuery::BadUser),
            ("user_id=%ff", BadQuery::BadUser),
            ("user_id=%zz", BadQuery::BadUser),
            ("user_id=%C3%A9", BadQuery::BadUser),
            ("user_id=a+b", BadQuery::BlankInUser),
            ("user_id=%3Cb%3E", BadQuery::BadUser),
            ("user_id={{${braze_id}}}", BadQuery::BadUser),
            ("user_id=a&user_id=b", BadQuery::Repeated("user_id")),
            ("user_id=a&user%5fid=b", BadQuery::Repeated("user_id")),
            ("user_id=a&campaign=../x", BadQuery::BadCampaign),
            ("user_id=a&campaign=", BadQuery::BadCampaign),
            ("user_id=a&campaign=b,", BadQuery::BadCampaign),
            ("user_id=a&campaign=b,c,b", BadQuery::RepeatedCampaign),
            (many.as_str(), BadQuery::TooManyCampaigns),
            ("user_id=a&format=xml", BadQuery::BadFormat),
            ("table=b", BadQuery::NoUser),
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

    #[test]
    fn a_user_id_is_as_long_as_on_the_stream_at_most() {
        let of = |length: usize| Query::parse(&format!("user_id={}", "x".repeat(length)));

        assert!(of(MAX_USER_ID_BYTES).is_ok());
        assert_eq!(of(MAX_USER_ID_BYTES + 1), Err(BadQuery::BadUser));
    }
}
