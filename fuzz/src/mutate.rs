//! How inputs are changed.

use serde_json::Value;

use crate::{rng::Rng, shard_file::ShardFile};

/// Inputs do not grow beyond this.
const LEN_MAX: usize = 1 << 20;

/// Numbers at which something changes: sizes of integers, of lines, of the grammar's limits.
const INTERESTING: [u64; 24] = [
    0,
    1,
    2,
    7,
    8,
    9,
    13,
    14,
    28,
    31,
    32,
    63,
    64,
    127,
    128,
    255,
    1_023,
    1_024,
    65_535,
    65_536,
    1 << 31,
    1 << 40,
    1 << 63,
    u64::MAX,
];

/// Changes bytes without knowing what they are.
pub fn bytes(rng: &mut Rng, data: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..=rng.below(4) {
        one_change(rng, data, other);
    }
    data.truncate(LEN_MAX);
}

fn one_change(rng: &mut Rng, data: &mut Vec<u8>, other: &[u8]) {
    let at = rng.below(data.len());
    let behind = at + rng.below((data.len() - at.min(data.len())).min(64) + 1);
    match rng.below(9) {
        0 | 1 if !data.is_empty() => data[at] ^= 1 << rng.below(8),
        2 if !data.is_empty() => data[at] = rng.byte(),
        3 if !data.is_empty() => data[at] = data[at].wrapping_add(1).wrapping_sub(rng.byte() & 2),
        4 => {
            let number = rng.pick(&INTERESTING).to_le_bytes();
            let len = *rng.pick(&[1, 2, 4, 8]);
            let into = data.iter_mut().skip(at).zip(&number[..len]);
            into.for_each(|(byte, new)| *byte = *new);
        }
        5 => data.truncate(at),
        6 => drop(data.drain(at..behind)),
        7 => {
            let copied = data[at..behind].to_vec();
            let to = rng.below(data.len() + 1);
            data.splice(to..to, copied);
        }
        _ => {
            let from = rng.below(other.len());
            let to = from + rng.below((other.len() - from).min(64) + 1);
            data.splice(at..behind, other[from..to].iter().copied());
        }
    }
}

/// Changes a shard: mostly within its parts, so that every checksum is right.
pub fn shard(rng: &mut Rng, data: &mut Vec<u8>, other: &[u8]) {
    if rng.one_in(8) {
        return bytes(rng, data, other);
    }
    let Some(mut file) = ShardFile::parse(data) else {
        return bytes(rng, data, other);
    };
    for _ in 0..=rng.below(3) {
        change_part(rng, &mut file, other);
    }
    // Whoever damages a record seldom writes its check anew, and then nothing is found.
    if rng.one_in(2) {
        file.check_records();
    }
    *data = file.encode();
    data.truncate(LEN_MAX);
}

fn change_part(rng: &mut Rng, file: &mut ShardFile, other: &[u8]) {
    let part = rng.below(file.sections.len());
    match (rng.below(16), file.sections.get_mut(part)) {
        (0, _) => file.header[rng.below(56)] ^= 1 << rng.below(8),
        (1, Some(section)) => section.items = *rng.pick(&INTERESTING),
        (2, Some(section)) => section.items = section.items.wrapping_add(1),
        (3, Some(section)) => section.codecs[rng.below(4)] ^= 1 << rng.below(3),
        (4, Some(section)) => section.kind ^= 1 << rng.below(4),
        (5, Some(_)) => drop(file.sections.remove(part)),
        (6, Some(section)) => {
            let again = section.clone();
            file.sections.push(again);
        }
        (7, Some(section)) => {
            let theirs = ShardFile::parse(other).map(|file| file.sections);
            let mut theirs = theirs.into_iter().flatten();
            if let Some(same) = theirs.find(|theirs| theirs.kind == section.kind) {
                *section = same;
            }
        }
        (_, Some(section)) => one_change(rng, &mut section.bytes, other),
        (_, None) => file.trailer[rng.below(4)] ^= 1 << rng.below(8),
    }
}

/// Changes a manifest: mostly its members, so that its id is right.
pub fn manifest(rng: &mut Rng, data: &mut Vec<u8>, other: &[u8]) {
    let parsed = serde_json::from_slice::<Value>(data).ok();
    match parsed {
        Some(Value::Object(mut members)) if !rng.one_in(4) => {
            for _ in 0..=rng.below(3) {
                change_value(rng, members.values_mut());
            }
            if rng.one_in(16) {
                let names: Vec<String> = members.keys().cloned().collect();
                names
                    .get(rng.below(names.len()))
                    .and_then(|name| members.remove(name));
            }
            sign(&mut members);
            *data = Value::Object(members).to_string().into();
        }
        _ => bytes(rng, data, other),
    }
}

/// Writes the id that belongs to everything else.
fn sign(members: &mut serde_json::Map<String, Value>) {
    members.remove("id");
    let canonical = Value::Object(members.clone()).to_string();
    let digest = blake3::hash(canonical.as_bytes()).to_hex();
    let as_of = members.get("as_of").and_then(Value::as_str);
    let id = format!("{}-{}", as_of.unwrap_or_default(), &digest[..12]);
    members.insert("id".into(), id.into());
}

fn change_value<'a>(rng: &mut Rng, values: impl Iterator<Item = &'a mut Value>) {
    let mut values: Vec<&mut Value> = values.collect();
    let chosen = rng.below(values.len());
    let Some(value) = values.get_mut(chosen) else {
        return;
    };
    match value {
        Value::Array(items) if !rng.one_in(4) => change_array(rng, items),
        Value::Object(members) if !rng.one_in(8) => change_value(rng, members.values_mut()),
        Value::String(text) if !rng.one_in(4) => {
            let mut bytes = std::mem::take(text).into_bytes();
            one_change(rng, &mut bytes, b"2018-02-290000-00-00current-9999-13");
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
        other => {
            **other = match rng.below(6) {
                0 => Value::Null,
                1 => Value::from(-1),
                2 => Value::from(1.5e300),
                3 => Value::from("current"),
                _ => Value::from(*rng.pick(&INTERESTING)),
            }
        }
    }
}

fn change_array(rng: &mut Rng, items: &mut Vec<Value>) {
    let at = rng.below(items.len());
    match (rng.below(4), items.get(at).cloned()) {
        (0, Some(again)) => items.push(again),
        (1, Some(_)) => drop(items.remove(at)),
        (2, Some(_)) => items.reverse(),
        _ => change_value(rng, items.iter_mut()),
    }
}
