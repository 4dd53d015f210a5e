//! A reader written from docs/format.md alone: it shares no code with the package, is slow and
//! plain, and panics at whatever the specification does not allow.

use xxhash_rust::xxh3::xxh3_64;

/// Count, sum, sum of squares, minimum, maximum, number of refunds, sum of refunds.
pub(crate) type Statistics = [i128; 8];

/// Cells or distances, and how many are in or at each.
pub(crate) type Counts = Vec<(i128, i128)>;

/// A whole shard.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) dataset: String,
    /// 0, or 12 x year + month.
    pub(crate) span: u32,
    pub(crate) partitions: (u16, u16),
    /// Kind, codec, checksum's kind, items of each section.
    pub(crate) sections: Vec<(u32, u16, u16, u64)>,
    /// Key and value, in file order.
    pub(crate) records: Vec<(Vec<u8>, Vec<u8>)>,
    /// Term and the key of the record that it leads to.
    pub(crate) terms: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Shard {
    /// Returns the value of a key.
    pub(crate) fn value(&self, key: &[u8]) -> &[u8] {
        let record = self.records.iter().find(|record| record.0 == key);
        &record.expect("the key is there").1
    }
}

/// Reads a shard and checks everything that is said of one.
pub(crate) fn read_shard(file: &[u8]) -> Shard {
    let header = &file[..64];
    assert_eq!(header[..8], *b"NIGHTSHD");
    assert_eq!(u16_at(header, 8), 1, "version");
    assert_eq!(u16_at(header, 10), 0, "flags");
    assert_eq!(u32_at(header, 20), 0, "reserved");
    assert_eq!(u64_at(header, 56), xxh3_64(&header[..56]));
    let name = &header[24..56];
    let name_len = name.iter().position(|byte| *byte == 0).unwrap_or(32);
    assert!(name[name_len..].iter().all(|byte| *byte == 0));

    let trailer = &file[file.len() - 32..];
    let table_offset = u64_at(trailer, 0) as usize;
    let table_len = u32_at(trailer, 8) as usize;
    assert_eq!(u16_at(trailer, 12), 1, "version");
    assert_eq!(u16_at(trailer, 14), 0, "reserved");
    assert_eq!(trailer[24..], *b"SHARDEND");
    assert_eq!(table_offset + table_len + 32, file.len());
    let summed = &file[table_offset..file.len() - 16];
    assert_eq!(u64_at(trailer, 16), xxh3_64(summed));

    let mut shard = Shard {
        dataset: String::from_utf8(name[..name_len].into()).unwrap(),
        span: u32_at(header, 16),
        partitions: (u16_at(header, 12), u16_at(header, 14)),
        sections: Vec::new(),
        records: Vec::new(),
        terms: Vec::new(),
    };
    let mut offsets = Vec::new();
    let mut dictionary = None;
    let mut end = 64;
    for entry in file[table_offset..table_offset + table_len].chunks(40) {
        let (kind, items) = (u32_at(entry, 0), u64_at(entry, 24));
        let (start, len) = (u64_at(entry, 8) as usize, u64_at(entry, 16) as usize);
        assert_eq!(start, end, "sections follow each other");
        end = (start + len).next_multiple_of(64);
        assert!(file[start + len..end].iter().all(|byte| *byte == 0));
        let section = &file[start..start + len];
        assert_eq!(u64_at(entry, 32), xxh3_64(section));
        let (codec, checksum) = (u16_at(entry, 4), u16_at(entry, 6));
        shard.sections.push((kind, codec, checksum, items));
        match kind {
            1 => offsets = read_records(section, &mut shard),
            2 => check_point_index(section, &shard, &offsets),
            4 => check_block_sums(&file[..start], section),
            3 => read_ordered_index(section, &mut shard, &offsets),
            5 => dictionary = Some(section),
            _ => {}
        }
        let expected = match kind {
            3 => shard.terms.len(),
            4 => start.div_ceil(65_536),
            5 => 1,
            _ => shard.records.len(),
        };
        assert_eq!(items, expected as u64);
    }
    assert_eq!(
        end, table_offset,
        "the table is where the last section ends"
    );
    assert_eq!(shard.sections[0].1 == 1, dictionary.is_some());
    if let Some(dictionary) = dictionary {
        assert_eq!(dictionary[..4], 0xec30_a437_u32.to_le_bytes());
        for (_, value) in &mut shard.records {
            *value = decompress(value, dictionary);
        }
    }
    shard
}

/// Reads the records, and returns the offset of each, and of their end.
fn read_records(section: &[u8], shard: &mut Shard) -> Vec<u64> {
    let mut rest = section;
    let mut offsets = Vec::new();
    while !rest.is_empty() {
        offsets.push((section.len() - rest.len()) as u64);
        let (key_len, value_len) = (length(&mut rest), length(&mut rest));
        let key = take(&mut rest, key_len).to_vec();
        let value = take(&mut rest, value_len).to_vec();
        let checked = &section[*offsets.last().unwrap() as usize..section.len() - rest.len()];
        assert_eq!(take(&mut rest, 4), &xxh3_64(checked).to_le_bytes()[..4]);
        shard.records.push((key, value));
    }
    offsets.push(section.len() as u64);
    let place = |(key, _): &(Vec<u8>, Vec<u8>)| (xxh3_64(key), key.clone());
    let places: Vec<_> = shard.records.iter().map(place).collect();
    assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "order");
    let (first, end) = shard.partitions;
    let run = u64::from(first)..u64::from(end);
    assert!(places.iter().all(|place| run.contains(&(place.0 >> 54))));
    offsets
}

/// Returns the value that is stored as `rest` in records of codec 1.
fn decompress(mut rest: &[u8], dictionary: &[u8]) -> Vec<u8> {
    let len = length(&mut rest);
    if len == 0 {
        return rest.to_vec();
    }
    assert!(len <= 16 << 20);
    // No checksum, no size, no id of a dictionary, and a window.
    assert_eq!(rest[0], 0, "descriptor of the frame");
    let frame = [&0xfd2f_b528_u32.to_le_bytes()[..], rest].concat();
    let mut decompressor = zstd::bulk::Decompressor::with_dictionary(dictionary).unwrap();
    let value = decompressor.decompress(&frame, len).unwrap();
    assert_eq!(value.len(), len);
    value
}

/// Checks that the index finds every record, and has nothing else.
fn check_point_index(section: &[u8], shard: &Shard, offsets: &[u64]) {
    let keys = shard.records.len();
    let lengths: Vec<u64> = offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let shortest = lengths.iter().min().copied().unwrap_or(0);
    let longer: Vec<u64> = lengths.iter().map(|len| len - shortest).collect();
    let width = if longer.iter().all(|longer| *longer == 0) {
        0
    } else if longer.iter().filter(|longer| **longer >= 4_681).count() <= keys / 64 {
        2
    } else {
        4
    };
    let capacity = (64 - 8) / (2 + width);
    let count = (keys * 10).div_ceil(capacity * 7);
    let (head, lines) = section.split_at(64);
    assert_eq!(u64_at(head, 0), count as u64);
    assert_eq!(u64_at(head, 8), shortest);
    assert_eq!(usize::from(head[16]), width);
    assert!(head[17..].iter().all(|byte| *byte == 0));
    assert_eq!(lines.len(), 64 * count);

    let (first, end) = shard.partitions;
    let scale = count as u128 * 1024 / u128::from(end - first);
    let line_of = |key: &[u8]| {
        let above = xxh3_64(key) - (u64::from(first) << 54);
        (u128::from(above) * scale) >> 64
    };
    let mut record = 0;
    for (number, line) in (0..).zip(lines.chunks(64)) {
        assert_eq!(u64_at(line, 0) >> 8, offsets[record]);
        let here = shard.records[record..].iter();
        let here = here.take_while(|(key, _)| line_of(key) == number).count();
        let entries = here.min(capacity);
        let more = if here > capacity { 128 } else { 0 };
        assert_eq!(usize::from(line[0]), entries + more);
        let mut rest = &line[8..];
        for before in 0..entries {
            let longer: u64 = longer[record..record + before].iter().sum();
            let told = longer.min((1 << (8 * width)) - 1);
            assert_eq!(take(&mut rest, width), &told.to_le_bytes()[..width]);
        }
        let unused = width * (capacity - entries);
        assert!(take(&mut rest, unused).iter().all(|byte| *byte == 0));
        for (key, _) in &shard.records[record..record + entries] {
            assert_eq!(take(&mut rest, 2), &xxh3_64(key).to_le_bytes()[..2]);
        }
        assert!(rest.iter().all(|byte| *byte == 0));
        record += here;
    }
    assert_eq!(record, keys);
}

fn check_block_sums(before: &[u8], section: &[u8]) {
    let sums: Vec<u8> = before
        .chunks(65_536)
        .flat_map(|block| xxh3_64(block).to_le_bytes())
        .collect();
    assert_eq!(section, sums);
}

fn read_ordered_index(section: &[u8], shard: &mut Shard, offsets: &[u64]) {
    let map = fst::raw::Fst::new(section).unwrap();
    assert_eq!(u64_at(section, 0), 3, "version of the layout");
    let mut stream = map.stream();
    while let Some((term, offset)) = fst::Streamer::next(&mut stream) {
        let record = offsets.iter().position(|start| *start == offset.value());
        let key = shard.records[record.unwrap()].0.clone();
        shard.terms.push((term.to_vec(), key));
    }
}

/// The rows of a day.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Day {
    Amounts(Vec<i128>),
    Totals(Statistics, Counts),
}

/// A month record; days are numbered from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Month {
    pub(crate) statistics: Statistics,
    pub(crate) first_ever: i128,
    pub(crate) others: i128,
    pub(crate) days: Vec<(u32, Day)>,
    /// Cards that are new, and the others by distance.
    pub(crate) cards: Vec<(i128, Counts)>,
    /// How buyers differ, by day.
    pub(crate) buyers: Vec<(u32, Counts)>,
    /// Half hours, their rows and sums, by day.
    pub(crate) hours: Vec<(u32, Vec<[i128; 3]>)>,
    /// Second visits, by day.
    pub(crate) second: Vec<(u32, Counts)>,
    /// Buyers by months since their first visit's.
    pub(crate) cohorts: Counts,
    /// Cells, how buyers differ, and the cards that enter.
    pub(crate) roll_up: Option<(Counts, Counts, Counts)>,
}

pub(crate) fn read_month(mut rest: &[u8]) -> Month {
    let rest = &mut rest;
    let flags = take(rest, 1)[0];
    let (rolled_up, buyers_differ) = (flags & 1 == 1, flags & 2 == 2);
    let mask = u32_at(take(rest, 4), 0);
    let present: Vec<u32> = (0..32).filter(|day| mask >> day & 1 == 1).collect();
    let statistics = read_statistics(rest);
    let (first_ever, others) = (unsigned(rest), unsigned(rest));
    let (days_len, cards_len) = (length(rest), length(rest));
    let (day_bytes, card_bytes) = (take(rest, days_len), take(rest, cards_len));
    let (mut day_rest, mut card_rest) = (day_bytes, card_bytes);
    let (mut days, mut cards) = (Vec::new(), Vec::new());
    let mut places = Vec::new();
    for day in present {
        places.push((day_bytes.len() - day_rest.len()) as u32);
        places.push((card_bytes.len() - card_rest.len()) as u32);
        days.push((day + 1, read_day(&mut day_rest)));
        cards.push((unsigned(&mut card_rest), read_runs(&mut card_rest)));
    }
    assert!(day_rest.is_empty() && card_rest.is_empty());
    let mut buyers = Vec::new();
    if buyers_differ {
        let len = length(rest);
        let mut of_days = take(rest, len);
        let mask = u32_at(take(&mut of_days, 4), 0);
        for day in (0..32).filter(|day| mask >> day & 1 == 1) {
            buyers.push((day + 1, read_changes(&mut of_days)));
        }
        assert!(of_days.is_empty());
    }
    let mut hours = Vec::new();
    if flags & 4 == 4 {
        let len = length(rest);
        let mut of_days = take(rest, len);
        let mask = u32_at(take(&mut of_days, 4), 0);
        for day in (0..32).filter(|day| mask >> day & 1 == 1) {
            hours.push((day + 1, read_hours(&mut of_days)));
        }
        assert!(of_days.is_empty());
    }
    let mut second = Vec::new();
    if flags & 8 == 8 {
        let len = length(rest);
        let mut of_days = take(rest, len);
        let mask = u32_at(take(&mut of_days, 4), 0);
        for day in (0..32).filter(|day| mask >> day & 1 == 1) {
            second.push((day + 1, read_runs(&mut of_days)));
        }
        assert!(of_days.is_empty());
    }
    let mut cohorts = Vec::new();
    if flags & 16 == 16 {
        let len = length(rest);
        let mut runs = take(rest, len);
        cohorts = read_runs(&mut runs);
        assert!(runs.is_empty());
    }
    let roll_up = rolled_up.then(|| {
        for place in places {
            assert_eq!(u32_at(take(rest, 4), 0), place);
        }
        let cells_len = length(rest);
        let mut cells = take(rest, cells_len);
        let mut changes = match buyers_differ {
            true => {
                let len = length(rest);
                take(rest, len)
            }
            false => &[0],
        };
        let read = (
            read_cells(&mut cells),
            read_changes(&mut changes),
            read_runs(rest),
        );
        assert!(cells.is_empty() && changes.is_empty());
        read
    });
    assert!(flags <= 31 && rest.is_empty());
    Month {
        statistics,
        first_ever,
        others,
        days,
        cards,
        buyers,
        hours,
        second,
        cohorts,
        roll_up,
    }
}

fn read_day(rest: &mut &[u8]) -> Day {
    let head = unsigned(rest);
    if head == 1 {
        let statistics = read_statistics(rest);
        let cells_len = length(rest);
        let mut cells = take(rest, cells_len);
        let read = Day::Totals(statistics, read_cells(&mut cells));
        assert!(cells.is_empty());
        return read;
    }
    assert_eq!(head % 2, 0);
    let mut amounts = vec![signed(rest)];
    for _ in 1..head / 2 {
        amounts.push(amounts[amounts.len() - 1] + unsigned(rest));
    }
    Day::Amounts(amounts)
}

fn read_statistics(rest: &mut &[u8]) -> Statistics {
    let (count, sum, squares) = (unsigned(rest), signed(rest), unsigned(rest));
    let min = signed(rest);
    let max = min + unsigned(rest);
    [
        count,
        sum,
        squares,
        min,
        max,
        unsigned(rest),
        -unsigned(rest),
        unsigned(rest),
    ]
}

fn read_cells(rest: &mut &[u8]) -> Counts {
    let mut cells: Counts = Vec::new();
    for _ in 0..unsigned(rest) {
        let cell = match cells.last() {
            None => signed(rest),
            Some((before, _)) => before + 1 + unsigned(rest),
        };
        cells.push((cell, unsigned(rest) + 1));
    }
    cells
}

fn read_runs(rest: &mut &[u8]) -> Counts {
    let mut runs: Counts = Vec::new();
    for _ in 0..unsigned(rest) {
        let before = runs.last().map_or(0, |run| run.0);
        let step = unsigned(rest);
        let count = if step % 2 == 0 { 1 } else { unsigned(rest) + 2 };
        runs.push((before + step / 2, count));
    }
    runs
}

fn read_hours(rest: &mut &[u8]) -> Vec<[i128; 3]> {
    let mut hours: Vec<[i128; 3]> = Vec::new();
    for _ in 0..unsigned(rest) {
        let next = hours.last().map_or(0, |hour| hour[0] + 1);
        let step = unsigned(rest);
        let count = if step % 2 == 0 { 1 } else { unsigned(rest) + 2 };
        hours.push([next + step / 2, count, signed(rest)]);
    }
    hours
}

fn read_changes(rest: &mut &[u8]) -> Counts {
    let mut changes: Counts = Vec::new();
    for _ in 0..unsigned(rest) {
        let before = changes.last().map_or(0, |change| change.0);
        changes.push((before + unsigned(rest), signed(rest)));
    }
    changes
}

/// A summary: the profile's bytes, the days, and the distinct cards.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) profile: Vec<u8>,
    pub(crate) days: (i128, i128),
    pub(crate) cards: i128,
    /// 12 x year + month (1 to 12), totals and cards.
    pub(crate) months: Vec<(i128, Statistics, i128)>,
    pub(crate) quarters: Vec<i128>,
    pub(crate) years: Vec<i128>,
}

/// Reads a summary whose first day lies in the month `first_month`, 12 x year + month.
pub(crate) fn read_summary(mut rest: &[u8], first_month: i128) -> Summary {
    let rest = &mut rest;
    let profile_len = length(rest);
    let profile = take(rest, profile_len).to_vec();
    let first = signed(rest);
    let last = first + unsigned(rest);
    let cards = unsigned(rest);
    let mut next = first_month;
    let mut months = Vec::new();
    for _ in 0..unsigned(rest) {
        let month = next + unsigned(rest);
        months.push((month, read_statistics(rest), unsigned(rest)));
        next = month + 1;
    }
    let mut groups = |months_each: i128| -> Vec<i128> {
        let mut groups: Vec<i128> = months
            .iter()
            .map(|month| (month.0 - 1) / months_each)
            .collect();
        groups.dedup();
        groups.iter().map(|_| unsigned(rest)).collect()
    };
    let (quarters, years) = (groups(3), groups(12));
    assert!(rest.is_empty());
    Summary {
        profile,
        days: (first, last),
        cards,
        months,
        quarters,
        years,
    }
}

pub(crate) fn read_ranking(value: &[u8]) -> Vec<&[u8]> {
    let len = u32_at(value, 0) as usize;
    let text = &value[4 + 4 * len..];
    let mut start = 0;
    let mut ids = Vec::new();
    for position in 0..len {
        let end = u32_at(value, 4 + 4 * position) as usize;
        ids.push(&text[start..end]);
        start = end;
    }
    assert_eq!(start, text.len());
    ids
}

pub(crate) fn read_postings(mut rest: &[u8]) -> Vec<(u8, &[u8])> {
    let mut postings = Vec::new();
    while !rest.is_empty() {
        let kind = take(&mut rest, 1)[0];
        let len = length(&mut rest);
        postings.push((kind, take(&mut rest, len)));
    }
    postings
}

/// Reads a side series: days and the bits of their values.
pub(crate) fn read_side_series(mut rest: &[u8]) -> Vec<(i128, u64)> {
    let rest = &mut rest;
    let len = length(rest);
    assert!(len > 0);
    let mut days = vec![signed(rest)];
    for _ in 1..len {
        days.push(days[days.len() - 1] + 1 + unsigned(rest));
    }
    let values = days.into_iter().map(|day| (day, u64_at(take(rest, 8), 0)));
    let values = values.collect();
    assert!(rest.is_empty());
    values
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

pub(crate) fn take<'a>(rest: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, after) = rest.split_at(len);
    *rest = after;
    taken
}

pub(crate) fn unsigned(rest: &mut &[u8]) -> i128 {
    let mut value = 0;
    for position in 0.. {
        let byte = take(rest, 1)[0];
        value |= i128::from(byte & 0x7f) << (7 * position);
        if byte < 0x80 {
            break;
        }
    }
    value
}

pub(crate) fn signed(rest: &mut &[u8]) -> i128 {
    let value = unsigned(rest);
    if value % 2 == 0 {
        value / 2
    } else {
        -(value + 1) / 2
    }
}

pub(crate) fn length(rest: &mut &[u8]) -> usize {
    usize::try_from(unsigned(rest)).unwrap()
}
