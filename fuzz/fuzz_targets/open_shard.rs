//! The target `open_shard` for libFuzzer.

#![no_main]

nightshard_fuzz::libfuzzer_target!(0);
