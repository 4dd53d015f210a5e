//! Of whom the rows of tables are: how the names of tables begin, and the columns that say it.

use std::{array, iter::Take};

use nightshard_format::{
    Result,
    record::{
        CATEGORIES, MARKETS, MERCHANT_LOYALTY, MERCHANTS, PLACE_DEMOGRAPHICS, PLACE_LOYALTY,
        REGION_CATEGORIES, REGION_TREE, REGIONS, SERIES, TILES, split_atoms_key,
    },
};

use super::{
    error::corrupt,
    record_tables::text,
    rows::Cell,
    schema::{Field, Kind, optional, required},
};

/// So many columns say of whom a row is, at most.
const COLUMNS_MAX: usize = 3;

const ID: [Field; 1] = [required("id", Kind::Text)];
const NAME: [Field; 1] = [required("name", Kind::Text)];
const REGION_CATEGORY: [Field; 2] = [
    required("region", Kind::Text),
    required("category", Kind::Text),
];
const PLACE: [Field; COLUMNS_MAX] = [
    required("dataset", Kind::Text),
    optional("region", Kind::Text),
    optional("category", Kind::Text),
];

/// What the keys of a dataset name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subjects {
    /// How the names of tables begin.
    prefix: &'static str,
    /// The columns of a key.
    pub(super) fields: &'static [Field],
    cells: fn(&str) -> Result<KeyCells<'_>>,
}

impl Subjects {
    /// Returns those of a dataset: stores, unless it is of others.
    pub(super) fn of(dataset: &str) -> Self {
        let by_id = |prefix| Self {
            prefix,
            fields: &ID,
            cells: whole,
        };
        match dataset {
            MARKETS => by_id("market"),
            MERCHANTS | MERCHANT_LOYALTY => by_id("merchant"),
            REGIONS | REGION_TREE => by_id("region"),
            CATEGORIES => by_id("category"),
            TILES => by_id("tile"),
            REGION_CATEGORIES => Self {
                prefix: "region_category",
                fields: &REGION_CATEGORY,
                cells: region_and_category,
            },
            PLACE_DEMOGRAPHICS | PLACE_LOYALTY => Self {
                prefix: "place",
                fields: &PLACE,
                cells: place,
            },
            SERIES => Self {
                fields: &NAME,
                ..by_id("side")
            },
            _ => by_id("store"),
        }
    }

    /// Returns the name of the table of what `part` is of them.
    pub(super) fn table(&self, part: &str) -> String {
        format!("{}_{part}", self.prefix)
    }

    /// Returns the cells of a key.
    ///
    /// # Errors
    /// [`nightshard_format::Error::Corrupt`] if it is no key of the dataset.
    pub(super) fn cells<'a>(&self, key: &'a [u8]) -> Result<KeyCells<'a>> {
        (self.cells)(text(key)?)
    }
}

/// The cells of a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyCells<'a> {
    cells: [Cell<'a>; COLUMNS_MAX],
    len: usize,
}

impl<'a> KeyCells<'a> {
    fn new<const N: usize>(cells: [Cell<'a>; N]) -> Self {
        let mut padded = [Cell::Missing; COLUMNS_MAX];
        padded[..N].copy_from_slice(&cells);
        Self {
            cells: padded,
            len: N,
        }
    }
}

impl<'a> IntoIterator for KeyCells<'a> {
    type Item = Cell<'a>;
    type IntoIter = Take<array::IntoIter<Cell<'a>, COLUMNS_MAX>>;

    fn into_iter(self) -> Self::IntoIter {
        self.cells.into_iter().take(self.len)
    }
}

fn whole(key: &str) -> Result<KeyCells<'_>> {
    Ok(KeyCells::new([Cell::Text(key)]))
}

fn region_and_category(key: &str) -> Result<KeyCells<'_>> {
    let [region, category] = split(key)?;
    Ok(KeyCells::new([Cell::Text(region), Cell::Text(category)]))
}

/// Reads a key of the market and places together.
fn place(key: &str) -> Result<KeyCells<'_>> {
    let split_key = split_atoms_key(key.as_bytes());
    let (dataset, key) = split_key.ok_or_else(|| corrupt("key", "it is of no market or place"))?;
    let key = text(key)?;
    let [region, category] = match dataset {
        REGIONS => [Some(key), None],
        REGION_CATEGORIES => split(key)?.map(Some),
        CATEGORIES => [None, Some(key)],
        _ => [None; 2],
    };
    Ok(KeyCells::new([
        Cell::Text(dataset),
        Cell::optional_text(region),
        Cell::optional_text(category),
    ]))
}

/// Returns the region and the category of a key of both.
fn split(key: &str) -> Result<[&str; 2]> {
    let both = key.split_once('\0');
    let (region, category) = both.ok_or_else(|| corrupt("key", "it has no category"))?;
    Ok([region, category])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_a_cell_for_each_of_their_columns() {
        let [leeds, food] = ["leeds", "food"].map(Cell::Text);
        for (dataset, key, table, expected) in [
            ("stores", "a", "store_days", vec![Cell::Text("a")]),
            ("origins", "a", "store_days", vec![Cell::Text("a")]),
            ("loyalty", "a", "store_days", vec![Cell::Text("a")]),
            (
                "merchant_loyalty",
                "a",
                "merchant_days",
                vec![Cell::Text("a")],
            ),
            (
                "place_loyalty",
                "regions\0leeds",
                "place_days",
                vec![Cell::Text("regions"), leeds, Cell::Missing],
            ),
            ("markets", "all", "market_days", vec![Cell::Text("all")]),
            ("regions", "leeds", "region_days", vec![leeds]),
            ("categories", "food", "category_days", vec![food]),
            ("tiles", "1/-2", "tile_days", vec![Cell::Text("1/-2")]),
            (
                "region_categories",
                "leeds\0food",
                "region_category_days",
                vec![leeds, food],
            ),
            (
                "place_demographics",
                "region_categories\0leeds\0food",
                "place_days",
                vec![Cell::Text("region_categories"), leeds, food],
            ),
            (
                "place_demographics",
                "categories\0food",
                "place_days",
                vec![Cell::Text("categories"), Cell::Missing, food],
            ),
            (
                "place_demographics",
                "markets\0all",
                "place_days",
                vec![Cell::Text("markets"), Cell::Missing, Cell::Missing],
            ),
        ] {
            let subjects = Subjects::of(dataset);
            let cells = subjects.cells(key.as_bytes()).unwrap();
            assert_eq!(cells.into_iter().collect::<Vec<_>>(), expected, "{dataset}");
            assert_eq!(subjects.fields.len(), expected.len(), "{dataset}");
            assert_eq!(subjects.table("days"), table);
        }
        for (dataset, key) in [
            ("region_categories", &b"leeds"[..]),
            ("place_demographics", b"2018-03"),
            ("place_demographics", b"region_categories\0leeds"),
            ("stores", b"\xff"),
        ] {
            Subjects::of(dataset).cells(key).unwrap_err();
        }
    }
}
