//! The values of a column of a dimension table, which a field's values refer to.

use std::{collections::HashSet, path::Path};

use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::{
    small_table::{DIALECT, Fault, UTF_8_HINT, text_of_lines},
    source::{Margins, Splitter, read_whole},
};

/// The values of a column, by their keyed hashes.
pub(super) struct ReferenceKeys {
    hashes: HashSet<u128>,
    seed: u64,
}

impl ReferenceKeys {
    /// Reads a column of a CSV file with a header, plain, .gz or .zst. Empty values are passed over,
    /// repeated ones count once.
    ///
    /// # Errors
    /// What is wrong with the file, with its name and line.
    pub(super) fn read(path: &Path, column: &str, seed: u64) -> Result<Self, String> {
        let name = path.display();
        let (bytes, _) =
            read_whole(path).map_err(|error| match std::error::Error::source(&error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            })?;
        let mut keys = Self {
            hashes: HashSet::new(),
            seed,
        };
        keys.add_all(&bytes, column)
            .map_err(|(line, problem)| format!("{name}: line {line}: {problem}"))?;
        Ok(keys)
    }

    fn add_all(&mut self, bytes: &[u8], column: &str) -> Result<(), Fault> {
        let bytes = text_of_lines(bytes)?;
        let mut splitter = Splitter::new(DIALECT.delimiter, Margins::Trimmed);
        let mut place = None;
        for record in DIALECT.records(bytes, 1) {
            let at = |problem: &str| (record.line, problem.to_owned());
            let text = record.text.map_err(|reason| at(reason.as_str()))?;
            let Some((index, columns)) = place else {
                let names = splitter.names(text.as_bytes());
                let is_it = |name: &String| name.trim().eq_ignore_ascii_case(column);
                let index = names.iter().position(is_it);
                let index = index.ok_or_else(|| at(&format!("there is no column {column:?}")))?;
                place = Some((index, names.len()));
                continue;
            };
            let row = splitter.split(text, columns);
            let row = row.ok_or_else(|| at("fewer or more fields than the header has"))?;
            let value = row.get(index);
            if std::str::from_utf8(value).is_err() {
                return Err(at(&format!("{column:?} {UTF_8_HINT}")));
            }
            if !value.is_empty() {
                self.hashes.insert(xxh3_128_with_seed(value, self.seed));
            }
        }
        match place {
            Some(_) => Ok(()),
            None => Err((1, "there is no header".to_owned())),
        }
    }

    /// Returns whether the column has a value.
    pub(super) fn contains(&self, value: &[u8]) -> bool {
        self.hashes.contains(&xxh3_128_with_seed(value, self.seed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_in_other_encodings_and_line_ends_say_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("regions.csv");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            ReferenceKeys::read(&path, "region", 7)
        };
        for (bytes, problem) in [
            (
                &b"\xff\xfer\0e\0"[..],
                "line 1: the file is UTF-16: save it as UTF-8",
            ),
            (
                b"region\rleeds\r",
                "line 1: its lines end in carriage returns alone: convert them",
            ),
            (
                b"region\nL\xe9on\n",
                "line 2: \"region\" is not UTF-8: save the file as UTF-8",
            ),
        ] {
            let error = read(bytes).err().unwrap();
            assert!(error.starts_with(&path.display().to_string()), "{error}");
            assert!(error.contains(problem), "{error}");
        }
        let keys = read(b"\xef\xbb\xbfregion\r\nleeds\r\n").ok().unwrap();
        assert!(keys.contains(b"leeds") && !keys.contains(b"york"));
    }
}
