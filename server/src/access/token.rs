//! Tokens: claims, and a code that only who has a key can make.
//!
//! ```text
//! ns1.<claims>.<code>      both base64url without padding
//!
//! claims = KEY NOT_BEFORE EXPIRES SCOPE      one space between; the scope may hold more
//! code   = keyed BLAKE3 of everything before its point
//! ```
//!
//! Times are seconds since 1970-01-01T00:00:00Z. Another text of claims is another version.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{key::Key, scope::Scope};

/// What tokens of this version begin with.
const VERSION: &str = "ns1.";

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Of what its bearer may see figures.
    pub scope: Scope,
    /// The first second in which it is good, since 1970-01-01T00:00:00Z.
    pub not_before: u64,
    /// The first second in which it is no longer good, since 1970-01-01T00:00:00Z.
    pub expires: u64,
}

impl Claims {
    /// Returns the token that says this, made with `key`.
    #[must_use]
    pub fn sign(&self, key: &Key) -> String {
        let (id, scope) = (key.id(), &self.scope);
        let claims = format!("{id} {} {} {scope}", self.not_before, self.expires);
        let mut token = VERSION.to_owned();
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let code = key.mac(&token);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(code.as_bytes(), &mut token);
        token
    }

    /// Reads what follows the key's name in a text of claims.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ' ');
        let mut time = || parts.next()?.parse().ok();
        Some(Self {
            not_before: time()?,
            expires: time()?,
            scope: parts.next()?.parse().ok()?,
        })
    }
}

/// Returns the scope of a token that one of `keys` made and that is good at a time.
///
/// # Units
/// `now` in seconds since 1970-01-01T00:00:00Z.
pub(super) fn verify(token: &str, keys: &[Key], now: u64) -> Option<Scope> {
    let (signed, code) = token.rsplit_once('.')?;
    let claims = URL_SAFE_NO_PAD.decode(signed.strip_prefix(VERSION)?).ok()?;
    let claims = String::from_utf8(claims).ok()?;
    let (id, claims) = claims.split_once(' ')?;
    let key = keys.iter().find(|key| key.id() == id)?;
    let code: [u8; 32] = URL_SAFE_NO_PAD.decode(code).ok()?.try_into().ok()?;
    // Hashes are compared in constant time.
    if key.mac(signed) != blake3::Hash::from_bytes(code) {
        return None;
    }
    let claims = Claims::parse(claims)?;
    (claims.not_before..claims.expires)
        .contains(&now)
        .then_some(claims.scope)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(id: &str, digit: &str) -> Key {
        Key::parse(id, &digit.repeat(64)).unwrap()
    }

    fn claims(scope: &str) -> Claims {
        Claims {
            scope: scope.parse().unwrap(),
            not_before: 100,
            expires: 200,
        }
    }

    #[test]
    fn a_token_is_as_documented() {
        let token = claims("store:bar").sign(&key("2026-11", "5"));
        let parts: Vec<&str> = token.split('.').collect();
        assert_eq!(parts[0], "ns1");
        let text = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        assert_eq!(text, b"2026-11 100 200 store:bar");
        assert_eq!(parts[2].len(), 43);
        // A change of these bytes makes every token that was given out bad.
        assert_eq!(
            token,
            "ns1.MjAyNi0xMSAxMDAgMjAwIHN0b3JlOmJhcg.56g6jconXkKrPoQP8lJUhrLWXec6G8N4iBqWRPHvSkw"
        );
    }

    #[test]
    fn a_token_is_good_from_its_first_second_up_to_its_last() {
        let keys = [key("a", "1")];
        let token = claims("analyst").sign(&keys[0]);
        for (now, is_good) in [
            (0, false),
            (99, false),
            (100, true),
            (199, true),
            (200, false),
            (u64::MAX, false),
        ] {
            assert_eq!(verify(&token, &keys, now).is_some(), is_good, "{now}");
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_make_a_token_bad() {
        let keys = [key("a", "1"), key("b", "2")];
        let token = claims("merchant:m 1").sign(&keys[0]);
        assert_eq!(
            verify(&token, &keys, 150).unwrap().to_string(),
            "merchant:m 1"
        );
        for bit in 0..token.len() * 8 {
            let mut bytes = token.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let text = String::from_utf8_lossy(&bytes);
            assert_eq!(verify(&text, &keys, 150), None, "bit {bit}: {text}");
        }
        for len in 0..token.len() {
            assert_eq!(verify(&token[..len], &keys, 150), None, "{len}");
            assert_eq!(verify(&token[len + 1..], &keys, 150), None, "{len}");
        }
        for more in ["=", ".", "A", " "] {
            assert_eq!(verify(&format!("{token}{more}"), &keys, 150), None);
        }
    }

    #[test]
    fn only_the_key_that_a_token_names_verifies_it() {
        let (old, new) = (key("old", "1"), key("new", "2"));
        let token = claims("admin").sign(&old);
        assert!(verify(&token, &[new.clone(), old.clone()], 150).is_some());
        assert_eq!(verify(&token, &[new], 150), None);
        assert_eq!(verify(&token, &[key("old", "3")], 150), None);
        assert_eq!(verify(&token, &[key("other", "1")], 150), None);
        assert_eq!(verify(&token, &[], 150), None);
    }

    #[test]
    fn a_signed_text_that_is_no_claims_is_bad() {
        let keys = [key("a", "1")];
        for text in [
            "a",
            "a ",
            "a 100 200",
            "a 100 200 ",
            "a -1 200 app",
            "a 100 200 owner",
            "a 100  200 app",
        ] {
            let mut token = VERSION.to_owned();
            URL_SAFE_NO_PAD.encode_string(text, &mut token);
            let code = URL_SAFE_NO_PAD.encode(keys[0].mac(&token).as_bytes());
            assert_eq!(
                verify(&format!("{token}.{code}"), &keys, 150),
                None,
                "{text}"
            );
        }
    }

    fn scopes() -> impl Strategy<Value = Scope> {
        prop_oneof![
            "[^\u{0}]{1,40}".prop_map(Scope::Store),
            any::<String>()
                .prop_filter("an id has a byte or more", |id| !id.is_empty())
                .prop_map(Scope::Merchant),
            Just(Scope::App),
            Just(Scope::Analyst),
            Just(Scope::Customers),
            "[0-9a-f]{32}".prop_map(Scope::Customer),
            Just(Scope::Admin),
        ]
    }

    proptest! {
        #[test]
        fn what_was_signed_is_what_is_verified(
            scope in scopes(),
            not_before in any::<u64>(),
            len in 1..u64::MAX,
            inside in any::<u64>(),
        ) {
            let expires = not_before.saturating_add(len);
            prop_assume!(expires > not_before);
            let claims = Claims { scope, not_before, expires };
            let keys = [key("b", "2"), key("a", "1")];
            let token = claims.sign(&keys[1]);
            let now = not_before + inside % (expires - not_before);
            prop_assert_eq!(verify(&token, &keys, now), Some(claims.scope.clone()));
            prop_assert_eq!(verify(&token, &keys, expires), None);
        }
    }
}
