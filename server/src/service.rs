//! From a request to its answer.
//!
//! A request loads what is served once and answers from that alone. What takes microseconds is
//! answered on the spot; what takes longer, or has a body, goes on aside.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Incoming},
    header::AUTHORIZATION,
    http::request::Parts,
    service::Service,
};
use tokio::{sync::Semaphore, time::timeout_at};

use crate::{
    access::{Access, Caller},
    api::{parameters::Parameters, route::Route},
    at_least,
    clock::Clock,
    config::Config,
    connection::Progress,
    cors::Origins,
    exchange::{Exchange, Step, explain, long_body},
    generation::{ServedGeneration, Serving},
    metrics::{Counted, Metrics},
    outlook::Outlook,
    problem::{Problem, Result},
    respond::{Answer, Source},
    switch::Switch,
    waiting::Waiting,
    work::{Waiter, Work},
};

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) access: Access,
    pub(crate) switch: Arc<Switch>,
    pub(crate) outlook: Arc<Outlook>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) origins: Origins,
    pub(crate) clock: Arc<dyn Clock>,
    /// Bounds what answers take until they are read.
    pub(crate) waiting: Waiting,
    /// Bounds what is done aside at a time: more would only wait for the same processors.
    aside: Arc<Semaphore>,
}

impl Shared {
    pub(crate) fn new(config: Config, access: Access, clock: Arc<dyn Clock>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            switch: Arc::new(Switch::new(config.keep_mapped.get())),
            outlook: Arc::new(Outlook::default()),
            metrics: Arc::new(Metrics::default()),
            origins: Origins::new(&config.cors),
            clock,
            waiting: Waiting::new(config.limits.waiting_answers_bytes),
            aside: Arc::new(Semaphore::new(processors * 2)),
            access,
            config,
        }
    }

    /// Returns who asks, or `None` for who shows no good token and needs one.
    pub(crate) fn identify(&self, parts: &Parts, now: Instant) -> Option<Caller> {
        let caller = self
            .access
            .identify(&parts.headers, self.clock.unix_seconds(now));
        if caller.is_none() && parts.headers.contains_key(AUTHORIZATION) {
            self.metrics.token_refused();
        }
        caller
    }

    /// Returns what an answer says of the generation that it was made from.
    pub(crate) fn source<'a>(
        &self,
        generation: &'a ServedGeneration,
        serving: &'a Serving,
        now: Instant,
    ) -> Source<'a> {
        Source {
            generation,
            serving,
            behind: self.outlook.behind(serving.selection()),
            unix_seconds: self.clock.unix_seconds(now),
        }
    }
}

/// The service of one connection.
#[derive(Debug)]
pub(crate) struct Api {
    shared: Arc<Shared>,
    progress: Arc<Progress>,
}

impl Api {
    pub(crate) fn new(shared: Arc<Shared>, progress: Arc<Progress>) -> Self {
        Self { shared, progress }
    }
}

/// A whole response.
pub(crate) type Reply = Response<Full<Bytes>>;

/// A response, there already or on its way.
pub(crate) enum Answering {
    Now(Option<Reply>),
    Aside(Pin<Box<dyn Future<Output = Reply> + Send>>),
}

impl Future for Answering {
    type Output = std::result::Result<Reply, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Now(reply) => reply
                .take()
                .map_or(Poll::Pending, |reply| Poll::Ready(Ok(reply))),
            Self::Aside(future) => future.as_mut().poll(context).map(Ok),
        }
    }
}

impl Service<Request<Incoming>> for Api {
    type Response = Reply;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let caller = self.shared.identify(&parts, started);
        let kept = self.shared.switch.load();
        let exchange = Exchange {
            shared: &self.shared,
            parts: &parts,
            caller: caller.as_ref(),
            is_local: self.progress.is_local(),
            kept: kept.as_deref(),
            route: Route::parse(parts.uri.path()),
            started,
            has_waited: false,
        };
        let (step, chosen) = exchange.step();
        match step {
            Step::Done(answer) => {
                let (reply, counted) = exchange.reply(answer, chosen);
                self.progress.answered(counted);
                Answering::Now(Some(reply))
            }
            Step::Aside(serving) => self.go_on(caller, started, |aside| async move {
                aside.answer(parts, body, serving).await
            }),
            Step::WaitFor(number) => self.go_on(caller, started, |aside| async move {
                aside.wait(parts, body, number).await
            }),
        }
    }
}

impl Api {
    /// Answers aside.
    fn go_on<F>(
        &self,
        caller: Option<Caller>,
        started: Instant,
        answer: impl FnOnce(Aside) -> F,
    ) -> Answering
    where
        F: Future<Output = (Reply, Counted)> + Send + 'static,
    {
        let busy = Progress::begin(&self.progress);
        let progress = Arc::clone(&self.progress);
        let answer = answer(Aside {
            shared: Arc::clone(&self.shared),
            progress: Arc::clone(&self.progress),
            caller,
            started,
        });
        Answering::Aside(Box::pin(async move {
            let (reply, counted) = answer.await;
            drop(busy);
            progress.answered(counted);
            reply
        }))
    }
}

/// A request that has a body, takes long or waits.
struct Aside {
    shared: Arc<Shared>,
    progress: Arc<Progress>,
    caller: Option<Caller>,
    started: Instant,
}

impl Aside {
    fn exchange<'a>(&'a self, parts: &'a Parts) -> Exchange<'a> {
        Exchange::aside(&self.shared, parts, self.caller.as_ref(), self.started)
    }

    /// Answers once a selection is served, or will not be soon.
    async fn wait(self, parts: Parts, body: Incoming, number: u64) -> (Reply, Counted) {
        let patience = self.shared.config.at_least_wait();
        let outlook = &self.shared.outlook;
        outlook
            .wait_for(number, &self.shared.switch, patience)
            .await;
        let serving = {
            let kept = self.shared.switch.load();
            let exchange = Exchange {
                kept: kept.as_deref(),
                ..self.exchange(&parts)
            };
            match exchange.step() {
                (Step::Done(answer), chosen) => return exchange.reply(answer, chosen),
                (Step::Aside(serving), _) => serving,
                // Nobody waits twice.
                (Step::WaitFor(asked), _) => {
                    let serving = self.shared.switch.selection().unwrap_or(0);
                    let problem = at_least::behind(asked, serving);
                    return exchange.reply(problem.into(), None);
                }
            }
        };
        self.answer(parts, body, serving).await
    }

    async fn answer(self, parts: Parts, body: Incoming, serving: Serving) -> (Reply, Counted) {
        let parts = Arc::new(parts);
        let answer = match self.find(&parts, body, &serving).await {
            Ok(answer) => answer,
            Err(failure) => explain(failure).into(),
        };
        let exchange = self.exchange(&parts);
        exchange.reply_from(answer, None, Some(&serving))
    }

    async fn find(&self, parts: &Arc<Parts>, body: Incoming, serving: &Serving) -> Result<Answer> {
        let deadline = self.started + self.shared.config.limits.request_timeout();
        let is_batch = parts.method == Method::POST;
        let body = if is_batch {
            read_body(&self.shared, body, deadline).await?
        } else {
            Bytes::new()
        };
        // Dropped with this future, by which the work below ends.
        let waiter = Waiter::default();
        let work = Work::until(deadline, &waiter);
        let (shared, parts) = (Arc::clone(&self.shared), Arc::clone(parts));
        let (serving, started) = (serving.clone(), self.started);
        let caller = self.caller.clone().ok_or_else(Problem::unauthorized)?;
        let look_up = move || {
            let exchange = Exchange::aside(&shared, &parts, Some(&caller), started);
            let served = serving.generation();
            if is_batch {
                exchange.write_batch(served, &body, &caller, work)
            } else {
                let mut parameters = Parameters::parse(parts.uri.query())?;
                let _chosen = parameters.take("generation");
                exchange.look_up(served, parameters, &caller, work)
            }
        };
        tokio::select! {
            biased;
            answer = run_aside(&self.shared, deadline, look_up) => answer,
            () = self.progress.hung_up(), if is_batch => {
                let detail = "the client closed its side before the batch was answered";
                Err(Problem::new(StatusCode::BAD_REQUEST, detail).into())
            }
        }
    }
}

/// Runs `work` on a thread that may block, once one is free and until the deadline.
async fn run_aside(
    shared: &Shared,
    deadline: Instant,
    work: impl FnOnce() -> Result<Answer> + Send + 'static,
) -> Result<Answer> {
    let late = || Problem::unavailable("the request took too long");
    let permit = timeout_at(deadline.into(), Arc::clone(&shared.aside).acquire_owned());
    let permit = permit.await.map_err(|_late| late())?;
    let running = tokio::task::spawn_blocking(move || {
        // Whoever waits may have gone: the place is free when the work has ended.
        let _permit = permit;
        work()
    });
    timeout_at(deadline.into(), running)
        .await
        .map_err(|_late| late())?
        .unwrap_or_else(|_panicked| {
            let detail = "the request could not be answered";
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into())
        })
}

/// Reads a body within its limits of length and time.
///
/// # Errors
/// A problem if it is too long, too slow or malformed.
pub(crate) async fn read_body(
    shared: &Shared,
    body: Incoming,
    deadline: Instant,
) -> Result<Bytes, Problem> {
    let limit = shared.config.limits.body_bytes;
    let too_long = || long_body(limit);
    if body.size_hint().lower() > limit as u64 {
        return Err(too_long());
    }
    match timeout_at(deadline.into(), Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_long()),
        Ok(Err(_broken)) => {
            let detail = "the body ended early or is malformed";
            Err(Problem::new(StatusCode::BAD_REQUEST, detail))
        }
        Err(_late) => {
            let detail = "the body took too long";
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc::channel, time::Duration};

    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn work_that_nobody_waits_for_keeps_its_place_until_it_ends() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let shared = Shared::new(
            Config::default(),
            Access::default(),
            Arc::new(SystemClock::default()),
        );
        let places = shared.aside.available_permits();
        let (release, released) = channel::<()>();
        let (ending, ended) = channel::<()>();
        let work = move || {
            let _released = released.recv();
            drop(ending);
            Ok(Answer::empty())
        };
        let deadline = Instant::now() + Duration::from_millis(5);
        let answer = runtime.block_on(run_aside(&shared, deadline, work));
        assert!(answer.is_err());
        assert_eq!(shared.aside.available_permits(), places - 1);
        drop(release);
        assert!(ended.recv().is_err());
        drop(runtime);
        assert_eq!(shared.aside.available_permits(), places);
    }
}
