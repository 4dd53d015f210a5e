//! Cards by a region or a category, in records of what cards do elsewhere.

use super::Label;
use crate::{
    Error, Result,
    bytes::{Bytes, put_varint},
};

/// The cards of one label. No card is in two cells of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelledCards<'a> {
    /// The id of a region or a category.
    pub label: Label<&'a [u8]>,
    /// Distinct cards, at least 1.
    pub cards: u64,
}

/// Appends cells, which ascend by label, each once.
pub(super) fn put_cells(cells: &[LabelledCards<'_>], out: &mut Vec<u8>) {
    debug_assert!(cells.is_sorted_by(|a, b| a.label < b.label));
    put_varint(out, cells.len() as u64);
    for cell in cells {
        match cell.label {
            Label::Merged => put_varint(out, 0),
            Label::Unknown => put_varint(out, 1),
            Label::Text(id) => {
                put_varint(out, 1 + id.len() as u64);
                out.extend_from_slice(id);
            }
        }
        put_varint(out, cell.cards - 1);
    }
}

/// Reads what [`put_cells`] wrote.
///
/// # Errors
/// [`Error::Corrupt`] of `structure` if it ends early, or says what cannot be.
pub(super) fn read_cells<'a>(
    bytes: &mut Bytes<'a>,
    structure: &'static str,
) -> Result<Vec<LabelledCards<'a>>> {
    let corrupt = |problem: &str| Error::corrupt(structure, problem);
    let mut cells: Vec<LabelledCards<'_>> = Vec::new();
    let mut all = 0_u64;
    for _ in 0..bytes.varint()? {
        let label = read_label(bytes, structure)?;
        let cards = bytes.varint()?.checked_add(1);
        let total = cards.and_then(|cards| all.checked_add(cards));
        let (cards, total) = cards
            .zip(total)
            .ok_or_else(|| corrupt("its cells have too many cards"))?;
        if cells.last().is_some_and(|last| last.label >= label) {
            return Err(corrupt("its cells do not ascend"));
        }
        all = total;
        cells.push(LabelledCards { label, cards });
    }
    Ok(cells)
}

fn read_label<'a>(bytes: &mut Bytes<'a>, structure: &'static str) -> Result<Label<&'a [u8]>> {
    let len = match bytes.varint()? {
        0 => return Ok(Label::Merged),
        1 => return Ok(Label::Unknown),
        label => usize::try_from(label - 1).unwrap_or(usize::MAX),
    };
    let id = bytes.take(len)?;
    match std::str::from_utf8(id) {
        Ok(_text) => Ok(Label::Text(id)),
        Err(_) => Err(Error::corrupt(structure, "an id is not UTF-8")),
    }
}
