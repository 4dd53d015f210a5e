//! What policies of memory ask of the system, as the system tells it, and that they change
//! nothing else.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    collections::HashSet,
    fs,
    ops::Range,
    path::{Path, PathBuf},
    process::Command,
};

use nightshard_format::{
    key::{self, PARTITIONS, PartitionRun},
    shard::{
        HugePages, Identity, IndexResidence, Mapped, MemoryPolicy, RecordAccess, Search, Searched,
        Shard, ShardWriter, Span,
    },
};

/// Enough for a point index that is longer than a huge page.
const RECORDS: u32 = 400_000;
const PAGE_LEN: usize = 4 << 10;

fn key(number: u32) -> [u8; 4] {
    number.to_le_bytes()
}

/// Values differ in length, so that the index tells where each record begins.
fn value(number: u32) -> Vec<u8> {
    number.to_le_bytes()[..1 + number as usize % 3].to_vec()
}

/// A shard of some keys, of which few are terms.
fn write(folder: &Path) -> PathBuf {
    let run = PartitionRun {
        first: 0,
        end: PARTITIONS,
    };
    let identity = Identity {
        dataset: "memory".into(),
        span: Span::Current,
        run,
    };
    let mut numbers: Vec<u32> = (0..RECORDS).collect();
    numbers.sort_by_cached_key(|number| key::hash(&key(*number)));
    let path = folder.join("shard");
    let mut writer = ShardWriter::new(fs::File::create(&path).unwrap(), &identity).unwrap();
    for number in numbers {
        writer.append(&key(number), &value(number)).unwrap();
        if number.is_multiple_of(1_000) {
            writer.add_term(&key(number)).unwrap();
        }
    }
    writer.finish().unwrap();
    // What was not written out cannot be dropped from the page cache.
    fs::File::open(&path).unwrap().sync_all().unwrap();
    path
}

fn every_policy() -> Vec<MemoryPolicy> {
    let mut policies = Vec::new();
    for records in [RecordAccess::Random, RecordAccess::Normal] {
        for indexes in [
            IndexResidence::OnDemand,
            IndexResidence::ReadAhead,
            IndexResidence::Prefault,
            IndexResidence::Lock,
        ] {
            for huge_pages in [HugePages::None, HugePages::Indexes, HugePages::All] {
                policies.push(MemoryPolicy {
                    records,
                    indexes,
                    huge_pages,
                });
            }
        }
    }
    policies
}

/// A part of a map with one set of flags, as the system sees it.
#[derive(Debug)]
struct Part {
    bytes: Range<usize>,
    flags: HashSet<String>,
    resident: usize,
    locked: usize,
}

/// Returns the parts of a shard's map, in their order.
fn parts(shard: &Shard<Mapped>) -> Vec<Part> {
    let bytes = shard.bytes().as_ref();
    let start = bytes.as_ptr() as usize;
    let map = start..start + bytes.len();
    let mut parts: Vec<Part> = Vec::new();
    for line in fs::read_to_string("/proc/self/smaps").unwrap().lines() {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let hexadecimal = |text| usize::from_str_radix(text, 16).ok();
        if let Some((first, end)) = name.split_once('-')
            && let (Some(first), Some(end)) = (hexadecimal(first), hexadecimal(end))
        {
            parts.push(Part {
                bytes: first..end,
                flags: HashSet::new(),
                resident: 0,
                locked: 0,
            });
            continue;
        }
        let part = parts.last_mut().unwrap();
        let kilobytes = || {
            rest.trim()
                .trim_end_matches(" kB")
                .parse::<usize>()
                .unwrap()
                << 10
        };
        match name {
            "Rss:" => part.resident = kilobytes(),
            "Locked:" => part.locked = kilobytes(),
            "VmFlags:" => part.flags = rest.split_whitespace().map(str::to_owned).collect(),
            _ => {}
        }
    }
    parts.retain(|part| map.contains(&part.bytes.start));
    parts
}

/// Bytes of all sections whose name ends like this.
fn len_of(shard: &Shard<Mapped>, name_end: &str) -> usize {
    let sizes = shard.section_sizes();
    let named = sizes.filter(|(name, ..)| name.ends_with(name_end));
    let len: u64 = named.map(|(_, bytes, _)| bytes).sum();
    usize::try_from(len).unwrap()
}

/// Bytes of the parts with a flag.
fn flagged(parts: &[Part], flag: &str) -> usize {
    let flagged = parts.iter().filter(|part| part.flags.contains(flag));
    flagged.map(|part| part.bytes.len()).sum()
}

/// Whether `len` is that of whole pages around so many bytes.
fn is_around(len: usize, bytes: usize) -> bool {
    (bytes..bytes + 2 * PAGE_LEN).contains(&len)
}

/// Whether the system can be asked for huge pages.
fn has_huge_pages() -> bool {
    fs::metadata("/sys/kernel/mm/transparent_hugepage").is_ok()
}

/// Compares what the system says with what was asked for.
fn assert_advised(policy: MemoryPolicy, shard: &Shard<Mapped>) {
    let parts = parts(shard);
    let (file, indexes) = (shard.bytes().as_ref().len(), len_of(shard, "_index"));
    let random = match policy.records {
        RecordAccess::Random => file.next_multiple_of(PAGE_LEN),
        RecordAccess::Normal => 0,
    };
    assert_eq!(flagged(&parts, "rr"), random, "{policy:?}");
    assert_eq!(flagged(&parts, "sr"), 0, "{policy:?}");
    // The ordered index is shorter than a huge page.
    let large = len_of(shard, "point_index");
    let huge = flagged(&parts, "hg");
    match policy.huge_pages {
        HugePages::Indexes if has_huge_pages() => assert!(is_around(huge, large), "{huge}"),
        HugePages::All if has_huge_pages() => assert!(is_around(huge, file), "{huge}"),
        _ => assert_eq!(huge, 0, "{policy:?}"),
    }
    let locked: usize = parts.iter().map(|part| part.locked).sum();
    let resident: usize = parts.iter().map(|part| part.resident).sum();
    match policy.indexes {
        IndexResidence::Lock => {
            assert!(is_around(flagged(&parts, "lo"), indexes), "{policy:?}");
            assert!(is_around(locked, indexes), "{locked} of {indexes}");
        }
        IndexResidence::Prefault => {
            assert!(resident >= indexes, "{resident} of {indexes}");
            assert_eq!(locked, 0);
        }
        IndexResidence::OnDemand | IndexResidence::ReadAhead => assert_eq!(locked, 0),
    }
}

/// Compares lookups, batches, searches and walks with what was written.
fn assert_right(policy: MemoryPolicy, shard: &Shard<Mapped>) {
    let numbers = (0..RECORDS + 9_000).step_by(97);
    let keys: Vec<[u8; 4]> = numbers.map(key).collect();
    let expected = |key: &[u8]| {
        let number = u32::from_le_bytes(key.try_into().unwrap());
        (number < RECORDS).then(|| value(number))
    };
    let borrowed: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
    shard.get_many(&borrowed, |number, found| {
        let key = borrowed[number];
        for found in [found, shard.get(key)] {
            let found = found.unwrap().map(|value| value.in_place().unwrap());
            assert_eq!(found, expected(key).as_deref(), "{policy:?}");
        }
    });
    let mut terms = 0;
    let visit = |term: &[u8], record: nightshard_format::shard::Record<'_>| {
        assert_eq!(
            Some(record.value.in_place().unwrap()),
            expected(term).as_deref()
        );
        terms += 1;
        true
    };
    let searched = Search::all().visit(std::slice::from_ref(shard), u64::MAX, visit);
    assert_eq!(searched.unwrap(), Searched::Whole);
    assert_eq!(terms, RECORDS / 1_000);
    let file = shard.bytes().as_ref().len().next_multiple_of(PAGE_LEN);
    let random = flagged(&parts(shard), "rr");
    policy.walk(shard, || {
        shard.verify().unwrap();
        assert_eq!(flagged(&parts(shard), "sr"), file, "{policy:?}");
    });
    // Lookups are advised as they were.
    let parts = parts(shard);
    let advised = (flagged(&parts, "sr"), flagged(&parts, "rr"));
    assert_eq!(advised, (0, random), "{policy:?}");
}

#[test]
fn each_policy_gets_what_it_asks_for_and_finds_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path());
    for policy in every_policy() {
        let shard = Shard::open(policy.map(&path).unwrap()).unwrap();
        // Once more changes nothing: generations share maps.
        for _ in 0..2 {
            let mut refused = policy.advise_lookups([&shard]);
            refused.retain(|refused| has_huge_pages() || !refused.to_string().contains("huge"));
            let is_lock = policy.indexes == IndexResidence::Lock;
            // Where locking is limited there is less to see, and that was said.
            if let [refused] = &refused[..] {
                assert!(is_lock && refused.to_string().contains("ulimit -l"));
                continue;
            }
            assert!(refused.is_empty(), "{refused:?}");
            assert_advised(policy, &shard);
        }
        assert_right(policy, &shard);
    }
}

/// Returns how many bytes of a part of memory are files in huge pages.
fn huge_bytes(bytes: &[u8]) -> usize {
    let map = bytes.as_ptr_range();
    let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
    let mut is_inside = false;
    let mut sum = 0;
    for line in smaps.lines() {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let first = name
            .split_once('-')
            .map(|(first, _end)| usize::from_str_radix(first, 16));
        if let Some(Ok(first)) = first {
            is_inside = (map.start as usize..map.end as usize).contains(&first);
        } else if is_inside && name == "FilePmdMapped:" {
            sum += rest
                .trim()
                .trim_end_matches(" kB")
                .parse::<usize>()
                .unwrap()
                << 10;
        }
    }
    sum
}

#[test]
fn huge_pages_come_where_the_system_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path());
    let policy = MemoryPolicy {
        huge_pages: HugePages::All,
        ..MemoryPolicy::default()
    };
    let touch = |bytes: &[u8]| {
        bytes
            .iter()
            .step_by(PAGE_LEN)
            .map(|byte| u64::from(*byte))
            .sum::<u64>()
    };
    // Read by hand: has this file system any?
    let by_hand = policy.map(&path).unwrap();
    touch(by_hand.as_ref());
    let possible = huge_bytes(by_hand.as_ref());
    drop(by_hand);
    let shard = Shard::open(policy.map(&path).unwrap()).unwrap();
    policy.walk(&shard, || shard.verify()).unwrap();
    policy.advise_lookups([&shard]);
    touch(shard.bytes().as_ref());
    assert_eq!(huge_bytes(shard.bytes().as_ref()), possible);
}

#[test]
fn indexes_are_prefaulted_before_anything_is_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path());
    for indexes in [IndexResidence::OnDemand, IndexResidence::Prefault] {
        let policy = MemoryPolicy {
            indexes,
            ..MemoryPolicy::default()
        };
        let shard = Shard::open(policy.map(&path).unwrap()).unwrap();
        assert!(policy.advise_lookups([&shard]).is_empty());
        let resident: usize = parts(&shard).iter().map(|part| part.resident).sum();
        let is_there = resident >= len_of(&shard, "_index");
        assert_eq!(is_there, indexes == IndexResidence::Prefault, "{resident}");
    }
}

/// Set where locking is forbidden.
const NO_LOCK: &str = "NIGHTSHARD_TEST_NO_LOCK";

/// Runs a test of this file where no memory may be locked; returns whether the system lets it.
fn run_without_locks(test: &str) -> bool {
    let forbid = r#"ulimit -l 0 && exec setpriv --bounding-set=-ipc_lock "$0" "$@""#;
    let ran = Command::new("sh")
        .args(["-c", forbid])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(NO_LOCK, "1")
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    let is_run = out.contains("running 1 test");
    assert!(!is_run || ran.status.success(), "{out}{err}");
    is_run
}

#[test]
fn indexes_that_may_not_be_locked_are_prefaulted_and_the_refusal_is_told() {
    if std::env::var_os(NO_LOCK).is_none() {
        let test = "indexes_that_may_not_be_locked_are_prefaulted_and_the_refusal_is_told";
        if !run_without_locks(test) {
            eprintln!("not tested: this system does not let a process give up locking");
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path());
    let policy = MemoryPolicy {
        indexes: IndexResidence::Lock,
        ..MemoryPolicy::default()
    };
    let shard = Shard::open(policy.map(&path).unwrap()).unwrap();
    let refused = policy.advise_lookups([&shard]);
    assert_eq!(refused.len(), 1, "{refused:?}");
    let (indexes, said) = (len_of(&shard, "_index"), refused[0].to_string());
    assert!(
        said.contains("lock") && said.contains(&format!(" {indexes} bytes")),
        "{said}"
    );
    let parts = parts(&shard);
    let resident: usize = parts.iter().map(|part| part.resident).sum();
    assert!(resident >= indexes, "{resident} of {indexes}");
    assert_eq!(parts.iter().map(|part| part.locked).sum::<usize>(), 0);
}

/// How often this thread has waited for a page that was not in memory.
fn major_faults() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
    let (_command, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().nth(9).unwrap().parse().unwrap()
}

/// Whether reading all of a map waits for pages.
fn waits(mapped: &Mapped) -> bool {
    let before = major_faults();
    let bytes = mapped.as_ref().iter().step_by(PAGE_LEN);
    std::hint::black_box(bytes.map(|byte| u64::from(*byte)).sum::<u64>());
    major_faults() > before
}

#[test]
fn a_file_that_is_to_be_in_huge_pages_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path());
    // Dropped by hand: does this file system read it from a disk again?
    let file = fs::File::open(&path).unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    let is_possible = waits(&Mapped::open(&path).unwrap());
    assert!(!waits(&Mapped::open(&path).unwrap()));
    for huge_pages in [HugePages::None, HugePages::Indexes, HugePages::All] {
        let policy = MemoryPolicy {
            huge_pages,
            ..MemoryPolicy::UNADVISED
        };
        let is_anew = huge_pages != HugePages::None && is_possible;
        assert_eq!(
            waits(&policy.map(&path).unwrap()),
            is_anew,
            "{huge_pages:?}"
        );
    }
}
