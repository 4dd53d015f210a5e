//! The secret that callers from other machines share with a server.

use std::{fmt, io, path::Path};

use hyper::header::HeaderValue;

/// Fewer characters could be tried one after the other.
const LEN_MIN: usize = 16;
/// More do not fit headers well.
const LEN_MAX: usize = 1_024;

/// A secret that callers have to show. It is kept as its digest only.
#[derive(Clone)]
pub struct Token(blake3::Hash);

impl Token {
    /// Makes a token of a secret.
    ///
    /// # Errors
    /// What is wrong with it, if it is not from 16 to 1,024 visible ASCII characters.
    pub fn new(secret: &str) -> Result<Self, String> {
        if !(LEN_MIN..=LEN_MAX).contains(&secret.len()) {
            let len = secret.len();
            return Err(format!(
                "{len} characters are not from {LEN_MIN} to {LEN_MAX}"
            ));
        }
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it has other than visible ASCII characters".to_owned());
        }
        Ok(Self(blake3::hash(secret.as_bytes())))
    }

    /// Reads the one line of a file.
    ///
    /// # Errors
    /// If it cannot be read, or is no token.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        Self::new(text.trim_end()).map_err(io::Error::other)
    }

    /// Returns whether a header `Authorization` shows this token.
    pub(crate) fn is_shown(&self, header: &HeaderValue) -> bool {
        let Some((scheme, secret)) = header.to_str().ok().and_then(|text| text.split_once(' '))
        else {
            return false;
        };
        // Digests are compared in constant time, and what they are of cannot be chosen by prefix.
        scheme.eq_ignore_ascii_case("bearer") && blake3::hash(secret.trim().as_bytes()) == self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_secret_is_the_token() {
        let token = Token::new("0123456789abcdef").unwrap();
        for (header, expected) in [
            ("Bearer 0123456789abcdef", true),
            ("bearer  0123456789abcdef", true),
            ("Bearer 0123456789abcdee", false),
            ("Bearer 0123456789abcde", false),
            ("Bearer 0123456789abcdefg", false),
            ("Basic 0123456789abcdef", false),
            ("0123456789abcdef", false),
            ("Bearer", false),
            ("Bearer ", false),
            ("", false),
        ] {
            let shown = token.is_shown(&HeaderValue::from_static(header));
            assert_eq!(shown, expected, "{header}");
        }
        assert_eq!(format!("{token:?}"), "Token");
    }

    #[test]
    fn short_and_unprintable_secrets_are_refused() {
        for wrong in [
            "",
            "0123456789abcde",
            "0123456789 abcdef",
            "0123456789abcdé0",
        ] {
            assert!(Token::new(wrong).is_err(), "{wrong}");
        }
        assert!(Token::new(&"x".repeat(LEN_MAX + 1)).is_err());
    }
}
