//! Compression of values (docs/format.md, "Records").

use zstd_safe::{CCtx, CParameter, FrameFormat};

use super::{COMPRESSED_LEN_MAX, DICTIONARY_LEN_MAX};
use crate::{Error, Result, bytes::put_varint};

/// The release of zstd that compresses: another one may do so otherwise, and the same values must
/// give the same bytes.
const ZSTD_VERSION: u32 = 10_507;

/// How much work goes into frames: more saves a few bytes in many times the time
/// (docs/decisions/0016).
///
/// What the row match finder finds, which levels from 4 on have, depends on what the context did
/// before: it would have to be disabled.
const LEVEL: i32 = 3;

/// Compresses one value after the other with one dictionary.
pub(super) struct Compressor {
    context: CCtx<'static>,
    dictionary: Vec<u8>,
    frame: Vec<u8>,
    stored: Vec<u8>,
}

impl Compressor {
    /// Makes a compressor.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a dictionary that is none, or a zstd that is not the one known.
    pub(super) fn new(dictionary: Vec<u8>) -> Result<Self> {
        if dictionary.len() > DICTIONARY_LEN_MAX || zstd_safe::get_dict_id(&dictionary).is_none() {
            return Err(Error::invalid("dictionary", "it is none of zstd"));
        }
        let version = zstd_safe::version_number();
        if version != ZSTD_VERSION {
            let problem = format!("version {version} of zstd does not compress as {ZSTD_VERSION}");
            return Err(Error::invalid("value", problem));
        }
        let mut context = CCtx::create();
        let parameters = [
            CParameter::CompressionLevel(LEVEL),
            CParameter::Format(FrameFormat::Magicless),
            CParameter::ContentSizeFlag(false),
            CParameter::ChecksumFlag(false),
            CParameter::DictIdFlag(false),
        ];
        let mut prepare = || {
            for parameter in parameters {
                context.set_parameter(parameter)?;
            }
            context.load_dictionary(&dictionary)
        };
        prepare().map_err(|code| failed("dictionary", code))?;
        Ok(Self {
            context,
            dictionary,
            frame: Vec::new(),
            stored: Vec::new(),
        })
    }

    pub(super) fn into_dictionary(self) -> Vec<u8> {
        self.dictionary
    }

    /// Returns a value as it is to be stored: compressed where that is shorter.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the dictionary turns out to be none, or memory is short.
    pub(super) fn store(&mut self, value: &[u8]) -> Result<&[u8]> {
        let Self { frame, stored, .. } = self;
        stored.clear();
        frame.clear();
        if (1..=COMPRESSED_LEN_MAX).contains(&value.len()) {
            frame.reserve(zstd_safe::compress_bound(value.len()));
            let compressed = self.context.compress2(frame, value);
            compressed.map_err(|code| failed("value", code))?;
            put_varint(stored, value.len() as u64);
            stored.extend_from_slice(frame);
        }
        if !(1..=value.len()).contains(&stored.len()) {
            stored.clear();
            stored.push(0);
            stored.extend_from_slice(value);
        }
        Ok(stored)
    }
}

fn failed(structure: &'static str, code: zstd_safe::ErrorCode) -> Error {
    let problem = zstd_safe::get_error_name(code);
    Error::invalid(structure, format!("it cannot be compressed: {problem}"))
}
