//! The file of regions: the tree that they make.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use nightshard_format::{record::REGION_LEVELS_MAX, text::fold};

use crate::{
    Error, Result,
    location::Coordinates,
    small_table::{Columns, Fault, read_file},
};

/// The columns, of which only the first is required.
const COLUMNS: Columns<5> = Columns {
    names: ["region", "name", "parent", "lat", "lon"],
    required: 1,
};

/// One region of the file.
///
/// # Units
/// `location` in 10^-7 degrees of latitude and longitude.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Region {
    /// The name that people know it by.
    pub name: Option<String>,
    /// The region that it is a part of; none of a root.
    pub parent: Option<String>,
    /// Where it is.
    pub location: Option<(i32, i32)>,
    /// Where it stands in the file.
    line: u64,
}

/// What a region that a store says is one of in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined<'a> {
    /// The region of this id.
    Known(&'a str),
    /// It may be several, which have this name.
    Ambiguous,
    /// None.
    Unknown,
}

/// The regions of a file, by id; empty without one.
///
/// # Shape
/// A forest of at most [`REGION_LEVELS_MAX`] levels: every parent is a region of the file, and none is above itself.
#[derive(Debug, Default)]
pub struct RegionTable {
    regions: BTreeMap<String, Region>,
    /// The region of a folded name, or none where several have it.
    by_name: HashMap<String, Option<String>>,
    off_the_map: u64,
    digest: Option<(String, u64)>,
}

impl RegionTable {
    /// Reads a CSV file with a header of `region` and any of `name`, `parent`, `lat` and `lon`; plain, .gz or .zst. The
    /// order of rows does not matter. A region whose coordinates are numbers out of range is counted in
    /// [`RegionTable::off_the_map`], and has none.
    ///
    /// # Errors
    /// [`Error::File`] naming the line at fault: what the dimension file is refused for
    /// ([`crate::stores::StoreTable::read`]), a region that stands twice, a parent that stands nowhere, one that is a
    /// part of itself, and one of a deeper level than [`REGION_LEVELS_MAX`]; and a file without rows.
    /// [`Error::Source`] for what cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let mut table = Self::default();
        let digest = read_file(path, |bytes| table.add_all(bytes))?;
        table.digest = Some(digest);
        if table.is_empty() {
            return Err(Error::File {
                path: path.to_owned(),
                problem: "there is no row behind the header".to_owned(),
            });
        }
        Ok(table)
    }

    fn add_all(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        COLUMNS.read(bytes, |line, fields| self.add(line, fields))?;
        // By line, so that the first one at fault is named.
        let mut by_line: Vec<_> = self.regions.iter().collect();
        by_line.sort_unstable_by_key(|(_, region)| region.line);
        for check in [Self::check_parent, Self::check_above] {
            for (id, region) in &by_line {
                check(self, id, region).map_err(|problem| (region.line, problem))?;
            }
        }
        Ok(())
    }

    fn add(&mut self, line: u64, [id, name, parent, lat, lon]: [&str; 5]) -> Result<(), String> {
        if id.is_empty() {
            return Err("region is empty".to_owned());
        }
        let coordinates = Coordinates::parse(lat, lon)?;
        self.off_the_map += u64::from(coordinates.is_off_the_map);
        let text = |field: &str| (!field.is_empty()).then(|| field.to_owned());
        let region = Region {
            name: text(name),
            parent: text(parent),
            location: coordinates.location,
            line,
        };
        if !name.is_empty() {
            let of_name = self.by_name.entry(fold(name.trim()));
            of_name
                .and_modify(|several| *several = None)
                .or_insert_with(|| Some(id.to_owned()));
        }
        match self.regions.insert(id.to_owned(), region) {
            Some(Region { line, .. }) => Err(format!("the region stands in line {line}, too")),
            None => Ok(()),
        }
    }

    /// Checks that the region right above one stands in the file.
    fn check_parent(&self, _id: &str, region: &Region) -> Result<(), String> {
        match &region.parent {
            Some(parent) if !self.regions.contains_key(parent) => {
                Err(format!("parent is {parent:?}, which is no region"))
            }
            _ => Ok(()),
        }
    }

    /// Checks that the regions above one end with a root.
    fn check_above(&self, id: &str, _region: &Region) -> Result<(), String> {
        let mut above = self.above(id).take(REGION_LEVELS_MAX);
        if above.any(|above| above == id) {
            return Err(format!("the region {id:?} is a part of itself"));
        }
        if self.above(id).nth(REGION_LEVELS_MAX - 1).is_some() {
            return Err(format!(
                "more than {REGION_LEVELS_MAX} levels of regions, or one above that is a part of itself"
            ));
        }
        Ok(())
    }

    /// Returns whether no file was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.regions.is_empty()
    }

    /// Returns how many regions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.regions.len()
    }

    /// Returns the digest and length of the file, if there was one.
    #[must_use]
    pub fn digest(&self) -> Option<&(String, u64)> {
        self.digest.as_ref()
    }

    /// Returns how many regions have coordinates that are out of range.
    #[must_use]
    pub fn off_the_map(&self) -> u64 {
        self.off_the_map
    }

    /// Returns all regions by id, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Region)> {
        self.regions.iter().map(|(id, region)| (&**id, region))
    }

    /// Returns what is known of a region, by id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Region> {
        self.regions.get(id)
    }

    /// Returns the region that has what a store says for its id, else for its name, which is folded and trimmed.
    #[must_use]
    pub fn join(&self, said: &str) -> Joined<'_> {
        if let Some((id, _)) = self.regions.get_key_value(said) {
            return Joined::Known(id);
        }
        match self.by_name.get(&fold(said.trim())) {
            Some(Some(id)) => Joined::Known(id),
            Some(None) => Joined::Ambiguous,
            None => Joined::Unknown,
        }
    }

    /// Returns the regions above one, its parent first; none of a region that is not in the file.
    pub fn above<'a>(&'a self, id: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let parent_of = |id: &str| self.regions.get(id)?.parent.as_deref();
        std::iter::successors(parent_of(id), move |above| parent_of(above))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RegionTable> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("regions.csv");
        std::fs::write(&path, text).unwrap();
        RegionTable::read(&path)
    }

    const TREE: &str = "region,name,parent,lat,lon\n\
                        kr-11-1,강남구,kr-11,37.5,127.05\n\
                        kr-11,서울,,37.57,126.98\n\
                        kr-11-2,중구,kr-11,,\n\
                        kr-26,부산,,95,129\n\
                        kr-26-1,중구,kr-26,,\n\
                        kr-11-1-1,역삼동,kr-11-1,,\n";

    #[test]
    fn regions_are_joined_by_id_and_else_by_a_name_that_one_has() {
        let table = read(TREE).unwrap();
        let decomposed = " \u{1109}\u{1165}\u{110b}\u{116e}\u{11af} ";
        for (said, expected) in [
            ("kr-26", Joined::Known("kr-26")),
            ("강남구", Joined::Known("kr-11-1")),
            (decomposed, Joined::Known("kr-11")),
            ("중구", Joined::Ambiguous),
            ("대구", Joined::Unknown),
            ("", Joined::Unknown),
        ] {
            assert_eq!(table.join(said), expected, "{said}");
        }
        assert_eq!(table.off_the_map(), 1);
        assert_eq!(table.get("kr-26").unwrap().location, None);
        let gangnam = table.get("kr-11-1").unwrap();
        assert_eq!(gangnam.location, Some((375_000_000, 1_270_500_000)));
    }

    #[test]
    fn an_id_goes_before_a_name() {
        let table = read("region,name\na,b\nb,c\n").unwrap();
        assert_eq!(table.join("b"), Joined::Known("b"));
        assert_eq!(table.join("C"), Joined::Known("b"));
    }

    #[test]
    fn the_regions_above_one_end_with_a_root() {
        let table = read(TREE).unwrap();
        let above = |id| table.above(id).collect::<Vec<_>>();
        assert_eq!(above("kr-11-1-1"), ["kr-11-1", "kr-11"]);
        assert_eq!(above("kr-11"), [""; 0]);
        assert_eq!(above("nowhere"), [""; 0]);
    }

    #[test]
    fn damage_is_named_by_line() {
        let chain = |len: usize| {
            let rows = (1..len).map(|at| format!("r{at},r{}\n", at - 1));
            format!("region,parent\nr0,\n{}", rows.collect::<String>())
        };
        for (text, words) in [
            ("name\nx\n", "line 1: there is no column region"),
            ("region,colour\n", "line 1: the column \"colour\" is not"),
            ("region;name\n", "separated by commas"),
            ("region\n", "there is no row behind the header"),
            ("", "line 1: there is no header"),
            ("region,name\n,x\n", "line 2: region is empty"),
            ("region\na\nb\na\n", "line 4: the region stands in line 2"),
            ("region,parent\na,b\n", "line 2: parent is \"b\", which is"),
            ("region,parent\nb,a\na,c\n", "line 3: parent is \"c\""),
            ("region,parent\nr,\na,a\n", "line 3: the region \"a\" is"),
            (
                "region,parent\nr,\na,b\nb,c\nc,a\n",
                "line 3: the region \"a\" is a part of itself",
            ),
            (
                "region,lat,lon\na,1,2\nb,x,2\n",
                "line 3: lat or lon is not a number",
            ),
            ("region,lat,lon\na,\"1,5\",2\n", "line 2: lat or lon is not"),
            ("region,lat\na,1\n", "line 2: lat and lon must both be"),
            ("region,name\na\n", "line 2: fewer or more fields"),
            ("region,name\na,\"x\n", "line 2: quote never closed"),
            ("region,name\na,x\u{7}\n", "line 2: name holds a control"),
            (
                &chain(REGION_LEVELS_MAX + 1),
                "line 18: more than 16 levels",
            ),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        assert!(read(&chain(REGION_LEVELS_MAX)).is_ok());
    }

    #[test]
    fn other_encodings_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("regions.csv");
        for (bytes, words) in [
            (
                &b"region,name\na,\xb0\xad\n"[..],
                "line 2: name is not UTF-8",
            ),
            (b"\xff\xfer\0e\0", "line 1: the file is UTF-16"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = RegionTable::read(&path).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
