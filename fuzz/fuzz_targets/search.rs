//! The target `search` for libFuzzer.

#![no_main]

nightshard_fuzz::libfuzzer_target!(4);
