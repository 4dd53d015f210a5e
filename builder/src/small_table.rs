//! Small CSV files that are read whole: the dimension file, and side series.

use std::path::Path;

use crate::{
    Error, Result,
    source::{self, BYTE_ORDER_MARK, Dialect, Fields, Margins, ReaderOptions, Splitter},
    transaction::TEXT_BYTES_MAX,
};

/// How such a file is written: as input files are, with commas.
pub(crate) const DIALECT: Dialect = Dialect {
    delimiter: b',',
    quoted: true,
    record_bytes_max: ReaderOptions::RECORD_BYTES_MAX_DEFAULT,
};

/// What is said of a text in another encoding.
pub(crate) const UTF_8_HINT: &str = "is not UTF-8: save the file as UTF-8";

/// The line at fault, and what is wrong with it.
pub(crate) type Fault = (u64, String);

/// The columns that a file may have.
///
/// # Shape
/// The first `required` of them must be there, in whatever order the file has them.
#[derive(Debug)]
pub(crate) struct Columns<const N: usize> {
    pub(crate) names: [&'static str; N],
    pub(crate) required: usize,
}

impl<const N: usize> Columns<N> {
    /// Passes the line and the fields of each row to `take`, in the order of these columns; of a column that the file
    /// lacks the field is empty. Names are compared without regard to case.
    ///
    /// # Errors
    /// The first line at fault: a column that is unknown or stands twice, a quote that is not closed, a
    /// text that is too long or holds control characters, and what `take` refuses.
    pub(crate) fn read(
        &self,
        bytes: &[u8],
        mut take: impl FnMut(u64, [&str; N]) -> Result<(), String>,
    ) -> Result<(), Fault> {
        read_rows(
            bytes,
            |names| self.header(names),
            |line, columns, row| {
                let mut fields = [""; N];
                for (index, column) in columns.iter().enumerate() {
                    fields[*column] = sound_text(row.get(index))
                        .map_err(|wrong| format!("{} {wrong}", self.names[*column]))?;
                }
                take(line, fields)
            },
        )
    }

    /// Returns which of the columns stands where.
    fn header(&self, names: &[String]) -> Result<Vec<usize>, String> {
        let known = |name: &String| {
            let name = name.trim().to_lowercase();
            let column = self.names.iter().position(|known| *known == name);
            column.ok_or_else(|| {
                let known = self.names.join(", ");
                format!("the column {name:?} is not known: there are {known}, separated by commas")
            })
        };
        let columns: Vec<usize> = names.iter().map(known).collect::<Result<_, _>>()?;
        if let Some(lacking) = (0..self.required).find(|column| !columns.contains(column)) {
            return Err(format!("there is no column {}", self.names[lacking]));
        }
        let mut sorted = columns.clone();
        sorted.sort_unstable();
        match sorted.array_windows().find(|[a, b]| a == b) {
            Some([twice, _]) => Err(format!("{} stands twice", self.names[*twice])),
            None => Ok(columns),
        }
    }
}

/// Reads a file whole and passes its bytes to `add`; returns its digest, and its length as stored.
///
/// # Errors
/// [`Error::File`] naming the line that `add` refuses, [`Error::Source`] for what cannot be read.
pub(crate) fn read_file(
    path: &Path,
    add: impl FnOnce(&[u8]) -> Result<(), Fault>,
) -> Result<(String, u64)> {
    let (bytes, summary) = source::read_whole(path)?;
    add(&bytes).map_err(|(line, problem)| Error::File {
        path: path.to_owned(),
        problem: format!("line {line}: {problem}"),
    })?;
    Ok((summary.digest.to_hex().to_string(), summary.size_bytes))
}

/// Passes the line and the fields of each row to `take`, with what `header` makes of the names of the columns.
///
/// # Errors
/// The first line at fault: what [`text_of_lines`] refuses, a quote that is not closed, fewer or more fields than the
/// header has, and what `header` or `take` refuses.
pub(crate) fn read_rows<H>(
    bytes: &[u8],
    header: impl Fn(&[String]) -> Result<H, String>,
    mut take: impl FnMut(u64, &H, &Fields<'_>) -> Result<(), String>,
) -> Result<(), Fault> {
    let bytes = text_of_lines(bytes)?;
    let mut splitter = Splitter::new(DIALECT.delimiter, Margins::Trimmed);
    let mut columns: Option<(usize, H)> = None;
    for record in DIALECT.records(bytes, 1) {
        let at = |problem: String| (record.line, problem);
        let text = record.text.map_err(|reason| at(reason.as_str().into()))?;
        let Some((len, columns)) = &columns else {
            let names = splitter.names(text.as_bytes());
            columns = Some((names.len(), header(&names).map_err(at)?));
            continue;
        };
        let row = splitter
            .split(text, *len)
            .ok_or_else(|| at("fewer or more fields than the header has".into()))?;
        take(record.line, columns, &row).map_err(at)?;
    }
    match columns {
        Some(_) => Ok(()),
        None => Err((1, "there is no header".to_owned())),
    }
}

/// Returns the text of a file, without its byte order mark.
///
/// # Errors
/// The first line, of a file in UTF-16, and of one whose lines end as no reader here takes them.
pub(crate) fn text_of_lines(bytes: &[u8]) -> Result<&[u8], Fault> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err((1, "the file is UTF-16: save it as UTF-8".to_owned()));
    }
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let ends_line = |at: usize| text[at..].len() > 1;
    if !text.contains(&b'\n')
        && text
            .iter()
            .position(|it| *it == b'\r')
            .is_some_and(ends_line)
    {
        let problem = "its lines end in carriage returns alone: convert them to line feeds";
        return Err((1, problem.to_owned()));
    }
    Ok(text)
}

/// Returns a text that may be kept and served.
pub(crate) fn sound_text(field: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(field).map_err(|_bad| UTF_8_HINT)?;
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("is longer than {TEXT_BYTES_MAX} bytes"));
    }
    if text.contains(|character: char| character.is_ascii_control()) {
        return Err("holds a control character".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_without_lines_to_read_are_named() {
        let told = |bytes: &[u8]| text_of_lines(bytes).map(<[u8]>::to_vec);
        for bytes in [&b"a,b\r1,2\r3,4\r"[..], b"a,b\r1,2", b"\xef\xbb\xbfa\r\r"] {
            let (line, problem) = told(bytes).unwrap_err();
            assert_eq!(line, 1);
            assert_eq!(
                problem,
                "its lines end in carriage returns alone: convert them to line feeds"
            );
        }
        for bytes in [&b"\xff\xfea\0\n\0"[..], b"\xfe\xff\0a"] {
            let (_, problem) = told(bytes).unwrap_err();
            assert_eq!(problem, "the file is UTF-16: save it as UTF-8");
        }
        for text in ["", "a,b", "a,b\r", "a,b\r\n1,2\r\n", "a,\"b\rc\"\n"] {
            assert_eq!(told(text.as_bytes()), Ok(text.as_bytes().to_vec()));
        }
        assert_eq!(told(b"\xef\xbb\xbfa\n"), Ok(b"a\n".to_vec()));
    }
}
