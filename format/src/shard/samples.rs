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
