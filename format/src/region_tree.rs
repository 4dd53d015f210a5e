//! The tree of regions of a generation: which are parts of which.

use std::collections::BTreeMap;

use crate::{
    Error, Result,
    generation::Generation,
    manifest::{Input, InputRole},
    record::{REGION_LEVELS_MAX, REGION_TREE, RegionRecord},
    shard::Span,
};

/// The regions of the file of regions, by id; none where a build had no such file.
#[derive(Debug, Default)]
pub struct RegionTree(BTreeMap<String, RegionRecord>);

impl RegionTree {
    /// Reads all regions of a generation.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if there should be some and are none, or if they are no tree.
    pub fn read<B: AsRef<[u8]>>(generation: &Generation<B>) -> Result<Self> {
        let mut tree = Self::default();
        for shard in generation.table(REGION_TREE, Span::Current).shards() {
            for record in shard.iter() {
                let record = record?;
                let id = std::str::from_utf8(record.key);
                let id = id.map_err(|_bad| damaged("an id of it is not UTF-8".to_owned()))?;
                let region = RegionRecord::parse(record.value.in_place()?)?;
                tree.0.insert(id.to_owned(), region);
            }
        }
        let inputs = &generation.manifest().inputs;
        let was_read = |input: &Input| input.role() == Some(InputRole::Regions);
        if inputs.iter().any(was_read) == tree.is_empty() {
            return Err(damaged(
                "a file of regions goes with it, and one of them is missing".to_owned(),
            ));
        }
        tree.0.keys().try_for_each(|id| tree.check(id))?;
        Ok(tree)
    }

    /// Checks that one region and those beside it in the tree name each other.
    fn check(&self, id: &str) -> Result<()> {
        let region = self.0.get(id).into_iter();
        let children = region.flat_map(|region| &region.children);
        let knows_parent = |child: &String| {
            let child = self.0.get(child);
            child.is_some_and(|child| child.parent.as_deref() == Some(id))
        };
        let parent = self.parent_of(id);
        let is_known = parent.is_none_or(|parent| {
            let parent = self.0.get(parent);
            parent.is_some_and(|it| it.children.iter().any(|child| child == id))
        });
        let levels = std::iter::successors(Some(id), |id| self.parent_of(id));
        if is_known
            && children.into_iter().all(knows_parent)
            && levels.take(REGION_LEVELS_MAX + 1).count() <= REGION_LEVELS_MAX
        {
            return Ok(());
        }
        Err(damaged(format!("what it says of {id:?} is no tree")))
    }

    fn parent_of(&self, id: &str) -> Option<&str> {
        self.0.get(id)?.parent.as_deref()
    }

    /// Returns whether there is no tree.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what is known of a region, if it is in the tree.
    #[must_use]
    pub fn get(&self, id: &[u8]) -> Option<&RegionRecord> {
        self.0.get(std::str::from_utf8(id).ok()?)
    }

    /// Returns whether a region has parts.
    #[must_use]
    pub fn has_parts(&self, id: &str) -> bool {
        self.0
            .get(id)
            .is_some_and(|region| !region.children.is_empty())
    }

    /// Returns a region, and all that are parts of it, of parts and so on, each before its parts.
    #[must_use]
    pub fn at_or_below<'a>(&'a self, id: &'a [u8]) -> Vec<&'a [u8]> {
        let mut found = vec![id];
        let mut next = 0;
        while let Some(region) = found.get(next).copied() {
            let children = self.get(region).into_iter().flat_map(|it| &it.children);
            found.extend(children.map(String::as_bytes));
            next += 1;
        }
        found
    }
}

fn damaged(problem: String) -> Error {
    Error::corrupt("tree of regions", problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(parent: &str, children: &[&str]) -> RegionRecord {
        RegionRecord {
            parent: (!parent.is_empty()).then(|| parent.to_owned()),
            children: children.iter().map(|&id| id.to_owned()).collect(),
            ..RegionRecord::default()
        }
    }

    fn tree(regions: &[(&str, &str, &[&str])]) -> RegionTree {
        let regions = regions.iter();
        let regions =
            regions.map(|(id, parent, children)| ((*id).to_owned(), region(parent, children)));
        RegionTree(regions.collect())
    }

    #[test]
    fn all_that_is_below_a_region_is_found() {
        let tree = tree(&[
            ("a", "", &["b", "c"]),
            ("b", "a", &[]),
            ("c", "a", &["d"]),
            ("d", "c", &[]),
            ("e", "", &[]),
        ]);
        for (id, expected) in [
            (&b"a"[..], &["a", "b", "c", "d"][..]),
            (b"c", &["c", "d"]),
            (b"e", &["e"]),
            (b"f", &["f"]),
        ] {
            let expected: Vec<&[u8]> = expected.iter().map(|id| id.as_bytes()).collect();
            assert_eq!(tree.at_or_below(id), expected);
        }
        assert!(tree.0.keys().all(|id| tree.check(id).is_ok()));
        assert!(tree.has_parts("c") && !tree.has_parts("d") && !tree.has_parts("f"));
    }

    #[test]
    fn what_is_no_tree_is_found() {
        let no_trees: [&[(&str, &str, &[&str])]; 5] = [
            &[("a", "b", &[])],
            &[("a", "", &["b"])],
            &[("a", "", &[]), ("b", "a", &[])],
            &[("a", "", &["b"]), ("b", "", &[])],
            &[("a", "b", &["b"]), ("b", "a", &["a"])],
        ];
        for regions in no_trees {
            let tree = tree(regions);
            assert!(tree.0.keys().any(|id| tree.check(id).is_err()), "{tree:?}");
        }
    }
}
