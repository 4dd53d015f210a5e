//! What rows say beside the rest, in one word: the ordinal of a combination of how they were paid, and marks.

use super::mix::MIX_BITS;
use crate::customers::Marks;

/// What a row says.
///
/// # Shape
/// The ordinal is in the lowest bits. Marks are there only where customers are kept, so that without them
/// the word is the ordinal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said(u32);

const SAYS_FOREIGN: u32 = 1 << MIX_BITS;
const IS_FOREIGN: u32 = SAYS_FOREIGN << 1;
const IS_FLAGGED: u32 = IS_FOREIGN << 1;

impl Said {
    /// A row that says nothing.
    pub(super) const NOTHING: Self = Self(super::mix::UNSAID);

    /// Puts an ordinal and marks together.
    pub(super) fn new(mix: u32, marks: Option<Marks>) -> Self {
        let of_marks = |marks: Marks| {
            let foreign = match marks.foreign {
                None => 0,
                Some(false) => SAYS_FOREIGN,
                Some(true) => SAYS_FOREIGN | IS_FOREIGN,
            };
            foreign | (u32::from(marks.is_flagged) * IS_FLAGGED)
        };
        Self(mix | marks.map_or(0, of_marks))
    }

    /// Reads a word that was sent.
    pub(super) fn of_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Returns the word to be sent.
    pub(super) fn bits(self) -> u32 {
        self.0
    }

    /// Returns the ordinal of how it was paid.
    pub(super) fn mix(self) -> u32 {
        self.0 & (SAYS_FOREIGN - 1)
    }

    /// Returns whether it is foreign, if it says so.
    pub(super) fn foreign(self) -> Option<bool> {
        (self.0 & SAYS_FOREIGN != 0).then_some(self.0 & IS_FOREIGN != 0)
    }

    /// Returns whether it is flagged.
    pub(super) fn is_flagged(self) -> bool {
        self.0 & IS_FLAGGED != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_keeps_its_parts_and_is_nothing_without_any() {
        for mix in [0, 1, (1 << MIX_BITS) - 1] {
            assert_eq!(Said::new(mix, None).bits(), mix);
            for foreign in [None, Some(false), Some(true)] {
                for is_flagged in [false, true] {
                    let marks = Marks {
                        foreign,
                        is_flagged,
                    };
                    let said = Said::of_bits(Said::new(mix, Some(marks)).bits());
                    assert_eq!((said.mix(), said.foreign()), (mix, foreign));
                    assert_eq!(said.is_flagged(), is_flagged);
                    let is_nothing = mix == 0 && foreign.is_none() && !is_flagged;
                    assert_eq!(said == Said::NOTHING, is_nothing);
                }
            }
        }
    }
}
