//! What the log may say of a call of AWS that failed.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// Says what failed without what was in it: a reply that cannot be read can hold a secret, or
/// a user's content.
pub(crate) fn brief<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    match error {
        // One without a code is a reply that the SDK could not read.
        SdkError::ServiceError(error) => error.err().code().unwrap_or(UNREADABLE).to_owned(),
        SdkError::TimeoutError(_) => TIME_OUT.to_owned(),
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(error) => format!("not sent: {error}"),
            None => "not sent".to_owned(),
        },
        SdkError::ConstructionFailure(_) => "request cannot be built".to_owned(),
        _ => UNREADABLE.to_owned(),
    }
}

/// What is said of a call that took too long.
pub(crate) const TIME_OUT: &str = "time-out";

/// What is said of a reply that is cut short, or of another form.
const UNREADABLE: &str = "reply cannot be read";
