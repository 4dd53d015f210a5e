//! What an S3 server's errors mean.

use std::{
    error::Error as StdError,
    time::{Duration, SystemTime},
};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    primitives::{DateTime, DateTimeFormat},
};

use crate::retry::{Cause, Failure};

const CREDENTIALS: &str = "the credentials are not accepted: check AWS_ACCESS_KEY_ID, \
    AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, the profile, or the role";
const NO_CREDENTIALS: &str = "there are no usable credentials: set AWS_ACCESS_KEY_ID and \
    AWS_SECRET_ACCESS_KEY, a profile (AWS_PROFILE), or a role";
const DENIED: &str = "access is denied: check what the credentials' owner may do in this bucket";
const NO_BUCKET: &str = "there is no such bucket: check its name and the endpoint \
    (AWS_ENDPOINT_URL), or create it";
const ELSEWHERE: &str = "the bucket is in another region or at another endpoint: check AWS_REGION \
    and AWS_ENDPOINT_URL";
const CLOCK: &str = "this machine's clock is not the server's: set it right";
const NAME_TOO_LONG: &str = "the name is too long: use a shorter prefix";
const REQUEST: &str = "the server does not accept the request: check the endpoint and [storage.s3]";
const UNSENDABLE: &str = "the request cannot be made: check the endpoint, the region and the \
    profile";

/// How far a clock may be off that signs requests: what S3 allows.
const CLOCK_ERROR_MAX: Duration = Duration::from_secs(15 * 60);

/// Returns the HTTP status and the code of S3's error, as far as the server answered.
pub(super) fn answer<E: ProvideErrorMetadata>(
    error: &SdkError<E, HttpResponse>,
) -> (Option<u16>, Option<&str>) {
    let status = error.raw_response().map(|raw| raw.status().as_u16());
    (status, error.as_service_error().and_then(E::code))
}

/// Returns what an error means where it has no meaning of its own for the request.
pub(super) fn failure<E>(error: SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    match problem(&error) {
        Some(problem) => Failure::Refused {
            problem,
            cause: cause(&error),
        },
        None => Failure::Transient(cause(&error)),
    }
}

/// Returns what it means that a server does not know the bucket, which it says without words.
pub(super) fn no_bucket<E>(error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    Failure::Refused {
        problem: NO_BUCKET,
        cause: cause(error),
    }
}

/// Returns what is wrong and the remedy, if trying again is of no use.
fn problem<E>(error: &SdkError<E, HttpResponse>) -> Option<&'static str>
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let (status, code) = answer(error);
    match error {
        SdkError::ServiceError(_) | SdkError::ResponseError(_) => {
            match problem_of_answer(status.unwrap_or_default(), code.unwrap_or_default()) {
                // The answer to a HEAD has no body that could say so.
                Some(DENIED) if has_another_clock(error) => Some(CLOCK),
                problem => problem,
            }
        }
        SdkError::TimeoutError(_) => None,
        _ => match credentials_error(error) {
            // The service that gives them out may come back.
            Some(CredentialsError::ProviderTimedOut(_) | CredentialsError::ProviderError(_)) => {
                None
            }
            Some(_) => Some(NO_CREDENTIALS),
            None => matches!(error, SdkError::ConstructionFailure(_)).then_some(UNSENDABLE),
        },
    }
}

fn problem_of_answer(status: u16, code: &str) -> Option<&'static str> {
    match (status, code) {
        (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "ExpiredToken") => {
            Some(CREDENTIALS)
        }
        (_, "RequestTimeTooSkewed") => Some(CLOCK),
        (_, "NoSuchBucket" | "InvalidBucketName") => Some(NO_BUCKET),
        (
            _,
            "PermanentRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException",
        ) => Some(ELSEWHERE),
        (_, "KeyTooLongError") => Some(NAME_TOO_LONG),
        // The bytes did not arrive as they were sent.
        (400, "RequestTimeout" | "IncompleteBody" | "BadDigest" | "XAmzContentSHA256Mismatch") => {
            None
        }
        (_, "SlowDown" | "Throttling" | "ThrottlingException") => None,
        (301 | 307, _) => Some(ELSEWHERE),
        (401 | 403, _) => Some(DENIED),
        (408 | 409 | 425 | 429, _) => None,
        (400..=499 | 501, _) => Some(REQUEST),
        _ => None,
    }
}

/// Returns whether the server dates its answer too far from now to accept what is signed now.
#[expect(
    clippy::disallowed_methods,
    reason = "it is this machine's clock that is in question"
)]
fn has_another_clock<E>(error: &SdkError<E, HttpResponse>) -> bool {
    let date = error
        .raw_response()
        .and_then(|raw| raw.headers().get("date"));
    date.is_some_and(|date| is_far_from(date, SystemTime::now()))
}

fn is_far_from(date: &str, now: SystemTime) -> bool {
    let date = DateTime::from_str(date, DateTimeFormat::HttpDate).ok();
    let date = date.and_then(|date| SystemTime::try_from(date).ok());
    date.is_some_and(|date| {
        let off = now.duration_since(date);
        off.unwrap_or_else(|ahead| ahead.duration()) > CLOCK_ERROR_MAX
    })
}

fn credentials_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a CredentialsError> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// Returns an error and what is behind it.
fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// Says in one line what went wrong.
fn cause<E>(error: &SdkError<E, HttpResponse>) -> Cause
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let (status, code) = answer(error);
    let message = error.as_service_error().and_then(E::message);
    match (status, code, message) {
        (Some(status), Some(code), message) => {
            format!("{status} {code}: {}", message.unwrap_or("no message")).into()
        }
        (Some(status), None, _) => format!("the server answered with status {status}").into(),
        (None, ..) => {
            let mut said: Vec<String> = chain(error).map(ToString::to_string).collect();
            said.dedup();
            said.join(": ").replace('\n', " ").into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_retry_mends_is_refused() {
        for (status, code, problem) in [
            (403, "InvalidAccessKeyId", CREDENTIALS),
            (403, "AccessDenied", DENIED),
            (403, "", DENIED),
            (404, "NoSuchBucket", NO_BUCKET),
            (301, "", ELSEWHERE),
            (400, "AuthorizationHeaderMalformed", ELSEWHERE),
            (400, "KeyTooLongError", NAME_TOO_LONG),
            (400, "InvalidArgument", REQUEST),
            (501, "NotImplemented", REQUEST),
        ] {
            assert_eq!(
                problem_of_answer(status, code),
                Some(problem),
                "{status} {code}"
            );
        }
        for (status, code) in [
            (500, "InternalError"),
            (503, "SlowDown"),
            (503, ""),
            (409, "ConditionalRequestConflict"),
            (429, ""),
            (400, "RequestTimeout"),
        ] {
            assert_eq!(problem_of_answer(status, code), None, "{status} {code}");
        }
    }

    #[test]
    fn clocks_are_compared_by_what_the_server_dates_its_answer() {
        // 784,111,777 seconds after 1970, by RFC 9110.
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let at = |seconds: u64| {
            SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 + seconds - 3_600)
        };
        for (seconds, is_far) in [
            (0, true),
            (2_699, true),
            (2_700, false),
            (3_600, false),
            (4_500, false),
            (4_501, true),
        ] {
            assert_eq!(is_far_from(date, at(seconds)), is_far, "{seconds}");
        }
        assert!(!is_far_from("yesterday", at(0)));
    }
}
