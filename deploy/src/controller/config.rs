//! The table `[controller]`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{LeaseTerms, Limits, Schedule};
use crate::Reclaim;

/// The table `[controller]` of the configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ControllerConfig {
    /// The repository that is built into.
    pub repository: String,
    /// The repository that is served from and has the records of nights, if that is another one.
    pub publish_to: Option<String>,
    /// When nights are due, as a cron expression.
    pub schedule: String,
    /// The zone of the schedule and of business days.
    pub zone: String,
    /// What `nightshard build` is given, beside the repository, the day and the configuration.
    pub build: Vec<String>,
    /// What `nightshard pack` is given for each dataset that is packed into the day's generation,
    /// beside the repository and the configuration.
    pub pack: Vec<Vec<String>>,
    /// How long a build, and each pack, may take.
    pub build_timeout_seconds: u32,
    /// The servers' administrative addresses, such as `http://10.0.0.1:9090`, or `dns:NAME:PORT` for
    /// all that a name stands for.
    pub servers: Vec<String>,
    /// A file with the token that servers want to see.
    pub token_file: Option<PathBuf>,
    /// How many of them must serve the new generation; 0: all.
    pub quorum: u32,
    /// How long servers may take to have the new generation ready before it is selected.
    pub prepare_seconds: u32,
    /// How long servers are watched after the switch.
    pub watch_seconds: u32,
    /// The largest share of answers of 500 and above while they are watched.
    pub errors_share_max: f64,
    /// What is deleted once a night's generation is served, if anything.
    pub reclaim: Option<ReclaimConfig>,
    /// Attempts of each step.
    pub attempts: u32,
    /// The pause after the first failure of a step; it doubles with each.
    pub backoff_seconds: u32,
    /// Where to answer with the status page, JSON and metrics; nowhere without.
    pub listen: Option<SocketAddr>,
    /// Where alerts are posted, by http or https.
    pub webhook: Option<String>,
    /// How old the current generation's last business day may be; 0: any age.
    pub freshness_max_hours: u32,
    /// How long the lease holds without being renewed.
    pub lease_seconds: u32,
    /// How far the clocks of two controllers may differ.
    pub clock_error_seconds: u32,
}

/// What a night leaves behind when it reclaims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReclaimConfig {
    /// So many of the newest generations stay.
    pub keep: usize,
    /// Nothing younger goes.
    pub floor_days: u32,
}

impl Default for ReclaimConfig {
    fn default() -> Self {
        Self {
            keep: 3,
            floor_days: 7,
        }
    }
}

impl Default for ControllerConfig {
    fn default() -> Self {
        Self {
            repository: String::new(),
            publish_to: None,
            schedule: "30 4 * * *".into(),
            zone: "UTC".into(),
            build: Vec::new(),
            pack: Vec::new(),
            build_timeout_seconds: 6 * 60 * 60,
            servers: Vec::new(),
            token_file: None,
            quorum: 0,
            prepare_seconds: 600,
            watch_seconds: 60,
            errors_share_max: 0.01,
            reclaim: None,
            attempts: 3,
            backoff_seconds: 60,
            listen: None,
            webhook: None,
            freshness_max_hours: 36,
            lease_seconds: 60,
            clock_error_seconds: 15,
        }
    }
}

impl ControllerConfig {
    /// Returns what is wrong with it, naming the key.
    ///
    /// # Errors
    /// The problem, in one line.
    pub fn check(&self) -> Result<(), String> {
        let is_http = |url: &str| url.starts_with("http://");
        let is_webhook = |url: &str| is_http(url) || url.starts_with("https://");
        if self.repository.is_empty() {
            return Err("controller.repository: name the repository".into());
        }
        if self.publish_to.as_ref() == Some(&self.repository) {
            return Err("controller.publish_to: it is where builds go already".into());
        }
        if self.build.is_empty() {
            return Err(
                "controller.build: give what nightshard build needs, --input above all".into(),
            );
        }
        let is_server = |url: &str| is_http(url) || url.starts_with("dns:");
        if let Some(url) = self.servers.iter().find(|url| !is_server(url)) {
            return Err(format!(
                "controller.servers: {url:?} begins with neither http:// nor dns:"
            ));
        }
        if self.webhook.as_ref().is_some_and(|url| !is_webhook(url)) {
            return Err("controller.webhook: it begins with neither https:// nor http://".into());
        }
        if !(0.0..=1.0).contains(&self.errors_share_max) {
            return Err("controller.errors_share_max: it is not from 0 to 1".into());
        }
        if self.lease_seconds <= self.clock_error_seconds {
            return Err(
                "controller.lease_seconds: it is no longer than clock_error_seconds".into(),
            );
        }
        // How many a name stands for shows when they are needed.
        let has_names = self.servers.iter().any(|url| url.starts_with("dns:"));
        if !has_names && self.quorum(self.servers.len()) > self.servers.len() {
            return Err("controller.quorum: there are not so many servers".into());
        }
        self.schedule().map(drop)
    }

    /// Returns the schedule.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn schedule(&self) -> Result<Schedule, String> {
        let schedule = Schedule::parse(&self.schedule, &self.zone);
        schedule.map_err(|error| format!("controller: {error}"))
    }

    /// Returns the repository that servers look at, which has the records of nights.
    #[must_use]
    pub fn served(&self) -> &str {
        self.publish_to.as_ref().unwrap_or(&self.repository)
    }

    /// Returns what is to be reclaimed, if anything.
    #[must_use]
    pub fn reclaim(&self) -> Option<Reclaim> {
        let config = self.reclaim?;
        Some(Reclaim {
            keep: config.keep,
            floor: Duration::from_secs(u64::from(config.floor_days) * 24 * 60 * 60),
            ..Reclaim::default()
        })
    }

    /// Returns how often and how long steps are tried.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            attempts: self.attempts,
            backoff: SignedDuration::from_secs(self.backoff_seconds.into()),
            ..Limits::default()
        }
    }

    /// Returns how long the lease holds.
    #[must_use]
    pub fn lease_terms(&self) -> LeaseTerms {
        LeaseTerms {
            duration: SignedDuration::from_secs(self.lease_seconds.into()),
            clock_error: SignedDuration::from_secs(self.clock_error_seconds.into()),
        }
    }

    /// Returns how many of so many servers must serve the new generation.
    #[must_use]
    pub fn quorum(&self, servers: usize) -> usize {
        match self.quorum {
            0 => servers,
            quorum => usize::try_from(quorum).unwrap_or(usize::MAX),
        }
    }
}
