//! What a row says beside what every row does: how it was paid, by whom, and marks.

use bytemuck::{Pod, Zeroable};

use super::{combinations::UNSAID, mix::MIX_BITS};
use crate::customers::Marks;

/// What a row says.
///
/// # Shape
/// Marks are there only where customers are kept: without them, and where the row says nothing of how it
/// was paid or by whom, it is [`Said::NOTHING`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Said {
    mix: u32,
    cardholder: u16,
    marks: u16,
}

const SAYS_FOREIGN: u16 = 1;
const IS_FOREIGN: u16 = SAYS_FOREIGN << 1;
const IS_FLAGGED: u16 = IS_FOREIGN << 1;

/// Bits of marks.
const MARK_BITS: u32 = 3;
const _: () = assert!(IS_FLAGGED >> MARK_BITS == 0 && MIX_BITS + MARK_BITS <= u32::BITS);

impl Said {
    /// A row that says nothing.
    pub(super) const NOTHING: Self = Self {
        mix: UNSAID,
        cardholder: 0,
        marks: 0,
    };

    /// Puts the ordinals of how a row was paid and by whom, 0 of what it does not say, and marks together.
    #[inline]
    pub(super) fn new(mix: u32, cardholder: u16, marks: Option<Marks>) -> Self {
        let of_marks = |marks: Marks| {
            let foreign = match marks.foreign {
                None => 0,
                Some(false) => SAYS_FOREIGN,
                Some(true) => SAYS_FOREIGN | IS_FOREIGN,
            };
            foreign | (u16::from(marks.is_flagged) * IS_FLAGGED)
        };
        Self {
            mix,
            cardholder,
            marks: marks.map_or(0, of_marks),
        }
    }

    /// Puts together what [`Said::mix_and_marks`] and [`Said::cardholder`] returned.
    #[inline]
    pub(super) fn of_parts(mix_and_marks: u32, cardholder: u16) -> Self {
        Self {
            mix: mix_and_marks & ((1 << MIX_BITS) - 1),
            cardholder,
            marks: u16::try_from(mix_and_marks >> MIX_BITS).unwrap_or(0),
        }
    }

    /// Returns all but who paid in one word.
    #[inline]
    pub(super) fn mix_and_marks(self) -> u32 {
        u32::from(self.marks) << MIX_BITS | self.mix
    }

    /// Returns whether the row says nothing.
    #[inline]
    pub(super) fn is_nothing(self) -> bool {
        self == Self::NOTHING
    }

    /// Returns the ordinal of how it was paid.
    pub(super) fn mix(self) -> u32 {
        self.mix
    }

    /// Returns the ordinal of who paid.
    pub(super) fn cardholder(self) -> u16 {
        self.cardholder
    }

    /// Returns whether it is foreign, if it says so.
    pub(super) fn foreign(self) -> Option<bool> {
        (self.marks & SAYS_FOREIGN != 0).then_some(self.marks & IS_FOREIGN != 0)
    }

    /// Returns whether it is flagged.
    pub(super) fn is_flagged(self) -> bool {
        self.marks & IS_FLAGGED != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_what_it_says_and_says_nothing_without_any() {
        let mut marks = vec![None];
        for foreign in [None, Some(false), Some(true)] {
            for is_flagged in [false, true] {
                marks.push(Some(Marks {
                    foreign,
                    is_flagged,
                }));
            }
        }
        for mix in [0, 1, (1 << MIX_BITS) - 1] {
            for cardholder in [0, 1, u16::MAX] {
                for marks in &marks {
                    let new = Said::new(mix, cardholder, *marks);
                    let said = Said::of_parts(new.mix_and_marks(), new.cardholder());
                    assert_eq!(said, new);
                    assert_eq!((said.mix(), said.cardholder()), (mix, cardholder));
                    let foreign = marks.and_then(|it| it.foreign);
                    let is_flagged = marks.is_some_and(|it| it.is_flagged);
                    assert_eq!((said.foreign(), said.is_flagged()), (foreign, is_flagged));
                    let is_marked = foreign.is_some() || is_flagged;
                    let is_nothing = (mix, cardholder) == (0, 0) && !is_marked;
                    assert_eq!(said.is_nothing(), is_nothing);
                }
            }
        }
    }
}
