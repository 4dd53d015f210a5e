//! Damage that comes to a file while it is served: found, named, and never answered from.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, Mutex},
};

use nightshard_format::{generation::Generation, manifest::GenerationId, shard::Mapped};
use nightshard_server::{Config, Scrub, Source, SourceError};

use crate::{
    client::Client,
    fixture::{Fixture, replace},
    harness::{Harness, config},
    scripted::Scripted,
    swap::write,
};

/// Reads as fast as it can: a round takes no time worth mentioning.
fn scrubbing() -> Config {
    Config {
        scrub: Scrub {
            bytes_per_second: 1 << 40,
            round_ms_min: 1.try_into().unwrap(),
        },
        ..config()
    }
}

/// Changes a byte of a file in place, as a disk would; returns what it was.
fn flip(path: &Path, at: u64) {
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

/// Returns a counter without labels.
fn metric(client: &mut Client, name: &str) -> u64 {
    let text = String::from_utf8(client.get("/metrics").body).unwrap();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap().parse().unwrap()
}

const KEYS: u32 = 90;
/// Long enough that a shard has several blocks.
const VALUE_LEN: usize = 10_000;

fn key(number: u32) -> String {
    format!("key-{number}")
}

fn value(number: u32) -> Vec<u8> {
    let byte = b'a' + u8::try_from(number % 26).unwrap();
    vec![byte; VALUE_LEN]
}

#[test]
fn damage_in_use_is_found_and_no_wrong_value_is_answered_until_the_file_is_mended() {
    let fixture = Arc::new(Fixture::new());
    let table: Vec<(String, Vec<u8>)> = (0..KEYS)
        .map(|number| (key(number), value(number)))
        .collect();
    let table: Vec<(&[u8], &[u8])> = table
        .iter()
        .map(|(key, value)| (key.as_bytes(), value.as_slice()))
        .collect();
    let id = fixture.write_packed("blobs", "text/plain", &table, None);
    fixture.select(1, &id);
    let harness = Harness::ready(scrubbing(), fixture.clone(), 1);
    let mut client = harness.connect();
    let path = fixture.shard_file(&id, "blobs");
    let right = fs::read(&path).unwrap();
    let len = right.len() as u64;
    assert!(len > 2 * 65_536);

    // A value, the last block, the sums, the section table, the trailer.
    for (round, at) in [
        (1, 5_000),
        (2, len - 600),
        (3, len - 250),
        (4, len - 100),
        (5, len - 20),
    ] {
        assert_eq!(
            metric(&mut client, "nightshard_scrub_damage_total"),
            round - 1
        );
        flip(&path, at);
        while metric(&mut client, "nightshard_scrub_damage_total") < round {}
        let (mut refused, mut answered) = (0, 0);
        for number in 0..KEYS {
            let reply = client.get(&format!("/v1/datasets/blobs/{}", key(number)));
            match reply.status {
                200 => {
                    assert_eq!(reply.body, value(number), "{number}");
                    answered += 1;
                }
                status => {
                    assert_eq!(status, 503, "{number}");
                    assert_eq!(reply.header("retry-after"), Some("1"));
                    refused += 1;
                }
            }
        }
        // Other shards answer as before.
        assert!(refused > 0 && answered > 0, "{refused} {answered}");
        let missing = client.get("/v1/datasets/blobs/key-none");
        assert!([404, 503].contains(&missing.status));

        // Mended as a build mends it: another file in its place.
        replace(&path, &right);
        harness.switch().wake();
        for number in 0..KEYS {
            let target = format!("/v1/datasets/blobs/{}", key(number));
            let reply = loop {
                let reply = client.get(&target);
                if reply.status != 503 {
                    break reply;
                }
            };
            assert_eq!(reply.body, value(number), "{number}");
        }
    }
    let rounds = metric(&mut client, "nightshard_scrub_rounds_total");
    while metric(&mut client, "nightshard_scrub_rounds_total") < rounds + 2 {}
    assert_eq!(metric(&mut client, "nightshard_scrub_damage_total"), 5);
    assert!(metric(&mut client, "nightshard_scrub_blocks_total") > 6);
    assert!(metric(&mut client, "nightshard_scrub_bytes_total") > len);
    metric(&mut client, "nightshard_scrub_round_age_seconds");
}

/// A source that keeps what it was told to forget.
struct Told {
    fixture: Fixture,
    forgotten: Mutex<Vec<String>>,
}

impl Source for Told {
    fn current(&self) -> Result<Option<(u64, GenerationId)>, SourceError> {
        self.fixture.current()
    }

    fn open(&self, id: &GenerationId) -> Result<Generation<Mapped>, SourceError> {
        self.fixture.open(id)
    }

    fn forget(&self, blob: &str) {
        self.forgotten.lock().unwrap().push(blob.to_owned());
    }
}

/// A source that maps and verifies each file once would open a damaged one for a right one again.
#[test]
fn a_source_is_told_to_forget_the_file_that_was_found_damaged_and_no_other() {
    let fixture = Fixture::new();
    let table: [(&[u8], &[u8]); 3] = [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")];
    let id = fixture.write_packed("blobs", "text/plain", &table, None);
    fixture.select(1, &id);
    let path = fixture.shard_file(&id, "blobs");
    let source = Arc::new(Told {
        fixture,
        forgotten: Mutex::default(),
    });
    let harness = Harness::ready(scrubbing(), source.clone(), 1);
    flip(&path, 100);
    let mut client = harness.connect();
    while metric(&mut client, "nightshard_candidates_failed_total") == 0 {}
    let forgotten = source.forgotten.lock().unwrap();
    let blob = path.file_name().unwrap().to_str().unwrap();
    assert!(!forgotten.is_empty());
    assert!(forgotten.iter().all(|known| known == blob), "{forgotten:?}");
}

#[test]
fn what_was_mended_is_not_read_anew_for_a_generation_that_is_only_kept() {
    let source = Scripted::new();
    let fixture = &source.fixture;
    // All of them have the same words to search, in the same files.
    let ids = [10, 20, 30].map(|rows| write(fixture, rows));
    fixture.select(1, &ids[0]);
    let harness = Harness::ready(scrubbing(), source.clone(), 1);
    fixture.select(2, &ids[1]);
    harness.wait_for(2);
    let path = fixture.shard_file(&ids[1], "search");
    assert_eq!(path, fixture.shard_file(&ids[0], "search"));
    let right = fs::read(&path).unwrap();
    flip(&path, right.len() as u64 / 2);
    let mut client = harness.connect();
    while metric(&mut client, "nightshard_scrub_damage_total") == 0 {}
    let swaps = metric(&mut client, "nightshard_swaps_total");
    replace(&path, &right);
    harness.switch().wake();
    while metric(&mut client, "nightshard_swaps_total") == swaps {}
    let forgotten = source.forgotten();
    assert!(!forgotten.is_empty());
    // The first generation still has the damaged file mapped.
    fixture.select(3, &ids[2]);
    harness.wait_for(3);
    assert_eq!(source.forgotten(), forgotten);
}
