//! Switching many servers at once: all prepare, then one selection is written, then all are told.

use std::time::Duration;

use hyper::Method;
use nightshard_format::manifest::GenerationId;
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    Error, Result, Selection, http,
    servers::{self, ServerState},
};

/// How often servers are asked whether they are ready.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// How long servers may take from being told to serving what they have ready.
const TELL_MAX: Duration = Duration::from_secs(10);

/// Servers that are switched together.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    servers: Vec<String>,
    token: Option<String>,
    quorum: usize,
    patience: Duration,
}

/// How a server took part in a switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Switched {
    /// Its address.
    pub server: String,
    /// How long after the selection was written it served it, in milliseconds; `None` if it did not.
    pub after_ms: Option<u64>,
    /// What was wrong, if anything.
    pub problem: Option<String>,
}

impl Cluster {
    /// Makes a cluster of servers by their administrative addresses, such as
    /// `http://10.0.0.1:9090`; `quorum` of them have to be ready within `patience`.
    #[must_use]
    pub fn new(
        servers: Vec<String>,
        token: Option<String>,
        quorum: usize,
        patience: Duration,
    ) -> Self {
        Self {
            quorum: quorum.min(servers.len()),
            servers,
            token,
            patience,
        }
    }

    /// Returns the addresses that `dns:NAME:PORT` stands for, one of each server; others as they
    /// are.
    ///
    /// # Errors
    /// A line that names what cannot be resolved.
    pub async fn resolve(address: &str) -> Result<Vec<String>, String> {
        let Some(name) = address.strip_prefix("dns:") else {
            return Ok(vec![address.to_owned()]);
        };
        let found = tokio::net::lookup_host(name).await;
        let found = found.map_err(|error| format!("{address}: {error}"))?;
        let mut urls: Vec<String> = found.map(|address| format!("http://{address}")).collect();
        urls.sort();
        urls.dedup();
        Ok(urls)
    }

    /// Returns the servers that addresses stand for now, as [`Cluster::resolve`] finds them.
    ///
    /// # Errors
    /// The address that stands for none, and why, in one line.
    pub async fn resolve_all(addresses: &[String]) -> Result<Vec<String>, String> {
        let mut servers = Vec::new();
        for address in addresses {
            servers.extend(Self::resolve(address).await?);
        }
        Ok(servers)
    }

    /// Has every server fetch, verify and warm a generation aside, and waits until a quorum has.
    ///
    /// # Errors
    /// [`Error::NoQuorum`] once so many have failed that none can be reached any more, or when the
    /// time is over: nothing was switched.
    pub async fn prepare(&self, id: &GenerationId) -> Result<()> {
        let begun = Instant::now();
        let mut asked = vec![false; self.servers.len()];
        loop {
            let looked = self.servers.iter().zip(&mut asked);
            let looked = looked.map(|(server, is_asked)| self.prepare_one(server, id, is_asked));
            let looked: Vec<Result<bool, String>> = futures_util::future::join_all(looked).await;
            let ready = looked.iter().filter(|it| **it == Ok(true)).count();
            if ready >= self.quorum {
                return Ok(());
            }
            let failed = looked.iter().filter(|it| it.is_err()).count();
            let is_hopeless = self.servers.len() - failed < self.quorum;
            if is_hopeless || begun.elapsed() > self.patience {
                return Err(self.no_quorum(id, ready, &looked));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Tells every server of a selection, and waits until each serves it or has had its time.
    pub async fn tell(&self, selection: &Selection) -> Vec<Switched> {
        let begun = Instant::now();
        let told = self
            .servers
            .iter()
            .map(|server| self.tell_one(server, selection, begun));
        futures_util::future::join_all(told).await
    }

    async fn tell_one(&self, server: &str, selection: &Selection, begun: Instant) -> Switched {
        let one = [server.to_owned()];
        let mut switched = Switched {
            server: server.to_owned(),
            after_ms: None,
            problem: None,
        };
        let url = format!("{}/v1/follow", server.trim_end_matches('/'));
        let followed = http::request(Method::POST, &url, self.token.as_deref(), b"{}".to_vec());
        switched.problem = followed.await.err();
        while switched.after_ms.is_none() && begun.elapsed() < TELL_MAX {
            let state = servers::ask(&one, self.token.as_deref()).await.pop();
            match state {
                Some(Ok(ServerState {
                    serving: Some(serving),
                    ..
                })) if serving.selection == selection.number.0
                    && serving.generation != selection.generation =>
                {
                    // Its repository was exchanged, or a selection taken away.
                    let (generation, number) = (&serving.generation, selection.number);
                    let problem =
                        format!("it serves {generation} as selection {number}: restart it");
                    switched.problem = Some(problem);
                    break;
                }
                Some(Ok(ServerState {
                    serving: Some(serving),
                    ..
                })) if serving.selection >= selection.number.0 => {
                    let elapsed = begun.elapsed().as_millis();
                    switched.after_ms = Some(u64::try_from(elapsed).unwrap_or(u64::MAX));
                    switched.problem = None;
                }
                Some(Err(problem)) => {
                    switched.problem = Some(problem);
                    tokio::time::sleep(ASK_EVERY).await;
                }
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
        switched
    }

    /// Has a server prepare a generation, unless it has it ready or is preparing it; returns whether
    /// it is ready, or why it cannot be.
    ///
    /// How it failed before it `is_asked`, which this sees to, does not count.
    async fn prepare_one(
        &self,
        server: &str,
        id: &GenerationId,
        is_asked: &mut bool,
    ) -> Result<bool, String> {
        let token = self.token.as_deref();
        let state = servers::ask_one(server, token).await?;
        let is_ready = match ready(&state, id) {
            Err(problem) if *is_asked => return Err(problem),
            looked => looked == Ok(true),
        };
        // One that started again has forgotten that it was asked.
        if !is_ready && state.preparing.as_ref() != Some(id) {
            let url = format!("{}/v1/prepare", server.trim_end_matches('/'));
            let body = json!({ "generation": id }).to_string().into_bytes();
            http::request(Method::POST, &url, token, body).await?;
            *is_asked = true;
        }
        Ok(is_ready)
    }

    fn no_quorum(&self, id: &GenerationId, ready: usize, looked: &[Result<bool, String>]) -> Error {
        let late = "it is not ready yet";
        let problems =
            self.servers
                .iter()
                .zip(looked)
                .filter_map(|(server, looked)| match looked {
                    Ok(true) => None,
                    Ok(false) => Some(format!("{server}: {late}")),
                    Err(problem) => Some(format!("{server}: {problem}")),
                });
        Error::NoQuorum {
            id: id.clone(),
            ready,
            quorum: self.quorum,
            problems: problems.collect::<Vec<_>>().join("; "),
        }
    }
}

/// Returns whether a server can serve a generation at once, or why it cannot.
fn ready(state: &ServerState, id: &GenerationId) -> Result<bool, String> {
    let serves = state.serving.as_ref();
    if serves.is_some_and(|serving| serving.generation == *id)
        || state.prepared.contains(id)
        || state.kept.contains(id)
    {
        return Ok(true);
    }
    match &state.failed {
        Some(failed) if failed.generation == *id => Err(failed.problem.clone()),
        _ => Ok(false),
    }
}
