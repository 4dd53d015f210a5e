//! The interface for whoever switches many servers at once: prepare, follow, state.
//!
//! It has a listener of its own, since it changes what the server does: on loopback only, unless
//! callers show a secret, or a token of the scope `admin`.

mod state;
mod token;

use std::{
    collections::BTreeMap, convert::Infallible, future::Future, pin::Pin, sync::Arc, time::Instant,
};

use hyper::{
    Method, Request, StatusCode,
    body::Incoming,
    header::{AUTHORIZATION, ORIGIN},
    http::request::Parts,
    service::Service,
};
use nightshard_format::manifest::GenerationId;
use serde::Deserialize;
use tokio::net::TcpListener;

pub use self::token::Token;
use crate::{
    access::ScopeKind,
    api::parameters::Parameters,
    connection::Progress,
    exchange, host,
    listen::Doors,
    metrics::Counted,
    problem::{Problem, Result},
    resource::Resource,
    respond::{Answer, no_such_path},
    service::{Reply, Shared, read_body},
};

/// So many connections there may be at a time: those who switch servers are few.
const CONNECTIONS_MAX: u32 = 64;

/// The interface for whoever switches a server.
#[derive(Debug, Clone)]
pub struct Admin {
    shared: Arc<Shared>,
    token: Option<Token>,
}

impl Admin {
    pub(crate) fn new(shared: Arc<Shared>, token: Option<Token>) -> Self {
        Self { shared, token }
    }

    /// Accepts connections until `stop` ends, then lets open requests finish within the drain
    /// time of the configuration.
    ///
    /// Returns whether all of them did.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) -> bool {
        let shared = Arc::clone(&self.shared);
        let make = move |_shared, progress| Desk {
            admin: self,
            progress,
        };
        Doors::new(shared, CONNECTIONS_MAX, make)
            .accept(listener, stop)
            .await
    }

    async fn answer(
        &self,
        parts: &Parts,
        body: Incoming,
        started: Instant,
    ) -> Result<Answer, Problem> {
        let path = parts.uri.path();
        let resource = Path::parse(path).ok_or_else(|| no_such_path(path))?;
        resource.check_method(&parts.method)?;
        Parameters::parse(parts.uri.query())?.finish()?;
        let deadline = started + self.shared.config.limits.request_timeout();
        match resource {
            Path::Prepare => {
                let body = read_body(&self.shared, body, deadline).await?;
                self.shared.outlook.want(wanted(&body)?);
            }
            Path::Follow => {
                let body = read_body(&self.shared, body, deadline).await?;
                check_empty(&body)?;
                self.shared.switch.wake();
            }
            Path::State => return Ok(Answer::json(StatusCode::OK, state::of(&self.shared))),
        }
        Ok(Answer::json(StatusCode::ACCEPTED, state::of(&self.shared)))
    }

    /// Checks that a request is not too long and that whoever asks may; returns the scope of who
    /// shows a token made with a key.
    fn check(&self, parts: &Parts, started: Instant) -> Result<Option<ScopeKind>, Problem> {
        exchange::check_lengths(parts, &self.shared.config.limits)?;
        if let Some(token) = &self.token {
            let mut given = parts.headers.get_all(AUTHORIZATION).iter();
            let matches = given.next().is_some_and(|given| token.is_shown(given));
            if matches && given.next().is_none() {
                return Ok(None);
            }
        }
        if self.shared.access.is_guarded() {
            let caller = self.shared.identify(parts, started);
            let caller = caller.ok_or_else(Problem::unauthorized)?;
            return match caller.kind() {
                ScopeKind::Admin => Ok(Some(ScopeKind::Admin)),
                _ => Err(caller.forbidden()),
            };
        }
        if self.token.is_some() {
            return Err(Problem::unauthorized());
        }
        host::check(parts)?;
        // Browsers say where a page is from that has them post something here.
        if parts.headers.contains_key(ORIGIN) {
            let detail = "web pages may not ask this";
            return Err(Problem::new(StatusCode::FORBIDDEN, detail));
        }
        Ok(None)
    }
}

/// What a path names.
#[derive(Debug, Clone, Copy)]
enum Path {
    Prepare,
    Follow,
    State,
}

impl Path {
    fn parse(path: &str) -> Option<Self> {
        match path {
            "/v1/prepare" => Some(Self::Prepare),
            "/v1/follow" => Some(Self::Follow),
            "/v1/state" => Some(Self::State),
            _ => None,
        }
    }

    fn check_method(self, method: &Method) -> Result<(), Problem> {
        let (is_allowed, methods) = match self {
            Self::Prepare | Self::Follow => (*method == Method::POST, "POST"),
            Self::State => (
                *method == Method::GET || *method == Method::HEAD,
                "GET, HEAD",
            ),
        };
        if is_allowed {
            Ok(())
        } else {
            Err(Problem::method_not_allowed(methods))
        }
    }
}

/// The members of a body that names what to prepare.
#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
enum Member {
    Generation,
}

/// Reads which generation is to be prepared.
fn wanted(body: &[u8]) -> Result<GenerationId, Problem> {
    let body: std::result::Result<BTreeMap<Member, String>, _> = serde_json::from_slice(body);
    let wrong = |detail| Problem::new(StatusCode::BAD_REQUEST, format!("the body: {detail}"));
    let mut body = body.map_err(|error| wrong(error.to_string()))?;
    let id = body.remove(&Member::Generation);
    let id = id.ok_or_else(|| wrong("it has no generation".into()))?;
    id.parse().map_err(|error: nightshard_format::Error| {
        Problem::parameter("generation", error.to_string())
    })
}

/// Checks that a body says nothing.
fn check_empty(body: &[u8]) -> Result<(), Problem> {
    let is_empty = body.is_empty()
        || serde_json::from_slice(body).is_ok_and(|map: BTreeMap<String, ()>| map.is_empty());
    if is_empty {
        Ok(())
    } else {
        let detail = "the body: nothing or {} is expected";
        Err(Problem::new(StatusCode::BAD_REQUEST, detail))
    }
}

/// The service of one connection.
struct Desk {
    admin: Admin,
    progress: Arc<Progress>,
}

impl Service<Request<Incoming>> for Desk {
    type Response = Reply;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = std::result::Result<Reply, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let started = Instant::now();
        let (admin, progress) = (self.admin.clone(), Arc::clone(&self.progress));
        let busy = Progress::begin(&self.progress);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let checked = admin.check(&parts, started);
            let scope = checked.as_ref().map_or(None, |scope| *scope);
            let answer = match checked {
                Ok(_scope) => admin.answer(&parts, body, started).await,
                Err(problem) => Err(problem),
            };
            let shared = &admin.shared;
            let (answer, body) = answer
                .unwrap_or_else(Answer::from)
                .admitted(&shared.waiting);
            let status = answer.status();
            let reply = answer.into_response(body, None, shared, None);
            drop(busy);
            progress.answered(Counted {
                resource: Resource::Admin,
                scope,
                status,
                latency: started.elapsed(),
            });
            Ok(reply)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_names_one_generation_and_nothing_else() {
        let id = wanted(br#"{"generation": "2018-03-05-0123456789ab"}"#).unwrap();
        assert_eq!(id.as_str(), "2018-03-05-0123456789ab");
        for wrong in [
            "",
            "[]",
            "{}",
            r#"["2018-03-05-0123456789ab"]"#,
            r#"{"generation": 5}"#,
            r#"{"generation": "2018-03-05-0123456789ab", "now": "yes"}"#,
        ] {
            let problem = wanted(wrong.as_bytes()).unwrap_err();
            assert_eq!(problem.parameter, None, "{wrong}");
        }
        let problem = wanted(br#"{"generation": "../../etc"}"#).unwrap_err();
        assert_eq!(problem.parameter.as_deref(), Some("generation"));
    }

    #[test]
    fn a_body_that_says_something_is_not_empty() {
        for empty in ["", "{}", " { } "] {
            assert!(check_empty(empty.as_bytes()).is_ok(), "{empty}");
        }
        for wrong in ["[]", "null", r#"{"now": true}"#, "x"] {
            assert!(check_empty(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
