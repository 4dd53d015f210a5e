//! One request and what becomes of it: checked, its generation chosen, looked up, replied to.

use std::{sync::Arc, time::Instant};

use hyper::{Method, StatusCode, header::ORIGIN, http::request::Parts};

use crate::{
    access::Caller,
    api::{
        ANSWER_BYTES_MAX, Lookup, batch, cursor::Cursor, datasets::Value, openapi,
        parameters::Parameters, route::Route,
    },
    at_least,
    config::Limits,
    encoding::Encoding,
    generation::{ServedGeneration, Serving},
    host,
    json::Json,
    metrics::Counted,
    problem::{Failure, Problem, Result},
    resource::Resource,
    respond::{self, Answer, matches_any, matching_etag, no_such_path},
    service::{Reply, Shared},
    switch::{Kept, Pinned},
    work::Work,
};

/// How a request goes on once it was looked at.
pub(crate) enum Step {
    Done(Answer),
    Aside(Serving),
    /// Once this selection is served, or will not be soon.
    WaitFor(u64),
}

/// One request and what it is answered from.
pub(crate) struct Exchange<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) parts: &'a Parts,
    /// Who asks, if who needs a token shows a good one.
    pub(crate) caller: Option<&'a Caller>,
    /// Whether the request came from this machine.
    pub(crate) is_local: bool,
    pub(crate) kept: Option<&'a Kept>,
    pub(crate) route: Option<Route<'a>>,
    pub(crate) started: Instant,
    /// Whether it has waited for a selection already.
    pub(crate) has_waited: bool,
}

/// What is to be done about a request that is in order.
enum Decision<'a> {
    Answer(Answer),
    LookUp(&'a Arc<ServedGeneration>, Parameters<'a>, &'a Caller),
    WaitFor(u64),
}

impl<'a> Exchange<'a> {
    /// Takes up again a request whose generation was chosen before.
    pub(crate) fn aside(
        shared: &'a Shared,
        parts: &'a Parts,
        caller: Option<&'a Caller>,
        started: Instant,
    ) -> Self {
        Self {
            shared,
            parts,
            caller,
            is_local: false,
            kept: None,
            route: Route::parse(parts.uri.path()),
            started,
            has_waited: true,
        }
    }

    /// Answers, or says that it is to be done aside; returns the generation chosen, too.
    pub(crate) fn step(&self) -> (Step, Option<&'a Arc<ServedGeneration>>) {
        let (served, parameters, caller) = match self.decide() {
            Ok(Decision::LookUp(served, parameters, caller)) => (served, parameters, caller),
            Ok(Decision::WaitFor(number)) => return (Step::WaitFor(number), None),
            Ok(Decision::Answer(answer)) => return (Step::Done(answer), None),
            Err(problem) => return (Step::Done(problem.into()), None),
        };
        let aside = || {
            let selection = self.kept.map_or(0, |kept| kept.current.selection());
            Step::Aside(Serving::new(Arc::clone(served), selection))
        };
        if self.route == Some(Route::Batch) {
            return (aside(), Some(served));
        }
        let step = match self.look_up(served, parameters, caller, Work::inline()) {
            Ok(answer) => Step::Done(answer),
            Err(Failure::Heavy) => aside(),
            Err(failure) => Step::Done(explain(failure).into()),
        };
        (step, Some(served))
    }

    /// Decides what is to be done, short of looking anything up.
    fn decide(&self) -> Result<Decision<'a>, Problem> {
        check_lengths(self.parts, &self.shared.config.limits)?;
        let method = &self.parts.method;
        let is_preflight = *method == Method::OPTIONS && self.shared.origins.is_enabled();
        let caller = self.check_caller(is_preflight)?;
        let path = self.parts.uri.path();
        let route = self.route.as_ref().ok_or_else(|| no_such_path(path))?;
        if is_preflight {
            return Ok(Decision::Answer(Answer::empty()));
        }
        let allowed = match route {
            Route::Batch => *method == Method::POST,
            _ => *method == Method::GET || *method == Method::HEAD,
        };
        if !allowed {
            return Err(Problem::method_not_allowed(route.methods()));
        }
        let mut parameters = Parameters::parse(self.parts.uri.query())?;
        if let Some(answer) = self.tell_of_server(route) {
            parameters.finish()?;
            return Ok(Decision::Answer(answer?));
        }
        let caller = caller.ok_or_else(Problem::unauthorized)?;
        let kept = self.kept()?;
        let served = match self.pinned(kept, &mut parameters)? {
            Some(pinned) => pinned,
            None => match self.later_elsewhere(kept)? {
                Some(asked) => return self.behind(asked, kept),
                None => kept.current.generation(),
            },
        };
        if *route != Route::Batch {
            let etag = served.etag(self.target(), caller);
            if let Some(encoding) = matching_etag(&self.parts.headers, etag) {
                return Ok(Decision::Answer(Answer::not_modified(etag, encoding)));
            }
        }
        Ok(Decision::LookUp(served, parameters, caller))
    }

    /// Checks that whoever asks may, and returns them; probes, preflight requests, this machine's monitor
    /// and who wants to know what the interface is need not say who they are.
    fn check_caller(&self, is_preflight: bool) -> Result<Option<&'a Caller>, Problem> {
        let names_loopback = host::names_loopback(self.parts)?;
        // Where tokens are shown, a page under another name has nothing to show.
        if !names_loopback && !self.shared.access.is_guarded() {
            return Err(host::misdirected());
        }
        let is_open = match self.route {
            Some(Route::Health | Route::Ready | Route::OpenApi | Route::Docs) => true,
            Some(Route::Metrics) => self.is_local && names_loopback && host::is_direct(self.parts),
            Some(_) => is_preflight,
            None => false,
        };
        if is_open {
            return Ok(self.caller);
        }
        let caller = self.caller.ok_or_else(Problem::unauthorized)?;
        if let Some(route) = &self.route {
            caller.check(route)?;
        }
        Ok(Some(caller))
    }

    /// Answers where a resource says nothing of a generation, but of the server itself.
    fn tell_of_server(&self, route: &Route<'_>) -> Option<Result<Answer, Problem>> {
        let headers = &self.parts.headers;
        let text = match route {
            Route::Health => Ok("ok\n".to_owned()),
            Route::Ready => self.kept().map(|kept| self.tell_readiness(kept)),
            Route::Metrics => Ok(self.tell_metrics()),
            Route::OpenApi => return Some(Ok(openapi::document(headers))),
            Route::Docs => return Some(Ok(openapi::page(headers))),
            _ => return None,
        };
        Some(text.map(|text| Answer::text(StatusCode::OK, text)))
    }

    fn tell_metrics(&self) -> String {
        let serving = self.kept.map(|kept| &kept.current);
        let unix_seconds = self.shared.clock.unix_seconds(self.started);
        let outlook = &self.shared.outlook;
        self.shared.metrics.render(serving, outlook, unix_seconds)
    }

    /// Says that something is served, and how late that is.
    fn tell_readiness(&self, kept: &Kept) -> String {
        let outlook = &self.shared.outlook;
        let serving = kept.current.selection();
        let mut text = "ready\n".to_owned();
        let behind = outlook.behind(serving);
        if behind > 0 {
            text.push_str(&format!(
                "behind by {behind}: selection {serving} is served, {} is known\n",
                serving + behind
            ));
        }
        if !outlook.is_reachable() {
            text.push_str("the repository cannot be reached\n");
        }
        if outlook.is_from_cache() {
            text.push_str("what is served is from the cache\n");
        }
        text
    }

    /// Returns what is served, if anything is yet.
    fn kept(&self) -> Result<&'a Kept, Problem> {
        let waiting = || Problem::unavailable("no generation is served yet");
        self.kept.ok_or_else(waiting)
    }

    /// Returns the generation that the request names, or the one that its list began in.
    fn pinned(
        &self,
        kept: &'a Kept,
        parameters: &mut Parameters<'_>,
    ) -> Result<Option<&'a Arc<ServedGeneration>>, Problem> {
        let at_fault = |status, name: &str, detail: &str| Problem {
            status,
            ..Problem::parameter(name, detail)
        };
        if let Some(id) = parameters.take("generation") {
            return match kept.find(&id) {
                Pinned::Kept(served) => Ok(Some(served)),
                Pinned::Retired => Err(at_fault(
                    StatusCode::GONE,
                    "generation",
                    "this generation is no longer kept",
                )),
                Pinned::Unknown => Err(at_fault(
                    StatusCode::NOT_FOUND,
                    "generation",
                    "this generation was never served here",
                )),
            };
        }
        if let Some(text) = parameters.peek("cursor") {
            let cursor = Cursor::parse(text)?;
            let mut generations = kept.generations();
            return match generations.find(|served| cursor.is_of(served.id())) {
                Some(served) => Ok(Some(served)),
                None if kept.retired().any(|id| cursor.is_of(id)) => Err(at_fault(
                    StatusCode::GONE,
                    "cursor",
                    "the generation of this list is no longer kept: begin again",
                )),
                None => Err(Cursor::wrong()),
            };
        }
        Ok(None)
    }

    /// Returns the selection that the client has seen elsewhere, where it is later than what is
    /// served here.
    fn later_elsewhere(&self, kept: &Kept) -> Result<Option<u64>, Problem> {
        let number = at_least::read(&self.parts.headers)?;
        Ok(number.filter(|number| *number > kept.current.selection()))
    }

    /// Decides about a client that has seen a later selection elsewhere: where a candidate is
    /// prepared it waits, since swapping takes a look at the repository and no more. Where it is
    /// served by now, waiting ends at once.
    fn behind(&self, asked: u64, kept: &Kept) -> Result<Decision<'a>, Problem> {
        let shared = self.shared;
        // What was swapped to meanwhile is prepared no more: asked in this order, it is found.
        let is_ready =
            !shared.switch.prepared().is_empty() || shared.switch.selection() >= Some(asked);
        if is_ready && !self.has_waited && shared.config.at_least_wait_ms > 0 {
            return Ok(Decision::WaitFor(asked));
        }
        shared.outlook.ask();
        shared.metrics.was_behind();
        Err(at_least::behind(asked, kept.current.selection()))
    }

    fn target(&self) -> &'a str {
        target(self.parts)
    }

    /// Looks a resource up in a generation.
    pub(crate) fn look_up(
        &self,
        served: &ServedGeneration,
        parameters: Parameters<'_>,
        caller: &Caller,
        mut work: Work,
    ) -> Result<Answer> {
        let route = self.route.as_ref();
        let route = route.ok_or_else(|| no_such_path(self.parts.uri.path()))?;
        if let Route::Packed { dataset, key } = route {
            parameters.finish()?;
            let etag = served.etag(self.target(), caller);
            return self.value(Value::find(served, dataset, key)?, etag, &mut work);
        }
        let mut json = Json::with_capacity(1_024);
        json.head(served.envelope());
        let mut lookup = Lookup {
            served,
            caller,
            json: &mut json,
            work: &mut work,
            has_customers: self.shared.config.customers,
            quotes_large: false,
        };
        lookup.write(route, parameters)?;
        json.end_object();
        let etag = served.etag(self.target(), caller);
        if matches_any(&self.parts.headers) {
            return Ok(Answer::not_modified(etag, Encoding::Identity));
        }
        self.encode(json, Some(etag), &mut work)
    }

    /// Answers with a value as it was packed.
    fn value(&self, value: Value<'_>, etag: u64, work: &mut Work) -> Result<Answer> {
        if matches_any(&self.parts.headers) {
            return Ok(Answer::not_modified(etag, Encoding::Identity));
        }
        let bytes = value.read(work)?.into_owned();
        let accepted = Encoding::accepted(&self.parts.headers);
        let (body, encoding) = accepted.encode(bytes, work)?;
        Ok(Answer::value(
            body,
            value.media_type.clone(),
            encoding,
            etag,
        ))
    }

    /// Answers a batch from a generation.
    pub(crate) fn write_batch(
        &self,
        served: &ServedGeneration,
        body: &[u8],
        caller: &Caller,
        mut work: Work,
    ) -> Result<Answer> {
        let mut parameters = Parameters::parse(self.parts.uri.query())?;
        let _chosen = parameters.take("generation");
        let mut json = Json::with_capacity(64 << 10);
        json.head(served.envelope());
        let mut lookup = Lookup {
            served,
            caller,
            json: &mut json,
            work: &mut work,
            has_customers: self.shared.config.customers,
            quotes_large: false,
        };
        batch::write(body, parameters, &mut lookup)?;
        json.end_object();
        self.encode(json, None, &mut work)
    }

    fn encode(&self, json: Json, etag: Option<u64>, work: &mut Work) -> Result<Answer> {
        let accepted = Encoding::accepted(&self.parts.headers);
        let (body, encoding) = accepted.encode(json.into_bytes(), work)?;
        Ok(Answer::data(body, encoding, etag))
    }

    /// Puts the headers of an answer together, and says what it is counted by once it is written.
    pub(crate) fn reply(
        &self,
        answer: Answer,
        chosen: Option<&Arc<ServedGeneration>>,
    ) -> (Reply, Counted) {
        let serving = self.kept.map(|kept| &kept.current);
        self.reply_from(answer, chosen, serving)
    }

    /// Does the same for a generation that need not be the current one.
    pub(crate) fn reply_from(
        &self,
        answer: Answer,
        chosen: Option<&Arc<ServedGeneration>>,
        serving: Option<&Serving>,
    ) -> (Reply, Counted) {
        let (answer, body) = answer.admitted(&self.shared.waiting);
        let now = Instant::now();
        let counted = Counted {
            resource: self.route.as_ref().map_or(Resource::Unknown, Resource::of),
            scope: self.caller.map(Caller::kind),
            status: answer.status(),
            latency: now.saturating_duration_since(self.started),
        };
        let is_preflight = self.parts.method == Method::OPTIONS && answer.status().is_success();
        let served = serving.map(|serving| {
            let generation = chosen.unwrap_or(serving.generation());
            self.shared.source(generation, serving, now)
        });
        let origin = self.parts.headers.get(ORIGIN);
        let mut reply = answer.into_response(body, served, self.shared, origin);
        if is_preflight {
            self.shared.origins.allow_request(reply.headers_mut());
        }
        (reply, counted)
    }
}

/// Returns path and query.
fn target(parts: &Parts) -> &str {
    let target = parts.uri.path_and_query();
    target.map_or("", |target| target.as_str())
}

/// Checks that the head of a request is not too long.
///
/// # Errors
/// 414 or 431 if it is.
pub(crate) fn check_lengths(parts: &Parts, limits: &Limits) -> Result<(), Problem> {
    // The method, the version, two spaces and the line's end go with the target.
    let line = target(parts).len() + parts.method.as_str().len() + 12;
    if line > limits.request_line_bytes {
        return Err(long_request_line(limits.request_line_bytes));
    }
    let headers = parts.headers.iter();
    let bytes: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    if bytes > limits.header_bytes {
        return Err(long_headers(limits.header_bytes));
    }
    Ok(())
}

/// Returns what a caller is told of a failure.
pub(crate) fn explain(failure: Failure) -> Problem {
    match failure {
        Failure::Problem(problem) => *problem,
        Failure::Data(error) => respond::damage(&error),
        Failure::Heavy => Problem::unavailable("the request takes too long"),
        Failure::Long => {
            let detail = format!("the answer exceeds {ANSWER_BYTES_MAX} bytes: ask for less");
            Problem::new(StatusCode::BAD_REQUEST, detail)
        }
    }
}

/// Returns the problem of a request line above the limit.
pub(crate) fn long_request_line(limit: usize) -> Problem {
    let detail = format!("the request line exceeds {limit} bytes");
    Problem::new(StatusCode::URI_TOO_LONG, detail)
}

/// Returns the problem of headers above the limit.
pub(crate) fn long_headers(limit: usize) -> Problem {
    let detail = format!("the headers exceed {limit} bytes");
    Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail)
}

/// Returns the problem of a body above the limit.
pub(crate) fn long_body(limit: usize) -> Problem {
    let detail = format!("the body exceeds {limit} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}
