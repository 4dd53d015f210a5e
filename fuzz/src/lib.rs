//! Fuzzing of what reads bytes that anybody may have written.
//!
//! A [`Target`] takes any bytes and fails by panicking. Two drivers feed them: `nightshard-fuzz`,
//! deterministic and for any Rust, and libFuzzer, which is guided by coverage and needs nightly:
//!
//! ```sh
//! cargo run -- all --seconds 60
//! cargo +nightly fuzz run --features libfuzzer open_shard
//! ```
//!
//! Both start from the golden files ([`seeds`]), and both change bytes in the ways of
//! [`mutate`]: damage is mostly followed by writing every checksum anew ([`shard_file`]),
//! without which hardly anything but checksums would be tested. Searches are changed by pieces
//! of expressions, in shards that are right. Inputs that once failed are kept
//! in `regressions/` and run by `cargo test`.
//!
//! Prefetching, alone and in batches, is run by Miri, which also needs nightly and maps no files:
//!
//! ```sh
//! MIRIFLAGS=-Zmiri-disable-isolation \
//!     cargo +nightly miri test -p nightshard-format --lib -- shard::stored table
//! ```

pub mod mutate;
pub mod rng;
mod search;
pub mod seeds;
pub mod shard_file;
mod targets;
mod values;

pub use targets::{Outcome, TARGETS, Target};

/// Defines what libFuzzer calls, for one of [`TARGETS`].
#[cfg(feature = "libfuzzer")]
#[macro_export]
macro_rules! libfuzzer_target {
    ($number:literal) => {
        libfuzzer_sys::fuzz_target!(|data: &[u8]| {
            ($crate::TARGETS[$number].run)(data);
        });

        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            $crate::mutate_in_place(&$crate::TARGETS[$number], data, size, max_size, seed)
        });
    };
}

/// Changes the first `size` bytes of `data`, half of the time as libFuzzer would, and returns how
/// many there are then.
#[cfg(feature = "libfuzzer")]
#[must_use]
pub fn mutate_in_place(
    target: &Target,
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
) -> usize {
    let mut rng = rng::Rng::new(seed.into());
    let mut input = data[..size].to_vec();
    if rng.one_in(2) {
        let other = input.clone();
        (target.mutate)(&mut rng, &mut input, &other);
    } else {
        let size = libfuzzer_sys::fuzzer_mutate(data, size, max_size);
        input = data[..size].to_vec();
        // What libFuzzer changed is of use only with its checksums right.
        if let Some(file) = shard_file::ShardFile::parse(&input) {
            input = file.encode();
        }
    }
    let size = input.len().min(max_size);
    data[..size].copy_from_slice(&input[..size]);
    size
}
