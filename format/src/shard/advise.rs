//! Telling the operating system what a [`MemoryPolicy`] wants of mapped shards.

use std::{io, ops::Range, path::Path};

use memmap2::Advice;

use super::{
    HugePages, IndexResidence, Mapped, MemoryPolicy, RecordAccess, Refused, Shard,
    layout::SectionKind, memory::LOCK, reader::to_index,
};
use crate::Result;

/// The system reads no more ahead at a time than a disk's limit, whatever it is asked for, and no
/// common limit is lower.
const READ_AHEAD_LEN: usize = 128 << 10;
/// What is shorter has no huge page, and is left in one piece: each piece is a map of its own to
/// the system, which limits their number.
const HUGE_PAGE_LEN: usize = 2 << 20;

impl MemoryPolicy {
    /// Maps the file of a shard, of which nothing was read yet.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if the file cannot be opened or mapped.
    pub fn map(self, path: &Path) -> Result<Mapped> {
        let mapped = match self.huge_pages {
            HugePages::None => Mapped::open(path),
            HugePages::Indexes | HugePages::All => Mapped::open_anew(path),
        }?;
        // Opening reads a page at either end, and what comes with it stays in the pages that it is
        // read into. A refusal is seen when lookups are advised.
        let advice = match self.huge_pages {
            HugePages::None => self.access(),
            HugePages::Indexes => Advice::Random,
            HugePages::All => Advice::HugePage,
        };
        let _refused = mapped.advise(advice, 0..mapped.as_ref().len());
        Ok(mapped)
    }

    /// Does what reads a shard from its beginning to its end, with the system reading ahead: one
    /// page at a time, as lookups read, it would wait for a disk at each.
    pub fn walk<T>(self, shard: &Shard<Mapped>, walk: impl FnOnce() -> T) -> T {
        // Whatever is refused is only slower, and asked for again by lookups.
        let mut refusals = Refusals::default();
        self.ask_for_huge_pages(shard, &mut refusals);
        refusals.advise(shard.bytes(), Advice::Sequential, whole(shard));
        let walked = walk();
        refusals.advise(shard.bytes(), self.access(), whole(shard));
        walked
    }

    /// Says that keys will be looked up in `shards`, and has indexes brought in as the policy
    /// says; returns what the system refused, an entry for each kind of advice.
    ///
    /// Saying it again changes nothing.
    pub fn advise_lookups<'a>(
        self,
        shards: impl IntoIterator<Item = &'a Shard<Mapped>>,
    ) -> Vec<Refused> {
        let mut refusals = Refusals::default();
        for shard in shards {
            self.ask_for_huge_pages(shard, &mut refusals);
            refusals.advise(shard.bytes(), self.access(), whole(shard));
            shard
                .index_ranges()
                .for_each(|range| self.bring_in(shard.bytes(), range, &mut refusals));
        }
        refusals.0
    }

    /// How all of a shard is read: what lookups want of its indexes is as scattered.
    fn access(self) -> Advice {
        match self.records {
            RecordAccess::Random => Advice::Random,
            RecordAccess::Normal => Advice::Normal,
        }
    }

    fn ask_for_huge_pages(self, shard: &Shard<Mapped>, refusals: &mut Refusals) {
        let mut ask = |range: Range<usize>| {
            if range.len() >= HUGE_PAGE_LEN {
                refusals.advise(shard.bytes(), Advice::HugePage, range);
            }
        };
        match self.huge_pages {
            HugePages::None => {}
            HugePages::Indexes => shard.index_ranges().for_each(ask),
            HugePages::All => ask(whole(shard)),
        }
    }

    fn bring_in(self, mapped: &Mapped, range: Range<usize>, refusals: &mut Refusals) {
        if self.indexes == IndexResidence::OnDemand {
            return;
        }
        // Reading ahead knows nothing of huge pages: they come by being touched.
        if self.huge_pages == HugePages::None {
            for start in range.clone().step_by(READ_AHEAD_LEN) {
                let end = range.end.min(start + READ_AHEAD_LEN);
                refusals.advise(mapped, Advice::WillNeed, start..end);
            }
            if self.indexes == IndexResidence::ReadAhead {
                return;
            }
        }
        if self.indexes == IndexResidence::Lock {
            let locked = mapped.lock(range.clone());
            if refusals.note(LOCK, &range, locked) {
                return;
            }
        }
        refusals.advise(mapped, Advice::PopulateRead, range);
    }
}

impl Shard<Mapped> {
    /// Where the indexes are.
    fn index_ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let is_index = |kind| matches!(kind, SectionKind::POINT_INDEX | SectionKind::ORDERED_INDEX);
        let within = |value| to_index(value).expect("open has checked that it is in memory");
        let sections = self.sections.iter();
        sections
            .filter(move |section| is_index(section.kind) && section.len_bytes > 0)
            .map(move |section| {
                let start = within(section.offset);
                start..start + within(section.len_bytes)
            })
    }
}

fn whole(shard: &Shard<Mapped>) -> Range<usize> {
    0..shard.bytes().as_ref().len()
}

/// What was refused, by kind of advice.
#[derive(Default)]
struct Refusals(Vec<Refused>);

impl Refusals {
    fn advise(&mut self, mapped: &Mapped, advice: Advice, range: Range<usize>) {
        let name = match advice {
            Advice::HugePage => "use huge pages for",
            Advice::WillNeed => "read ahead",
            Advice::PopulateRead => "prefault",
            _ => "take advice on",
        };
        let advised = mapped.advise(advice, range.clone());
        self.note(name, &range, advised);
    }

    /// Keeps a refusal; returns whether there was none.
    fn note(&mut self, advice: &'static str, range: &Range<usize>, done: io::Result<()>) -> bool {
        let Err(cause) = done else { return true };
        let bytes = range.len() as u64;
        match self.0.iter_mut().find(|refused| refused.advice == advice) {
            Some(refused) => refused.bytes += bytes,
            None => self.0.push(Refused {
                advice,
                bytes,
                cause,
            }),
        }
        false
    }
}
