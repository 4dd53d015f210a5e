//! What people and monitors ask a controller: a page, JSON, and metrics, all from storage.

use std::{convert::Infallible, fmt::Write, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header::CONTENT_TYPE,
    server::conn::http1, service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use nightshard_format::manifest::GenerationId;
use serde::Serialize;
use tokio::{net::TcpListener, sync::Semaphore};

use super::{Outcome, RunRecord, Schedule, Step};
use crate::{Repository, Result, error::one_line};

/// So many ask at a time.
const CONNECTIONS_MAX: usize = 16;

/// How long a head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How nights stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The repository.
    pub repository: String,
    /// The current generation.
    pub current: Option<GenerationId>,
    /// How long ago its last business day was over.
    pub age_seconds: Option<i64>,
    /// When the next night is due.
    pub next_due: Option<Timestamp>,
    /// The business day of the newest night that was due.
    pub day: String,
    /// What was done in it.
    pub records: Vec<RunRecord>,
}

impl Status {
    /// Reads how nights stand.
    ///
    /// # Errors
    /// [`crate::Error::Storage`] if storage cannot be read.
    pub async fn read(repository: &Repository, schedule: &Schedule) -> Result<Self> {
        let now = repository.timestamp();
        let due = schedule.due(Timestamp::UNIX_EPOCH, now).unwrap_or(now);
        let day = schedule.business_day(due);
        // What cannot be used is nothing to show; commands say what is wrong with it.
        let current = repository.base().await?.manifest.ok().flatten();
        let current = current.map(|manifest| manifest.id);
        let as_of = current.as_ref().and_then(|id| id.as_of().parse().ok());
        Ok(Self {
            repository: repository.location().to_owned(),
            current,
            age_seconds: as_of.map(|as_of| schedule.age(as_of, now).as_secs()),
            next_due: schedule.next_after(now),
            day: day.to_string(),
            records: repository.run_history(day).await?.records,
        })
    }

    /// Returns metrics in the text format of Prometheus.
    #[must_use]
    pub fn to_metrics(&self) -> String {
        let mut text = String::new();
        let mut gauge = |name: &str, help: &str, value: i64| {
            // Writing to a string cannot fail.
            let _written = write!(
                text,
                "# HELP nightshard_controller_{name} {help}\n# TYPE nightshard_controller_{name} \
                 gauge\nnightshard_controller_{name} {value}\n"
            );
        };
        if let Some(age) = self.age_seconds {
            gauge(
                "data_age_seconds",
                "Since the current generation's last day was over.",
                age,
            );
        }
        if let Some(next) = self.next_due {
            gauge(
                "next_due_timestamp_seconds",
                "When the next night is due.",
                next.as_second(),
            );
        }
        let ended = self.records.iter().rfind(|record| record.step == Step::End);
        let is_well = ended.is_some_and(|ended| ended.outcome == Outcome::Done);
        gauge(
            "night_ended",
            "Whether the newest night is over.",
            ended.is_some().into(),
        );
        gauge(
            "night_served",
            "Whether its generation is served.",
            is_well.into(),
        );
        text
    }

    /// Returns a page for people.
    #[must_use]
    pub fn to_html(&self) -> String {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".into());
        let mut rows = String::new();
        for record in &self.records {
            let RunRecord {
                step,
                outcome,
                detail,
                at,
                by,
                ..
            } = record;
            let cells = [
                at.to_string(),
                format!("{step:?}"),
                format!("{outcome:?}"),
                detail.clone(),
                by.clone(),
            ];
            let cells = cells.map(|cell| format!("<td>{}</td>", escaped(&cell)));
            // Writing to a string cannot fail.
            let _written = writeln!(rows, "<tr>{}</tr>", cells.concat());
        }
        format!(
            "<!doctype html><meta charset=utf-8><title>nightshard controller</title>\n\
             <style>body{{font:14px sans-serif}}td,th{{padding:2px 8px;text-align:left}}</style>\n\
             <h1>{}</h1>\n<p>current: {}; next night: {}</p>\n<h2>Night of {}</h2>\n\
             <table><tr><th>at<th>step<th>outcome<th>detail<th>by</tr>\n{rows}</table>\n",
            escaped(&self.repository),
            or_none(self.current.as_ref().map(ToString::to_string)),
            or_none(self.next_due.map(|next| next.to_string())),
            self.day,
        )
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Answers whoever asks how nights stand, for as long as it is polled; what is said is read for each
/// of them.
///
/// # Errors
/// If connections cannot be accepted any more.
pub async fn serve<F>(
    listener: TcpListener,
    read: impl Fn() -> F + Clone + Send + Sync + 'static,
) -> std::io::Result<()>
where
    F: Future<Output = Result<Status>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let (stream, _) = listener.accept().await?;
        let Ok(place) = places.clone().acquire_owned().await else {
            return Ok(());
        };
        let read = read.clone();
        tokio::spawn(async move {
            let _place = place;
            let service = service_fn(move |request: Request<Incoming>| {
                let status = read();
                async move { Ok::<_, Infallible>(answer(&request, status.await)) }
            });
            let mut builder = http1::Builder::new();
            builder
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .keep_alive(false);
            // Whoever hangs up is nobody's problem.
            let _hung_up = builder
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn answer(request: &Request<Incoming>, status: Result<Status>) -> Response<Full<Bytes>> {
    let (code, kind, body) = match (request.method(), request.uri().path(), status) {
        (&Method::GET, "/" | "/status.json" | "/metrics", Err(problem)) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "text/plain",
            one_line(&problem),
        ),
        (&Method::GET, "/", Ok(status)) => (StatusCode::OK, "text/html", status.to_html()),
        (&Method::GET, "/metrics", Ok(status)) => (
            StatusCode::OK,
            "text/plain; version=0.0.4",
            status.to_metrics(),
        ),
        (&Method::GET, "/status.json", Ok(status)) => match serde_json::to_string(&status) {
            Ok(json) => (StatusCode::OK, "application/json", json),
            Err(error) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "text/plain",
                error.to_string(),
            ),
        },
        (&Method::GET, ..) => (StatusCode::NOT_FOUND, "text/plain", String::new()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, "text/plain", String::new()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = code;
    let kind = hyper::header::HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_records_say_is_text_on_the_page_and_numbers_in_metrics() {
        let mut status = Status {
            repository: "s3://bucket/<b>".into(),
            current: Some("2018-12-31-0123456789ab".parse().unwrap()),
            age_seconds: Some(3_600),
            next_due: None,
            day: "2019-01-01".into(),
            records: vec![RunRecord {
                day: "2019-01-01".into(),
                number: 1,
                step: Step::End,
                outcome: Outcome::Failed,
                generation: None,
                detail: "<script>".into(),
                at: Timestamp::UNIX_EPOCH,
                epoch: 1,
                by: "somebody".into(),
                nonce: String::new(),
            }],
        };
        let page = status.to_html();
        assert!(
            page.contains("<td>&lt;script&gt;</td>") && page.contains("/&lt;b&gt;"),
            "{page}"
        );
        assert!(page.contains("next night: none"), "{page}");
        let metrics = status.to_metrics();
        let has = |line: &str| metrics.lines().any(|found| found == line);
        assert!(
            has("nightshard_controller_data_age_seconds 3600"),
            "{metrics}"
        );
        assert!(has("nightshard_controller_night_ended 1"), "{metrics}");
        assert!(has("nightshard_controller_night_served 0"), "{metrics}");
        assert!(!metrics.contains("next_due"), "{metrics}");
        status.records[0].outcome = Outcome::Done;
        assert!(status.to_metrics().contains("night_served 1\n"));
    }
}
