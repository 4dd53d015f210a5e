//! The table `[controller]`.

use std::{net::SocketAddr, path::PathBuf};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{LeaseTerms, Limits, Schedule};

/// The table `[controller]` of the configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ControllerConfig {
    /// The repository that is built into and served from.
    pub repository: String,
    /// When nights are due, as a cron expression.
    pub schedule: String,
    /// The zone of the schedule and of business days.
    pub zone: String,
    /// What `nightshard build` is given, beside the repository, the day and the configuration.
    pub build: Vec<String>,
    /// How long a build may take.
    pub build_timeout_seconds: u32,
    /// The servers' administrative addresses, such as `http://10.0.0.1:9090`.
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
    /// Attempts of each step.
    pub attempts: u32,
    /// The pause after the first failure of a step; it doubles with each.
    pub backoff_seconds: u32,
    /// Where to answer with the status page, JSON and metrics; nowhere without.
    pub listen: Option<SocketAddr>,
    /// Where alerts are posted, by http.
    pub webhook: Option<String>,
    /// How old the current generation's last business day may be; 0: any age.
    pub freshness_max_hours: u32,
    /// How long the lease holds without being renewed.
    pub lease_seconds: u32,
    /// How far the clocks of two controllers may differ.
    pub clock_error_seconds: u32,
}

impl Default for ControllerConfig {
    fn default() -> Self {
        Self {
            repository: String::new(),
            schedule: "30 4 * * *".into(),
            zone: "UTC".into(),
            build: Vec::new(),
            build_timeout_seconds: 6 * 60 * 60,
            servers: Vec::new(),
            token_file: None,
            quorum: 0,
            prepare_seconds: 600,
            watch_seconds: 60,
            errors_share_max: 0.01,
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
        let is_http = |url: &String| url.starts_with("http://");
        let addresses = self.servers.iter().chain(&self.webhook);
        if self.repository.is_empty() {
            return Err("controller.repository: name the repository".into());
        }
        if self.build.is_empty() {
            return Err(
                "controller.build: give what nightshard build needs, --input above all".into(),
            );
        }
        if let Some(url) = { addresses }.find(|url| !is_http(url)) {
            return Err(format!("controller: {url:?} does not begin with http://"));
        }
        if !(0.0..=1.0).contains(&self.errors_share_max) {
            return Err("controller.errors_share_max: it is not from 0 to 1".into());
        }
        if self.lease_seconds <= self.clock_error_seconds {
            return Err(
                "controller.lease_seconds: it is no longer than clock_error_seconds".into(),
            );
        }
        if usize::try_from(self.quorum).is_ok_and(|quorum| quorum > self.servers.len()) {
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

    /// Returns how many servers must serve the new generation.
    #[must_use]
    pub fn quorum(&self) -> usize {
        match self.quorum {
            0 => self.servers.len(),
            quorum => usize::try_from(quorum).unwrap_or(usize::MAX),
        }
    }
}
