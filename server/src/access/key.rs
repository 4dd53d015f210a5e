//! The secrets that tokens are made with.

use std::fmt;

use super::AccessError;

/// Longer names only make tokens longer.
const ID_LEN_MAX: usize = 32;

/// What separates these keys from others that are made of the same secret.
const CONTEXT: &str = "nightshard 2026 access token mac, version 1";

/// A secret that tokens are signed and verified with. It shows its name only.
#[derive(Clone)]
pub struct Key {
    id: String,
    /// Derived of the secret, which is not kept.
    mac_key: [u8; 32],
}

impl Key {
    /// Parses a key of 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`AccessError::KeyId`] or [`AccessError::Key`], without the key's text.
    pub fn parse(id: &str, text: &str) -> Result<Self, AccessError> {
        check_id(id)?;
        let secret = blake3::Hash::from_hex(text.trim()).map_err(|_wrong| AccessError::Key)?;
        Ok(Self {
            id: id.to_owned(),
            mac_key: blake3::derive_key(CONTEXT, secret.as_bytes()),
        })
    }

    /// Returns the name by which tokens name the key.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the code that authenticates a text; such codes are compared in constant time.
    pub(super) fn mac(&self, text: &str) -> blake3::Hash {
        blake3::keyed_hash(&self.mac_key, text.as_bytes())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

/// Checks that a name is one that claims can hold.
///
/// # Errors
/// [`AccessError::KeyId`] if it is not.
pub(super) fn check_id(id: &str) -> Result<(), AccessError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=ID_LEN_MAX).contains(&id.len()) && id.bytes().all(is_plain) {
        Ok(())
    } else {
        Err(AccessError::KeyId { id: id.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_its_name_and_never_its_secret() {
        let secret = "0123456789abcdef".repeat(4);
        let key = Key::parse("2026-11", &format!("{secret}\n")).unwrap();
        assert_eq!(format!("{key:?}"), "Key(2026-11)");
        for wrong in ["", "0123", &secret[1..], &format!("{secret}0")] {
            let error = Key::parse("2026-11", wrong).unwrap_err().to_string();
            assert_eq!(error, "a key is 64 hexadecimal digits");
        }
    }

    #[test]
    fn names_are_short_and_plain() {
        for right in ["a", "2026-11", "A_b.c", &"x".repeat(32)] {
            assert!(check_id(right).is_ok(), "{right}");
        }
        for wrong in ["", "a b", "é", "a/b", &"x".repeat(33)] {
            assert!(check_id(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn other_secrets_make_other_codes() {
        let key = |digit: &str| Key::parse("a", &digit.repeat(64)).unwrap();
        assert_eq!(key("1").mac("text"), key("1").mac("text"));
        assert_ne!(key("1").mac("text"), key("2").mac("text"));
        assert_ne!(key("1").mac("text"), key("1").mac("texu"));
    }
}
