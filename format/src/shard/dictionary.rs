//! The dictionary that a shard's values were compressed with (docs/format.md, "Dictionary").

use std::{cell::RefCell, sync::OnceLock};

use zstd_safe::{DCtx, DDict, DParameter, FrameFormat};

use super::layout::Section;
use crate::{Error, Result};

/// The longest dictionary.
///
/// # Units
/// Bytes.
pub const DICTIONARY_LEN_MAX: usize = 1 << 20;

/// What a dictionary begins with; without that, zstd takes any bytes for one.
const MAGIC: [u8; 4] = 0xec30_a437_u32.to_le_bytes();

/// A dictionary made ready for decompression, once it is needed; `None` if it is damaged.
pub(super) struct Digested(OnceLock<Option<DDict<'static>>>);

impl Digested {
    pub(super) const fn new() -> Self {
        Self(OnceLock::new())
    }
}

impl std::fmt::Debug for Digested {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digested")
    }
}

/// A dictionary in its section.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dictionary<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) digested: &'a Digested,
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

impl Dictionary<'_> {
    /// Decompresses a frame of `len` bytes, for which the caller has memory.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the dictionary is none, or the frame yields anything else.
    pub(super) fn decompress(&self, frame: &[u8], len: usize) -> Result<Vec<u8>> {
        let digested = self.digested.0.get_or_init(|| digest(self.bytes));
        let digested = digested
            .as_ref()
            .ok_or_else(|| Error::corrupt("dictionary", "it is none of zstd"))?;
        // Only what a frame yields is written to: a length that is a lie costs no memory.
        let mut value = Vec::with_capacity(len);
        let yielded = CONTEXT
            .with_borrow_mut(|context| context.decompress_using_ddict(&mut value, frame, digested));
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

/// Checks what is said of a dictionary's section.
pub(super) fn check_section(section: &Section) -> Result<()> {
    if section.len_items == 1 && section.len_bytes <= DICTIONARY_LEN_MAX as u64 {
        Ok(())
    } else {
        Err(Error::corrupt("dictionary", "its size is out of bounds"))
    }
}

fn digest(bytes: &[u8]) -> Option<DDict<'static>> {
    bytes.starts_with(&MAGIC).then_some(())?;
    DDict::try_create(bytes)
}
