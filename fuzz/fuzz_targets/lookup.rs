//! The target `lookup` for libFuzzer.

#![no_main]

nightshard_fuzz::libfuzzer_target!(1);
