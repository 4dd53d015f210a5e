//! The dictionary that a shard's values were compressed with (docs/format.md, "Dictionary").

use std::{cell::RefCell, fmt};

use zstd_safe::{DCtx, DDict, DParameter, FrameFormat};

use super::layout::Section;
use crate::{Error, Result};

/// The longest dictionary.
///
/// # Units
/// Bytes.
pub const DICTIONARY_LEN_MAX: usize = 1 << 20;

/// A dictionary made ready for decompression.
pub(super) struct Dictionary(DDict<'static>);

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dictionary")
    }
}

thread_local! {
    /// Making one takes longer than most frames.
    static CONTEXT: RefCell<DCtx<'static>> = RefCell::new(context());
}

fn context() -> DCtx<'static> {
    let mut context = DCtx::create();
    context
        .set_parameter(DParameter::Format(FrameFormat::Magicless))
        .expect("no frame is under way");
    context
}

impl Dictionary {
    /// Makes a dictionary of the bytes of its section.
    ///
    /// This is done when a shard is opened, since it takes microseconds, and lookups then find
    /// all that they need in one place.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if they are none, or are not as the section says.
    pub(super) fn digest(section: &Section, bytes: &[u8]) -> Result<Self> {
        if section.len_items != 1 || bytes.len() > DICTIONARY_LEN_MAX {
            return Err(Error::corrupt("dictionary", "its size is out of bounds"));
        }
        // Without that, zstd takes any bytes for a dictionary.
        let digested = zstd_safe::get_dict_id(bytes).and_then(|_id| DDict::try_create(bytes));
        digested
            .map(Self)
            .ok_or_else(|| Error::corrupt("dictionary", "it is none of zstd"))
    }

    /// Decompresses a frame of `len` bytes, for which the caller has memory.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the frame yields anything else.
    pub(super) fn decompress(&self, frame: &[u8], len: usize) -> Result<Vec<u8>> {
        // zstd takes any number of frames, and would skip what their headers have beside.
        if !is_one_frame(frame) {
            return Err(Error::corrupt("value", "it is not one frame"));
        }
        // Only what a frame yields is written to: a length that is a lie costs no memory.
        let mut value = Vec::with_capacity(len);
        let yielded = CONTEXT
            .with_borrow_mut(|context| context.decompress_using_ddict(&mut value, frame, &self.0));
        match yielded {
            Ok(yielded) if yielded == len => Ok(value),
            Ok(_) => Err(Error::corrupt("value", "its length is not the stated one")),
            Err(code) => {
                let problem = zstd_safe::get_error_name(code);
                let problem = format!("it cannot be decompressed: {problem}");
                Err(Error::corrupt("value", problem))
            }
        }
    }
}

/// Whether bytes are one frame as values have it, and nothing behind (RFC 8878, section 3.1.1).
fn is_one_frame(frame: &[u8]) -> bool {
    // A descriptor of no dictionary id, no content size and no sum; then the size of the window.
    let [0, _window, blocks @ ..] = frame else {
        return false;
    };
    let mut rest = blocks;
    while let [low, middle, high, behind @ ..] = rest {
        let header = u32::from_le_bytes([*low, *middle, *high, 0]);
        let (is_last, kind, size) = (header & 1 == 1, header >> 1 & 3, header >> 3);
        // Of a block of one byte over and over, that byte is there once.
        let len = if kind == 1 { 1 } else { size as usize };
        let Some(next) = behind.get(len..) else {
            return false;
        };
        if is_last {
            return next.is_empty();
        }
        rest = next;
    }
    false
}
