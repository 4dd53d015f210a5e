//! What changed between two generations, against their tables.

use std::fs;

use nightshard_deploy::{DiffOptions, Error, Side, Staged, TableDiff, diff};
use nightshard_format::{
    calendar::Day,
    diff::{Change, Changes},
    key,
    record::STORES,
    shard::Span,
};

use crate::support::{Bench, Tables};

async fn publish(bench: &Bench, staged: Staged) -> Side {
    let repository = bench.repository();
    repository.publish(&staged).await.unwrap();
    let manifest = staged.manifest;
    Side {
        repository,
        manifest,
    }
}

/// Returns what changed in the current span of the stores.
async fn stores(sides: &[Side; 2], keys_max: usize) -> TableDiff {
    let [from, to] = sides.clone();
    let options = DiffOptions {
        dataset: Some(STORES.into()),
        keys_max,
        movers_max: 0,
    };
    let tables = diff(from, to, options).await.unwrap();
    let mut tables = tables.into_iter();
    tables.find(|table| table.span == "current").unwrap()
}

/// Publishes a generation of five stores, and one whose table of them `change` has its way with.
async fn changed(bench: &Bench, change: impl FnOnce(&mut Tables)) -> [Side; 2] {
    let (from, to) = (bench.stage(5, 2, 0), bench.stage_forged(change));
    [publish(bench, from).await, publish(bench, to).await]
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_that_are_the_same_are_counted_with_their_records_and_others_are_read() {
    let bench = Bench::new();
    let sides = changed(&bench, |tables| {
        let table = tables.get_mut(&(STORES, Span::Current)).unwrap();
        table.insert(b"s3".to_vec(), vec![1]);
    })
    .await;
    let found = stores(&sides, 9).await;
    let changes = Changes {
        changed: 1,
        unchanged: 4,
        ..Changes::default()
    };
    assert_eq!(found.changes, changes);
    // Of two shards, in both generations.
    assert_eq!((found.shards_equal, found.shards_read), (1, 2));
    assert_eq!(found.keys, [(Change::Changed, b"s3".to_vec())]);

    let [from, _] = &sides;
    let same = stores(&[from.clone(), from.clone()], 9).await;
    let changes = Changes {
        unchanged: 5,
        ..Changes::default()
    };
    assert_eq!(same.changes, changes);
    assert_eq!((same.shards_equal, same.shards_read), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_keys_as_are_wanted_are_named_the_first_in_the_order_of_hashes() {
    let bench = Bench::new();
    let sides = changed(&bench, |tables| {
        let table = tables.get_mut(&(STORES, Span::Current)).unwrap();
        for store in 5..40 {
            table.insert(format!("s{store}").into_bytes(), vec![1]);
        }
    })
    .await;
    let mut keys: Vec<Vec<u8>> = (5..40)
        .map(|store| format!("s{store}").into_bytes())
        .collect();
    keys.sort_by(|a, b| key::order(a).cmp(&key::order(b)));
    for keys_max in [0, 1, 3, 20, 34, 35, 100] {
        let found = stores(&sides, keys_max).await;
        let expected = keys.iter().take(keys_max);
        let expected = expected.map(|key| (Change::Added, key.clone()));
        assert!(found.keys.into_iter().eq(expected), "{keys_max}");
        assert_eq!(found.changes.added, 35);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_used_is_named_and_one_that_is_the_same_is_not_needed() {
    let bench = Bench::new();
    let sides = changed(&bench, |tables| {
        let table = tables.get_mut(&(STORES, Span::Current)).unwrap();
        table.insert(b"s3".to_vec(), vec![1]);
    })
    .await;
    let [from, to] = &sides;
    let is_shared = |blob: &str| to.manifest.shards.iter().any(|other| other.blob == blob);
    for shard in &from.manifest.shards {
        let path = bench.blob(&shard.blob);
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let found = diff(from.clone(), to.clone(), DiffOptions::default()).await;
        if is_shared(&shard.blob) {
            found.unwrap();
        } else {
            let Err(Error::MissingBlob { blob, .. }) = found else {
                panic!("{found:?}")
            };
            assert_eq!(blob.0, *shard);
        }
        fs::write(&path, bytes).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_whose_sums_changed_most_come_first() {
    let bench = Bench::new();
    let from = publish(&bench, bench.stage(5, 2, 0)).await;
    let to = publish(&bench, bench.stage(4, 2, 3)).await;
    let options = DiffOptions {
        movers_max: 3,
        ..DiffOptions::default()
    };
    let tables = diff(from, to, options).await.unwrap();
    let mut movers = tables.iter().flat_map(|table| table.movers.as_slice());
    let gone = movers.next().unwrap();
    assert_eq!(
        (&gone.store[..], gone.rows[1], gone.sums[1]),
        (&b"s4"[..], 0, 0)
    );
    assert!(
        gone.rows[0] > 59 * 2 && gone.sums[0] > 59 * 5_100,
        "{gone:?}"
    );
    // Each day of the last month one amount is larger by 3, and but for each third day another one
    // smaller by 3.
    let days = (1..=28).map(|day| Day::from_civil(2018, 2, day).unwrap());
    let change = 3 * days.filter(|day| day.0 % 3 == 0).count() as i128;
    for store in [b"s0", b"s1"] {
        let mover = movers.next().unwrap();
        assert_eq!(mover.store, store);
        assert_eq!(mover.rows[0], mover.rows[1]);
        assert_eq!(mover.sums[1] - mover.sums[0], change);
    }
    assert_eq!(movers.next(), None);
}
