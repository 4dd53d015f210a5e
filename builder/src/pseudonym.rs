//! Card ids become keyed pseudonyms at the door.
//!
//! A plain hash of a card number is reversed by trying all numbers; keyed BLAKE3 is not, without
//! the key. The key never leaves this module: what others see is its fingerprint.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::{Error, Result};

/// The secret that pseudonyms are computed with.
#[derive(Clone)]
pub struct CardKey([u8; 32]);

impl CardKey {
    /// Parses a key of 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`Error::Option`] naming `option`, without the key's text.
    pub fn parse(text: &str, option: &'static str) -> Result<Self> {
        let wrong = || Error::option(option, "a card key is 64 hexadecimal digits");
        blake3::Hash::from_hex(text.trim())
            .map(|key| Self(*key.as_bytes()))
            .map_err(|_bad| wrong())
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Option`] if it holds no key.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(Error::at(path))?;
        Self::parse(&text, "--card-key-file")
    }

    /// Makes a key file that only its owner can read, from 32 random bytes of the system.
    ///
    /// # Errors
    /// [`Error::File`] if it exists or cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let random = Path::new("/dev/urandom");
        let mut key = [0; 32];
        fs::File::open(random)
            .and_then(|mut source| std::io::Read::read_exact(&mut source, &mut key))
            .map_err(Error::at(random))?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::at(folder))?;
        }
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| {
                writeln!(file, "{}", blake3::Hash::from_bytes(key).to_hex())?;
                file.sync_all()
            })
            .map_err(Error::at(path))?;
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

/// Most slots of a memory of ids: more would no longer be found in a shared cache.
const SLOTS_MAX: usize = 1 << 19;

/// A remembered id, by a hash that nobody without the key can aim at, and its pseudonym.
#[derive(Clone, Copy)]
struct Slot {
    id: u128,
    pseudonym: u128,
}

/// Computes pseudonyms, remembering those of cards seen often.
///
/// Card use is skewed, so a direct-mapped memory serves many rows.
pub struct Pseudonymiser {
    key: [u8; 32],
    seed: u64,
    slots: Vec<Slot>,
}

/// A card id whose place in the memory is known.
#[derive(Debug, Clone, Copy)]
pub struct PlacedId {
    hash: u128,
    slot: usize,
}

impl Pseudonymiser {
    /// Makes a pseudonymiser for `key` that takes about `memory_bytes`.
    #[must_use]
    pub fn new(key: &CardKey, memory_bytes: usize) -> Self {
        let slots = (memory_bytes / size_of::<Slot>()).clamp(1, SLOTS_MAX);
        let slots = vec![
            Slot {
                id: 0,
                pseudonym: 0
            };
            slots.next_power_of_two()
        ];
        Self {
            key: key.0,
            seed: key.hash_seed(),
            slots,
        }
    }

    /// Returns where an id is remembered, if it is.
    #[must_use]
    pub fn place(&self, id: &[u8]) -> PlacedId {
        let hash = xxh3_128_with_seed(id, self.seed).max(1);
        let slot = usize::try_from(hash >> 64).unwrap_or(0) & (self.slots.len() - 1);
        PlacedId { hash, slot }
    }

    /// Returns the pseudonym of an id if it is remembered.
    ///
    /// Apart from computing it, so that many can be looked for before the first is computed: then
    /// they wait for memory together.
    #[must_use]
    pub fn remembered(&self, id: PlacedId) -> Option<u128> {
        let slot = self.slots[id.slot];
        (slot.id == id.hash).then_some(slot.pseudonym)
    }

    /// Returns the pseudonym of a card id: the first 128 bits of its keyed BLAKE3.
    pub fn pseudonym(&mut self, id: &[u8], placed: PlacedId) -> u128 {
        if let Some(pseudonym) = self.remembered(placed) {
            return pseudonym;
        }
        let pseudonym = self.compute(id);
        self.slots[placed.slot] = Slot {
            id: placed.hash,
            pseudonym,
        };
        pseudonym
    }

    fn compute(&self, id: &[u8]) -> u128 {
        let digest = blake3::keyed_hash(&self.key, id);
        digest
            .as_bytes()
            .first_chunk()
            .map_or(0, |bytes| u128::from_le_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> CardKey {
        CardKey([byte; 32])
    }

    #[test]
    fn remembered_pseudonyms_equal_computed_ones() {
        let mut remembering = Pseudonymiser::new(&key(1), 100_000);
        let fresh = Pseudonymiser::new(&key(1), 0);
        for round in 0..3 {
            for index in 0..50_000_u32 {
                let id = format!("card {}", index * (round + 1) % 40_000);
                let placed = remembering.place(id.as_bytes());
                let expected = fresh.compute(id.as_bytes());
                assert!(
                    remembering
                        .remembered(placed)
                        .is_none_or(|found| found == expected)
                );
                assert_eq!(remembering.pseudonym(id.as_bytes(), placed), expected);
                assert_eq!(remembering.remembered(placed), Some(expected));
            }
        }
    }

    #[test]
    fn keys_give_different_pseudonyms_and_never_show() {
        let compute = |byte| Pseudonymiser::new(&key(byte), 0).compute(b"x");
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
    }
}
