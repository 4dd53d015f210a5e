//! Counters of what the server does, in the text format of Prometheus.

use std::{
    fmt::Write,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use hyper::StatusCode;
use tokio::time::Instant;

use crate::{access::ScopeKind, generation::Serving, outlook::Outlook, resource::Resource};

/// Upper ends of the classes of latency, in microseconds.
const LATENCY_US: [u64; 12] = [
    25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 50_000, 250_000, 1_000_000, 10_000_000,
];

/// The statuses that are counted one by one; the last one stands for all others.
const STATUSES: [&str; 19] = [
    "200", "202", "204", "304", "400", "401", "403", "404", "405", "408", "410", "413", "414",
    "421", "431", "500", "501", "503", "other",
];

/// The counters of one resource.
#[derive(Debug, Default)]
struct Counters {
    by_status: [AtomicU64; STATUSES.len()],
    by_latency: [AtomicU64; LATENCY_US.len() + 1],
    latency_us: AtomicU64,
}

/// The counters of all resources, by [`Resource::index`].
#[derive(Debug)]
struct ByResource([Counters; Resource::COUNT]);

impl Default for ByResource {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counters::default()))
    }
}

/// What an answer is counted by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) resource: Resource,
    /// What the caller's token is of, or that they need none.
    pub(crate) scope: Option<ScopeKind>,
    pub(crate) status: StatusCode,
    /// From the request's head to its answer.
    pub(crate) latency: Duration,
}

/// Requests of callers, which are neither operators nor probes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    /// All that were answered.
    pub(crate) total: u64,
    /// Those with a status of 500 and above.
    pub(crate) errors_5xx: u64,
    /// Those of them whose client has seen a later selection elsewhere.
    pub(crate) behind_503: u64,
}

/// All counters of a server.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    answers_unwritten: AtomicU64,
    behind: AtomicU64,
    /// Requests by the kind of their scope, and last those without.
    scopes: [AtomicU64; ScopeKind::ALL.len() + 1],
    tokens_refused: AtomicU64,
    resources: ByResource,
    connections_open: AtomicU64,
    connections_refused: AtomicU64,
    swaps: AtomicU64,
    candidates_failed: AtomicU64,
    scrub_blocks: AtomicU64,
    scrub_bytes: AtomicU64,
    scrub_damage: AtomicU64,
    scrub_rounds: AtomicU64,
    /// When the last round over all files ended.
    scrub_round_end: Mutex<Option<Instant>>,
}

impl Metrics {
    /// Counts an answer that was written whole.
    pub(crate) fn answered(&self, answer: Counted) {
        let Counted {
            resource,
            scope,
            status,
            latency,
        } = answer;
        let kind = ScopeKind::ALL.iter().position(|kind| scope == Some(*kind));
        self.scopes[kind.unwrap_or(ScopeKind::ALL.len())].fetch_add(1, Relaxed);
        let counters = &self.resources.0[resource.index()];
        let known = STATUSES.iter().position(|known| *known == status.as_str());
        counters.by_status[known.unwrap_or(STATUSES.len() - 1)].fetch_add(1, Relaxed);
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let class = LATENCY_US.iter().position(|end| micros <= *end);
        counters.by_latency[class.unwrap_or(LATENCY_US.len())].fetch_add(1, Relaxed);
        counters.latency_us.fetch_add(micros, Relaxed);
    }

    /// Counts answers that no client took.
    pub(crate) fn unwritten(&self, answers: u64) {
        self.answers_unwritten.fetch_add(answers, Relaxed);
    }

    /// Counts a request whose client has seen a later selection elsewhere.
    pub(crate) fn was_behind(&self) {
        self.behind.fetch_add(1, Relaxed);
    }

    /// Counts a token that is not good.
    pub(crate) fn token_refused(&self) {
        self.tokens_refused.fetch_add(1, Relaxed);
    }

    /// Returns how many requests of callers there were.
    pub(crate) fn requests(&self) -> Requests {
        let mut requests = Requests {
            behind_503: self.behind.load(Relaxed),
            ..Requests::default()
        };
        for (index, counters) in self.resources.0.iter().enumerate() {
            if [Resource::Operations.index(), Resource::Admin.index()].contains(&index) {
                continue;
            }
            for (status, count) in STATUSES.iter().zip(&counters.by_status) {
                let count = count.load(Relaxed);
                requests.total += count;
                if status.starts_with('5') {
                    requests.errors_5xx += count;
                }
            }
        }
        requests
    }

    /// Counts a connection until what is returned is dropped.
    pub(crate) fn connected(self: &Arc<Self>) -> Connected {
        self.connections_open.fetch_add(1, Relaxed);
        Connected(Arc::clone(self))
    }

    /// Counts a connection that was one too many.
    pub(crate) fn refused(&self) {
        self.connections_refused.fetch_add(1, Relaxed);
    }

    /// Counts a swap.
    pub(crate) fn swapped(&self) {
        self.swaps.fetch_add(1, Relaxed);
    }

    /// Counts a candidate that could not be served.
    pub(crate) fn candidate_failed(&self) {
        self.candidates_failed.fetch_add(1, Relaxed);
    }

    /// Counts blocks of files in use that were read again.
    pub(crate) fn scrubbed(&self, blocks: u64, bytes: u64) {
        self.scrub_blocks.fetch_add(blocks, Relaxed);
        self.scrub_bytes.fetch_add(bytes, Relaxed);
    }

    /// Counts a file in use that is damaged.
    pub(crate) fn damage_found(&self) {
        self.scrub_damage.fetch_add(1, Relaxed);
    }

    /// Counts that all files in use that are not refused were read again.
    pub(crate) fn scrub_round_ended(&self) {
        self.scrub_rounds.fetch_add(1, Relaxed);
        *lock(&self.scrub_round_end) = Some(Instant::now());
    }

    /// Returns everything, as Prometheus reads it.
    pub(crate) fn render(
        &self,
        serving: Option<&Serving>,
        outlook: &Outlook,
        unix_seconds: u64,
    ) -> String {
        let mut text = Text(String::with_capacity(4_096));
        text.family("nightshard_requests_total", "counter", "Requests answered.");
        for (resource, counters) in Resource::names().zip(&self.resources.0) {
            for (status, count) in STATUSES.iter().zip(&counters.by_status) {
                let labels = format!("resource=\"{resource}\",status=\"{status}\"");
                text.sample_if_any("nightshard_requests_total", &labels, count.load(Relaxed));
            }
        }
        self.render_scopes(&mut text);
        text.family(
            "nightshard_request_seconds",
            "histogram",
            "Time from a request's head to its answer.",
        );
        for (resource, counters) in Resource::names().zip(&self.resources.0) {
            counters.render_latency(&resource, &mut text);
        }
        for (name, kind, help, counter) in [
            (
                "nightshard_answers_unwritten_total",
                "counter",
                "Answers that their clients did not take.",
                &self.answers_unwritten,
            ),
            (
                "nightshard_behind_total",
                "counter",
                "Requests refused since their clients have seen a later selection.",
                &self.behind,
            ),
            (
                "nightshard_tokens_refused_total",
                "counter",
                "Requests whose token was not good.",
                &self.tokens_refused,
            ),
            (
                "nightshard_connections_open",
                "gauge",
                "Connections that are open.",
                &self.connections_open,
            ),
            (
                "nightshard_connections_refused_total",
                "counter",
                "Connections beyond the limit.",
                &self.connections_refused,
            ),
            (
                "nightshard_swaps_total",
                "counter",
                "Selections that were swapped to.",
                &self.swaps,
            ),
            (
                "nightshard_candidates_failed_total",
                "counter",
                "Attempts at a selection that failed.",
                &self.candidates_failed,
            ),
            (
                "nightshard_scrub_blocks_total",
                "counter",
                "Blocks of files in use that were read again.",
                &self.scrub_blocks,
            ),
            (
                "nightshard_scrub_bytes_total",
                "counter",
                "Bytes of files in use that were read again.",
                &self.scrub_bytes,
            ),
            (
                "nightshard_scrub_damage_total",
                "counter",
                "Files in use that were found damaged.",
                &self.scrub_damage,
            ),
            (
                "nightshard_scrub_rounds_total",
                "counter",
                "Times that all files in use that are not refused were read again.",
                &self.scrub_rounds,
            ),
        ] {
            text.family(name, kind, help);
            text.sample(name, "", counter.load(Relaxed));
        }
        if let Some(end) = *lock(&self.scrub_round_end) {
            let name = "nightshard_scrub_round_age_seconds";
            text.family(
                name,
                "gauge",
                "Since all files in use that are not refused were read again.",
            );
            text.sample(name, "", end.elapsed().as_secs());
        }
        render_repository(outlook, &mut text);
        render_serving(serving, unix_seconds, &mut text);
        text.0
    }
}

impl Metrics {
    fn render_scopes(&self, text: &mut Text) {
        let name = "nightshard_requests_by_scope_total";
        text.family(name, "counter", "Requests answered, by who asked.");
        let kinds = ScopeKind::ALL.into_iter().map(ScopeKind::as_str);
        for (kind, count) in kinds.chain(["none"]).zip(&self.scopes) {
            text.sample_if_any(name, &format!("scope=\"{kind}\""), count.load(Relaxed));
        }
    }
}

impl Counters {
    fn render_latency(&self, resource: &str, text: &mut Text) {
        let counts: Vec<u64> = self
            .by_latency
            .iter()
            .map(|count| count.load(Relaxed))
            .collect();
        let total: u64 = counts.iter().sum();
        if total == 0 {
            return;
        }
        let mut below = 0;
        let ends = LATENCY_US.iter().map(|end| seconds(*end));
        for (end, count) in ends.chain(["+Inf".to_owned()]).zip(&counts) {
            below += count;
            let labels = format!("resource=\"{resource}\",le=\"{end}\"");
            text.sample("nightshard_request_seconds_bucket", &labels, below);
        }
        let labels = format!("resource=\"{resource}\"");
        let sum = seconds(self.latency_us.load(Relaxed));
        text.sample("nightshard_request_seconds_sum", &labels, sum);
        text.sample("nightshard_request_seconds_count", &labels, total);
    }
}

/// Says what is known of the repository.
fn render_repository(outlook: &Outlook, text: &mut Text) {
    for (name, help, value) in [
        (
            "nightshard_source_reachable",
            "Whether the last look at the repository's selection had an answer.",
            u64::from(outlook.is_reachable()),
        ),
        (
            "nightshard_serving_from_cache",
            "Whether what is served was named by an earlier run, not by the repository.",
            u64::from(outlook.is_from_cache()),
        ),
        (
            "nightshard_selection_known",
            "The repository's highest selection when it was last seen, 0 if there was none.",
            outlook.known().unwrap_or(0),
        ),
    ] {
        text.family(name, "gauge", help);
        text.sample(name, "", value);
    }
}

/// Says which selection is served, and how old it is.
fn render_serving(serving: Option<&Serving>, unix_seconds: u64, text: &mut Text) {
    text.family(
        "nightshard_ready",
        "gauge",
        "Whether a generation is served.",
    );
    text.sample("nightshard_ready", "", u8::from(serving.is_some()));
    let Some(serving) = serving else { return };
    let generation = serving.generation();
    text.family(
        "nightshard_selection",
        "gauge",
        "The selection being served.",
    );
    let labels = format!("generation=\"{}\"", generation.id());
    text.sample("nightshard_selection", &labels, serving.selection());
    text.family(
        "nightshard_data_age_seconds",
        "gauge",
        "Since the end of the last business day in UTC.",
    );
    let age = generation.age_seconds(unix_seconds);
    text.sample("nightshard_data_age_seconds", "", age);
    let transactions = generation.find_transactions();
    if let Some(transactions) = transactions {
        let stale = transactions.series.iter().filter(|head| head.is_stale);
        let name = "nightshard_series_stale";
        let help = "Side series that end too long before the last business day.";
        text.family(name, "gauge", help);
        text.sample(name, "", stale.count());
    }
    for (name, help, day) in [
        (
            "nightshard_generation_last_day_timestamp_seconds",
            "The beginning of the last day that has rows, where there are transactions.",
            transactions.map(|transactions| transactions.last_row),
        ),
        (
            "nightshard_generation_as_of_timestamp_seconds",
            "The beginning of the last business day, with rows or without.",
            Some(generation.as_of()),
        ),
    ] {
        let Some(day) = day else { continue };
        text.family(name, "gauge", help);
        text.sample(name, "", i64::from(day.0) * 86_400);
    }
}

/// Takes a lock under which nothing can fail halfway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns microseconds as exact decimal seconds.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The text format.
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing into a string cannot fail.
        let _written = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _written = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            _ => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    fn sample_if_any(&mut self, name: &str, labels: &str, value: u64) {
        if value > 0 {
            self.sample(name, labels, value);
        }
    }
}

/// A connection being counted.
#[derive(Debug)]
pub(crate) struct Connected(Arc<Metrics>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections_open.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_cumulative_and_exact() {
        let metrics = Metrics::default();
        for micros in [10, 25, 26, 20_000_000] {
            let latency = Duration::from_micros(micros);
            metrics.answered(Counted {
                resource: Resource::Search,
                scope: (micros > 25).then_some(ScopeKind::App),
                status: StatusCode::OK,
                latency,
            });
        }
        let text = metrics.render(None, &Outlook::default(), 0);
        for line in [
            "nightshard_requests_total{resource=\"/v1/search\",status=\"200\"} 4",
            "nightshard_requests_by_scope_total{scope=\"app\"} 2",
            "nightshard_requests_by_scope_total{scope=\"none\"} 2",
            "nightshard_request_seconds_bucket{resource=\"/v1/search\",le=\"0.000025\"} 2",
            "nightshard_request_seconds_bucket{resource=\"/v1/search\",le=\"10\"} 3",
            "nightshard_request_seconds_bucket{resource=\"/v1/search\",le=\"+Inf\"} 4",
            "nightshard_request_seconds_sum{resource=\"/v1/search\"} 20.000061",
            "nightshard_ready 0",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
    }
}
