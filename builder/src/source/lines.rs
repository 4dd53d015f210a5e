//! Lines and their fields, found in one pass over a text without quotes.

use wide::u8x32;

use super::fields::{Fields, position};

/// How many bytes are looked at together.
const LANES: usize = 64;

/// How many positions are written together.
const STEP: usize = 8;

/// What a pass over whole lines found.
pub(crate) struct LineIndex {
    delimiter: u8,
    /// Where fields begin: 0, and behind each delimiter, line break and carriage return of a line
    /// break. Behind those stands what an earlier pass left.
    starts: Vec<u32>,
    /// How many of `starts` this pass found.
    found: usize,
    /// Behind each line break.
    line_ends: Vec<u32>,
    lines: usize,
    /// Whether every byte is ASCII.
    pub(crate) is_ascii: bool,
    /// Whether there may be control characters beside those that end lines and fields.
    pub(crate) holds_controls: bool,
    /// Whether lines end with carriage returns.
    holds_returns: bool,
    /// Whether fields may begin or end with white space.
    holds_margins: bool,
}

/// One line.
pub(crate) struct IndexedLine<'t> {
    /// Where it begins in the text.
    pub(crate) start: usize,
    /// Its length without the line feed.
    pub(crate) len: usize,
    /// Its fields, if there are as many as asked for, and perhaps an empty one more; not where
    /// there may be white space around fields.
    pub(crate) fields: Option<Fields<'t>>,
}

impl LineIndex {
    pub(crate) fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            starts: Vec::new(),
            found: 0,
            line_ends: Vec::new(),
            lines: 0,
            is_ascii: true,
            holds_controls: false,
            holds_returns: false,
            holds_margins: false,
        }
    }

    /// Looks at the first `len` bytes of `text`, which are whole lines with their breaks.
    pub(crate) fn read(&mut self, text: &[u8], len: usize) {
        self.begin(len);
        #[cfg(target_arch = "x86_64")]
        if wide_lanes::are_there() {
            return wide_lanes::read(self, text, len);
        }
        self.pass(text, len, Seen::of, positions);
    }

    /// Makes room for what `len` bytes may hold, and forgets the last pass.
    fn begin(&mut self, len: usize) {
        // What is written beyond what was found is written over.
        let room = len + 2 * LANES;
        if self.starts.len() < room {
            self.starts.resize(room, 0);
            self.line_ends.resize(room, 0);
        }
        (self.found, self.lines) = (1, 0);
        (self.is_ascii, self.holds_controls) = (true, false);
        (self.holds_returns, self.holds_margins) = (false, false);
    }

    /// Reads with what sees lanes and what writes the positions of bits into what has room for all.
    #[inline(always)]
    fn pass(
        &mut self,
        text: &[u8],
        len: usize,
        see: impl Fn(&[u8; LANES], u8) -> Seen,
        positions: impl Fn(u32, u64, &mut [u32; LANES]),
    ) {
        let mut is_behind_end = 1;
        for base in (0..len).step_by(LANES) {
            let mut copied = [b'.'; LANES];
            let lanes = match text[..len].get(base..).and_then(|rest| rest.first_chunk()) {
                Some(lanes) => lanes,
                None => {
                    copied[..len - base].copy_from_slice(&text[base..len]);
                    &copied
                }
            };
            let mut seen = see(lanes, self.delimiter);
            let next = text.get(base + LANES).copied();
            let is_before_end =
                next.is_some_and(|it| it == self.delimiter || matches!(it, b'\n' | b'\r'));
            seen.before = is_behind_end;
            seen.behind = u64::from(is_before_end) << (LANES - 1);
            if seen.margins() != 0 {
                self.look_closer(&mut seen, lanes, next);
            }
            self.is_ascii &= !seen.holds_others;
            self.holds_controls |= seen.controls & !seen.ends != 0;
            is_behind_end = seen.ends >> (LANES - 1);
            if let Some(starts) = self.starts[self.found..].first_chunk_mut() {
                positions(position(base) + 1, seen.ends, starts);
            }
            self.found += seen.ends.count_ones() as usize;
            self.note_line_ends(position(base), seen.line_feeds);
        }
    }

    /// Tells carriage returns of line breaks from white space around a field.
    #[inline(never)]
    fn look_closer(&mut self, seen: &mut Seen, lanes: &[u8; LANES], next: Option<u8>) {
        let behind = u64::from(next == Some(b'\n')) << (LANES - 1);
        let returns = mask(lanes, |it| it.simd_eq(u8x32::splat(b'\r')));
        let returns = returns & (seen.line_feeds >> 1 | behind);
        seen.ends |= returns;
        self.holds_returns |= returns != 0;
        self.holds_margins |= seen.margins() != 0;
    }

    #[inline(always)]
    fn note_line_ends(&mut self, base: u32, mut line_feeds: u64) {
        loop {
            self.line_ends[self.lines] = base + line_feeds.trailing_zeros() + 1;
            self.lines += usize::from(line_feeds != 0);
            line_feeds &= line_feeds.wrapping_sub(1);
            if line_feeds == 0 {
                break;
            }
        }
    }

    /// Returns how many lines there are.
    pub(crate) fn len(&self) -> usize {
        self.lines
    }

    /// Iterates over the lines of `text`, which was just read, with so many fields.
    #[inline]
    pub(crate) fn lines<'t>(
        &'t self,
        text: &'t [u8],
        columns: usize,
    ) -> impl Iterator<Item = IndexedLine<'t>> {
        let starts = &self.starts[..self.found];
        let mut first = 0;
        self.line_ends[..self.lines].iter().map(move |end| {
            let start = starts[first] as usize;
            // The line's end or its carriage return, or an empty field too many.
            let is_end = |ordinal: usize| starts.get(ordinal) == Some(end);
            let next = first + columns;
            // Before its line feed, a carriage return is no field.
            let is_returned = self.holds_returns && text[start..*end as usize].ends_with(b"\r\n");
            let is_whole = if is_end(next) && !is_returned {
                Some(next)
            } else {
                let is_next = is_end(next + 1) && starts[next] + 1 == *end;
                is_next.then_some(next + 1)
            };
            let fields = is_whole
                .filter(|_| !self.holds_margins)
                .map(|_| Fields::new(text, &starts[first..next], &starts[first + 1..=next], 1));
            first = is_whole.unwrap_or_else(|| first + ordinal_of(*end, &starts[first..]));
            IndexedLine {
                start,
                len: *end as usize - 1 - start,
                fields,
            }
        })
    }
}

#[cold]
fn ordinal_of(end: u32, starts: &[u32]) -> usize {
    starts.partition_point(|start| *start < end)
}

/// What stands where, one bit for each byte.
struct Seen {
    /// Delimiters and line breaks.
    ends: u64,
    line_feeds: u64,
    /// White space and control characters below it.
    spaces: u64,
    controls: u64,
    /// Whether an end precedes the first byte.
    before: u64,
    /// The last bit, if an end follows.
    behind: u64,
    /// Whether there are bytes beyond ASCII.
    holds_others: bool,
}

impl Seen {
    #[inline(always)]
    fn of(lanes: &[u8; LANES], delimiter: u8) -> Self {
        let is_line_feed = |it: u8x32| it.simd_eq(u8x32::splat(b'\n'));
        let is_end = |it: u8x32| it.simd_eq(u8x32::splat(delimiter)) | is_line_feed(it);
        let is_at_most = |it: u8x32, most: u8| it.min(u8x32::splat(most)).simd_eq(it);
        Self {
            ends: mask(lanes, is_end),
            line_feeds: mask(lanes, is_line_feed),
            spaces: mask(lanes, |it| is_at_most(it, b' ')),
            controls: mask(lanes, |it| {
                is_at_most(it, b' ' - 1) | it.simd_eq(u8x32::splat(0x7f))
            }),
            before: 0,
            behind: 0,
            holds_others: mask(lanes, |it| it) != 0,
        }
    }

    /// White space beside an end.
    #[inline(always)]
    fn margins(&self) -> u64 {
        let beside = self.ends << 1 | self.before | self.ends >> 1 | self.behind;
        self.spaces & !self.ends & beside
    }
}

/// Writes `base` and the position of each bit.
#[inline(always)]
fn positions(base: u32, mut bits: u64, into: &mut [u32; LANES]) {
    let (steps, _) = into.as_chunks_mut::<STEP>();
    // Nearly always one round or two, and the same work however many bits there are: a loop over
    // the bits would be mispredicted.
    for step in steps {
        for position in step {
            *position = base + bits.trailing_zeros();
            bits &= bits.wrapping_sub(1);
        }
        if bits == 0 {
            break;
        }
    }
}

/// One bit for each byte: the highest of what `look` makes of it.
#[inline(always)]
fn mask(lanes: &[u8; LANES], look: impl Fn(u8x32) -> u8x32) -> u64 {
    let (halves, _) = lanes.as_chunks();
    let half = |half: usize| u64::from(look(u8x32::new(halves[half])).to_bitmask());
    half(0) | half(1) << (LANES / 2)
}

/// The same in vectors of 512 bits.
#[cfg(target_arch = "x86_64")]
mod wide_lanes {
    use std::arch::x86_64::{
        __m128i, __m512i, _mm512_add_epi32, _mm512_cmpeq_epi8_mask, _mm512_cmple_epu8_mask,
        _mm512_cmplt_epu8_mask, _mm512_cvtepu8_epi32, _mm512_maskz_compress_epi8,
        _mm512_movepi8_mask, _mm512_set1_epi8, _mm512_set1_epi32,
    };

    use super::{LANES, LineIndex, Seen};

    /// How many positions fit a vector.
    const STEP: usize = 16;

    const ORDINALS: [u8; LANES] = {
        let mut ordinals = [0; LANES];
        let mut lane = 1;
        while lane < LANES {
            ordinals[lane] = ordinals[lane - 1] + 1;
            lane += 1;
        }
        ordinals
    };

    /// Whether the processor has them.
    #[inline]
    pub(super) fn are_there() -> bool {
        is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("popcnt")
    }

    #[expect(unsafe_code, reason = "the processor has to have the vectors")]
    pub(super) fn read(index: &mut LineIndex, text: &[u8], len: usize) {
        assert!(are_there());
        // SAFETY: the processor has what the function is compiled for.
        unsafe { read_wide(index, text, len) }
    }

    #[target_feature(enable = "avx512bw,avx512vbmi2,bmi1,bmi2,popcnt")]
    fn read_wide(index: &mut LineIndex, text: &[u8], len: usize) {
        index.pass(
            text,
            len,
            |lanes, delimiter| see(lanes, delimiter),
            |base, bits, into| positions(base, bits, into),
        );
    }

    #[inline]
    #[target_feature(enable = "avx512bw")]
    fn see(lanes: &[u8; LANES], delimiter: u8) -> Seen {
        let all = |byte: u8| _mm512_set1_epi8(byte.cast_signed());
        let lanes: __m512i = bytemuck::cast(*lanes);
        let line_feeds = _mm512_cmpeq_epi8_mask(lanes, all(b'\n'));
        Seen {
            ends: line_feeds | _mm512_cmpeq_epi8_mask(lanes, all(delimiter)),
            line_feeds,
            spaces: _mm512_cmple_epu8_mask(lanes, all(b' ')),
            controls: _mm512_cmplt_epu8_mask(lanes, all(b' '))
                | _mm512_cmpeq_epi8_mask(lanes, all(0x7f)),
            before: 0,
            behind: 0,
            holds_others: _mm512_movepi8_mask(lanes) != 0,
        }
    }

    #[inline]
    #[target_feature(enable = "avx512bw,avx512vbmi2")]
    fn positions(base: u32, bits: u64, into: &mut [u32; LANES]) {
        let ordinals: __m512i = bytemuck::cast(ORDINALS);
        let packed: [__m128i; LANES / STEP] =
            bytemuck::cast(_mm512_maskz_compress_epi8(bits, ordinals));
        let base = _mm512_set1_epi32(base.cast_signed());
        let (steps, _) = into.as_chunks_mut::<STEP>();
        let count = bits.count_ones() as usize;
        for (round, (step, ordinals)) in steps.iter_mut().zip(packed).enumerate() {
            if round * STEP >= count.max(1) {
                break;
            }
            *step = bytemuck::cast(_mm512_add_epi32(_mm512_cvtepu8_epi32(ordinals), base));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a pass tells of a text.
    #[derive(Debug, PartialEq)]
    struct Told {
        is_ascii: bool,
        holds_controls: bool,
        holds_margins: bool,
        lines: Vec<Line>,
    }

    /// Where a line begins, how long it is, and its fields.
    type Line = (usize, usize, Option<Vec<Vec<u8>>>);

    fn told(index: &LineIndex, text: &[u8], columns: usize) -> Told {
        let fields = |fields: Fields<'_>| (0..columns).map(|it| fields.get(it).to_vec()).collect();
        let lines = index.lines(text, columns);
        Told {
            is_ascii: index.is_ascii,
            holds_controls: index.holds_controls,
            holds_margins: index.holds_margins,
            lines: lines
                .map(|line| (line.start, line.len, line.fields.map(fields)))
                .collect(),
        }
    }

    /// The same, found byte by byte.
    fn expected(text: &[u8], delimiter: u8, columns: usize) -> Told {
        let mut told = Told {
            is_ascii: text.is_ascii(),
            holds_controls: false,
            holds_margins: false,
            lines: Vec::new(),
        };
        let mut start = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let line = &line[..line.len() - 1];
            let plain = line.strip_suffix(b"\r").unwrap_or(line);
            let fields: Vec<&[u8]> = plain.split(|byte| *byte == delimiter).collect();
            let is_odd = |byte: &u8| byte.is_ascii_control();
            told.holds_controls |= fields.iter().any(|field| field.iter().any(is_odd));
            let is_margin = |byte: Option<&u8>| byte.is_some_and(|byte| *byte <= b' ');
            told.holds_margins |= fields
                .iter()
                .any(|field| is_margin(field.first()) || is_margin(field.last()));
            let is_whole = match fields.get(columns) {
                Some(rest) => fields.len() == columns + 1 && rest.is_empty() && plain == line,
                None => fields.len() == columns,
            };
            let owned = fields.iter().take(columns).map(|field| field.to_vec());
            let fields = is_whole.then(|| owned.collect());
            told.lines.push((start, line.len(), fields));
            start += line.len() + 1;
        }
        if told.holds_margins {
            told.lines.iter_mut().for_each(|line| line.2 = None);
        }
        told
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            20 => "[a-c]{0,9}".prop_map(String::into_bytes),
            20 => Just(b",".to_vec()),
            4 => Just(b"\n".to_vec()),
            4 => Just(b"\r\n".to_vec()),
            1 => proptest::sample::select(b" \r\t\x00\x7f\xc3".to_vec()).prop_map(|it| vec![it]),
        ];
        proptest::collection::vec(piece, 0..150).prop_map(|pieces| {
            let mut text = pieces.concat();
            text.push(b'\n');
            text
        })
    }

    proptest! {
        #[test]
        fn one_pass_tells_what_a_look_at_every_byte_tells(
            text in text(),
            behind in "[a,\r\n ]{0,70}",
            columns in 2_usize..5,
            tabs in any::<bool>(),
        ) {
            let delimiter = if tabs { b'\t' } else { b',' };
            let text = if tabs {
                text.iter().map(|it| if *it == b',' { b'\t' } else { *it }).collect()
            } else {
                text
            };
            let expected = expected(&text, delimiter, columns);
            let bytes = [&text, behind.as_bytes()].concat();
            let mut index = LineIndex::new(delimiter);
            // What an earlier pass left does not matter.
            index.read(&b"x,\ty\n".repeat(200), 1000);
            for is_wide in [true, false] {
                if is_wide {
                    index.read(&bytes, text.len());
                } else {
                    index.begin(text.len());
                    index.pass(&bytes, text.len(), Seen::of, positions);
                }
                let told = told(&index, &bytes, columns);
                // What may be a margin is told with room: a carriage return may follow a space.
                if told.holds_margins && !expected.holds_margins {
                    prop_assert!(bytes.windows(2).any(|it| it[0] <= b' ' && it[1] == b'\r'));
                    continue;
                }
                prop_assert_eq!(&told, &expected);
            }
        }
    }
}
