//! Switching many servers together, as options of the commands that select.

use std::{path::PathBuf, str::FromStr, time::Duration};

use nightshard_deploy::{Cluster, Switched};

use crate::{exit::UsageError, server_token};

/// Which servers are switched together.
#[derive(Debug, clap::Args)]
pub(crate) struct ClusterArgs {
    /// Servers to switch together, by their admin addresses: URL, or dns:NAME:PORT.
    #[arg(long, value_name = "URL,URL", value_delimiter = ',')]
    servers: Vec<String>,
    /// How many of them must have the generation ready before it is selected: all, or a number.
    #[arg(long, value_name = "N", default_value = "all")]
    quorum: Quorum,
    /// A file with the token that the servers ask for [default: NIGHTSHARD_TOKEN, if it is set].
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// How long they may take to have it ready, in seconds.
    #[arg(long, value_name = "N", default_value_t = 600)]
    prepare_seconds: u64,
}

/// How many servers must be ready.
#[derive(Debug, Clone, Copy)]
enum Quorum {
    All,
    Number(usize),
}

impl FromStr for Quorum {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.parse()) {
            ("all", _) => Ok(Self::All),
            (_, Ok(number)) => Ok(Self::Number(number)),
            _ => Err("it is neither `all` nor a number"),
        }
    }
}

impl ClusterArgs {
    /// Finds the servers; without any, nobody is prepared or told.
    pub(crate) async fn find(&self) -> anyhow::Result<Cluster> {
        let servers = Cluster::resolve_all(&self.servers).await;
        let servers = servers.map_err(|error| UsageError(format!("--servers {error}")))?;
        let quorum = match self.quorum {
            Quorum::All => servers.len(),
            Quorum::Number(number) if number <= servers.len() => number,
            Quorum::Number(number) => {
                let problem = format!("--quorum {number}: there are {} servers", servers.len());
                return Err(UsageError(problem).into());
            }
        };
        let token = server_token::find(self.token_file.as_deref(), "--token-file")?;
        let patience = Duration::from_secs(self.prepare_seconds);
        Ok(Cluster::new(servers, token, quorum, patience))
    }
}

/// Returns a line for each server, for people.
pub(crate) fn to_text(switched: &[Switched]) -> String {
    let line = |it: &Switched| match (it.after_ms, &it.problem) {
        (Some(after_ms), _) => format!("{} serves it after {after_ms} ms\n", it.server),
        (None, Some(problem)) => format!("{} does not serve it yet: {problem}\n", it.server),
        (None, None) => format!("{} does not serve it yet\n", it.server),
    };
    switched.iter().map(line).collect()
}
