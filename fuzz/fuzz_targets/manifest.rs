//! The target `manifest` for libFuzzer.

#![no_main]

nightshard_fuzz::libfuzzer_target!(2);
