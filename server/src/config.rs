//! The configuration of a server: the table `[server]` of nightshard.toml.

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use nightshard_format::shard::MemoryPolicy;
use serde::Deserialize;

use crate::{access::AccessConfig, api::ANSWER_BYTES_MAX};

/// How a server serves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What one client may ask of the server.
    pub limits: Limits,
    /// Which web pages of other origins may ask.
    pub cors: Cors,
    /// How shards are kept in memory.
    pub memory: MemoryPolicy,
    /// How files in use are read again.
    pub scrub: Scrub,
    /// Where whoever switches the server reaches it.
    pub admin: AdminConfig,
    /// Whether customers are fetched and served.
    pub customers: bool,
    /// How many generations stay mapped, the current one included.
    pub keep_mapped: NonZeroUsize,
    /// How often the repository is asked for its selection.
    pub poll_ms: NonZeroU64,
    /// How long a server that serves nothing yet waits for the repository before it serves what
    /// it served in an earlier run.
    pub start_patience_ms: u64,
    /// How long a request may wait for the selection that its client has seen elsewhere, where a
    /// candidate is prepared; 0: not at all.
    pub at_least_wait_ms: u64,
    /// How long requests may still take once the server is told to stop.
    pub drain_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            cors: Cors::default(),
            memory: MemoryPolicy::default(),
            scrub: Scrub::default(),
            admin: AdminConfig::default(),
            customers: false,
            keep_mapped: NonZeroUsize::MIN.saturating_add(1),
            poll_ms: nonzero(1_000),
            start_patience_ms: 5_000,
            at_least_wait_ms: 250,
            drain_ms: 30_000,
        }
    }
}

/// No time in a configuration is longer: a day.
const TIME_MS_MAX: u64 = 86_400_000;
/// Neither the request line nor the headers may take more.
const HEAD_BYTES_MAX: u64 = 1 << 20;

impl Config {
    /// Checks that every value is one that a server can work with under `access`.
    ///
    /// # Errors
    /// A line that names the first key at fault and its bounds.
    pub fn check(&self, access: &AccessConfig) -> Result<(), String> {
        let limits = &self.limits;
        for (key, value, bounds) in [
            ("poll_ms", self.poll_ms.get(), 1..=TIME_MS_MAX),
            ("start_patience_ms", self.start_patience_ms, 0..=TIME_MS_MAX),
            ("at_least_wait_ms", self.at_least_wait_ms, 0..=10_000),
            ("drain_ms", self.drain_ms, 0..=TIME_MS_MAX),
            (
                "limits.request_line_bytes",
                limits.request_line_bytes as u64,
                32..=HEAD_BYTES_MAX,
            ),
            (
                "limits.header_bytes",
                limits.header_bytes as u64,
                32..=HEAD_BYTES_MAX,
            ),
            (
                "limits.header_timeout_ms",
                limits.header_timeout_ms.get(),
                1..=TIME_MS_MAX,
            ),
            ("limits.body_bytes", limits.body_bytes as u64, 1..=1 << 30),
            (
                "limits.request_timeout_ms",
                limits.request_timeout_ms.get(),
                1..=TIME_MS_MAX,
            ),
            (
                "limits.idle_timeout_ms",
                limits.idle_timeout_ms.get(),
                1..=TIME_MS_MAX,
            ),
            (
                "scrub.bytes_per_second",
                self.scrub.bytes_per_second,
                0..=1 << 40,
            ),
            (
                "scrub.round_ms_min",
                self.scrub.round_ms_min.get(),
                1..=TIME_MS_MAX,
            ),
            // One answer of full length must find room.
            (
                "limits.waiting_answers_bytes",
                limits.waiting_answers_bytes as u64,
                2 * ANSWER_BYTES_MAX as u64..=1 << 40,
            ),
        ] {
            let (first, last) = (bounds.start(), bounds.end());
            if !bounds.contains(&value) {
                return Err(format!(
                    "server.{key}: {value} is not from {first} to {last}"
                ));
            }
        }
        access.check()?;
        self.admin.check(access.is_guarded())
    }

    pub(crate) fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms.get())
    }

    pub(crate) fn start_patience(&self) -> Duration {
        Duration::from_millis(self.start_patience_ms)
    }

    pub(crate) fn at_least_wait(&self) -> Duration {
        Duration::from_millis(self.at_least_wait_ms)
    }

    pub(crate) fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }
}

/// What one client may ask of the server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The longest request line: 414 above.
    pub request_line_bytes: usize,
    /// The most bytes of all headers: 431 above.
    pub header_bytes: usize,
    /// How long the head of a request may take: 408 after.
    pub header_timeout_ms: NonZeroU64,
    /// The longest body of a request: 413 above.
    pub body_bytes: usize,
    /// How long a request may take once its head is there.
    pub request_timeout_ms: NonZeroU64,
    /// How long a connection may be silent between requests, or refuse to take an answer.
    pub idle_timeout_ms: NonZeroU64,
    /// How much of all answers together may wait for clients to read them: 503 above.
    pub waiting_answers_bytes: usize,
    /// How many connections there may be at a time: 503 above.
    pub connections: NonZeroU32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_line_bytes: 8 << 10,
            header_bytes: 16 << 10,
            header_timeout_ms: nonzero(10_000),
            body_bytes: 1 << 20,
            request_timeout_ms: nonzero(10_000),
            idle_timeout_ms: nonzero(60_000),
            waiting_answers_bytes: 256 << 20,
            connections: NonZeroU32::MIN.saturating_add(9_999),
        }
    }
}

impl Limits {
    pub(crate) fn header_timeout(&self) -> Duration {
        Duration::from_millis(self.header_timeout_ms.get())
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms.get())
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms.get())
    }
}

/// Which web pages of other origins may ask: none unless configured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cors {
    /// Origins such as `https://example.org`, or `*` for all.
    pub origins: Vec<String>,
}

/// How files in use are read again, to find what a disk or memory has lost since.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scrub {
    /// How much is read; 0: nothing.
    pub bytes_per_second: u64,
    /// How long a round over all files takes at least.
    pub round_ms_min: NonZeroU64,
}

impl Scrub {
    pub(crate) fn round_min(&self) -> Duration {
        Duration::from_millis(self.round_ms_min.get())
    }
}

impl Default for Scrub {
    fn default() -> Self {
        Self {
            bytes_per_second: 8 << 20,
            round_ms_min: nonzero(10_000),
        }
    }
}

/// Where whoever switches the server reaches it: nowhere unless configured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminConfig {
    /// The address; port 0 picks one.
    pub listen: Option<SocketAddr>,
    /// The file of the secret that callers have to show.
    pub token_file: Option<PathBuf>,
}

impl AdminConfig {
    /// Checks that no stranger can reach what needs no token.
    ///
    /// # Errors
    /// A line that names the key at fault.
    fn check(&self, has_keys: bool) -> Result<(), String> {
        let is_guarded = has_keys || self.token_file.is_some();
        match self.listen {
            Some(listen) if !listen.ip().is_loopback() && !is_guarded => {
                let rule = "only a loopback address can be served without server.admin.token_file \
                            or access.keys";
                Err(format!("server.admin.listen: {rule}, not {listen}"))
            }
            _ => Ok(()),
        }
    }
}

const fn nonzero(value: u64) -> NonZeroU64 {
    match NonZeroU64::new(value) {
        Some(value) => value,
        None => NonZeroU64::MIN,
    }
}

#[cfg(test)]
mod tests {
    use nightshard_format::shard::{IndexResidence, RecordAccess};

    use super::*;

    #[test]
    fn values_that_no_server_can_work_with_are_named() {
        let open = AccessConfig::default();
        assert_eq!(Config::default().check(&open), Ok(()));
        for (text, key) in [
            (
                r#"{"limits": {"request_line_bytes": 0}}"#,
                "request_line_bytes",
            ),
            (
                r#"{"limits": {"header_bytes": 18446744073709551615}}"#,
                "header_bytes",
            ),
            (
                r#"{"limits": {"idle_timeout_ms": 18446744073709551615}}"#,
                "idle_timeout_ms",
            ),
            (
                r#"{"limits": {"waiting_answers_bytes": 5}}"#,
                "waiting_answers_bytes",
            ),
            (
                r#"{"admin": {"listen": "10.0.0.1:8081"}}"#,
                "server.admin.listen: only a loopback address can be served without",
            ),
            (
                r#"{"poll_ms": 86400001}"#,
                "server.poll_ms: 86400001 is not from 1 to 86400000",
            ),
        ] {
            let given: Config = serde_json::from_str(text).unwrap();
            let error = given.check(&open).unwrap_err();
            assert!(error.contains(key), "{error}");
        }
    }

    #[test]
    fn keys_let_the_admin_interface_listen_beyond_loopback() {
        let given = r#"{"admin": {"listen": "10.0.0.1:8081"}}"#;
        let given: Config = serde_json::from_str(given).unwrap();
        let keys = r#"{"keys": [{"id": "a", "path": "a.key"}]}"#;
        let keys: AccessConfig = serde_json::from_str(keys).unwrap();
        assert_eq!(given.check(&keys), Ok(()));
    }

    #[test]
    fn what_is_not_given_keeps_its_default_and_unknown_names_are_refused() {
        let given: Config =
            serde_json::from_str(r#"{"limits": {"connections": 5}, "poll_ms": 20}"#).unwrap();
        assert_eq!(given.limits.connections.get(), 5);
        assert_eq!(given.limits.header_bytes, 16_384);
        assert_eq!(given.poll(), Duration::from_millis(20));
        assert_eq!(given.keep_mapped.get(), 2);
        let given: Config = serde_json::from_str(r#"{"memory": {"indexes": "lock"}}"#).unwrap();
        assert_eq!(given.memory.indexes, IndexResidence::Lock);
        assert_eq!(given.memory.records, RecordAccess::Random);
        for wrong in [
            r#"{"limit": {}}"#,
            r#"{"memory": {"indexes": "always"}}"#,
            r#"{"memory": {"index": "lock"}}"#,
            r#"{"limits": {"connections": 0}}"#,
            r#"{"keep_mapped": 0}"#,
        ] {
            assert!(serde_json::from_str::<Config>(wrong).is_err(), "{wrong}");
        }
    }
}
