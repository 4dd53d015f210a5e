//! The quarantine file: where every rejected row is named, and never shown.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::{
    Error, Result,
    row_outcome::{Field, Location, Reason},
};

/// So many rows of one file are named for one field and reason; the rest is counted. Whoever looks
/// into a file that is wrong throughout needs no more, and one broken record of many lines must
/// not fill a disk.
pub const NAMED_MAX: u64 = 10_000;

/// Writes `file,line,field,reason` for rejected rows, in the order of arrival; at the end, without
/// a line, how many more there were of what stands more than [`NAMED_MAX`] times.
#[derive(Debug)]
pub struct Quarantine {
    path: PathBuf,
    /// The input files, as a CSV field each.
    files: Vec<String>,
    output: Mutex<Output>,
}

#[derive(Debug)]
struct Output {
    file: BufWriter<File>,
    /// Rows by file, field and reason.
    counts: HashMap<(u32, Field, Reason), u64>,
    failed: Option<std::io::Error>,
}

impl Quarantine {
    /// Creates the file for rows of `files`.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be written.
    pub fn create(path: &Path, files: &[PathBuf]) -> Result<Self> {
        let mut file = BufWriter::new(File::create(path).map_err(Error::at(path))?);
        writeln!(file, "file,line,field,reason").map_err(Error::at(path))?;
        Ok(Self {
            path: path.to_owned(),
            files: files
                .iter()
                .map(|file| csv_field(&file.to_string_lossy()))
                .collect(),
            output: Mutex::new(Output {
                file,
                counts: HashMap::new(),
                failed: None,
            }),
        })
    }

    /// Adds a row; a failure to write shows in [`Quarantine::finish`].
    pub fn add(&self, at: Location, field: Field, reason: Reason) {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let count = output.counts.entry((at.file, field, reason)).or_default();
        *count += 1;
        if *count > NAMED_MAX {
            return;
        }
        let (file, line) = (self.file(at.file), at.line);
        let (field, reason) = (field.as_str(), reason.as_str());
        if let Err(error) = writeln!(output.file, "{file},{line},{field},{reason}") {
            output.failed.get_or_insert(error);
        }
    }

    /// Closes the file and returns its path.
    ///
    /// # Errors
    /// [`Error::File`] if a row could not be written.
    pub fn finish(self) -> Result<PathBuf> {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        output
            .failed
            .take()
            .map_or(Ok(()), Err)
            .and_then(|()| self.add_rest(&mut output))
            .and_then(|()| output.file.flush())
            .map_err(Error::at(&self.path))?;
        drop(output);
        Ok(self.path)
    }

    /// Adds what was counted and not named.
    fn add_rest(&self, output: &mut Output) -> std::io::Result<()> {
        let counts = output.counts.drain();
        let mut rest: Vec<_> = counts.filter(|(_, count)| *count > NAMED_MAX).collect();
        rest.sort_unstable();
        for ((file, field, reason), count) in rest {
            let (file, more) = (self.file(file), count - NAMED_MAX);
            let (field, reason) = (field.as_str(), reason.as_str());
            writeln!(output.file, "{file},,{field},{reason} ({more} more)")?;
        }
        Ok(())
    }

    fn file(&self, ordinal: u32) -> &str {
        self.files.get(ordinal as usize).map_or("", String::as_str)
    }
}

fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_too_often_is_counted_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quarantine.csv");
        let quarantine = Quarantine::create(&path, &["a.csv".into(), "b,c.csv".into()]).unwrap();
        let add =
            |file, line, field, reason| quarantine.add(Location { file, line }, field, reason);
        for line in 1..=NAMED_MAX + 7 {
            add(1, line, Field::Record, Reason::WrongNumberOfFields);
        }
        for line in 1..=NAMED_MAX {
            add(0, line, Field::Record, Reason::WrongNumberOfFields);
        }
        add(1, 1, Field::Ts, Reason::Missing);
        let text = std::fs::read_to_string(quarantine.finish().unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len() as u64, 1 + 2 * NAMED_MAX + 2);
        assert_eq!(lines[1], "\"b,c.csv\",1,record,wrong number of fields");
        let [.., before, last] = lines[..] else {
            unreachable!()
        };
        assert_eq!(before, "\"b,c.csv\",1,ts,missing");
        assert_eq!(last, "\"b,c.csv\",,record,wrong number of fields (7 more)");
    }
}
