//! Who may ask what: scopes, the tokens that prove them, and the keys that make tokens.
//!
//! A server without keys is reached by its own machine only, and takes everyone for an analyst.
//! With keys, whoever asks shows a token: see docs/api.md, "Access".

mod caller;
mod config;
mod key;
mod scope;
mod token;

use std::num::NonZeroU32;

use hyper::header::{AUTHORIZATION, HeaderMap};
use nightshard_format::privacy::{PRIVACY_K_DEFAULT, Privacy};

pub(crate) use self::{caller::Caller, scope::ScopeKind};
pub use self::{
    config::{AccessConfig, KeyFile},
    key::Key,
    scope::Scope,
    token::Claims,
};

/// Why something is no key or no scope.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The name of a key has other characters than names have.
    #[error(
        "the id of a key is 1 to 32 letters, digits, dots, hyphens and underscores, not {id:?}"
    )]
    KeyId {
        /// What was given.
        id: String,
    },
    /// The text of a key is none. It is not shown.
    #[error("a key is 64 hexadecimal digits")]
    Key,
    /// The text of a scope is none.
    #[error(
        "a scope is store:ID, merchant:ID, app, analyst, customer, customer:PSEUDONYM or admin, where an ID \
         has 1 to 1,024 bytes and a pseudonym 32 digits of 0-9 and a-f"
    )]
    Scope,
}

/// What a server asks of its callers, and what it hides from them.
#[derive(Debug, Clone)]
pub struct Access {
    /// All of them verify tokens.
    keys: Vec<Key>,
    /// Figures that can tell of fewer cards are hidden.
    privacy: Privacy,
}

impl Default for Access {
    fn default() -> Self {
        Self::new(Vec::new(), PRIVACY_K_DEFAULT)
    }
}

impl Access {
    /// Asks for a token of any of some keys, or for none if there are no keys.
    ///
    /// # Units
    /// `k` in cards: with 1 nothing is hidden but what a token does not cover.
    #[must_use]
    pub fn new(keys: Vec<Key>, k: NonZeroU32) -> Self {
        Self {
            keys,
            privacy: k.into(),
        }
    }

    /// Returns whether callers have to show tokens.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Returns who asks, or `None` for who shows no good token and needs one.
    ///
    /// # Units
    /// `now` in seconds since 1970-01-01T00:00:00Z.
    pub(crate) fn identify(&self, headers: &HeaderMap, now: u64) -> Option<Caller> {
        let scope = if self.is_guarded() {
            token::verify(shown(headers)?, &self.keys, now)?
        } else {
            Scope::Analyst
        };
        Some(Caller::new(scope, self.privacy))
    }
}

/// Returns the only token that a request shows.
///
/// # Source
/// RFC 6750, section 2.1.
fn shown(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (scheme, token) = values.next()?.to_str().ok()?.split_once(' ')?;
    let is_one = values.next().is_none() && scheme.eq_ignore_ascii_case("bearer");
    is_one.then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn without_keys_everyone_is_an_analyst_and_with_keys_nobody_without_a_token() {
        let access = Access::default();
        assert!(!access.is_guarded());
        let anyone = access.identify(&HeaderMap::new(), 0).unwrap();
        assert_eq!(anyone.kind(), ScopeKind::Analyst);
        let key = Key::parse("a", &"5".repeat(64)).unwrap();
        let access = Access::new(vec![key], NonZeroU32::MIN);
        assert!(access.is_guarded());
        assert!(access.identify(&HeaderMap::new(), 0).is_none());
    }

    #[test]
    fn one_bearer_token_is_read_and_nothing_else() {
        for (values, expected) in [
            (&["Bearer x.y"][..], Some("x.y")),
            (&["bearer  x.y "], Some("x.y")),
            (&["Basic x.y"], None),
            (&["Bearer"], None),
            (&["x.y"], None),
            (&["Bearer x", "Bearer x"], None),
            (&["Bearer x", "Basic y"], None),
            (&[], None),
        ] {
            assert_eq!(shown(&headers(values)), expected, "{values:?}");
        }
    }
}
