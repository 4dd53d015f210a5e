//! The tree of regions: from its file to what is said of it.

use std::{collections::BTreeMap, path::Path};

use nightshard_builder::{build::RegionsReport, regions::RegionTable};

use crate::progress::Shown;

/// So many regions are named in a warning.
const NAMED_MAX: usize = 5;

/// Reads the file of regions, if there is one.
pub(crate) fn read(path: Option<&Path>) -> nightshard_builder::Result<RegionTable> {
    let table = path.map(RegionTable::read).transpose()?;
    Ok(table.unwrap_or_default())
}

/// Says which regions of stores the file does not have, or has several times.
pub(crate) fn warn(report: Option<&RegionsReport>, shown: &Shown) {
    let Some(report) = report else {
        return;
    };
    for (counts, problem) in [
        (&report.unknown, "not in the file of regions"),
        (&report.ambiguous, "names of several regions of the file"),
    ] {
        if !counts.is_empty() {
            shown.say(&describe(counts, problem));
        }
    }
}

fn describe(counts: &BTreeMap<String, u64>, problem: &str) -> String {
    let mut names: Vec<(&String, &u64)> = counts.iter().collect();
    // A stable sort keeps the alphabet among equals.
    names.sort_by_key(|(_, stores)| std::cmp::Reverse(**stores));
    let more = match names.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more, named in build.json"),
    };
    let stores: u64 = counts.values().sum();
    let named = names.iter().take(NAMED_MAX);
    let named: Vec<String> = named.map(|(name, _)| format!("{name:?}")).collect();
    format!(
        "warning: {} regions of {stores} stores are {problem}: {}{more}",
        counts.len(),
        named.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_of_most_stores_are_named_and_all_are_counted() {
        let counts = [("a", 1), ("b", 3), ("c", 1), ("d", 1), ("e", 1), ("f", 2)];
        let counts = counts.map(|(name, stores)| (name.to_owned(), stores));
        let few = BTreeMap::from_iter(counts[..2].to_vec());
        assert_eq!(
            describe(&few, "gone"),
            "warning: 2 regions of 4 stores are gone: \"b\", \"a\""
        );
        assert_eq!(
            describe(&BTreeMap::from(counts), "gone"),
            "warning: 6 regions of 9 stores are gone: \"b\", \"f\", \"a\", \"c\", \"d\" and 1 more, \
             named in build.json"
        );
    }
}
