//! The side series of a generation: which there are, how far they go, and their values.

use nightshard_format::{
    Error, Result,
    calendar::{Day, DayRange},
    generation::Generation,
    manifest::{Input, InputRole, Manifest},
    record::{CATALOG, Ranking, SERIES, SideSeries},
    shard::{Mapped, Span},
    staleness::Staleness,
};

/// What is known of a side series without reading its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeriesHead {
    /// Its name.
    pub(crate) name: String,
    /// From the first to the last day that has a value.
    pub(crate) days: DayRange,
    /// How many days have one.
    pub(crate) values: usize,
    /// Whether it ends too long before the last business day.
    pub(crate) is_stale: bool,
}

/// Reads the heads of all side series, by name.
///
/// # Errors
/// [`Error::Corrupt`] if one is named that there is not, or the other way round.
///
/// # Complexity
/// Reads every value once.
pub(crate) fn read_heads(generation: &Generation<Mapped>) -> Result<Vec<SeriesHead>> {
    let manifest = generation.manifest();
    let list = generation.get(CATALOG, Span::Current, SERIES.as_bytes())?;
    let list = list.map(|list| Ranking::parse(list.in_place()?));
    let list = list.transpose()?;
    if list.is_none() && was_loaded(manifest) {
        return Err(damaged("it has no list of side series".to_owned()));
    }
    let rule = Staleness::of(manifest)?;
    let positions = 0..list.map_or(0, |list| list.len());
    let names = positions.filter_map(|position| list?.get(position));
    let heads = names.map(|name| read_head(generation, name, rule));
    let heads: Vec<SeriesHead> = heads.collect::<Result<_>>()?;
    let shards = generation.table(SERIES, Span::Current).shards();
    let found: u64 = shards.iter().map(|shard| shard.len()).sum();
    if found != heads.len() as u64 {
        let named = heads.len();
        return Err(damaged(format!("it has {found} side series, not {named}")));
    }
    Ok(heads)
}

/// Returns whether files of side series are among the inputs.
fn was_loaded(manifest: &Manifest) -> bool {
    let is_series = |input: &Input| input.role() == Some(InputRole::Series);
    manifest.inputs.iter().any(is_series)
}

fn read_head(generation: &Generation<Mapped>, name: &[u8], rule: Staleness) -> Result<SeriesHead> {
    let series = find(generation, name)?;
    let days = series.days()?;
    Ok(SeriesHead {
        name: String::from_utf8_lossy(name).into_owned(),
        days,
        values: series.len_values(),
        is_stale: rule.is_stale(days.last),
    })
}

/// Returns the values of a series that is named on the days of a range, in order.
///
/// # Errors
/// [`Error::Corrupt`] if there is no such series, or if it is damaged.
pub(crate) fn values_in(
    generation: &Generation<Mapped>,
    name: &str,
    days: DayRange,
) -> Result<Vec<(Day, f64)>> {
    let mut values = Vec::new();
    find(generation, name.as_bytes())?.visit(|day, value| {
        if days.contains(day) {
            values.push((day, value));
        }
    })?;
    Ok(values)
}

fn find<'a>(generation: &'a Generation<Mapped>, name: &[u8]) -> Result<SideSeries<'a>> {
    let found = generation.get(SERIES, Span::Current, name)?;
    let missing = || {
        let name = String::from_utf8_lossy(name);
        damaged(format!(
            "it has no side series {name:?}, which its list names"
        ))
    };
    SideSeries::parse(found.ok_or_else(missing)?.in_place()?)
}

fn damaged(problem: String) -> Error {
    Error::Corrupt {
        structure: "generation",
        problem,
    }
}
