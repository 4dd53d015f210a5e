//! What web pages of other origins may read (the Fetch standard, "CORS protocol").

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue,
};

use crate::config::Cors;

/// The headers that a page may read beside the usual ones.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "ETag, Nightshard-Generation, Nightshard-Selection, Nightshard-Age, Nightshard-Behind, Retry-After",
);
/// The headers that a page may send beside the usual ones.
const ALLOWED: HeaderValue =
    HeaderValue::from_static("Authorization, Content-Type, If-None-Match, Nightshard-At-Least");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST");
/// Browsers ask again after a day.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");
const ANY: HeaderValue = HeaderValue::from_static("*");

/// The origins that may ask.
#[derive(Debug)]
pub(crate) struct Origins {
    any: bool,
    named: Vec<HeaderValue>,
}

impl Origins {
    /// Reads the configuration; what cannot be an origin matches none.
    pub(crate) fn new(cors: &Cors) -> Self {
        let named = cors.origins.iter();
        Self {
            any: cors.origins.iter().any(|origin| origin == "*"),
            named: named.filter_map(|origin| origin.parse().ok()).collect(),
        }
    }

    /// Returns whether any origin may ask.
    pub(crate) fn is_enabled(&self) -> bool {
        self.any || !self.named.is_empty()
    }

    /// Returns whether answers differ by the origin that asks.
    pub(crate) fn vary(&self) -> bool {
        !self.any && !self.named.is_empty()
    }

    /// Adds what lets a page of `origin` read the answer.
    pub(crate) fn allow(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        let Some(origin) = origin else { return };
        if self.any {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
        } else if self.named.contains(origin) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        } else {
            return;
        }
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }

    /// Adds what lets a page read the answer to a request whose origin was not read: where just
    /// one may ask, it is that.
    pub(crate) fn allow_unread(&self, headers: &mut HeaderMap) {
        if self.any || self.named.len() == 1 {
            let only = self.named.first().cloned();
            self.allow(only.or(Some(ANY)).as_ref(), headers);
        }
    }

    /// Adds what a page may send, to the answer of its preflight request.
    pub(crate) fn allow_request(&self, headers: &mut HeaderMap) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED);
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
}
