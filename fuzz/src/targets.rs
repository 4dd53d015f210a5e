//! What is fuzzed: functions of any bytes that must not panic, and what they assert.

use std::hash::{DefaultHasher, Hash, Hasher};

use nightshard_format::{
    Error,
    manifest::Manifest,
    shard::{Search, Searched, Shard, Value},
};

use crate::{mutate, rng::Rng, search, seeds, values};

/// What became of an input, so that drivers without coverage know whether one is new.
pub type Outcome = u64;

/// Something that reads bytes, what it is fed at first, and how that is changed.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Reads any bytes; panics if that goes wrong.
    pub run: fn(&[u8]) -> Outcome,
    /// What to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Changes an input, with another one to take pieces from.
    pub mutate: fn(&mut Rng, &mut Vec<u8>, &[u8]),
}

/// All targets.
pub const TARGETS: [Target; 5] = [
    Target {
        name: "open_shard",
        run: open_shard,
        seeds: seeds::shards,
        mutate: mutate::shard,
    },
    Target {
        name: "lookup",
        run: lookup,
        seeds: seeds::shards,
        mutate: mutate::shard,
    },
    Target {
        name: "manifest",
        run: manifest,
        seeds: seeds::manifests,
        mutate: mutate::manifest,
    },
    Target {
        name: "values",
        run: values::run,
        seeds: seeds::values,
        mutate: mutate::bytes,
    },
    Target {
        name: "search",
        run: search::run,
        seeds: search::seeds,
        mutate: search::mutate,
    },
];

/// Opens and verifies a shard; what is verified keeps every promise.
fn open_shard(data: &[u8]) -> Outcome {
    let shard = match Shard::open(data) {
        Ok(shard) => shard,
        Err(error) => return outcome(&error),
    };
    let blocks = (0..shard.len_blocks()).try_for_each(|block| shard.verify_block(block));
    match shard.verify() {
        Err(error) => outcome(&error),
        Ok(()) => {
            assert!(blocks.is_ok(), "a verified shard has a damaged block");
            assert_whole(&shard);
            0
        }
    }
}

/// Every record of a verified shard is found, in every way, and nothing else is.
fn assert_whole(shard: &Shard<&[u8]>) {
    let records: Vec<_> = shard
        .iter()
        .collect::<Result<_, _>>()
        .expect("it is verified");
    assert_eq!(records.len() as u64, shard.len());
    let keys: Vec<&[u8]> = records.iter().map(|record| record.key).collect();
    let mut in_batch = 0;
    shard.get_many(&keys, |number, found| {
        assert_eq!(number, in_batch);
        let found = found.expect("it is verified").map(Value::stored);
        assert_eq!(found, Some(records[number].value.stored()));
        in_batch += 1;
    });
    assert_eq!(in_batch, keys.len());
    for record in &records {
        let found = shard.get_checked(record.key).expect("it is verified");
        let value = record.value.read().expect("it is verified");
        assert_eq!(
            value.len(),
            record.value.len_bytes().expect("it is verified")
        );
        assert_eq!(found.map(Value::stored), Some(record.value.stored()));
        let longer = [record.key, b"\0"].concat();
        let has_longer = keys.contains(&&longer[..]);
        assert_eq!(
            shard.get(&longer).expect("it is verified").is_some(),
            has_longer
        );
    }
    let mut last: Option<Vec<u8>> = None;
    let visit = |term: &[u8], _record: nightshard_format::shard::Record<'_>| {
        assert!(last.as_deref() < Some(term), "terms are out of order");
        last = Some(term.to_vec());
        true
    };
    let searched = Search::all().visit(std::slice::from_ref(shard), u64::MAX, visit);
    assert_eq!(searched.expect("it is verified"), Searched::Whole);
}

/// Looks for keys in a shard that nobody has verified: they are found or not, never another.
fn lookup(data: &[u8]) -> Outcome {
    let shard = match Shard::open(data) {
        Ok(shard) => shard,
        Err(error) => return outcome(&error),
    };
    let mut keys = seeds::keys();
    let readable = shard.iter().map_while(Result::ok).take(64);
    keys.extend(readable.map(|record| record.key.to_vec()));
    let mut hasher = DefaultHasher::new();
    let mut singly = Vec::new();
    for key in &keys {
        let found = shard.get(key);
        let stored = |value: Option<Value<'_>>| value.map(|value| value.stored().to_vec());
        match (&found, shard.get_checked(key)) {
            (Ok(value), Ok(checked)) => assert_eq!(stored(*value), stored(checked)),
            (Ok(Some(_)) | Err(_), Err(_)) => {}
            (found, checked) => panic!("{found:?}, but {checked:?} when it is checked"),
        }
        if let Ok(Some(value)) = found {
            let at = value.stored().as_ptr() as usize - data.as_ptr() as usize;
            assert_eq!(&data[at - key.len()..at], key, "the value of another key");
            if let (Ok(read), Ok(len)) = (value.read(), value.len_bytes()) {
                assert_eq!(read.len(), len, "a value of another length");
            }
        }
        let said = found
            .as_ref()
            .map_or_else(outcome, |found| found.is_some().into());
        said.hash(&mut hasher);
        singly.push(found);
    }
    let borrowed: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    shard.get_many(&borrowed, |number, found| match (&singly[number], found) {
        (Ok(single), Ok(found)) => {
            assert_eq!(single.map(Value::stored), found.map(Value::stored))
        }
        (Err(_), Err(_)) => {}
        (single, found) => panic!("{single:?} alone, but {found:?} among many"),
    });
    hasher.finish()
}

/// Reads a manifest; what is read is written and read alike.
fn manifest(data: &[u8]) -> Outcome {
    match Manifest::from_json(data) {
        Err(error) => outcome(&error),
        Ok(manifest) => {
            let json = manifest.to_json().expect("it came from JSON");
            assert_eq!(Manifest::from_json(&json).expect("it was right"), manifest);
            assert_eq!(manifest.id.as_of(), manifest.as_of);
            if let Some(transactions) = &manifest.transactions {
                let days = transactions.day_range().expect("it was checked");
                assert!(!days.is_empty());
            }
            let bytes: u64 = manifest.shards.iter().map(|shard| shard.size_bytes).sum();
            bytes.leading_zeros().into()
        }
    }
}

/// Tells errors apart by what they say, but not by the numbers in it.
pub(crate) fn outcome(error: &Error) -> Outcome {
    let mut hasher = DefaultHasher::new();
    let said = error.to_string();
    let words = said.chars().filter(|letter| !letter.is_ascii_hexdigit());
    words.for_each(|letter| letter.hash(&mut hasher));
    hasher.finish()
}
