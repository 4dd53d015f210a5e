//! How the parts of mapped shards are to be kept in memory.

use std::{fmt, io, str::FromStr};

use serde::{
    Deserialize,
    de::{IntoDeserializer, value::Error as UnknownName},
};

/// How mapped shards are kept in memory, by section.
///
/// It changes how long lookups take, and nothing of what they find.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryPolicy {
    /// How records are read in.
    pub records: RecordAccess,
    /// When indexes are read in, and whether they stay.
    pub indexes: IndexResidence,
    /// What is read into huge pages.
    pub huge_pages: HugePages,
}

/// How records are read in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordAccess {
    /// By the page that a lookup asks for, and no further: right where data exceeds memory.
    #[default]
    Random,
    /// With what is around it, as the system does by itself: right for whoever reads it all.
    Normal,
}

/// When indexes are read in, and whether they stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IndexResidence {
    /// As lookups ask for them.
    OnDemand,
    /// At once, without waiting for them.
    #[default]
    ReadAhead,
    /// At once, before anything is looked up, page tables included.
    Prefault,
    /// As [`IndexResidence::Prefault`], and they stay as long as they are mapped.
    Lock,
}

/// What is read into huge pages, of 2 MiB on most processors.
///
/// A file of which pages are in memory already keeps those: so it is dropped from the page cache
/// before it is mapped, and read anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HugePages {
    /// Nothing.
    #[default]
    None,
    /// Indexes.
    Indexes,
    /// Whole shards: only where all fit into memory, since each miss then reads a huge page.
    All,
}

impl MemoryPolicy {
    /// What the system does when it is told nothing.
    pub const UNADVISED: Self = Self {
        records: RecordAccess::Normal,
        indexes: IndexResidence::OnDemand,
        huge_pages: HugePages::None,
    };
}

/// Reads a name as configurations have it.
macro_rules! named {
    ($($kind:ty),*) => {$(
        impl FromStr for $kind {
            type Err = UnknownName;

            fn from_str(name: &str) -> Result<Self, UnknownName> {
                Self::deserialize(name.into_deserializer())
            }
        }
    )*};
}

named!(RecordAccess, IndexResidence, HugePages);

/// Advice that the system did not take. Lookups find the same without.
#[derive(Debug)]
pub struct Refused {
    pub(super) advice: &'static str,
    pub(super) bytes: u64,
    pub(super) cause: io::Error,
}

/// Keeping indexes in memory.
pub(super) const LOCK: &str = "lock";

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            advice,
            bytes,
            cause,
        } = self;
        write!(
            f,
            "the system refuses to {advice} {bytes} bytes of shards: {cause}"
        )?;
        if *advice == LOCK {
            f.write_str(": raise its limit (ulimit -l, LimitMEMLOCK=), or prefault instead")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_configurations_and_others_are_refused() {
        assert_eq!("random".parse(), Ok(RecordAccess::Random));
        assert_eq!("read-ahead".parse(), Ok(IndexResidence::ReadAhead));
        assert_eq!("all".parse(), Ok(HugePages::All));
        let error = "often".parse::<IndexResidence>().unwrap_err().to_string();
        assert!(error.contains("`often`") && error.contains("`on-demand`"));
    }

    #[test]
    fn a_lock_that_is_refused_says_what_to_do_in_one_line() {
        let refused = |advice| Refused {
            advice,
            bytes: 5,
            cause: io::ErrorKind::OutOfMemory.into(),
        };
        assert!(refused(LOCK).to_string().contains("ulimit -l"));
        let other = refused("prefault").to_string();
        assert!(!other.contains("ulimit") && !other.contains('\n'));
    }
}
