//! Which of the decisions in [`ModelError`] a failure of the service is.

use std::error::Error;
use std::time::Duration;

use aws_sdk_bedrockruntime::config::http::HttpResponse;
use aws_sdk_bedrockruntime::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_types::error::operation::{BuildError, SerializationError};
use program::aws::CallError;
use program::causes;

use super::remedy::remedy;
use crate::model::{ModelError, Refusal};

/// Longest part of the service's own words that is kept, in characters: about a request they
/// can quote it.
const MAX_MESSAGE_CHARS: usize = 200;

/// Longest part of its words about an account, in characters: they name it, the model and,
/// at their end, the policy that denies.
const MAX_DENIAL_CHARS: usize = 600;

/// Longest media type that is named, in characters.
const MAX_TYPE_CHARS: usize = 40;

/// Status of a service that is overloaded, which has no name.
const OVERLOADED: u16 = 529;

/// Words of refusals that pass: a grammar that is being made of a schema, access that is
/// being set up.
const PASSING: [&str; 9] = [
    "timed out",
    "time-out",
    "timeout",
    "temporar",
    "not ready",
    "being created",
    "try again later",
    "try again in",
    "please retry",
];

/// Sorts the service's failures; see `docs/failures.md`. `longest` is
/// what the call was given.
pub(super) fn classify<E: ProvideErrorMetadata + Error + 'static>(
    error: &SdkError<E, HttpResponse>,
    longest: Duration,
) -> ModelError {
    match error {
        // What the SDK cannot make a request of, it never will; credentials and regions, which
        // it looks up on the way, may be there the next time.
        SdkError::ConstructionFailure(_) if is_of_the_request(error) => {
            ModelError::Refused(Refusal {
                code: "the request cannot be built".to_owned(),
                message: causes::told(error),
                remedy: Some("correct what it names in campaign.toml"),
            })
        }
        SdkError::ConstructionFailure(_) => ModelError::NotSent(CallError::from(error).to_string()),
        // It never left; the SDK marks as transient what broke on the way back.
        SdkError::DispatchFailure(failure)
            if failure.is_user() || (failure.is_other() && failure.as_other().is_none()) =>
        {
            ModelError::NotSent(CallError::from(error).to_string())
        }
        SdkError::TimeoutError(_) => ModelError::TimedOut(longest),
        SdkError::ServiceError(service) => of_service(service.err(), service.raw()),
        SdkError::ResponseError(reply) if reply.raw().status().is_success() => {
            ModelError::Unreadable(described(reply.raw()))
        }
        // Connections that broke, replies that could not be parsed.
        _ => ModelError::Unavailable(CallError::from(error).to_string()),
    }
}

/// Tells whether what is wrong is in the request itself.
fn is_of_the_request(error: &(dyn Error + 'static)) -> bool {
    let is_it = error.is::<BuildError>() || error.is::<SerializationError>();
    is_it || error.source().is_some_and(is_of_the_request)
}

/// Sorts what the service answered with.
fn of_service(error: &impl ProvideErrorMetadata, reply: &HttpResponse) -> ModelError {
    let code = error.code().unwrap_or_default();
    let message = error.message().unwrap_or_default();
    match (code, reply.status().as_u16()) {
        // The SDK found no answer in a reply that says all is well.
        (_, 200..300) => ModelError::Unreadable(described(reply)),
        ("ThrottlingException", _) if message.contains("per day") => ModelError::DailyQuota,
        ("ThrottlingException" | "ModelNotReadyException" | "ServiceUnavailableException", _)
        | (_, 429 | 503 | OVERLOADED) => ModelError::Throttled(retry_after(reply)),
        ("InternalServerException" | "ModelTimeoutException" | "ModelErrorException", _)
        | (_, 408 | 424 | 500..) => ModelError::Failed(named(code, message, reply)),
        ("ValidationException", _) if is_passing(message) => {
            ModelError::Failed(named(code, message, reply))
        }
        ("ValidationException", _) => {
            ModelError::Refused(refusal(code, message, MAX_MESSAGE_CHARS))
        }
        ("AccessDeniedException" | "ResourceNotFoundException", _) => {
            ModelError::NotAllowed(refusal(code, message, MAX_DENIAL_CHARS))
        }
        // Not of the service itself, whose errors all have a code.
        ("", _) => ModelError::Failed(described(reply)),
        // Expired or invalid credentials, a limit of the account.
        _ => ModelError::NotServed(code.to_owned()),
    }
}

fn refusal(code: &str, message: &str, most_chars: usize) -> Refusal {
    let remedy = remedy(message);
    Refusal { code: code.to_owned(), message: message.chars().take(most_chars).collect(), remedy }
}

fn named(code: &str, message: &str, reply: &HttpResponse) -> String {
    if code.is_empty() {
        return described(reply);
    }
    let message: String = message.chars().take(MAX_MESSAGE_CHARS).collect();
    format!("{code}: {message}")
}

fn is_passing(message: &str) -> bool {
    let message = message.to_lowercase();
    let is_grammar = message.contains("grammar") && message.contains("compil");
    is_grammar || PASSING.iter().any(|words| message.contains(words))
}

/// What came, without what was in it.
fn described(reply: &HttpResponse) -> String {
    let media_type: String = reply
        .headers()
        .get("content-type")
        .unwrap_or("nothing")
        .chars()
        .take(MAX_TYPE_CHARS)
        .collect();
    let length = match reply.body().bytes() {
        Some(bytes) => format!("{} bytes", bytes.len()),
        None => "a body that broke off".to_owned(),
    };
    format!("status {} with {media_type}, {length}", reply.status().as_u16())
}

/// How long the service asks to wait, where it says so in seconds.
fn retry_after(reply: &HttpResponse) -> Option<Duration> {
    let secs = reply.headers().get("retry-after")?.parse().ok()?;
    Some(Duration::from_secs(secs))
}

#[cfg(test)]
mod tests {
    use aws_sdk_bedrockruntime::config::BehaviorVersion;
    use aws_sdk_bedrockruntime::error::ErrorMetadata;
    use aws_sdk_bedrockruntime::operation::converse::ConverseError;

    use contract::ask::Reason;

    use super::*;
    use crate::failure::Verdict;

    #[tokio::test]
    async fn a_request_that_can_never_be_built_is_a_dead_letter_at_once() {
        let config = aws_sdk_bedrockruntime::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .build();
        let client = aws_sdk_bedrockruntime::Client::from_conf(config);

        let sent = client.converse().model_id("").send().await;

        let error = classify(&sent.expect_err("has no model"), LONGEST);
        assert_eq!(error.verdict(), Verdict::DeadLetter("refused_request"), "{error}");
        assert!(error.to_string().contains("model_id"), "{error}");
    }

    const LONGEST: Duration = Duration::from_secs(50);

    fn said(code: &str, message: &str, status: u16) -> ModelError {
        let mut meta = ErrorMetadata::builder().message(message);
        if !code.is_empty() {
            meta = meta.code(code);
        }
        let error = ConverseError::generic(meta.build());
        let status = status.try_into().expect("is a status");
        let reply = HttpResponse::new(status, "<html>".into());
        classify(&SdkError::service_error(error, reply), LONGEST)
    }

    fn classified(code: &str, status: u16) -> ModelError {
        said(code, "", status)
    }

    #[test]
    fn a_throttle_says_how_long_to_wait_and_the_day_is_told_apart_from_the_minute() {
        let throttled = |message: &str, status: u16| {
            let meta = ErrorMetadata::builder().code("ThrottlingException").message(message);
            let error = ConverseError::generic(meta.build());
            let mut reply = HttpResponse::new(status.try_into().expect("a status"), "".into());
            reply.headers_mut().insert("retry-after", "7");
            classify(&SdkError::service_error(error, reply), LONGEST)
        };

        let minute = throttled("Too many tokens, please wait before trying again.", 429);
        assert!(matches!(minute, ModelError::Throttled(Some(wait)) if wait.as_secs() == 7));
        let day = throttled("Too many tokens per day, please wait before trying again.", 429);
        assert!(matches!(day, ModelError::DailyQuota));
    }

    #[test]
    fn a_service_without_room_slows_all_calls_down_like_a_throttle() {
        for (code, status) in [
            ("", OVERLOADED),
            ("", 503),
            ("ServiceUnavailableException", 503),
            ("ModelNotReadyException", 429),
        ] {
            assert!(matches!(classified(code, status), ModelError::Throttled(None)), "{code}");
        }
    }

    #[test]
    fn a_reply_with_an_error_is_told_apart_from_no_reply() {
        for (code, status) in [
            ("InternalServerException", 500),
            ("ModelErrorException", 424),
            ("ModelTimeoutException", 408),
            ("", 500),
            ("", 502),
        ] {
            assert!(matches!(classified(code, status), ModelError::Failed(_)), "{code}");
        }
        let late = SdkError::<ConverseError, HttpResponse>::timeout_error("late");
        assert!(matches!(classify(&late, LONGEST), ModelError::TimedOut(LONGEST)));
    }

    #[test]
    fn a_good_status_without_an_answer_was_paid_for_and_says_what_came() {
        for code in ["", "SomeException"] {
            let error = classified(code, 200);

            assert!(matches!(&error, ModelError::Unreadable(_)), "{error:?}");
            let text = error.to_string();
            assert_eq!(text, "answer could not be read: status 200 with nothing, 6 bytes");
        }
        let reply = HttpResponse::new(200.try_into().expect("a status"), "{".into());
        let cut = SdkError::<ConverseError, _>::response_error("cut off", reply);
        assert!(matches!(classify(&cut, LONGEST), ModelError::Unreadable(_)));
    }

    #[test]
    fn what_the_account_may_not_call_or_cannot_call_now_halts_its_campaign() {
        for (code, status, verdict) in [
            ("AccessDeniedException", 403, Verdict::Park(Reason::Halted)),
            ("ResourceNotFoundException", 404, Verdict::Park(Reason::Halted)),
            ("ExpiredTokenException", 403, Verdict::Park(Reason::Halted)),
            ("UnrecognizedClientException", 403, Verdict::Park(Reason::Halted)),
            ("ServiceQuotaExceededException", 400, Verdict::Park(Reason::Halted)),
            // Something between us and the service.
            ("", 403, Verdict::RetryNow),
            ("", 400, Verdict::RetryNow),
        ] {
            assert_eq!(classified(code, status).verdict(), verdict, "{code}");
        }
    }

    #[test]
    fn a_refusal_that_passes_is_tried_again_and_one_that_stays_is_not() {
        for passing in [
            "Grammar compilation timed out. Try again later.",
            "The schema's grammar is still being compiled",
            "The service is temporarily unable to process this request",
        ] {
            let error = said("ValidationException", passing, 400);
            assert_eq!(error.verdict(), Verdict::RetryNow, "{passing}");
        }
        for final_one in [
            "Malformed input request: extraneous key [x] is not permitted, please reformat your \
             input and try again.",
            "This model doesn't support the temperature field. Remove temperature and try again.",
        ] {
            let error = said("ValidationException", final_one, 400);
            assert_eq!(error.verdict(), Verdict::DeadLetter("refused_request"), "{final_one}");
        }
    }

    #[test]
    fn the_words_of_a_denial_reach_the_operator_to_their_end() {
        let role = format!("User: arn:aws:sts::111122223333:assumed-role/{}", "r".repeat(150));
        let message = format!("{role} is not authorized: with an explicit deny in a policy");

        let error = said("AccessDeniedException", &message, 403).to_string();

        assert!(error.contains("explicit deny in a policy"), "{error}");
        assert!(
            error
                .ends_with("(a policy of the account or organisation denies it: ask who wrote it)")
        );
    }
}
