//! Shards that are not those of a manifest, or contradict each other.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use nightshard_format::{
    Error,
    calendar::Month,
    generation::Generation,
    key::{PartitionRun, hash, partition_of},
    manifest::{MANIFEST_VERSION, Manifest, ShardEntry},
    shard::{Identity, ShardWriter, Span},
};

/// A shard of those of ten keys that fall into its partitions, and its entry.
fn shard(dataset: &str, span: Span, (first, end): (u16, u16)) -> (ShardEntry, Vec<u8>) {
    let run = PartitionRun { first, end };
    let keys = (0..10).map(|key| vec![key]);
    let records = keys.filter(|key| run.contains(partition_of(hash(key))));
    shard_of(dataset, span, run, records.map(|key| (key, vec![])))
}

/// A shard of some records, and its entry.
fn shard_of(
    dataset: &str,
    span: Span,
    run: PartitionRun,
    records: impl Iterator<Item = (Vec<u8>, Vec<u8>)>,
) -> (ShardEntry, Vec<u8>) {
    let identity = Identity {
        dataset: dataset.into(),
        span,
        run,
    };
    let mut records: Vec<_> = records.collect();
    records.sort_by_key(|(key, _)| hash(key));
    let mut file = Vec::new();
    let mut writer = ShardWriter::new(&mut file, &identity).unwrap();
    for (key, value) in records {
        writer.append(&key, &value).unwrap();
    }
    let written = writer.finish().unwrap();
    let entry = ShardEntry {
        dataset: dataset.into(),
        span: span.to_string(),
        first_partition: run.first,
        end_partition: run.end,
        blob: written.digest.to_hex().to_string(),
        size_bytes: written.len_bytes,
        records: written.len_records,
    };
    (entry, file)
}

fn open(shards: Vec<(ShardEntry, Vec<u8>)>) -> Result<Generation<Vec<u8>>, Error> {
    let (entries, files): (Vec<_>, Vec<_>) = shards.into_iter().unzip();
    let manifest = Manifest {
        format_version: MANIFEST_VERSION,
        id: "2018-12-31-000000000000".parse().unwrap(),
        as_of: "2018-12-31".into(),
        transactions: None,
        packed: BTreeMap::new(),
        inputs: Vec::new(),
        configuration: BTreeMap::new(),
        shards: entries,
    };
    let mut files = files.into_iter();
    Generation::open(manifest, |_entry| Ok::<_, Error>(files.next().unwrap()))
}

fn assert_refused(shards: Vec<(ShardEntry, Vec<u8>)>, expected: &str) {
    let refused = open(shards).unwrap_err().to_string();
    assert!(refused.contains(expected), "{refused}");
}

#[test]
fn a_shard_that_is_not_the_one_named_is_refused() {
    let right = || shard("one", Span::Current, (0, 1024));
    let generation = open(vec![right()]).unwrap();
    let found = generation.get("one", Span::Current, &[7]).unwrap();
    assert_eq!(found.unwrap().in_place().unwrap(), b"");
    let march = Span::Month(Month::new(2018, 3).unwrap());
    let others = [
        shard("two", Span::Current, (0, 1024)),
        shard("one", march, (0, 1024)),
        shard("one", Span::Current, (0, 1023)),
        shard("one", Span::Current, (1, 1024)),
    ];
    for (_, file) in others {
        // Even if it is as long, and has as many records.
        let (mut entry, _) = right();
        let len = file.len() as u64;
        entry.size_bytes = len;
        assert_refused(vec![(entry, file)], "not what the manifest says");
    }
    let (mut more, file) = right();
    more.records += 1;
    assert_refused(vec![(more, file)], "not what the manifest says");
    let (mut longer, file) = right();
    longer.size_bytes += 1;
    assert_refused(vec![(longer, file)], "not what the manifest says");
}

#[test]
fn two_shards_of_one_partition_are_refused() {
    let of = |partitions| shard("one", Span::Current, partitions);
    open(vec![of((0, 512)), of((512, 1024))]).unwrap();
    for (first, second) in [
        ((0, 512), (511, 1024)),
        ((0, 1024), (3, 4)),
        ((3, 4), (3, 4)),
    ] {
        let expected = "two shards have the same partition";
        assert_refused(vec![of(first), of(second)], expected);
        assert_refused(vec![of(second), of(first)], expected);
    }
}

#[test]
fn months_of_a_dataset_have_as_many_records_as_is_said_and_what_says_otherwise_is_refused() {
    let of = |records: &[(&str, &[u8])]| {
        let records = records.iter();
        let records = records.map(|(key, value)| (key.as_bytes().to_vec(), value.to_vec()));
        let shard = shard_of("one", Span::Current, PartitionRun::ALL, records);
        open(vec![shard]).unwrap().records_by_month("one")
    };
    let month = |number| Month::new(2018, number).unwrap();
    let said = of(&[("2018-03", &[4]), ("2018-02", &[128, 1])]).unwrap();
    assert_eq!(said, BTreeMap::from([(month(2), 129), (month(3), 5)]));
    assert!(
        open(vec![])
            .unwrap()
            .records_by_month("one")
            .unwrap()
            .is_empty()
    );
    for (key, value, problem) in [
        ("2018-03", &[4, 1][..], "left over"),
        ("2018-03", &[128], "ends early"),
        ("a store", &[4], "a store"),
    ] {
        let error = of(&[(key, value)]).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}
