//! Dictionaries made of samples, where they pay.

use super::compress::Compressor;
use crate::Result;

/// More samples than these make a dictionary hardly better, and take longer.
const SAMPLES_LEN_MAX: usize = 1 << 20;
/// A longer value is as well compressed by itself: no dictionary is made of more of it.
const SAMPLE_LEN_MAX: usize = 32 << 10;
/// A dictionary is at most this part of the samples that it is made of.
const DICTIONARY_SHARE: usize = 16;
/// One sample in so many is not trained with but tested with.
const TESTED_SHARE: usize = 4;
/// What is stored falls by at least one part in so many, or reading in place is worth more.
const SAVED_SHARE: usize = 5;

/// Values from among those that a shard is to hold, chosen without regard to what they are: the
/// first in the order of hashes are.
#[derive(Debug, Default)]
pub struct Samples {
    bytes: Vec<u8>,
    lens: Vec<usize>,
}

impl Samples {
    /// Starts without any.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns whether there are enough.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= SAMPLES_LEN_MAX
    }

    /// Adds a value, unless there are enough.
    pub fn add(&mut self, value: &[u8]) {
        if !self.is_full() {
            let sample = &value[..value.len().min(SAMPLE_LEN_MAX)];
            self.bytes.extend_from_slice(sample);
            self.lens.push(sample.len());
        }
    }

    /// Returns a dictionary for [`super::ShardWriter::compressing`] if it pays: if it makes what is
    /// stored of other samples than it was made of, and its own share, shorter by a fifth.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] if memory is short.
    pub fn dictionary(&self) -> Result<Option<Vec<u8>>> {
        let tested = self.lens.len() / TESTED_SHARE;
        let (training, testing) = self.lens.split_at(self.lens.len() - tested);
        let (trained_bytes, mut tested_bytes) = self.bytes.split_at(training.iter().sum());
        let raw = tested_bytes.len();
        let Some(dictionary) = train(trained_bytes, training) else {
            return Ok(None);
        };
        let mut stored = 0;
        let mut compressor = Compressor::new(dictionary)?;
        for len in testing {
            let value;
            (value, tested_bytes) = tested_bytes.split_at(*len);
            stored += compressor.store(value)?.len();
        }
        let dictionary = compressor.into_dictionary();
        stored += dictionary.len() * raw / self.bytes.len();
        Ok((stored <= raw - raw / SAVED_SHARE && raw > 0).then_some(dictionary))
    }
}

/// Makes a dictionary; `None` if there is too little to make one of.
fn train(samples: &[u8], lens: &[usize]) -> Option<Vec<u8>> {
    let mut dictionary = Vec::with_capacity(samples.len() / DICTIONARY_SHARE);
    zstd_safe::train_from_buffer(&mut dictionary, samples, lens).ok()?;
    Some(dictionary)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of 200 bytes, of which so many are the same in all and the others random.
    fn values(alike: usize) -> Vec<Vec<u8>> {
        let random = |seed: usize| {
            blake3::Hasher::new()
                .update(&seed.to_le_bytes())
                .finalize_xof()
        };
        let value = |number: usize| {
            let mut value = vec![0; 200];
            let (same, own) = value.split_at_mut(alike);
            random(0).fill(same);
            random(number).fill(own);
            value
        };
        (1..=400).map(value).collect()
    }

    /// Returns what would be stored of the last fourth of values, and of the dictionary for it, in
    /// thousandths of their length.
    fn stored(samples: &Samples, values: &[Vec<u8>]) -> usize {
        let (training, testing) = (&values[..300], &values[300..]);
        let lens: Vec<usize> = training.iter().map(Vec::len).collect();
        let dictionary = train(&training.concat(), &lens).unwrap();
        let mut bytes = dictionary.len() / 4;
        let mut compressor = Compressor::new(dictionary).unwrap();
        for value in testing {
            bytes += compressor.store(value).unwrap().len();
        }
        assert_eq!(samples.bytes.len(), 400 * 200);
        bytes * 1_000 / (100 * 200)
    }

    #[test]
    fn a_dictionary_pays_if_it_and_what_is_stored_with_it_take_four_fifths_at_most() {
        let mut nearest = [0, 1_000];
        for alike in 40..90 {
            let values = values(alike);
            let mut samples = Samples::new();
            values.iter().for_each(|value| samples.add(value));
            let stored = stored(&samples, &values);
            let pays = samples.dictionary().unwrap().is_some();
            assert_eq!(pays, stored < 800, "{alike} bytes alike: {stored}");
            match pays {
                true => nearest[0] = nearest[0].max(stored),
                false => nearest[1] = nearest[1].min(stored),
            }
        }
        // One that is a little better pays, and one that is a little worse does not.
        let [pays, does_not] = nearest;
        assert!(780 < pays && does_not < 820, "{pays} {does_not}");
    }
}
