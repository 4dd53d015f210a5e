//! The dimension file of customers: what is known of them beside their rows.

use std::path::Path;

use crate::{
    Result,
    pseudonym::{CardKey, Pseudonymiser},
    small_table::{Fault, read_file, read_rows, sound_text},
    source::Fields,
    transaction::TEXT_BYTES_MAX,
};

/// More columns are no attributes of a person.
const ATTRIBUTES_MAX: usize = 64;
/// The column that says whose the others are.
const ID: &str = "card_id";
/// Columns that name somebody, and are not kept.
const REFUSED: [&str; 2] = ["customer_id", "device_id"];

/// What is known of customers beside their rows, by their pseudonyms.
#[derive(Default)]
pub struct CustomerTable {
    /// Ascending.
    names: Vec<String>,
    /// Ascending by pseudonym.
    customers: Vec<Customer>,
    digest: Option<(String, u64)>,
}

struct Customer {
    pseudonym: u128,
    line: u64,
    /// By name, empty where nothing is known.
    values: Box<[Box<str>]>,
}

// By hand: pseudonyms and what is known of people must not reach a log.
impl std::fmt::Debug for CustomerTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CustomerTable({} customers)", self.customers.len())
    }
}

/// The columns of a file.
struct Header {
    /// Where the id stands.
    id: usize,
    /// Where the others stand, by name.
    others: Vec<(String, usize)>,
}

impl CustomerTable {
    /// Reads a CSV file with a header of `card_id` and the names of attributes; plain, .gz or .zst. Ids become
    /// pseudonyms at once.
    ///
    /// # Errors
    /// [`crate::Error::File`] naming the line at fault and never an id: a card that stands twice, a column without a
    /// name, that stands twice or names somebody, a quote that is not closed, a text that is too long, of
    /// another encoding than UTF-8 or with control characters.
    pub fn read(path: &Path, key: &CardKey) -> Result<Self> {
        let mut table = Self::default();
        let digest = read_file(path, |bytes| table.add_all(bytes, &Pseudonymiser::new(key)))?;
        table.digest = Some(digest);
        Ok(table)
    }

    fn add_all(&mut self, bytes: &[u8], pseudonymiser: &Pseudonymiser) -> Result<(), Fault> {
        let mut names = Vec::new();
        read_rows(bytes, header, |line, header, row| {
            if names.is_empty() {
                names.extend(header.others.iter().map(|(name, _)| name.clone()));
            }
            self.customers
                .push(Customer::read(line, header, row, pseudonymiser)?);
            Ok(())
        })?;
        self.names = names;
        self.customers
            .sort_unstable_by_key(|customer| (customer.pseudonym, customer.line));
        let pairs = self.customers.array_windows();
        let twice = pairs.filter(|[first, second]| first.pseudonym == second.pseudonym);
        match twice.min_by_key(|[_, second]| second.line) {
            Some([first, second]) => {
                let problem = format!("the card stands in line {}, too", first.line);
                Err((second.line, problem))
            }
            None => Ok(()),
        }
    }

    /// Returns the digest and length of the file, if there was one.
    #[must_use]
    pub fn digest(&self) -> Option<&(String, u64)> {
        self.digest.as_ref()
    }

    /// Returns how many customers the file has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.customers.len()
    }

    /// Returns whether nothing is known of anyone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.customers.is_empty()
    }

    /// Returns what is known of a customer, by ascending name; `None` if the file does not have it.
    pub(crate) fn attributes(&self, pseudonym: u128) -> Option<Vec<(&str, &str)>> {
        let found = self
            .customers
            .binary_search_by_key(&pseudonym, |customer| customer.pseudonym);
        let customer = &self.customers[found.ok()?];
        let all = self.names.iter().zip(&customer.values);
        let known = all.filter(|(_, value)| !value.is_empty());
        Some(known.map(|(name, value)| (&**name, &**value)).collect())
    }
}

impl Customer {
    fn read(
        line: u64,
        header: &Header,
        row: &Fields<'_>,
        pseudonymiser: &Pseudonymiser,
    ) -> Result<Self, String> {
        let text = |name: &str, column: usize| {
            sound_text(row.get(column)).map_err(|wrong| format!("{name} {wrong}"))
        };
        let id = text(ID, header.id)?;
        if id.is_empty() {
            return Err(format!("{ID} is empty"));
        }
        let values = header.others.iter();
        let values = values.map(|(name, column)| text(name, *column).map(Into::into));
        Ok(Self {
            pseudonym: pseudonymiser.pseudonym(id.as_bytes()),
            line,
            values: values.collect::<Result<_, _>>()?,
        })
    }
}

fn header(names: &[String]) -> Result<Header, String> {
    let names: Vec<&str> = names.iter().map(|name| name.trim()).collect();
    let is_id = |name: &&str| name.eq_ignore_ascii_case(ID);
    // No name is shown before it is sure that this is a header, and no row with a card.
    let id = names.iter().position(is_id);
    let id = id.ok_or_else(|| format!("there is no column {ID}"))?;
    let is_refused = |name: &&&str| {
        REFUSED
            .iter()
            .any(|refused| name.eq_ignore_ascii_case(refused))
    };
    if let Some(refused) = names.iter().find(is_refused) {
        return Err(format!(
            "the column {refused} names somebody, which is not kept"
        ));
    }
    let others = names.iter().enumerate().filter(|(column, _)| *column != id);
    let mut others: Vec<(String, usize)> = others
        .map(|(column, name)| ((*name).to_owned(), column))
        .collect();
    if others.len() > ATTRIBUTES_MAX {
        return Err(format!("more than {ATTRIBUTES_MAX} attributes"));
    }
    others.sort_unstable();
    if let Some((name, _)) = others.iter().find(|(name, _)| is_unsound(name)) {
        return Err(format!("{name:?} is no name of an attribute"));
    }
    match others.array_windows().find(|[a, b]| a.0 == b.0) {
        Some([twice, _]) => Err(format!("{} stands twice", twice.0)),
        None => Ok(Header { id, others }),
    }
}

fn is_unsound(name: &str) -> bool {
    name.is_empty()
        || name.len() > TEXT_BYTES_MAX
        || name.contains(char::REPLACEMENT_CHARACTER)
        || name.eq_ignore_ascii_case(ID)
        || name.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> CardKey {
        CardKey::parse(&"11".repeat(32), "--card-key-file").unwrap()
    }

    fn read(text: &str) -> Result<CustomerTable> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("customers.csv");
        std::fs::write(&path, text).unwrap();
        CustomerTable::read(&path, &key())
    }

    #[test]
    fn what_the_file_says_is_found_by_pseudonym_and_named_in_order() {
        let table = read(
            "segment,CARD_ID,registered_at\n\
             gold,4711,2017-05-01\n,4712,\"May, 2018\"\n,4713,\n",
        )
        .unwrap();
        let of = |id: &[u8]| table.attributes(Pseudonymiser::new(&key()).pseudonym(id));
        let all = [("registered_at", "2017-05-01"), ("segment", "gold")];
        assert_eq!(of(b"4711").unwrap(), all);
        assert_eq!(of(b"4712").unwrap(), [("registered_at", "May, 2018")]);
        assert_eq!(of(b"4713").unwrap(), []);
        assert_eq!((of(b"4714"), table.len()), (None, 3));
        assert!(!format!("{table:?}").contains("4711"));
    }

    #[test]
    fn a_wrong_file_is_named_with_its_line_and_without_ids() {
        for (text, words) in [
            (
                "4711,gold\n4712,silver\n",
                "line 1: there is no column card_id",
            ),
            ("\n", "line 1: there is no header"),
            (
                "card_id,x\n4711,1\n4712,2\n4711,3\n",
                "line 4: the card stands in line 2, too",
            ),
            ("card_id,x\n,1\n", "line 2: card_id is empty"),
            ("card_id,x\n4711\n", "line 2: fewer or more fields"),
            ("card_id,x,x\n", "line 1: x stands twice"),
            ("card_id,\n", "line 1: \"\" is no name of an attribute"),
            ("card_id,Card_Id\n", "line 1: \"Card_Id\" is no name"),
            (
                "card_id,Customer_ID\n",
                "line 1: the column Customer_ID names somebody",
            ),
            (
                "card_id,x\n4711,\"a\nb\"\n",
                "line 2: x holds a control character",
            ),
            ("card_id,x\n4711,\"a\n", "line 2: quote never closed"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
            assert!(!error.contains("4711"), "{error}");
        }
        let long = format!("card_id,x\n{},1\n", "4".repeat(TEXT_BYTES_MAX + 1));
        let error = read(&long).unwrap_err().to_string();
        assert!(error.contains("line 2: card_id is longer"), "{error}");
        assert!(!error.contains("444"), "{error}");
    }
}
