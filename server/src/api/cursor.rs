//! Where a list goes on: a cursor is bound to its generation and to the request's parameters.

use nightshard_format::manifest::GenerationId;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::parameters::Parameters;
use crate::problem::{Problem, Result};

/// A position in the list of one request in one generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Tells generations apart.
    tag: u32,
    position: u64,
    /// Digest of the generation, what is listed and the position.
    check: u64,
}

impl Cursor {
    /// Reads the text of a cursor.
    ///
    /// # Errors
    /// A problem if it is none.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let wrong = Self::wrong;
        let digits = text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let field = |range| {
            let digits = text.get(range).filter(|_| digits)?;
            u64::from_str_radix(digits, 16).ok()
        };
        Ok(Self {
            tag: field(0..8)
                .and_then(|tag| u32::try_from(tag).ok())
                .ok_or_else(wrong)?,
            position: field(8..24).ok_or_else(wrong)?,
            check: field(24..40).ok_or_else(wrong)?,
        })
    }

    /// Returns the problem of a text that no list here ended with.
    pub(crate) fn wrong() -> Problem {
        Problem::parameter("cursor", "this is not a cursor that a list ended with")
    }

    /// Returns whether the cursor is of a generation.
    pub(crate) fn is_of(&self, generation: &GenerationId) -> bool {
        self.tag == tag_of(generation)
    }

    fn new(generation: &GenerationId, scope: u64, position: usize) -> Self {
        let position = position as u64;
        let mut check = Xxh3::with_seed(scope);
        check.update(generation.as_str().as_bytes());
        check.update(&position.to_le_bytes());
        Self {
            tag: tag_of(generation),
            position,
            check: check.digest(),
        }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:08x}{:016x}{:016x}",
            self.tag, self.position, self.check
        )
    }
}

fn tag_of(generation: &GenerationId) -> u32 {
    u32::try_from(xxh3_64(generation.as_str().as_bytes()) >> 32).unwrap_or(0)
}

/// The part of a list that a request asks for.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    generation: &'a GenerationId,
    scope: u64,
    start: usize,
    limit: usize,
}

impl<'a> Page<'a> {
    /// Takes `limit` and `cursor`.
    ///
    /// # Shape
    /// `caller` tells apart who is answered otherwise, and `scope` is what else the list depends
    /// on, in a fixed order.
    ///
    /// # Errors
    /// A problem if either is wrong or the cursor is of another list or generation.
    pub(crate) fn take(
        parameters: &mut Parameters<'_>,
        generation: &'a GenerationId,
        caller: u64,
        scope: &[Option<&str>],
    ) -> Result<Self, Problem> {
        let mut digest = Xxh3::with_seed(caller);
        for part in scope {
            let text = part.unwrap_or_default();
            digest.update(&[u8::from(part.is_some())]);
            digest.update(&(text.len() as u64).to_le_bytes());
            digest.update(text.as_bytes());
        }
        let mut page = Self {
            generation,
            scope: digest.digest(),
            start: 0,
            limit: parameters.take_limit()?,
        };
        if let Some(text) = parameters.take("cursor") {
            let cursor = Cursor::parse(&text)?;
            let start = usize::try_from(cursor.position).unwrap_or(usize::MAX);
            if cursor != Cursor::new(generation, page.scope, start) {
                let detail = if cursor.is_of(generation) {
                    "this cursor is of a list with other parameters"
                } else {
                    "this cursor is of another generation"
                };
                return Err(Problem::parameter("cursor", detail));
            }
            page.start = start;
        }
        Ok(page)
    }

    /// Returns the positions of the page in a list of `len` rows.
    pub(crate) fn positions(&self, len: usize) -> std::ops::Range<usize> {
        let start = self.start.min(len);
        start..self.start.saturating_add(self.limit).min(len)
    }

    /// Returns the cursor after a page of a list of `len` rows, or `None` after the last one.
    pub(crate) fn next(&self, len: usize) -> Option<Cursor> {
        let end = self.positions(len).end;
        (end < len).then(|| Cursor::new(self.generation, self.scope, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page<'a>(
        query: &str,
        generation: &'a GenerationId,
        scope: &[Option<&str>],
    ) -> Result<Page<'a>, Problem> {
        let mut parameters = Parameters::parse(Some(query)).unwrap();
        Page::take(&mut parameters, generation, 0, scope)
    }

    #[test]
    fn pages_tile_a_list_whatever_their_limits() {
        let generation: GenerationId = "2018-12-31-0123456789ab".parse().unwrap();
        let mut query = "limit=3".to_owned();
        let mut seen = Vec::new();
        for limit in [3, 1, 4, 9] {
            let page = page(&query, &generation, &[Some("x"), None]).unwrap();
            seen.extend(page.positions(10));
            match page.next(10) {
                Some(cursor) => query = format!("limit={}&cursor={cursor}", limit + 1),
                None => break,
            }
        }
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_cursor_of_another_caller_is_refused() {
        let generation: GenerationId = "2018-12-31-0123456789ab".parse().unwrap();
        let page = |query: &str, caller| {
            let mut parameters = Parameters::parse(Some(query)).unwrap();
            Page::take(&mut parameters, &generation, caller, &[Some("a")])
        };
        let cursor = page("limit=1", 5).unwrap().next(5).unwrap();
        let query = format!("cursor={cursor}");
        assert!(page(&query, 5).is_ok());
        assert!(page(&query, 6).is_err());
        assert!(page(&query, 0).is_err());
    }

    #[test]
    fn a_cursor_of_another_list_generation_or_position_is_refused() {
        let first: GenerationId = "2018-12-31-0123456789ab".parse().unwrap();
        let second: GenerationId = "2018-12-31-0123456789ac".parse().unwrap();
        let scope = [Some("a"), None];
        let cursor = page("limit=1", &first, &scope).unwrap().next(5).unwrap();
        let query = format!("cursor={cursor}");
        assert!(page(&query, &first, &scope).is_ok());
        assert!(page(&query, &second, &scope).is_err());
        assert!(page(&query, &first, &[None, Some("a")]).is_err());
        assert!(page(&query, &first, &[Some("a"), Some("")]).is_err());
        for at in 0..40 {
            let mut digits = cursor.to_string().into_bytes();
            digits[at] = if digits[at] == b'0' { b'1' } else { b'0' };
            let query = format!("cursor={}", String::from_utf8(digits).unwrap());
            assert!(page(&query, &first, &scope).is_err(), "digit {at}");
        }
    }
}
