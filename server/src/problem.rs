//! What a caller is told when a request cannot be answered (RFC 9457).

use hyper::StatusCode;

use crate::json::Json;

/// A problem document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The status, repeated in the document.
    pub(crate) status: StatusCode,
    /// What is wrong with this request, for people.
    pub(crate) detail: String,
    /// The parameter at fault.
    pub(crate) parameter: Option<String>,
    /// Where the server's log says more.
    pub(crate) instance: Option<String>,
    /// The methods that the resource has, where another was asked for.
    pub(crate) allow: Option<&'static str>,
}

impl Problem {
    /// Makes a problem.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            parameter: None,
            instance: None,
            allow: None,
        }
    }

    /// Makes the problem of a wrong parameter.
    pub(crate) fn parameter(name: &str, detail: impl Into<String>) -> Self {
        Self {
            parameter: Some(name.to_owned()),
            ..Self::new(StatusCode::BAD_REQUEST, detail)
        }
    }

    /// Makes the problem of something that there is not.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Makes the problem of something that nobody is told.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// Makes the problem of a server that cannot answer now but will soon.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// Makes the problem of a caller who shows no good token, whatever is wrong with it.
    pub(crate) fn unauthorized() -> Self {
        let detail = "the token is missing or wrong: Authorization: Bearer TOKEN";
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }

    /// Makes the problem of a method that a resource has not.
    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        Self {
            allow: Some(allow),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("this resource has {allow}"),
            )
        }
    }

    /// Returns whether the same request may succeed in a second.
    pub(crate) fn is_temporary(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    /// Writes the document.
    pub(crate) fn write(&self, json: &mut Json) {
        json.begin_object();
        json.key("type").string("about:blank");
        json.key("title")
            .string(self.status.canonical_reason().unwrap_or("Error"));
        json.key("status").integer(self.status.as_u16());
        json.key("detail").string(&self.detail);
        if let Some(parameter) = &self.parameter {
            json.key("parameter").string(parameter);
        }
        if let Some(instance) = &self.instance {
            json.key("instance").string(instance);
        }
        json.end_object();
    }

    /// Returns the document's bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut json = Json::with_capacity(256);
        self.write(&mut json);
        json.into_bytes()
    }
}

/// Why a lookup has no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The caller is told.
    Problem(Box<Problem>),
    /// It takes too long for the thread it runs on: see [`crate::work::Work`].
    Heavy,
    /// It is longer than an answer may be.
    Long,
    /// A shard is damaged in spite of its checksums.
    Data(nightshard_format::Error),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<nightshard_format::Error> for Failure {
    fn from(error: nightshard_format::Error) -> Self {
        Self::Data(error)
    }
}

/// The result of whatever answers requests.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;
