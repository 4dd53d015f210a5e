//! Answers: status, body and headers.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
        HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
        X_CONTENT_TYPE_OPTIONS,
    },
};

use crate::{
    encoding::Encoding,
    generation::{GENERATION, ServedGeneration, Serving, header_value},
    problem::Problem,
    service::Shared,
    waiting::Waiting,
};

/// Seconds since the end of the last business day.
const AGE: HeaderName = HeaderName::from_static("nightshard-age");
/// How many selections after the one that is served are known.
const BEHIND: HeaderName = HeaderName::from_static("nightshard-behind");

/// A page has what it needs in itself, reads from this server alone, and is in no other's frame.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";

/// What a body is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    None,
    Json,
    /// A value of a packed dataset.
    Value(HeaderValue),
    Problem,
    Text,
    /// A page for browsers.
    Page,
}

/// What an answer is made from, and how late that is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The generation that was chosen.
    pub(crate) generation: &'a ServedGeneration,
    /// What is served.
    pub(crate) serving: &'a Serving,
    /// So many selections are known that are not served yet.
    pub(crate) behind: u64,
    pub(crate) unix_seconds: u64,
}

impl Source<'_> {
    fn headers(self) -> HeaderMap {
        let mut headers = self.serving.headers().clone();
        if !std::ptr::eq(self.generation, &**self.serving.generation()) {
            let id = header_value(self.generation.id().as_str());
            headers.insert(GENERATION, id);
        }
        headers.insert(AGE, self.generation.age_header(self.unix_seconds));
        if self.behind > 0 {
            headers.insert(BEHIND, HeaderValue::from(self.behind));
        }
        headers
    }
}

/// An answer before its headers are put together.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    body: Vec<u8>,
    content: Content,
    encoding: Encoding,
    /// The tag's digits, for what may be asked for again conditionally.
    etag: Option<u64>,
    allow: Option<&'static str>,
}

impl Answer {
    fn new(status: StatusCode, body: Vec<u8>, content: Content) -> Self {
        Self {
            status,
            body,
            content,
            encoding: Encoding::Identity,
            etag: None,
            allow: None,
        }
    }

    /// Makes the answer that has data.
    pub(crate) fn data(body: Vec<u8>, encoding: Encoding, etag: Option<u64>) -> Self {
        Self {
            encoding,
            etag,
            ..Self::new(StatusCode::OK, body, Content::Json)
        }
    }

    /// Makes the answer that is a value of a packed dataset.
    pub(crate) fn value(
        body: Vec<u8>,
        media_type: HeaderValue,
        encoding: Encoding,
        etag: u64,
    ) -> Self {
        Self {
            encoding,
            etag: Some(etag),
            ..Self::new(StatusCode::OK, body, Content::Value(media_type))
        }
    }

    /// Makes the answer to who has the data already.
    pub(crate) fn not_modified(etag: u64, encoding: Encoding) -> Self {
        Self {
            encoding,
            etag: Some(etag),
            ..Self::new(StatusCode::NOT_MODIFIED, Vec::new(), Content::None)
        }
    }

    /// Makes an answer in JSON that is not of a generation.
    pub(crate) fn json(status: StatusCode, body: Vec<u8>) -> Self {
        Self::new(status, body, Content::Json)
    }

    /// Makes the answer that says what the interface is.
    pub(crate) fn document(body: Vec<u8>, encoding: Encoding, etag: u64) -> Self {
        Self::data(body, encoding, Some(etag))
    }

    /// Makes the answer that is a page.
    pub(crate) fn page(body: Vec<u8>, encoding: Encoding, etag: u64) -> Self {
        Self {
            encoding,
            etag: Some(etag),
            ..Self::new(StatusCode::OK, body, Content::Page)
        }
    }

    /// Makes an answer for people and probes.
    pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Self {
        Self::new(status, text.into().into_bytes(), Content::Text)
    }

    /// Makes an answer of headers alone.
    pub(crate) fn empty() -> Self {
        Self::new(StatusCode::NO_CONTENT, Vec::new(), Content::None)
    }

    /// Returns the status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the answer with its body apart, or one that says that there is no room for it.
    pub(crate) fn admitted(mut self, waiting: &Waiting) -> (Self, Bytes) {
        let body = std::mem::take(&mut self.body);
        match waiting.admit(body) {
            Some(body) => (self, body),
            None => {
                let detail = "too much of other answers waits to be read";
                let mut answer = Self::from(Problem::unavailable(detail));
                let body = std::mem::take(&mut answer.body);
                (answer, body.into())
            }
        }
    }

    /// Puts the response together.
    pub(crate) fn into_response(
        self,
        body: Bytes,
        served: Option<Source<'_>>,
        shared: &Shared,
        origin: Option<&HeaderValue>,
    ) -> Response<Full<Bytes>> {
        let origins = &shared.origins;
        let is_refused = self.status == StatusCode::UNAUTHORIZED;
        let is_temporary = self.status == StatusCode::SERVICE_UNAVAILABLE;
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = self.status;
        if let Some(source) = served {
            *response.headers_mut() = source.headers();
        }
        let headers = response.headers_mut();
        if let Some(kind) = self.content.media_type() {
            headers.insert(CONTENT_TYPE, kind);
            // A value is of the type that it was packed with, whatever it looks like to a browser.
            headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        }
        if self.content == Content::Page {
            headers.insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
        }
        match self.etag {
            Some(etag) => {
                headers.insert(ETAG, etag_value(etag, self.encoding));
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
                headers.insert(VARY, vary(shared));
            }
            None => {
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
        }
        if self.encoding != Encoding::Identity && self.content != Content::None {
            let name = HeaderValue::from_static(self.encoding.name());
            headers.insert(CONTENT_ENCODING, name);
        }
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if is_refused {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if is_temporary {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if origins.is_enabled() {
            origins.allow(origin, headers);
        }
        response
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        Self {
            allow: problem.allow,
            ..Self::new(problem.status, problem.to_bytes(), Content::Problem)
        }
    }
}

impl Content {
    fn media_type(&self) -> Option<HeaderValue> {
        Some(HeaderValue::from_static(match self {
            Self::None => return None,
            Self::Value(media_type) => return Some(media_type.clone()),
            Self::Json => "application/json",
            Self::Problem => "application/problem+json",
            Self::Text => "text/plain; charset=utf-8",
            Self::Page => "text/html; charset=utf-8",
        }))
    }
}

/// Returns by what headers of requests answers differ.
fn vary(shared: &Shared) -> HeaderValue {
    HeaderValue::from_static(match (shared.access.is_guarded(), shared.origins.vary()) {
        (false, false) => "Accept-Encoding",
        (false, true) => "Accept-Encoding, Origin",
        (true, false) => "Accept-Encoding, Authorization",
        (true, true) => "Accept-Encoding, Authorization, Origin",
    })
}

fn etag_value(etag: u64, encoding: Encoding) -> HeaderValue {
    HeaderValue::from_bytes(&etag_text(etag, encoding)).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Returns a tag as it is written: sixteen digits and what tells encodings apart, in quotes.
fn etag_text(etag: u64, encoding: Encoding) -> Vec<u8> {
    let mut text = Vec::with_capacity(32);
    text.push(b'"');
    for byte in etag.to_le_bytes().into_iter().rev() {
        text.extend([byte >> 4, byte & 0xf].map(|nibble| HEXADECIMAL[usize::from(nibble)]));
    }
    text.extend_from_slice(encoding.etag_suffix().as_bytes());
    text.push(b'"');
    text
}

/// Returns the encoding whose tag a client has, if it has any of the resource's tags.
///
/// # Source
/// RFC 9110, section 13.1.2: tags are compared weakly.
pub(crate) fn matching_etag(headers: &HeaderMap, etag: u64) -> Option<Encoding> {
    let mut known = headers
        .get_all(hyper::header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"));
    known.find_map(|tag| {
        let encodings = [Encoding::Identity, Encoding::Gzip, Encoding::Zstd];
        encodings
            .into_iter()
            .find(|encoding| etag_text(etag, *encoding) == tag.as_bytes())
    })
}

/// Returns whether a client has any representation and wants none.
pub(crate) fn matches_any(headers: &HeaderMap) -> bool {
    let value = headers.get(hyper::header::IF_NONE_MATCH);
    value.is_some_and(|value| value.as_bytes() == b"*")
}

/// Returns the problem of a path that names nothing.
pub(crate) fn no_such_path(path: &str) -> Problem {
    Problem::not_found(format!("there is no resource {path}"))
}

/// Logs damage found in spite of all checksums, and returns what its finder is told.
pub(crate) fn damage(error: &nightshard_format::Error) -> Problem {
    // Whoever refused the shard has logged it.
    if matches!(error, nightshard_format::Error::Refused) {
        return Problem::unavailable("the file that holds this was found damaged");
    }
    static FOUND: AtomicU64 = AtomicU64::new(0);
    let number = FOUND.fetch_add(1, Relaxed) + 1;
    tracing::error!(number, %error, "a record could not be read");
    Problem {
        instance: Some(format!("urn:nightshard:damage:{number}")),
        ..Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the record could not be read",
        )
    }
}

/// Returns the bytes of a last answer, written when there is no request to answer.
pub(crate) fn farewell(problem: &Problem, shared: &Shared) -> Vec<u8> {
    let body = problem.to_bytes();
    let mut head = format!("HTTP/1.1 {}\r\n", problem.status);
    let mut line = |name: &str, value: &str| {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
    };
    line("content-type", "application/problem+json");
    line("content-length", &body.len().to_string());
    line("connection", "close");
    line("cache-control", "no-store");
    if problem.is_temporary() {
        line("retry-after", "1");
    }
    let kept = shared.switch.load();
    let serving = kept.as_ref().map(|kept| &kept.current);
    let source =
        serving.map(|serving| shared.source(serving.generation(), serving, Instant::now()));
    let mut headers = source.map_or_else(HeaderMap::new, Source::headers);
    shared.origins.allow_unread(&mut headers);
    for (name, value) in &headers {
        line(name.as_str(), value.to_str().unwrap_or_default());
    }
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_matches_in_a_list_weak_or_strong_and_in_any_encoding() {
        let etag = 0x0123_4567_89ab_cdef;
        for (header, expected) in [
            ("\"0123456789abcdef\"", Some(Encoding::Identity)),
            ("\"x\", W/\"0123456789abcdef-gzip\"", Some(Encoding::Gzip)),
            ("\"0123456789abcdee\"", None),
            ("0123456789abcdef", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_static(header);
            headers.insert(hyper::header::IF_NONE_MATCH, value);
            assert_eq!(matching_etag(&headers, etag), expected, "{header}");
        }
    }
}
