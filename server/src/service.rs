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
    http::request::Parts,
    service::Service,
};
use tokio::{sync::Semaphore, time::timeout_at};

use crate::{
    api::{parameters::Parameters, route::Route},
    config::Config,
    connection::Progress,
    cors::Origins,
    exchange::{Exchange, Step, explain},
    generation::Serving,
    metrics::Metrics,
    problem::{Problem, Result},
    respond::Answer,
    switch::Switch,
    work::Work,
};

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) switch: Arc<Switch>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) origins: Origins,
    /// Bounds what is done aside at a time: more would only wait for the same processors.
    aside: Semaphore,
}

impl Shared {
    pub(crate) fn new(config: Config) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            switch: Arc::new(Switch::new(config.keep_mapped.get())),
            metrics: Arc::new(Metrics::default()),
            origins: Origins::new(&config.cors),
            aside: Semaphore::new(processors * 2),
            config,
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
        let kept = self.shared.switch.load();
        let exchange = Exchange {
            shared: &self.shared,
            parts: &parts,
            kept: kept.as_deref(),
            route: Route::parse(parts.uri.path()),
            started,
        };
        let (step, chosen) = exchange.step();
        match step {
            Step::Done(answer) => {
                let reply = exchange.reply(answer, chosen);
                self.progress.answered();
                Answering::Now(Some(reply))
            }
            Step::Aside(serving) => {
                let busy = Progress::begin(&self.progress);
                let shared = Arc::clone(&self.shared);
                Answering::Aside(Box::pin(async move {
                    let reply = answer_aside(shared, parts, body, serving, started).await;
                    drop(busy);
                    reply
                }))
            }
        }
    }
}

/// Answers a request that has a body or takes long.
async fn answer_aside(
    shared: Arc<Shared>,
    parts: Parts,
    body: Incoming,
    serving: Serving,
    started: Instant,
) -> Reply {
    let deadline = started + shared.config.limits.request_timeout();
    let is_batch = parts.method == Method::POST;
    let body = if is_batch {
        read_body(&shared, body, deadline).await
    } else {
        Ok(Bytes::new())
    };
    let parts = Arc::new(parts);
    let work = {
        let (shared, parts, serving) = (Arc::clone(&shared), Arc::clone(&parts), serving.clone());
        move |body: Bytes| {
            let exchange = Exchange::aside(&shared, &parts, started);
            let served = serving.generation();
            let work = Work::until(deadline);
            if is_batch {
                exchange.write_batch(served, &body, work)
            } else {
                let mut parameters = Parameters::parse(parts.uri.query())?;
                let _chosen = parameters.take("generation");
                exchange.look_up(served, parameters, work)
            }
        }
    };
    let answer = match body {
        Ok(body) => match run_aside(&shared, deadline, move || work(body)).await {
            Ok(answer) => answer,
            Err(failure) => explain(failure).into(),
        },
        Err(problem) => problem.into(),
    };
    let exchange = Exchange::aside(&shared, &parts, started);
    exchange.reply_from(answer, None, Some(&serving))
}

/// Runs `work` on a thread that may block, once one is free and until the deadline.
async fn run_aside(
    shared: &Arc<Shared>,
    deadline: Instant,
    work: impl FnOnce() -> Result<Answer> + Send + 'static,
) -> Result<Answer> {
    let late = || Problem::unavailable("the request took too long");
    let permit = timeout_at(deadline.into(), shared.aside.acquire());
    let permit = permit.await.map_err(|_late| late())?;
    let running = tokio::task::spawn_blocking(work);
    let finished = timeout_at(deadline.into(), running).await;
    drop(permit);
    finished
        .map_err(|_late| late())?
        .unwrap_or_else(|_panicked| {
            let detail = "the request could not be answered";
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into())
        })
}

/// Reads a body within its limits of length and time.
async fn read_body(shared: &Shared, body: Incoming, deadline: Instant) -> Result<Bytes, Problem> {
    let limit = shared.config.limits.body_bytes;
    let too_long = || {
        let detail = format!("the body exceeds {limit} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_long());
    }
    match timeout_at(deadline.into(), Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_long()),
        Ok(Err(_broken)) => {
            let detail = "the body ended early";
            Err(Problem::new(StatusCode::BAD_REQUEST, detail))
        }
        Err(_late) => {
            let detail = "the body took too long";
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail))
        }
    }
}
