//! How servers do after a switch, by what they say of themselves.

use hyper::Method;
use nightshard_format::manifest::GenerationId;
use serde::Deserialize;

use crate::http;

/// What a server says at `/v1/state` that counts here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct ServerState {
    /// What it serves, if anything.
    pub serving: Option<Serving>,
    /// What it could not open, if anything.
    pub failed: Option<Failure>,
    /// What it is making ready, if anything.
    pub preparing: Option<GenerationId>,
    /// What it has ready beside that.
    #[serde(default)]
    pub prepared: Vec<GenerationId>,
    /// What it serves or served, and has mapped.
    #[serde(default)]
    pub kept: Vec<GenerationId>,
    /// What it answered since it started.
    #[serde(default)]
    pub requests: Requests,
}

/// What a server serves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Serving {
    /// The number of the selection.
    pub selection: u64,
    /// The generation.
    pub generation: GenerationId,
}

/// What a server could not open.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Failure {
    /// The generation.
    pub generation: GenerationId,
    /// Why not.
    pub problem: String,
}

/// What a server answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Requests {
    /// All answers.
    pub total: u64,
    /// Answers of 500 and above.
    pub errors_5xx: u64,
    /// Those of them that sent a client on to a server that is not behind, which is no error.
    #[serde(default)]
    pub behind_503: u64,
}

impl Requests {
    /// Returns how many answers say that a server is in trouble.
    fn errors(&self) -> u64 {
        self.errors_5xx.saturating_sub(self.behind_503)
    }
}

/// Asks every server for its state.
pub(crate) async fn ask(
    servers: &[String],
    token: Option<&str>,
) -> Vec<Result<ServerState, String>> {
    let asked = servers.iter().map(|server| ask_one(server, token));
    futures_util::future::join_all(asked).await
}

/// Asks a server for its state.
pub(crate) async fn ask_one(server: &str, token: Option<&str>) -> Result<ServerState, String> {
    let url = format!("{}/v1/state", server.trim_end_matches('/'));
    let body = http::request(Method::GET, &url, token, Vec::new()).await?;
    serde_json::from_slice(&body).map_err(|error| format!("its state: {error}"))
}

/// What watching servers found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// They do well.
    Well(String),
    /// They do badly.
    Badly(String),
    /// None of them can be asked.
    Unknown(String),
}

/// Judges servers by what they said before and after they were watched.
///
/// # Shape
/// `before` and `after` are of the same servers, in the same order.
#[must_use]
pub fn judge(
    candidate: &GenerationId,
    before: &[Result<ServerState, String>],
    after: &[Result<ServerState, String>],
    quorum: usize,
    errors_share_max: f64,
) -> Watched {
    let reached: Vec<&ServerState> = after
        .iter()
        .filter_map(|state| state.as_ref().ok())
        .collect();
    let problem = after.iter().find_map(|state| state.as_ref().err());
    if let (true, Some(problem)) = (reached.is_empty(), problem) {
        return Watched::Unknown(format!("no server can be asked: {problem}"));
    }
    let serves = |state: &&&ServerState| {
        let serving = state.serving.as_ref();
        serving.is_some_and(|serving| serving.generation == *candidate)
    };
    let serving = reached.iter().filter(serves).count();
    let line = format!(
        "{serving} of {} servers serve it, {quorum} needed",
        after.len()
    );
    if serving < quorum {
        let mut failures = reached.iter().filter_map(|state| state.failed.as_ref());
        let failure = failures.find(|failure| failure.generation == *candidate);
        let why = failure.map(|failure| &failure.problem).or(problem);
        return Watched::Badly(match why {
            Some(why) => format!("{line}: {why}"),
            None => line,
        });
    }
    let mut answers = Requests::default();
    for (before, after) in before.iter().zip(after) {
        if let Ok(after) = after {
            // A server that started again counts from nothing.
            let nothing = Requests::default();
            let before = match before {
                Ok(before) if before.requests.total <= after.requests.total => before.requests,
                Ok(_started_again) => nothing,
                Err(_) => after.requests,
            };
            answers.total += after.requests.total.saturating_sub(before.total);
            answers.errors_5xx += after.requests.errors().saturating_sub(before.errors());
        }
    }
    let Requests {
        total, errors_5xx, ..
    } = answers;
    let line = format!("{line}; {errors_5xx} of {total} answers are errors");
    match errors_5xx as f64 > errors_share_max * total as f64 {
        true => Watched::Badly(line),
        false => Watched::Well(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> GenerationId {
        let digits: String = std::iter::repeat_n(digit, 12).collect();
        format!("2018-12-31-{digits}").parse().unwrap()
    }

    fn state(digit: char, total: u64, errors_5xx: u64) -> Result<ServerState, String> {
        Ok(ServerState {
            serving: Some(Serving {
                selection: 3,
                generation: id(digit),
            }),
            requests: Requests {
                total,
                errors_5xx,
                behind_503: 0,
            },
            ..ServerState::default()
        })
    }

    #[test]
    fn servers_do_badly_if_too_few_serve_it_or_too_many_answers_are_errors() {
        let before = [state('a', 100, 0), state('a', 100, 50)];
        let by = |after: [Result<ServerState, String>; 2], quorum| {
            judge(&id('b'), &before, &after, quorum, 0.01)
        };
        let well = "2 of 2 servers serve it, 2 needed; 1 of 200 answers are errors";
        let after = [state('b', 200, 1), state('b', 200, 50)];
        assert_eq!(by(after, 2), Watched::Well(well.into()));
        let badly = "2 of 2 servers serve it, 2 needed; 3 of 200 answers are errors";
        let after = [state('b', 200, 1), state('b', 200, 52)];
        assert_eq!(by(after, 2), Watched::Badly(badly.into()));
        let late = [state('b', 200, 0), state('a', 200, 50)];
        let badly = "1 of 2 servers serve it, 2 needed";
        assert_eq!(by(late.clone(), 2), Watched::Badly(badly.into()));
        assert!(matches!(by(late, 1), Watched::Well(_)));
        // One that started again, and one that is away.
        let after = [state('b', 5, 0), Err("connection refused".into())];
        assert!(matches!(by(after.clone(), 1), Watched::Well(_)));
        let badly = "1 of 2 servers serve it, 2 needed: connection refused";
        assert_eq!(by(after, 2), Watched::Badly(badly.into()));
        let away = [Err("timed out".into()), Err("timed out".into())];
        assert!(matches!(by(away, 1), Watched::Unknown(_)));
    }

    #[test]
    fn a_server_that_refuses_the_generation_says_why() {
        let mut after = state('a', 1, 0);
        after.as_mut().unwrap().failed = Some(Failure {
            generation: id('b'),
            problem: "blob 00 is damaged".into(),
        });
        let watched = judge(&id('b'), &[state('a', 0, 0)], &[after], 1, 0.0);
        let badly = "0 of 1 servers serve it, 1 needed: blob 00 is damaged";
        assert_eq!(watched, Watched::Badly(badly.into()));
    }

    #[test]
    fn a_state_is_read_whatever_else_it_says() {
        let json = r#"{"serving": {"selection": 3, "generation": "2018-12-31-bbbbbbbbbbbb", "as_of":
            "2018-12-31"}, "repository": {"selection": 3, "reachable": true, "problem": null},
            "prepared": [], "preparing": null, "failed": null, "kept": [], "source": "repository",
            "requests": {"total": 7, "errors_5xx": 1, "behind_503": 0}}"#;
        let read: ServerState = serde_json::from_str(json).unwrap();
        assert_eq!(Ok(read), state('b', 7, 1));
        let nothing: ServerState =
            serde_json::from_str(r#"{"serving": null, "failed": null}"#).unwrap();
        assert_eq!(nothing, ServerState::default());
    }
}
