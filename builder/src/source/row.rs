//! The fields of one record to one canonical transaction.

use nightshard_format::record::{ATTRIBUTES, DIMENSIONS};

use super::columns::{Choice, Columns, Slot};
use super::coordinate::{self, LAT_MAX, LON_MAX};
use super::fields::Fields;
use super::parser::Outcome;
use super::spelling::Kind;
use super::time::{Moment, TimeReader};
use super::{Padded, Texts, amount, spelling};
use crate::currency;
use crate::field_hash::{FieldKeys, RowHash};
use crate::layout::{AmountRule, Field, Layout};
use crate::row_outcome::{Flag, Location, Reason, RowSink, Rule};
use crate::transaction::{TEXT_BYTES_MAX, Transaction};

/// Reads rows under one layout.
pub(super) struct RowReader {
    times: TimeReader,
    amount: AmountRule,
    /// Lower-case values of a status that mean cancelled.
    cancelled: Vec<Vec<u8>>,
    points_from: Option<u16>,
    /// The last currency's code, which was written as it is, and the units of its amounts; first
    /// what is no text's number.
    last_currency: (u32, u32),
    content_keys: FieldKeys,
    mix_keys: FieldKeys,
    cardholder_keys: FieldKeys,
    /// What may be wrong with the texts of the next rows.
    pub(super) doubt: Doubt,
    /// Whether the next row may hold control characters.
    pub(super) may_hold_controls: bool,
}

/// What is not known yet of the texts' encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Nothing: they are UTF-8 and as they were written.
    None,
    /// They may not be UTF-8.
    Utf8,
    /// U+FFFD may stand for bytes that could not be decoded.
    Replaced,
}

/// What a row is rejected for.
type Fault = (Field, Reason);

/// Why a row does not get to its end.
enum Stop<E> {
    Fault(Fault),
    Sink(E),
}

impl<E> From<Fault> for Stop<E> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Stands for an unknown number in the content.
const UNKNOWN: u32 = u32::MAX;

const CONTENT_CONTEXT: &str = "nightshard 2026 row content";
const MIX_CONTEXT: &str = "nightshard 2026 row mix";
const CARDHOLDER_CONTEXT: &str = "nightshard 2026 row cardholder";

/// The field of a mix that is installments and points, behind those of its dimensions.
const MIX_TERMS: usize = DIMENSIONS;

// Fields of the content that every layout has. Those that it carries follow, and all others by
// their tags.
const CURRENCY: usize = 0;
const CATEGORY: usize = 1;
const REGION: usize = 2;
const TX_ID: usize = 3;
const STORE_ID: usize = 4;
const CARD_ID: usize = 5;
const AMOUNT: usize = 6;
const TERMS: usize = 7;
const OWN_FIELDS: usize = 8;

fn content_fields(layout: &Layout) -> usize {
    let definition = layout.definition();
    OWN_FIELDS + definition.carry.len() + definition.fields.len()
}

impl RowReader {
    pub(super) fn new(layout: &Layout, seed: u64) -> Self {
        let status = layout.field(Field::Status);
        let cancelled = status
            .map(|column| column.cancelled.as_slice())
            .unwrap_or_default();
        Self {
            times: TimeReader::new(layout),
            amount: layout.amount(),
            cancelled: cancelled
                .iter()
                .map(|v| v.to_ascii_lowercase().into_bytes())
                .collect(),
            points_from: layout
                .field(Field::Installments)
                .and_then(|column| column.points_from),
            last_currency: (u32::MAX, 0),
            content_keys: FieldKeys::new(CONTENT_CONTEXT, seed, content_fields(layout)),
            mix_keys: FieldKeys::new(MIX_CONTEXT, seed, DIMENSIONS + 1),
            cardholder_keys: FieldKeys::new(CARDHOLDER_CONTEXT, seed, ATTRIBUTES),
            doubt: Doubt::Utf8,
            may_hold_controls: true,
        }
    }

    /// Hands the row to `sink` unless something is wrong with it.
    ///
    /// # Errors
    /// The sink's.
    #[inline]
    pub(super) fn read<S: RowSink>(
        &mut self,
        fields: Fields<'_>,
        columns: &Columns,
        at: Location,
        sink: &mut S,
    ) -> Result<Outcome, S::Error> {
        match self.hand_on(fields, columns, at, sink) {
            Ok(outcome) => Ok(outcome),
            Err(Stop::Fault(_)) if columns.is_header(fields) => {
                Ok(Outcome::Rejected(Field::Record, Reason::RepeatedHeader))
            }
            Err(Stop::Fault((field, reason))) => Ok(Outcome::Rejected(field, reason)),
            Err(Stop::Sink(error)) => Err(error),
        }
    }

    /// As [`Self::read`], or rejects what has no such fields.
    ///
    /// # Errors
    /// The sink's.
    #[inline]
    pub(super) fn read_if_any<S: RowSink>(
        &mut self,
        fields: Option<Fields<'_>>,
        columns: &Columns,
        at: Location,
        sink: &mut S,
    ) -> Result<Outcome, S::Error> {
        match fields {
            Some(fields) => self.read(fields, columns, at, sink),
            None => Ok(Outcome::Rejected(
                Field::Record,
                Reason::WrongNumberOfFields,
            )),
        }
    }

    #[inline]
    fn hand_on<S: RowSink>(
        &mut self,
        fields: Fields<'_>,
        columns: &Columns,
        at: Location,
        sink: &mut S,
    ) -> Result<Outcome, Stop<S::Error>> {
        if self.doubt != Doubt::None {
            self.check_encoding(fields, columns)?;
        }
        if self.may_hold_controls {
            check_controls(fields, columns)?;
        }
        let store_id = columns.store_id.padded(fields);
        let tx_id = columns.tx_id.padded(fields);
        let card_id = columns.card_id.padded(fields);
        let category = columns.category.padded(fields);
        let region = columns.region.padded(fields);
        let longest = (store_id.len().max(tx_id.len()).max(card_id.len()))
            .max(category.len().max(region.len()));
        if store_id.len() == 0 || longest > TEXT_BYTES_MAX {
            return Err(fault_of_texts(fields, columns).into());
        }
        let moment = self.moment(fields, columns)?;
        let (amount_minor, code) = self.amount_and_currency(fields, columns)?;
        let (installments, points_used) = self.installments(fields, columns)?;
        if let Some(coordinates) = &columns.coordinates
            && is_off_the_map(coordinates, fields)?
        {
            sink.flagged(Flag::CoordinateOutOfRange);
        }
        let mut hash = self.content_keys.row();
        let [currency @ .., _] = code.to_le_bytes();
        hash.numbers(CURRENCY, [code.into(), 0]);
        hash.text(CATEGORY, category);
        hash.text_of_any_length(REGION, region);
        let profile = hash.finish();
        let mut row = Transaction {
            tx_id: tx_id.as_bytes(),
            store_id: store_id.as_bytes(),
            card_id: card_id.as_bytes(),
            day: moment.day,
            second_of_day: moment.second,
            utc_second: moment.utc,
            amount_minor,
            currency: &currency,
            category: category.as_bytes(),
            region: region.as_bytes(),
            installments,
            points_used,
            texts: Texts::new(fields, columns),
            profile,
            mix: self.mix((installments, points_used), fields, columns),
            cardholder: self.cardholder(fields, columns),
            says_settlement: says_settlement(fields, columns),
            content: 0,
        };
        if self.is_cancelled(fields, columns) {
            sink.cancelled(at, &row).map_err(Stop::Sink)?;
            return Ok(Outcome::Excluded(Rule::Cancelled));
        }
        // Nothing is ever compared with a row that has no id.
        if tx_id.len() > 0 {
            hash.text(TX_ID, tx_id);
            hash.text(STORE_ID, store_id);
            hash.text(CARD_ID, card_id);
            row.content = content(hash, &row, fields, columns);
        }
        sink.transaction(at, &row).map_err(Stop::Sink)?;
        Ok(Outcome::Transaction)
    }

    #[cold]
    fn check_encoding(&self, fields: Fields<'_>, columns: &Columns) -> Result<(), Fault> {
        let is_sound = |text: &[u8]| {
            std::str::from_utf8(text).is_ok_and(|text| {
                self.doubt == Doubt::Utf8 || !text.contains(char::REPLACEMENT_CHARACTER)
            })
        };
        match columns.texts(fields).find(|(_, text)| !is_sound(text)) {
            Some((field, _)) => Err((field, Reason::InvalidEncoding)),
            None => Ok(()),
        }
    }

    #[inline(always)]
    fn moment(&mut self, fields: Fields<'_>, columns: &Columns) -> Result<Moment, Fault> {
        let fault = |reason| (Field::Ts, reason);
        let date = columns.date.text(fields);
        if date.is_empty() {
            return Err(fault(Reason::Missing));
        }
        let moment = self.times.moment(date).map_err(fault)?;
        let Some(time) = &columns.time else {
            return Ok(moment);
        };
        let second = self.times.second_of_day(time.text(fields)).map_err(fault)?;
        let utc = None;
        Ok(Moment {
            second,
            utc,
            ..moment
        })
    }

    #[inline(always)]
    fn amount_and_currency(
        &mut self,
        fields: Fields<'_>,
        columns: &Columns,
    ) -> Result<(i64, u32), Fault> {
        let (text, currency) = if columns.currency_follows {
            let (text, is_fallback) = columns.amount.resolve(fields, Choice::FallbackLast);
            let choice = if is_fallback {
                Choice::FallbackFirst
            } else {
                Choice::NoFallback
            };
            (text, columns.currency.resolve(fields, choice).0)
        } else {
            (
                columns.amount.padded(fields),
                columns.currency.padded(fields),
            )
        };
        if text.len() == 0 {
            return Err((Field::AmountMinor, Reason::Missing));
        }
        let (code, factor) = if currency_as_number(currency) == self.last_currency.0 {
            let (code, factor) = self.last_currency;
            (Ok(code), factor)
        } else {
            self.other_currency(currency.as_bytes())?
        };
        let amount = amount::amount_minor(text, factor, self.amount);
        let amount = amount.map_err(|reason| (Field::AmountMinor, reason))?;
        Ok((amount, code?))
    }

    /// The code that a text is, and how many minor units a unit of the amount has.
    #[cold]
    fn other_currency(&mut self, text: &[u8]) -> Result<(Result<u32, Fault>, u32), Fault> {
        let code = currency_code(text);
        let factor = match self.amount.factor {
            Some(factor) => factor,
            None => 10_u32.pow(currency::exponent(code?).into()),
        };
        let number = code.map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]));
        if let Ok(number) = number
            && number == currency_as_number(Padded::exact(text))
        {
            self.last_currency = (number, factor);
        }
        Ok((number, factor))
    }

    /// Months of instalment, and whether points were used.
    #[inline(always)]
    fn installments(
        &self,
        fields: Fields<'_>,
        columns: &Columns,
    ) -> Result<(Option<u16>, bool), Fault> {
        let points = columns
            .points_used
            .as_ref()
            .is_some_and(|slot| is_true(slot.text(fields)));
        let term = columns
            .installments
            .as_ref()
            .map_or(&b""[..], |slot| slot.text(fields));
        let months = match *term {
            [] => return Ok((None, points)),
            [digit @ b'0'..=b'9'] => u16::from(digit - b'0'),
            _ => {
                let respelled = spelling::number(term);
                let term = std::str::from_utf8(respelled.as_deref().unwrap_or(term));
                let months = term.ok().and_then(|term| term.parse().ok());
                months.ok_or((Field::Installments, Reason::NotANumber))?
            }
        };
        match self.points_from {
            Some(from) if months >= from => Ok((Some(months - from), true)),
            _ => Ok((Some(months), points)),
        }
    }

    /// Hashes what the row says of how it was paid.
    #[inline(always)]
    fn mix(
        &self,
        (installments, points_used): (Option<u16>, bool),
        fields: Fields<'_>,
        columns: &Columns,
    ) -> u64 {
        let says_terms = installments.is_some() || points_used;
        if !says_terms && columns.mixed.is_empty() {
            return 0;
        }
        let mut hash = self.mix_keys.row();
        let months = installments.map_or(UNKNOWN, |months| u32::from(months.max(1)));
        hash.numbers(MIX_TERMS, [u64::from(months), u64::from(points_used)]);
        let mut longest = 0;
        for (dimension, slot) in &columns.mixed {
            let text = slot.padded(fields);
            longest = longest.max(text.len());
            hash.text(*dimension, text);
        }
        if says_terms || longest > 0 {
            hash.finish().max(1)
        } else {
            0
        }
    }

    /// Hashes what the row says of who paid.
    #[inline(always)]
    fn cardholder(&self, fields: Fields<'_>, columns: &Columns) -> u64 {
        if columns.cardholder.is_empty() {
            return 0;
        }
        let mut hash = self.cardholder_keys.row();
        let mut longest = 0;
        for (attribute, slot) in &columns.cardholder {
            let text = slot.padded(fields);
            longest = longest.max(text.len());
            hash.text(*attribute, text);
        }
        match longest {
            0 => 0,
            _ => hash.finish().max(1),
        }
    }

    #[inline]
    fn is_cancelled(&self, fields: Fields<'_>, columns: &Columns) -> bool {
        columns.status.as_ref().is_some_and(|slot| {
            let status = slot.text(fields);
            self.cancelled
                .iter()
                .any(|value| value.eq_ignore_ascii_case(status))
        })
    }
}

/// Whether the row has a text that may say something of its settlement.
#[inline(always)]
fn says_settlement(fields: Fields<'_>, columns: &Columns) -> bool {
    let mut slots = columns.settled.iter();
    slots.any(|slot| slot.padded(fields).len() > 0)
}

/// Whether one of two coordinates lies off the map.
fn is_off_the_map(coordinates: &[Slot; 2], fields: Fields<'_>) -> Result<bool, Fault> {
    let is_off = |slot: &Slot, field, limit| {
        let is_off = coordinate::is_off(slot.padded(fields), limit);
        is_off.ok_or((field, Reason::NotANumber))
    };
    let [lat, lon] = coordinates;
    // Both are looked at: either may be no number.
    Ok(is_off(lat, Field::Lat, LAT_MAX)? | is_off(lon, Field::Lon, LON_MAX)?)
}

/// A text of three bytes as a number; 0 stands for any other.
#[inline(always)]
fn currency_as_number(text: Padded<'_>) -> u32 {
    if text.len() == 3 {
        u32::from_le_bytes(text.first()) & 0xff_ffff
    } else {
        0
    }
}

fn currency_code(text: &[u8]) -> Result<[u8; 3], Fault> {
    let reason = if text.is_empty() {
        Reason::Missing
    } else {
        Reason::NotACurrency
    };
    match <[u8; 3]>::try_from(text) {
        Ok(code) if code.iter().all(u8::is_ascii_alphabetic) => {
            Ok(code.map(|it| it.to_ascii_uppercase()))
        }
        _ => Err((Field::Currency, reason)),
    }
}

/// Ends the hash of everything that the layout maps, of which the row's texts are hashed already.
#[inline]
fn content(
    mut hash: RowHash<'_>,
    row: &Transaction<'_>,
    fields: Fields<'_>,
    columns: &Columns,
) -> u64 {
    let second = row.second_of_day.unwrap_or(UNKNOWN);
    let moment = pair(row.day.cast_unsigned(), second);
    hash.numbers(AMOUNT, [row.amount_minor.cast_unsigned(), moment]);
    let months = row.installments.map_or(UNKNOWN, u32::from);
    hash.numbers(TERMS, [u64::from(months), u64::from(row.points_used)]);
    for (field, column) in (OWN_FIELDS..).zip(&columns.carried) {
        hash.text(field, fields.padded(*column));
    }
    let others = OWN_FIELDS + columns.carried.len();
    for (column, tag) in &columns.plain_texts {
        hash.text(others + usize::from(*tag), fields.padded(*column));
    }
    for other in &columns.special {
        let (field, text) = (others + usize::from(other.tag), other.slot.padded(fields));
        match other.kind {
            _ if text.len() == 0 => {}
            Kind::Number if let Some(len) = spelling::spelled_len(text) => {
                hash.text(field, text.cut(len));
            }
            kind => add_value(&mut hash, field, kind, text),
        }
    }
    hash.finish()
}

/// Adds a value, however it is spelled.
#[inline(never)]
fn add_value(hash: &mut RowHash<'_>, field: usize, kind: Kind, text: Padded<'_>) {
    match kind.respelled(text.as_bytes()) {
        None => hash.text(field, text),
        Some(text) => hash.text(field, Padded::exact(&text)),
    }
}

/// Returns what is wrong with the texts of a row of which one is missing or too long.
#[cold]
fn fault_of_texts(fields: Fields<'_>, columns: &Columns) -> Fault {
    if columns.store_id.text(fields).is_empty() {
        return (Field::StoreId, Reason::Missing);
    }
    let long = columns
        .kept(fields)
        .find(|(_, text)| text.len() > TEXT_BYTES_MAX);
    let field = long.map_or(Field::Record, |(field, _)| field);
    (field, Reason::TooLong)
}

#[cold]
fn check_controls(fields: Fields<'_>, columns: &Columns) -> Result<(), Fault> {
    let holds_one = |text: &[u8]| text.iter().any(u8::is_ascii_control);
    match columns.kept(fields).find(|(_, text)| holds_one(text)) {
        Some((field, _)) => Err((field, Reason::ControlCharacter)),
        None => Ok(()),
    }
}

/// Two numbers side by side.
#[inline]
fn pair(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Whether a flag or an amount of points says that there are any.
fn is_true(text: &[u8]) -> bool {
    let is_zero = || spelling::number(text).as_deref().unwrap_or(text) == b"0";
    !(text.is_empty()
        || is_zero()
        || [&b"false"[..], b"no", b"n"]
            .iter()
            .any(|no| no.eq_ignore_ascii_case(text)))
}
