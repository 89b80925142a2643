//! Which of the decisions in [`ModelError`] a failure of the service is.

use std::time::Duration;

use aws_sdk_bedrockruntime::config::http::HttpResponse;
use aws_sdk_bedrockruntime::error::{ProvideErrorMetadata, SdkError};

use super::ModelError;
use crate::failure::brief;

/// Longest part of the service's own words that is kept, in characters: it can quote the
/// request.
const MAX_MESSAGE_CHARS: usize = 200;

/// Status of a service that is overloaded, which has no name.
const OVERLOADED: u16 = 529;

/// Sorts the service's failures; see the error table in `docs/architecture.md`.
pub(super) fn classify<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> ModelError {
    let never_left = match error {
        SdkError::ConstructionFailure(_) => true,
        SdkError::DispatchFailure(failure) => !failure.is_io() && !failure.is_timeout(),
        _ => false,
    };
    if never_left {
        return ModelError::NotSent(brief(error));
    }
    let SdkError::ServiceError(service) = error else {
        // Time-outs, connections that broke, replies that could not be parsed.
        return ModelError::Unavailable(brief(error));
    };
    let code = service.err().code().unwrap_or_default();
    let message = service.err().message().unwrap_or_default();
    match (code, service.raw().status().as_u16()) {
        ("ThrottlingException", _) if message.contains("per day") => ModelError::DailyQuota,
        ("ThrottlingException" | "ModelNotReadyException", _) | (_, 429 | OVERLOADED) => {
            ModelError::Throttled(retry_after(service.raw()))
        }
        (
            "ServiceUnavailableException"
            | "InternalServerException"
            | "ModelTimeoutException"
            | "ModelErrorException",
            _,
        )
        | (_, 408 | 424 | 500..) => ModelError::Failed(code.to_owned()),
        ("ValidationException", _) => {
            let message: String = message.chars().take(MAX_MESSAGE_CHARS).collect();
            ModelError::Refused(format!("{code}: {message}"))
        }
        ("AccessDeniedException" | "ResourceNotFoundException", _) => {
            ModelError::NotAllowed(code.to_owned())
        }
        // Expired or invalid credentials, a limit of the account.
        _ => ModelError::NotServed(code.to_owned()),
    }
}

/// How long the service asks to wait, where it says so in seconds.
fn retry_after(reply: &HttpResponse) -> Option<Duration> {
    let secs = reply.headers().get("retry-after")?.parse().ok()?;
    Some(Duration::from_secs(secs))
}

#[cfg(test)]
mod tests {
    use aws_sdk_bedrockruntime::error::ErrorMetadata;
    use aws_sdk_bedrockruntime::operation::converse::ConverseError;

    use super::*;
    use crate::failure::Verdict;

    fn classified(code: &str, status: u16) -> ModelError {
        let error = ConverseError::generic(ErrorMetadata::builder().code(code).build());
        let status = status.try_into().expect("is a status");
        classify(&SdkError::service_error(error, HttpResponse::new(status, "".into())))
    }

    #[test]
    fn a_throttle_says_how_long_to_wait_and_the_day_is_told_apart_from_the_minute() {
        let throttled = |message: &str, status: u16| {
            let meta = ErrorMetadata::builder().code("ThrottlingException").message(message);
            let error = ConverseError::generic(meta.build());
            let mut reply = HttpResponse::new(status.try_into().expect("a status"), "".into());
            reply.headers_mut().insert("retry-after", "7");
            classify(&SdkError::service_error(error, reply))
        };

        let minute = throttled("Too many tokens, please wait before trying again.", 429);
        assert!(matches!(minute, ModelError::Throttled(Some(wait)) if wait.as_secs() == 7));
        let day = throttled("Too many tokens per day, please wait before trying again.", 429);
        assert!(matches!(day, ModelError::DailyQuota));
        assert!(matches!(classified("", OVERLOADED), ModelError::Throttled(None)));
    }

    #[test]
    fn a_reply_with_an_error_is_told_apart_from_no_reply() {
        for (code, status) in
            [("ServiceUnavailableException", 503), ("ModelErrorException", 424), ("", 500)]
        {
            assert!(matches!(classified(code, status), ModelError::Failed(_)), "{code}");
        }
        let no_reply = SdkError::<ConverseError, HttpResponse>::timeout_error("late");
        assert!(matches!(classify(&no_reply), ModelError::Unavailable(_)));
    }

    #[test]
    fn what_the_account_may_not_call_is_given_up_and_what_it_cannot_call_now_goes_back() {
        for (code, status, verdict) in [
            ("AccessDeniedException", 403, Verdict::DeadLetter("not_allowed")),
            ("ResourceNotFoundException", 404, Verdict::DeadLetter("not_allowed")),
            ("ExpiredTokenException", 403, Verdict::GiveBack),
            ("UnrecognizedClientException", 403, Verdict::GiveBack),
            ("ServiceQuotaExceededException", 400, Verdict::GiveBack),
        ] {
            assert_eq!(classified(code, status).verdict(), verdict, "{code}");
        }
    }
}
