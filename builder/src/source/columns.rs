//! Which column of a file feeds which canonical field.

use std::collections::HashMap;

use nightshard_format::record::{Attribute, Dimension};

use super::Padded;
use super::fields::Fields;
use super::spelling::Kind;
use crate::layout::{Column, Definition, Field, Layout};

/// Fields that are read in a way of their own; all others are texts that only count as content.
const READ_APART: [Field; 9] = [
    Field::TxId,
    Field::StoreId,
    Field::CardId,
    Field::Ts,
    Field::AmountMinor,
    Field::Currency,
    Field::Category,
    Field::Region,
    Field::Installments,
];

/// Fields that say something of a row's settlement.
const OF_SETTLEMENT: [Field; 4] = [
    Field::PointsUsed,
    Field::FeeMinor,
    Field::DepositMinor,
    Field::SettlesOn,
];

/// Where the texts of one field stand in a record.
#[derive(Clone, Default)]
pub(crate) struct Slot {
    /// The column of the first choice, else of the fallback; one past the last column where there
    /// is neither.
    column: usize,
    /// Whether `column` is the fallback's.
    is_fallback: bool,
    /// The fallback's column where the first choice has one, too.
    fallback: Option<usize>,
    /// What stands where no column has a text, with zeros behind it.
    constant: Box<[u8]>,
    constant_len: usize,
    strip: Box<[u8]>,
    /// Whether the one column is all there is.
    is_simple: bool,
    /// Whether the constant is.
    is_constant: bool,
}

/// Zeros behind a constant, so that it is taken as other texts are.
const ROOM: usize = 32;

/// Which of a slot's columns to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    NoFallback,
    FallbackLast,
    FallbackFirst,
}

impl Slot {
    /// The trimmed text of this field; empty when unknown.
    #[inline(always)]
    pub(crate) fn text<'r>(&'r self, fields: Fields<'r>) -> &'r [u8] {
        if self.is_simple {
            fields.get(self.column)
        } else {
            self.resolve(fields, Choice::FallbackLast).0.as_bytes()
        }
    }

    /// The same, with what stands behind it.
    #[inline(always)]
    pub(crate) fn padded<'r>(&'r self, fields: Fields<'r>) -> Padded<'r> {
        if self.is_simple {
            fields.padded(self.column)
        } else if self.is_constant {
            Padded::new(&self.constant, self.constant_len)
        } else {
            self.resolve(fields, Choice::FallbackLast).0
        }
    }

    /// The column that is all there is.
    fn only_column(&self) -> Option<usize> {
        self.is_simple.then_some(self.column)
    }

    /// The text, and whether it came from the fallback.
    pub(crate) fn resolve<'r>(&'r self, fields: Fields<'r>, choice: Choice) -> (Padded<'r>, bool) {
        let text = |column: Option<usize>, is_fallback| {
            let text = self.stripped(fields.get(column?));
            (!text.is_empty()).then(|| (Padded::exact(text), is_fallback))
        };
        let column = Some(self.column);
        let first = || text(column.filter(|_| !self.is_fallback), false);
        let second = || text(column.filter(|_| self.is_fallback).or(self.fallback), true);
        let found = match choice {
            Choice::NoFallback => first(),
            Choice::FallbackLast => first().or_else(second),
            Choice::FallbackFirst => second().or_else(first),
        };
        found.unwrap_or((Padded::new(&self.constant, self.constant_len), false))
    }

    /// Whether the text is always empty; `none` stands for a column that the file lacks.
    fn is_void(&self, none: usize) -> bool {
        self.column == none && self.constant_len == 0
    }

    fn stripped<'r>(&self, mut text: &'r [u8]) -> &'r [u8] {
        while let [first, rest @ ..] = text
            && self.strip.contains(first)
        {
            text = rest;
        }
        while let [rest @ .., last] = text
            && self.strip.contains(last)
        {
            text = rest;
        }
        text.trim_ascii()
    }
}

/// A field that only counts as content.
#[derive(Clone)]
pub(crate) struct Other {
    pub(crate) field: Field,
    pub(crate) kind: Kind,
    /// Tells its texts from those of other fields.
    pub(crate) tag: u8,
    pub(crate) slot: Slot,
}

impl Other {
    fn plain_column(&self) -> Option<usize> {
        (self.slot.only_column()).filter(|_| self.kind == Kind::Text)
    }
}

/// The columns of one file, matched with a layout.
pub(crate) struct Columns {
    /// Lower-case names, in the order of the file; for JSON lines the keys that the layout knows.
    names: Vec<String>,
    /// For JSON lines: columns that are spellings of one, which stands behind those of `names`.
    /// Of a line the first that it has is taken, as the first of a header is.
    pub(crate) spelled: Vec<Vec<usize>>,
    /// Whether the names are a header that could stand in the data again.
    pub(crate) is_json: bool,
    pub(crate) tx_id: Slot,
    pub(crate) store_id: Slot,
    pub(crate) card_id: Slot,
    /// The whole time, or the date where `time` stands apart.
    pub(crate) date: Slot,
    pub(crate) time: Option<Slot>,
    pub(crate) amount: Slot,
    pub(crate) currency: Slot,
    /// Whether the currency follows the amount to its fallback.
    pub(crate) currency_follows: bool,
    pub(crate) category: Slot,
    pub(crate) region: Slot,
    pub(crate) status: Option<Slot>,
    pub(crate) installments: Option<Slot>,
    /// Latitude and longitude, where the file may have one of them.
    pub(crate) coordinates: Option<Box<[Slot; 2]>>,
    pub(crate) points_used: Option<Slot>,
    /// Fields that only count as content, in canonical order; those that the file may have.
    pub(crate) others: Vec<Other>,
    /// Of these the texts that are columns as they are, by column and tag.
    pub(crate) plain_texts: Vec<(usize, u8)>,
    /// The rest of them.
    pub(crate) special: Vec<Other>,
    /// Of the others those that say how a row was paid, by the number of their dimension, but for points.
    pub(crate) mixed: Vec<(usize, Slot)>,
    /// Likewise those that say who paid, by the number of their attribute.
    pub(crate) cardholder: Vec<(usize, Slot)>,
    /// Likewise those that say something of the settlement.
    pub(crate) settled: Vec<Slot>,
    /// Columns that the layout carries along.
    pub(crate) carried: Vec<usize>,
}

/// A field and its text.
pub(crate) type Named<'r> = (Field, &'r [u8]);

impl Columns {
    /// Matches the names of a CSV header.
    ///
    /// # Errors
    /// What is missing, for people: every required column with the spellings that were sought.
    pub(crate) fn of_header(layout: &Layout, header: &[String]) -> Result<Self, String> {
        let names: Vec<String> = header.iter().map(|name| normalised(name)).collect();
        let missing: Vec<String> = required(layout)
            .filter(|c| !has_any(c, &names))
            .map(spelled)
            .collect();
        if missing.is_empty() {
            Ok(Self::new(layout, names, false))
        } else {
            Err(missing.join(", "))
        }
    }

    /// Lists the keys that the layout knows; which of them a line has is seen line by line.
    pub(crate) fn of_json(layout: &Layout) -> Self {
        let definition = layout.definition();
        let keys = definition
            .columns()
            .flat_map(Column::spellings)
            .chain(&definition.carry);
        let mut names: Vec<String> = keys.map(|key| normalised(key)).collect();
        names.sort();
        names.dedup();
        Self::new(layout, names, true)
    }

    fn new(layout: &Layout, names: Vec<String>, is_json: bool) -> Self {
        let mut index = HashMap::new();
        for (column, name) in names.iter().enumerate() {
            // A name that stands twice means its first column.
            index.entry(name.as_str()).or_insert(column);
        }
        let mut finder = Finder {
            index,
            columns: names.len(),
            spelled: Vec::new(),
        };
        if is_json {
            finder.note_spellings(layout.definition());
        }
        let none = finder.none();
        let slot = |field| finder.slot(layout.field(field));
        let some_slot = |field| Some(slot(field)).filter(|slot| !slot.is_void(none));
        let coordinates = [slot(Field::Lat), slot(Field::Lon)];
        let has_coordinates = coordinates.iter().any(|slot| !slot.is_void(none));
        let definition = layout.definition();
        let others = definition
            .fields
            .keys()
            .filter(|field| !READ_APART.contains(field));
        let others = (0..).zip(others).map(|(tag, field)| Other {
            field: *field,
            kind: Kind::of(*field),
            tag,
            slot: slot(*field),
        });
        let others: Vec<Other> = others.filter(|other| !other.slot.is_void(none)).collect();
        let carried = definition.carry.iter();
        Self {
            is_json,
            tx_id: slot(Field::TxId),
            store_id: slot(Field::StoreId),
            card_id: slot(Field::CardId),
            date: finder.slot(layout.date()),
            time: definition
                .time
                .as_ref()
                .map(|column| finder.slot(Some(column))),
            amount: slot(Field::AmountMinor),
            currency: slot(Field::Currency),
            currency_follows: layout
                .field(Field::Currency)
                .is_some_and(|c| c.follow_amount),
            category: slot(Field::Category),
            region: slot(Field::Region),
            status: some_slot(Field::Status),
            installments: some_slot(Field::Installments),
            coordinates: has_coordinates.then(|| Box::new(coordinates)),
            points_used: some_slot(Field::PointsUsed),
            plain_texts: (others.iter())
                .filter_map(|other| Some((other.plain_column()?, other.tag)))
                .collect(),
            special: (others.iter())
                .filter(|other| other.plain_column().is_none())
                .cloned()
                .collect(),
            mixed: (others.iter())
                .filter(|other| other.field != Field::PointsUsed)
                .filter_map(|other| Some((dimension_of(other.field)?, other.slot.clone())))
                .collect(),
            cardholder: (others.iter())
                .filter_map(|other| Some((attribute_of(other.field)?, other.slot.clone())))
                .collect(),
            settled: (others.iter())
                .filter(|other| OF_SETTLEMENT.contains(&other.field))
                .map(|other| other.slot.clone())
                .collect(),
            others,
            carried: carried
                .map(|name| finder.column(name).unwrap_or(none))
                .collect(),
            spelled: finder.spelled,
            names,
        }
    }

    /// Ids, category and region: the texts that are kept as they are.
    pub(crate) fn kept<'r>(&'r self, fields: Fields<'r>) -> impl Iterator<Item = Named<'r>> {
        let slots = [
            (Field::TxId, &self.tx_id),
            (Field::StoreId, &self.store_id),
            (Field::CardId, &self.card_id),
            (Field::Category, &self.category),
            (Field::Region, &self.region),
        ];
        slots
            .into_iter()
            .map(move |(field, slot)| (field, slot.text(fields)))
    }

    /// Every text that is read, with its field.
    pub(crate) fn texts<'r>(&'r self, fields: Fields<'r>) -> impl Iterator<Item = Named<'r>> {
        let others = self.others.iter();
        let others = others.map(move |other| (other.field, other.slot.text(fields)));
        let carried = self
            .carried
            .iter()
            .map(move |column| (Field::Record, fields.get(*column)));
        self.kept(fields).chain(others).chain(carried)
    }

    /// Number of columns.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The column of a JSON key.
    pub(crate) fn of_key(&self, key: &str) -> Option<usize> {
        let find = |key: &str| {
            self.names
                .binary_search_by(|name| name.as_str().cmp(key))
                .ok()
        };
        let is_normal = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        if key.bytes().all(is_normal) {
            find(key)
        } else {
            find(&normalised(key))
        }
    }

    /// Whether the record is the header again.
    pub(crate) fn is_header(&self, fields: Fields<'_>) -> bool {
        !self.is_json
            && self.names.iter().enumerate().all(|(column, name)| {
                let text = std::str::from_utf8(fields.get(column));
                text.is_ok_and(|text| normalised(text) == *name)
            })
    }
}

/// Finds columns by name.
struct Finder<'n> {
    index: HashMap<&'n str, usize>,
    /// How many there are.
    columns: usize,
    /// See [`Columns::spelled`].
    spelled: Vec<Vec<usize>>,
}

impl Finder<'_> {
    fn column(&self, spelling: &str) -> Option<usize> {
        self.index.get(normalised(spelling).as_str()).copied()
    }

    /// Stands for a column that the file does not have.
    fn none(&self) -> usize {
        self.columns + self.spelled.len()
    }

    fn note_spellings(&mut self, definition: &Definition) {
        for column in definition.columns() {
            for spellings in [&column.columns, &column.fallback] {
                let columns = self.known(spellings);
                if columns.len() > 1 && !self.spelled.contains(&columns) {
                    self.spelled.push(columns);
                }
            }
        }
    }

    fn known(&self, spellings: &[String]) -> Vec<usize> {
        let columns = spellings.iter().filter_map(|name| self.column(name));
        columns.collect()
    }

    /// The column of which these are the spellings.
    fn column_of(&self, spellings: &[String]) -> Option<usize> {
        let known = self.known(spellings);
        let several = self.spelled.iter().position(|columns| *columns == known);
        let several = several.map(|position| self.columns + position);
        several.or_else(|| known.first().copied())
    }

    fn slot(&self, column: Option<&Column>) -> Slot {
        let Some(column) = column else {
            return Slot {
                column: self.none(),
                is_simple: true,
                ..Slot::default()
            };
        };
        let first_choice = self.column_of(&column.columns);
        let fallback = self.column_of(&column.fallback);
        let first = first_choice.or(fallback).unwrap_or(self.none());
        let fallback = first_choice.and(fallback);
        let constant = column.constant.as_deref().unwrap_or_default();
        Slot {
            column: first,
            is_simple: fallback.is_none() && constant.is_empty() && column.strip.is_empty(),
            is_constant: first == self.none(),
            fallback,
            is_fallback: first_choice.is_none(),
            constant: [constant.as_bytes(), &[0; ROOM]].concat().into(),
            constant_len: constant.len(),
            strip: column.strip.as_bytes().into(),
        }
    }
}

/// The number of the dimension that a field is.
fn dimension_of(field: Field) -> Option<usize> {
    let is_field = |dimension: &Dimension| dimension.as_str() == field.as_str();
    Dimension::ALL.iter().position(is_field)
}

/// The number of the attribute that a field says.
fn attribute_of(field: Field) -> Option<usize> {
    let is_field = |attribute: &Attribute| attribute.as_str() == field.as_str();
    Attribute::ALL.iter().position(is_field)
}

/// Columns whose absence from a header is an error.
fn required(layout: &Layout) -> impl Iterator<Item = &Column> {
    let definition = layout.definition();
    let needed = [
        Field::StoreId,
        Field::AmountMinor,
        Field::Currency,
        Field::Ts,
    ];
    let fields = definition
        .fields
        .iter()
        .map(move |(field, column)| (needed.contains(field), column));
    let date = definition.date.iter().map(|column| (true, column));
    let time = definition.time.iter().map(|column| (true, column));
    date.chain(time)
        .chain(fields)
        .filter(|(needed, column)| column.required.unwrap_or(*needed))
        .map(|(_, column)| column)
        .filter(|column| column.constant.is_none())
}

fn has_any(column: &Column, names: &[String]) -> bool {
    column
        .spellings()
        .any(|name| names.contains(&normalised(name)))
}

fn spelled(column: &Column) -> String {
    column
        .spellings()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" or ")
}

/// A name as it is compared.
fn normalised(name: &str) -> String {
    name.trim().to_lowercase()
}
