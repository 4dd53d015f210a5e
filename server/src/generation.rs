//! A generation as it is served: warmed, with what every answer repeats.

use std::sync::Arc;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use nightshard_format::{
    calendar::{Day, DayRange},
    generation::Generation,
    histogram::Method,
    manifest::{GenerationId, Manifest},
    shard::{Mapped, Span},
};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::{complete, json::Json};

/// The generation that an answer was made from.
pub(crate) const GENERATION: HeaderName = HeaderName::from_static("nightshard-generation");
/// The selection that the server has reached.
pub(crate) const SELECTION: HeaderName = HeaderName::from_static("nightshard-selection");

/// No answer has more headers.
const HEADERS_MAX: usize = 12;

/// The entry of a manifest's configuration that names the method of histograms.
const METHOD_KEY: &str = "histogram.method";

/// A generation of which every byte was verified, and what is computed from its manifest once.
#[derive(Debug)]
pub struct ServedGeneration {
    generation: Generation<Mapped>,
    days: DayRange,
    last_row: Day,
    method: Method,
    /// What entity tags are hashed with: a tag changes with the generation and the release.
    etag_seed: u64,
    envelope: Vec<u8>,
    currency: Vec<u8>,
}

impl ServedGeneration {
    /// Warms a verified generation and prepares it for being served.
    ///
    /// # Errors
    /// [`nightshard_format::Error`] if something is missing of the generation, or if the
    /// manifest's days or method are not known here.
    ///
    /// # Complexity
    /// The system reads summaries and indexes in meanwhile; months come as they are asked for.
    pub fn new(generation: Generation<Mapped>) -> nightshard_format::Result<Self> {
        complete::check(&generation)?;
        for shard in generation.shards() {
            if shard.identity().span == Span::Current {
                shard.bytes().advise_needed()?;
            }
            shard.bytes().advise_random()?;
        }
        let manifest = generation.manifest();
        let id = manifest.id.as_str();
        let mut envelope = Json::default();
        envelope.begin_object();
        envelope.key("generation").string(id);
        envelope.key("as_of").string(&manifest.as_of);
        envelope.key("data");
        let mut currency = Json::default();
        currency.key("currency").string(&manifest.currency);
        currency
            .key("currency_exponent")
            .integer(manifest.currency_exponent);
        Ok(Self {
            days: known_days(manifest)?,
            last_row: manifest.day_range()?.last,
            method: method_of(&generation)?,
            etag_seed: xxh3_64(format!("{} {id}", env!("CARGO_PKG_VERSION")).as_bytes()),
            envelope: envelope.into_bytes(),
            currency: currency.into_bytes(),
            generation,
        })
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

    /// Returns the days from the first that has rows to the last business day.
    pub(crate) fn days(&self) -> DayRange {
        self.days
    }

    /// Returns the last day that has rows, which may lie before the last business day.
    pub(crate) fn last_row(&self) -> Day {
        self.last_row
    }

    /// Returns how histograms are cut.
    pub(crate) fn method(&self) -> Method {
        self.method
    }

    /// Returns the digits of the entity tag of what `target`, a path and query, answers.
    pub(crate) fn etag(&self, target: &str) -> u64 {
        xxh3_64_with_seed(target.as_bytes(), self.etag_seed)
    }

    /// Returns every answer's beginning, up to its data.
    pub(crate) fn envelope(&self) -> &[u8] {
        &self.envelope
    }

    /// Returns the members that name the currency.
    pub(crate) fn currency(&self) -> &[u8] {
        &self.currency
    }
}

fn method_of(generation: &Generation<Mapped>) -> nightshard_format::Result<Method> {
    let configuration = &generation.manifest().configuration;
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

/// Returns the days of which the data knows all rows: those after the last row, up to `as_of`, had
/// none.
fn known_days(manifest: &Manifest) -> nightshard_format::Result<DayRange> {
    Ok(DayRange {
        first: manifest.day_range()?.first,
        last: manifest.as_of.parse()?,
    })
}

/// Returns a header's value of text that is known to be printable.
pub(crate) fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("invalid"))
}
