//! What does not change the bytes of shards.

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use nightshard_format::{calendar::Day, shard::Span};

use crate::{
    generated, read_rows,
    support::{TestBuild, build},
    write_file,
};

/// All is told, and what is told of places and the market is protected.
pub(crate) const KS: [NonZeroU32; 2] = [NonZeroU32::MIN, NonZeroU32::new(10).unwrap()];

#[test]
fn threads_memory_and_the_order_and_splitting_of_files_change_no_shard() {
    let folder = tempfile::tempdir().unwrap();
    let path = generated(&folder, 40_000);
    let lines: Vec<String> = std::fs::read_to_string(&path)
        .unwrap()
        .lines()
        .skip(1)
        .map(str::to_owned)
        .collect();
    let header = std::fs::read_to_string(&path)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    let part = |name: &str, lines: &[String]| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("{header}\n{}\n", lines.join("\n"))).unwrap();
        path
    };
    let mut reversed = lines.clone();
    reversed.reverse();
    let whole = part("a.csv", &lines);
    let backwards = part("b.csv", &reversed);
    let (late, early) = (
        part("c.csv", &lines[25_000..]),
        part("d.csv", &lines[..25_000]),
    );
    let shards = |test: &TestBuild| {
        test.built
            .shards
            .iter()
            .map(|shard| shard.entry.clone())
            .collect::<Vec<_>>()
    };
    for privacy_k in KS {
        let reference = build(&[&whole], |plan| {
            plan.privacy_k = privacy_k;
            plan.threads = 1;
        });
        let reference = reference.unwrap();
        for (memory, threads) in [
            (64 << 20, 1),
            (64 << 20, 5),
            (8 << 30, 1),
            (8 << 30, 2),
            (8 << 30, 5),
        ] {
            for files in [vec![&whole], vec![&backwards], vec![&late, &early]] {
                let files: Vec<&Path> = files.into_iter().map(PathBuf::as_path).collect();
                let other = build(&files, |plan| {
                    plan.privacy_k = privacy_k;
                    plan.memory_bytes = memory;
                    plan.threads = threads;
                });
                assert_eq!(
                    shards(&other.unwrap()),
                    shards(&reference),
                    "{privacy_k} {memory} {threads} {files:?}"
                );
            }
        }
    }
}

#[test]
fn what_was_spilled_and_read_again_makes_the_same_shards() {
    let folder = tempfile::tempdir().unwrap();
    let path = generated(&folder, 600_000);
    for (privacy_k, threads) in KS.into_iter().zip([1, 3]) {
        let roomy = build(&[&path], |plan| {
            plan.privacy_k = privacy_k;
            plan.memory_bytes = 4 << 30;
        });
        let roomy = roomy.unwrap();
        assert_eq!(roomy.built.report.spilled_bytes, 0);
        let tight = build(&[&path], |plan| {
            plan.privacy_k = privacy_k;
            plan.memory_bytes = 64 << 20;
            plan.threads = threads;
        });
        let tight = tight.unwrap();
        // All workers together hold less than the rows' 18 MiB, whoever gets most of them.
        assert!(tight.built.report.spilled_bytes > 5 << 20);
        assert_eq!(tight.built.manifest, roomy.built.manifest);
    }
}

#[test]
fn one_more_day_changes_no_closed_month() {
    let folder = tempfile::tempdir().unwrap();
    let path = generated(&folder, 40_000);
    let rows = read_rows(&path);
    let last = rows.iter().map(|row| row.day).max().unwrap();
    let next = Day(last.0 + 1);
    // The next day, known cards come back to known stores, and new ones to both.
    let more: Vec<String> = (0..)
        .zip(rows.iter().step_by(50))
        .map(|(i, row)| {
            let (store, card) = (&row.store, &row.card);
            let card = if i % 5 == 0 { "new" } else { card };
            let store = if i % 7 == 0 { "new" } else { store };
            format!(
                "x{i},{store},{card},{next}T12:00:00,{},EUR,food,,,,,,,,,",
                100 + i
            )
        })
        .collect();
    let more = write_file(&folder, "more.csv", &more);
    let closed = |test: &TestBuild| {
        let is_closed = |span: &str| match span.parse().unwrap() {
            Span::Month(month) => month < next.month(),
            Span::Current => false,
        };
        let shards = test.built.shards.iter().map(|shard| shard.entry.clone());
        shards
            .filter(|entry| is_closed(&entry.span))
            .collect::<Vec<_>>()
    };
    for privacy_k in KS {
        let before = build(&[&path], |plan| plan.privacy_k = privacy_k).unwrap();
        let after = build(&[&path, &more], |plan| plan.privacy_k = privacy_k).unwrap();
        assert!(closed(&before).len() > 12 * 16);
        assert_eq!(closed(&before), closed(&after));
        assert_ne!(before.built.manifest.id, after.built.manifest.id);
    }
}
