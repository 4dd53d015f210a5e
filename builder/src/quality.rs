//! The quarantine file: where every rejected row is named, and never shown.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::{
    Error, Result,
    row_outcome::{Field, Location, Reason},
};

/// Writes `file,line,field,reason` for every rejected row, in the order of arrival.
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
            output: Mutex::new(Output { file, failed: None }),
        })
    }

    /// Adds a row; a failure to write shows in [`Quarantine::finish`].
    pub fn add(&self, at: Location, field: Field, reason: Reason) {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.files.get(at.file as usize).map_or("", String::as_str);
        let line = at.line;
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
        let output = self
            .output
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let Output { mut file, failed } = output;
        failed
            .map_or(Ok(()), Err)
            .and_then(|()| file.flush())
            .map_err(Error::at(&self.path))?;
        Ok(self.path)
    }
}

fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
