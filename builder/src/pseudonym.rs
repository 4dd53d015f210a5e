//! Card ids become keyed pseudonyms at the door.
//!
//! A plain hash of a card number is reversed by trying all numbers; keyed BLAKE3 is not, without
//! the key. The key never leaves this module: what others see is its fingerprint.

use std::{fs, io::Write, path::Path};

use blake3::{
    IncrementCounter,
    platform::{self, Platform},
};

use crate::{Error, Result, field_hash::halves, short_text};

/// The secret that pseudonyms are computed with.
#[derive(Clone)]
pub struct CardKey([u8; 32]);

impl CardKey {
    /// Parses a key of 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`Error::Option`] naming `option`, without the key's text.
    pub fn parse(text: &str, option: &'static str) -> Result<Self> {
        Self::from_text(text)
            .ok_or_else(|| Error::option(option, "a card key is 64 hexadecimal digits"))
    }

    fn from_text(text: &str) -> Option<Self> {
        let key = blake3::Hash::from_hex(text.trim()).ok()?;
        Some(Self(*key.as_bytes()))
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read or holds no key, without its text.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(Error::at(path))?;
        Self::from_text(&text).ok_or_else(|| {
            let problem = if text.trim().is_empty() {
                "it is empty, and a card key is 64 hexadecimal digits: put the key back, or remove \
                 the file if no build has used it"
            } else {
                "a card key is 64 hexadecimal digits"
            };
            Error::File {
                path: path.to_owned(),
                problem: problem.into(),
            }
        })
    }

    /// Makes a key file that only its owner can read, from 32 random bytes of the system.
    ///
    /// It appears whole: a build that is cut off leaves no half of a key.
    ///
    /// # Errors
    /// [`Error::File`] if it exists or cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let random = Path::new("/dev/urandom");
        let mut key = [0; 32];
        fs::File::open(random)
            .and_then(|mut source| std::io::Read::read_exact(&mut source, &mut key))
            .map_err(Error::at(random))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(Error::at(folder))?;
        let create = || {
            // What is made aside is readable to its owner only, from the first.
            let mut aside = tempfile::NamedTempFile::new_in(folder)?;
            writeln!(aside, "{}", blake3::Hash::from_bytes(key).to_hex())?;
            aside.as_file().sync_all()?;
            aside.persist_noclobber(path)?;
            fs::File::open(folder)?.sync_all()
        };
        create().map_err(Error::at(path))?;
        Ok(Self(key))
    }

    /// Returns 16 hexadecimal digits that tell keys apart and say nothing about them.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let derived = blake3::derive_key("nightshard 2026 card key fingerprint", &self.0);
        blake3::Hash::from_bytes(derived).to_hex()[..16].to_owned()
    }

    /// Returns a seed for hashes that nobody without the key can aim at.
    #[must_use]
    pub fn hash_seed(&self) -> u64 {
        let derived = blake3::derive_key("nightshard 2026 row hash seed", &self.0);
        derived
            .first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

impl std::fmt::Debug for CardKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CardKey({})", self.fingerprint())
    }
}

/// What BLAKE3 reads at once.
const BLOCK_LEN: usize = 64;

/// Ends an id within its last block; the rest of the block is zero.
const END: u8 = 0x80;

/// Flags of the BLAKE3 specification, section 2.2, for a message of one block under a key: the
/// first and last block of the only chunk, which is the root.
const ONE_BLOCK: u8 = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4;

/// Computes pseudonyms, many at once.
///
/// A card's pseudonym is the first 128 bits of the keyed BLAKE3 of its id, one byte 0x80, and zeros
/// up to a whole number of 64-byte blocks. Since most ids take one whole block, a vector unit
/// hashes up to sixteen of them in the time of one.
pub struct Pseudonymiser {
    key: [u8; 32],
    key_words: [u32; 8],
    platform: Platform,
    digests: Vec<u8>,
}

/// An id, ended and filled up to the block that is hashed.
#[derive(Clone, Copy)]
pub struct IdBlock([u8; BLOCK_LEN]);

impl Default for IdBlock {
    fn default() -> Self {
        Self([0; BLOCK_LEN])
    }
}

impl IdBlock {
    /// Becomes the block of an id; returns whether it has, since some ids take more than one.
    #[must_use]
    #[inline]
    pub fn fill(&mut self, id: &[u8]) -> bool {
        self.0 = [0; BLOCK_LEN];
        if let Some(number) = short_text::number_of(id)
            && id.len() < short_text::LEN_MAX
        {
            let [low, high] = halves(number | u128::from(END) << (8 * id.len()));
            let (words, _) = self.0.as_chunks_mut();
            (words[0], words[1]) = (low.to_le_bytes(), high.to_le_bytes());
            return true;
        }
        let Some(end) = self.0.get_mut(id.len()) else {
            return false;
        };
        *end = END;
        self.0[..id.len()].copy_from_slice(id);
        true
    }
}

impl Pseudonymiser {
    /// Makes a pseudonymiser for `key`.
    #[must_use]
    pub fn new(key: &CardKey) -> Self {
        Self {
            key: key.0,
            key_words: platform::words_from_le_bytes_32(&key.0),
            platform: Platform::detect(),
            digests: Vec::new(),
        }
    }

    /// Calls `take` with the tag and the pseudonym of each block, in order.
    pub fn pseudonyms_of_blocks<T>(
        &mut self,
        blocks: &[(IdBlock, T)],
        mut take: impl FnMut(&T, u128),
    ) {
        const DIGEST_LEN: usize = blake3::OUT_LEN;
        for group in blocks.chunks(platform::MAX_SIMD_DEGREE) {
            let mut inputs = [&[0; BLOCK_LEN]; platform::MAX_SIMD_DEGREE];
            let inputs = &mut inputs[..group.len()];
            inputs
                .iter_mut()
                .zip(group)
                .for_each(|(input, (block, _))| *input = &block.0);
            self.digests.resize(group.len() * DIGEST_LEN, 0);
            self.platform.hash_many(
                inputs,
                &self.key_words,
                0,
                IncrementCounter::No,
                ONE_BLOCK,
                0,
                0,
                &mut self.digests,
            );
            let (digests, _) = self.digests.as_chunks::<DIGEST_LEN>();
            for ((_, tag), digest) in group.iter().zip(digests) {
                take(tag, first_128_bits(digest));
            }
        }
    }

    /// Returns the pseudonym of one id.
    #[must_use]
    pub fn pseudonym(&self, id: &[u8]) -> u128 {
        let mut filled = id.to_vec();
        filled.push(END);
        filled.resize(filled.len().next_multiple_of(BLOCK_LEN), 0);
        first_128_bits(blake3::keyed_hash(&self.key, &filled).as_bytes())
    }
}

fn first_128_bits(digest: &[u8; blake3::OUT_LEN]) -> u128 {
    digest
        .first_chunk()
        .map_or(0, |bytes| u128::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn key(byte: u8) -> CardKey {
        CardKey([byte; 32])
    }

    #[test]
    fn many_at_once_are_as_one_by_one() {
        let mut pseudonymiser = Pseudonymiser::new(&key(1));
        for count in 0..70_usize {
            let ids: Vec<Vec<u8>> = (0..count).map(|n| vec![b'c'; n * 7 % BLOCK_LEN]).collect();
            // What was in a block before does not matter.
            let mut blocks = vec![(IdBlock([b'x'; BLOCK_LEN]), 0); count];
            for (ordinal, (block, tag)) in blocks.iter_mut().enumerate() {
                assert!(block.fill(&ids[ordinal]));
                *tag = ordinal;
            }
            let mut found = Vec::new();
            pseudonymiser.pseudonyms_of_blocks(&blocks, |ordinal, pseudonym| {
                found.push((*ordinal, pseudonym));
            });
            let expected: Vec<_> = ids
                .iter()
                .map(|id| pseudonymiser.pseudonym(id))
                .enumerate()
                .collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn ids_differ_by_their_last_bytes_and_length() {
        let pseudonymiser = Pseudonymiser::new(&key(1));
        let ids = ["", "\0", "\u{80}", "a", "a\0"].map(str::as_bytes);
        let lengths = [62, 63, 64, 65, 127, 128, 1024].map(|len| vec![b'c'; len]);
        let all: Vec<&[u8]> = ids
            .into_iter()
            .chain(lengths.iter().map(Vec::as_slice))
            .collect();
        let pseudonyms: BTreeSet<u128> = all.iter().map(|id| pseudonymiser.pseudonym(id)).collect();
        assert_eq!(pseudonyms.len(), all.len());
        assert!(IdBlock::default().fill(&[b'c'; BLOCK_LEN - 1]));
        assert!(!IdBlock::default().fill(&[b'c'; BLOCK_LEN]));
    }

    #[test]
    fn keys_give_different_pseudonyms_and_never_show() {
        let compute = |byte| Pseudonymiser::new(&key(byte)).pseudonym(b"x");
        assert_ne!(compute(1), compute(2));
        assert_ne!(key(1).fingerprint(), key(2).fingerprint());
        assert!(!format!("{:?}", key(1)).contains("0101"));
        let secret = "z".repeat(64);
        let error = CardKey::parse(&secret, "--card-key-file")
            .unwrap_err()
            .to_string();
        assert!(!error.contains(&secret) && error.starts_with("--card-key-file"));
    }

    #[test]
    fn a_key_file_is_private_and_never_replaced() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config/card.key");
        let made = CardKey::create(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            CardKey::read(&path).unwrap().fingerprint(),
            made.fingerprint()
        );
        assert!(CardKey::create(&path).is_err());
        let kept = CardKey::read(&path).unwrap();
        assert_eq!(kept.fingerprint(), made.fingerprint());
        let files = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(files, 1, "nothing is left aside");
    }

    #[test]
    fn a_file_that_holds_no_key_is_named_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card.key");
        for (text, problem) in [
            ("", "it is empty"),
            ("\n", "it is empty"),
            ("0123456789abcdef", "64 hexadecimal digits"),
        ] {
            fs::write(&path, text).unwrap();
            let error = CardKey::read(&path).unwrap_err().to_string();
            assert!(error.starts_with(&path.display().to_string()), "{error}");
            assert!(error.contains(problem), "{error}");
            assert!(!error.contains("0123456789abcdef"));
        }
    }
}
