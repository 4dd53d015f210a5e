//! One input file as plain bytes, with the digest of what is stored.

use std::fs::File;
use std::io::{self, BufReader, Chain, Cursor, ErrorKind, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::{Error, Result};

/// What a decompressor is given at once; large enough for BLAKE3 to use wide vectors.
const CHUNK_BYTES: usize = 256 << 10;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// A file's bytes as stored; digests what passes.
struct Stored {
    bytes: Chain<Cursor<Vec<u8>>, File>,
    digest: blake3::Hasher,
    size_bytes: u64,
}

impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.bytes.read(buffer)?;
        self.digest.update(&buffer[..len]);
        self.size_bytes += len as u64;
        Ok(len)
    }
}

enum Decoded {
    Plain(Stored),
    Gzip(Box<MultiGzDecoder<BufReader<Stored>>>),
    Zstd(zstd::Decoder<'static, BufReader<Stored>>),
}

/// A file that is decompressed while it is read; the kind is told by its first bytes.
pub(crate) struct Stream {
    decoded: Decoded,
    expected_bytes: u64,
}

impl Stream {
    /// Opens `path`.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Self::try_open(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })
    }

    fn try_open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let expected_bytes = file.metadata()?.len();
        let mut magic = Vec::with_capacity(ZSTD_MAGIC.len());
        Read::by_ref(&mut file)
            .take(ZSTD_MAGIC.len() as u64)
            .read_to_end(&mut magic)?;
        let (is_gzip, is_zstd) = (magic.starts_with(GZIP_MAGIC), magic == ZSTD_MAGIC);
        let bytes = Cursor::new(magic).chain(file);
        let stored = Stored {
            bytes,
            digest: blake3::Hasher::new(),
            size_bytes: 0,
        };
        let decoded = if is_gzip {
            let buffered = BufReader::with_capacity(CHUNK_BYTES, stored);
            Decoded::Gzip(Box::new(MultiGzDecoder::new(buffered)))
        } else if is_zstd {
            let buffered = BufReader::with_capacity(CHUNK_BYTES, stored);
            Decoded::Zstd(zstd::Decoder::with_buffer(buffered)?)
        } else {
            Decoded::Plain(stored)
        };
        Ok(Self {
            decoded,
            expected_bytes,
        })
    }

    /// Reads until `buffer` is full or the file ends; returns how many bytes there were.
    ///
    /// # Errors
    /// [`Error::EndsEarly`] for a compressed file that stops too soon, [`Error::Damaged`] for one
    /// whose bytes are wrong, else [`Error::Read`].
    pub(crate) fn fill(&mut self, path: &Path, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let read = match &mut self.decoded {
                Decoded::Plain(stored) => stored.read(&mut buffer[filled..]),
                Decoded::Gzip(decoder) => decoder.read(&mut buffer[filled..]),
                Decoded::Zstd(decoder) => decoder.read(&mut buffer[filled..]),
            };
            match read {
                Ok(0) => break,
                Ok(len) => filled += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(self.fault(path, source)),
            }
        }
        Ok(filled)
    }

    /// Digest and size of the file as stored, once it is read to its end.
    ///
    /// # Errors
    /// [`Error::Changed`] when the file is not as long as it was when opened.
    pub(crate) fn finish(self, path: &Path) -> Result<(blake3::Hash, u64)> {
        let stored = self.stored();
        if stored.size_bytes == self.expected_bytes {
            Ok((stored.digest.finalize(), stored.size_bytes))
        } else {
            Err(Error::Changed {
                path: path.to_owned(),
            })
        }
    }

    fn stored(&self) -> &Stored {
        match &self.decoded {
            Decoded::Plain(stored) => stored,
            Decoded::Gzip(decoder) => decoder.get_ref().get_ref(),
            Decoded::Zstd(decoder) => decoder.get_ref().get_ref(),
        }
    }

    fn fault(&self, path: &Path, source: io::Error) -> Error {
        let path = path.to_owned();
        match (&self.decoded, source.kind()) {
            (Decoded::Plain(_), _) => Error::Read { path, source },
            (_, ErrorKind::UnexpectedEof) => Error::EndsEarly { path },
            // Errors of the disk carry the number that the system gave them.
            _ if source.raw_os_error().is_some() => Error::Read { path, source },
            _ => Error::Damaged { path, source },
        }
    }
}
