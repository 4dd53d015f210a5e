//! A generation as it is served: warmed, with what every answer repeats.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwapOption;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use nightshard_format::{
    calendar::{Day, DayRange},
    generation::Generation,
    histogram::Method,
    manifest::{GenerationId, Manifest, ShardEntry},
    privacy::Privacy,
    quality::QualityReport,
    region_tree::RegionTree,
    regular::RegularRule,
    returning::ReturnRule,
    shard::{Mapped, MemoryPolicy, Shard},
};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::{
    access::Caller,
    complete,
    json::Json,
    problem::Problem,
    side_series::{SeriesHead, read_heads},
};

/// The generation that an answer was made from.
pub(crate) const GENERATION: HeaderName = HeaderName::from_static("nightshard-generation");
/// The selection that the server has reached.
pub(crate) const SELECTION: HeaderName = HeaderName::from_static("nightshard-selection");

const DAY_SECONDS: i64 = 86_400;

/// No answer has more headers.
const HEADERS_MAX: usize = 12;

/// The entry of a manifest's configuration that names the method of histograms.
const METHOD_KEY: &str = "histogram.method";

/// A generation of which every byte was verified, and what is computed from its manifest once.
#[derive(Debug)]
pub struct ServedGeneration {
    generation: Generation<Mapped>,
    as_of: Day,
    transactions: Option<TransactionFacts>,
    /// The media types of the packed datasets.
    media_types: BTreeMap<String, HeaderValue>,
    /// What the build found out about its rows, where that is known.
    quality: Option<QualityReport>,
    /// What entity tags are hashed with: a tag changes with the generation and the release.
    etag_seed: u64,
    envelope: Vec<u8>,
    /// The age that answers said last, and how they said it.
    age: ArcSwapOption<(u64, HeaderValue)>,
}

/// What is computed once of a generation's transactions.
#[derive(Debug)]
pub(crate) struct TransactionFacts {
    /// The days from the first that has rows to the last business day.
    pub(crate) days: DayRange,
    /// The last day that has rows, which may lie before the last business day.
    pub(crate) last_row: Day,
    /// How histograms are cut.
    pub(crate) method: Method,
    /// Who is a regular.
    pub(crate) regular: RegularRule,
    /// Who comes back.
    pub(crate) returning: ReturnRule,
    /// Whether what is told of many stores together is protected.
    pub(crate) privacy: Privacy,
    /// The members that name the currency.
    pub(crate) currency: Vec<u8>,
    /// The tree of regions.
    pub(crate) regions: RegionTree,
    /// The side series, by name.
    pub(crate) series: Vec<SeriesHead>,
}

impl TransactionFacts {
    fn of(generation: &Generation<Mapped>) -> nightshard_format::Result<Option<Self>> {
        let manifest = generation.manifest();
        let Some(transactions) = &manifest.transactions else {
            return Ok(None);
        };
        let mut currency = Json::default();
        currency.key("currency").string(&transactions.currency);
        currency
            .key("currency_exponent")
            .integer(transactions.currency_exponent);
        let rows = transactions.day_range()?;
        Ok(Some(Self {
            // Of the days after the last row, up to the last business day, it is known that they
            // had none.
            days: DayRange {
                first: rows.first,
                last: manifest.as_of.parse()?,
            },
            last_row: rows.last,
            method: method_of(manifest)?,
            regular: RegularRule::of(manifest)?,
            returning: ReturnRule::of(manifest)?,
            privacy: Privacy::of(manifest)?,
            currency: currency.into_bytes(),
            regions: RegionTree::read(generation)?,
            series: read_heads(generation)?,
        }))
    }
}

impl ServedGeneration {
    /// Warms a verified generation as `memory` says, and prepares it for being served.
    ///
    /// # Errors
    /// [`nightshard_format::Error`] if something is missing of the generation, or if the
    /// manifest's days, method or privacy are not known here.
    ///
    /// # Complexity
    /// Indexes are waited for if the policy is to prefault or lock them.
    pub fn new(
        generation: Generation<Mapped>,
        memory: MemoryPolicy,
    ) -> nightshard_format::Result<Self> {
        complete::check(&generation)?;
        for refused in memory.advise_lookups(generation.shards()) {
            tracing::warn!("{refused}");
        }
        let manifest = generation.manifest();
        let id = manifest.id.as_str();
        let mut envelope = Json::default();
        envelope.begin_object();
        envelope.key("generation").string(id);
        envelope.key("as_of").string(&manifest.as_of);
        envelope.key("data");
        let packed = manifest.packed.iter();
        let media_types = packed.map(|(name, packed)| {
            let media_type = header_value(&packed.media_type);
            (name.clone(), media_type)
        });
        Ok(Self {
            as_of: manifest.as_of.parse()?,
            transactions: TransactionFacts::of(&generation)?,
            media_types: media_types.collect(),
            quality: None,
            etag_seed: xxh3_64(format!("{} {id}", env!("CARGO_PKG_VERSION")).as_bytes()),
            envelope: envelope.into_bytes(),
            age: ArcSwapOption::empty(),
            generation,
        })
    }

    /// Puts a quality report beside the generation; entity tags change with it.
    #[must_use]
    pub fn with_quality(self, report: Option<QualityReport>) -> Self {
        let seen = serde_json::to_vec(&report).unwrap_or_default();
        Self {
            etag_seed: xxh3_64_with_seed(&seen, self.etag_seed),
            quality: report,
            ..self
        }
    }

    /// Returns what the build found out about its rows, where that is known.
    pub(crate) fn quality(&self) -> Option<&QualityReport> {
        self.quality.as_ref()
    }

    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> &GenerationId {
        &self.generation.manifest().id
    }

    /// Returns the generation.
    pub(crate) fn generation(&self) -> &Generation<Mapped> {
        &self.generation
    }

    /// Returns the shards that were found damaged while they were served.
    pub(crate) fn refused(&self) -> impl Iterator<Item = &ShardEntry> {
        let entries = self.generation.manifest().shards.iter();
        entries.filter(|entry| {
            let shard = self.generation.shard(entry);
            shard.is_some_and(Shard::is_refused)
        })
    }

    /// Returns whether it has a blob that was not found damaged.
    pub(crate) fn has_right(&self, blob: &str) -> bool {
        let mut entries = self.generation.manifest().shards.iter();
        entries.any(|entry| {
            let shard = self.generation.shard(entry);
            entry.blob == blob && shard.is_some_and(|shard| !shard.is_refused())
        })
    }

    /// Returns the last business day.
    pub(crate) fn as_of(&self) -> Day {
        self.as_of
    }

    /// Returns the seconds from the end of the last business day in UTC to a time, never fewer
    /// than 0.
    pub(crate) fn age_seconds(&self, unix_seconds: u64) -> u64 {
        let end = (i64::from(self.as_of.0) + 1) * DAY_SECONDS;
        unix_seconds.saturating_sub(end.max(0).unsigned_abs())
    }

    /// Returns the same as a header, written once a second.
    pub(crate) fn age_header(&self, unix_seconds: u64) -> HeaderValue {
        let age = self.age_seconds(unix_seconds);
        match &*self.age.load() {
            Some(known) if known.0 == age => known.1.clone(),
            _ => {
                let header = HeaderValue::from(age);
                self.age.store(Some(Arc::new((age, header.clone()))));
                header
            }
        }
    }

    /// Returns what is known of the transactions, if there are any.
    pub(crate) fn find_transactions(&self) -> Option<&TransactionFacts> {
        self.transactions.as_ref()
    }

    /// Returns what is known of the transactions.
    ///
    /// # Errors
    /// A problem if there are none.
    pub(crate) fn transactions(&self) -> Result<&TransactionFacts, Problem> {
        let none = || Problem::not_found("this generation has no transactions");
        self.find_transactions().ok_or_else(none)
    }

    /// Returns the media type of a packed dataset's values, if there is such a dataset.
    pub(crate) fn media_type(&self, dataset: &str) -> Option<&HeaderValue> {
        self.media_types.get(dataset)
    }

    /// Returns the digits of the entity tag of what `target`, a path and query, answers a caller.
    pub(crate) fn etag(&self, target: &str, caller: &Caller) -> u64 {
        xxh3_64_with_seed(target.as_bytes(), self.etag_seed ^ caller.tag())
    }

    /// Returns every answer's beginning, up to its data.
    pub(crate) fn envelope(&self) -> &[u8] {
        &self.envelope
    }
}

fn method_of(manifest: &Manifest) -> nightshard_format::Result<Method> {
    let configuration = &manifest.configuration;
    let name = configuration
        .get(METHOD_KEY)
        .and_then(serde_json::Value::as_str);
    name.map_or(Ok(Method::default()), |name| {
        name.parse()
            .map_err(|_unknown| nightshard_format::Error::Corrupt {
                structure: "manifest",
                problem: format!("{METHOD_KEY} {name:?} is not known here"),
            })
    })
}

/// A generation under the selection that named it.
#[derive(Debug, Clone)]
pub struct Serving {
    generation: Arc<ServedGeneration>,
    selection: u64,
    headers: HeaderMap,
}

impl Serving {
    /// Puts a generation under a selection.
    #[must_use]
    pub fn new(generation: Arc<ServedGeneration>, selection: u64) -> Self {
        let mut headers = HeaderMap::with_capacity(HEADERS_MAX);
        headers.insert(GENERATION, header_value(generation.id().as_str()));
        headers.insert(SELECTION, HeaderValue::from(selection));
        Self {
            generation,
            selection,
            headers,
        }
    }

    /// Returns the generation.
    #[must_use]
    pub fn generation(&self) -> &Arc<ServedGeneration> {
        &self.generation
    }

    /// Returns the number of the selection.
    #[must_use]
    pub fn selection(&self) -> u64 {
        self.selection
    }

    /// Returns the headers of every answer.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

/// Returns a header's value of text that is known to be printable.
pub(crate) fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("invalid"))
}
