//! What once failed, and what fuzzing starts from.

use std::path::Path;

use nightshard_fuzz::{TARGETS, seeds, shard_file::ShardFile};

#[test]
fn seeds_and_what_once_failed_are_read_by_all_targets() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let kept: Vec<Vec<u8>> = seeds::folder(&kept)
        .into_iter()
        .map(|(_, bytes)| bytes)
        .collect();
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{}", target.name);
        for input in seeds.iter().chain(&kept) {
            (target.run)(input);
        }
    }
}

#[test]
fn a_shard_taken_apart_is_put_together_alike() {
    for shard in seeds::shards() {
        let mut file = ShardFile::parse(&shard).unwrap();
        file.check_records();
        assert!(file.encode() == shard);
    }
}
