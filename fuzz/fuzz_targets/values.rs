//! The target `values` for libFuzzer.

#![no_main]

nightshard_fuzz::libfuzzer_target!(3);
