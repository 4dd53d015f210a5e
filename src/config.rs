//! `nightshard.toml`.

use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use nightshard_builder::{build::RUNS_DEFAULT, data_tests};
use nightshard_deploy::{
    FetchConfig, StorageConfig, controller::ControllerConfig, gate::Thresholds,
};
use nightshard_format::{
    histogram::Method, key::PARTITIONS, privacy::PRIVACY_K_DEFAULT, regular::RegularRule,
    returning::ReturnRule, rule::RuleError, staleness::STALE_AFTER_DAYS_DEFAULT,
};
use nightshard_server::AccessConfig;
use serde::Deserialize;

use crate::exit::UsageError;

/// The configuration file; every table and key has a default.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// How histograms are reduced.
    pub(crate) histogram: Histogram,
    /// Who is a regular, and who comes back.
    pub(crate) loyalty: Loyalty,
    /// What is hidden.
    pub(crate) privacy: Privacy,
    /// What is kept of customers, if they are kept.
    pub(crate) customers: Option<Customers>,
    /// How datasets are cut.
    pub(crate) shards: Shards,
    /// The tree of regions.
    pub(crate) regions: Regions,
    /// Daily series beside the rows.
    pub(crate) series: Series,
    /// What is said of every row.
    pub(crate) data_tests: Vec<data_tests::Definition>,
    /// What the quality gate lets through.
    pub(crate) gate: Thresholds,
    /// How storage is reached.
    pub(crate) storage: StorageConfig,
    /// How nights are made, for whoever makes them.
    pub(crate) controller: Option<ControllerConfig>,
    /// How generations are fetched.
    pub(crate) fetch: FetchConfig,
    /// How a server serves.
    pub(crate) server: nightshard_server::Config,
    /// Which keys make and verify tokens.
    pub(crate) access: AccessConfig,
}

/// The table `[histogram]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Histogram {
    /// `exact` or `climb`.
    pub(crate) method: Method,
}

/// The table `[loyalty]`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Loyalty {
    /// So many visits make a card a regular of a store.
    pub(crate) regular_visits: u32,
    /// Within so many days.
    pub(crate) regular_days: u32,
    /// After so many days without a visit a card is absent.
    pub(crate) absence_days: u32,
    /// Within so many days of its first visit a card comes again, or not.
    pub(crate) repeat_days: Vec<u32>,
    /// In so many first days of the data nobody is known to be new.
    pub(crate) first_days: u32,
}

impl Default for Loyalty {
    fn default() -> Self {
        let (regular, returning) = (RegularRule::default(), ReturnRule::default());
        Self {
            regular_visits: regular.visits(),
            regular_days: regular.days(),
            absence_days: returning.absence_days(),
            repeat_days: returning.repeat_days().to_vec(),
            first_days: returning.first_days(),
        }
    }
}

impl Loyalty {
    /// Returns who is a regular.
    pub(crate) fn regular(&self) -> Result<RegularRule, RuleError> {
        RegularRule::new(self.regular_visits, self.regular_days)
    }

    /// Returns who comes back.
    pub(crate) fn returning(&self) -> Result<ReturnRule, RuleError> {
        ReturnRule::new(self.absence_days, self.repeat_days.clone(), self.first_days)
    }
}

/// The table `[privacy]`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Privacy {
    /// So many cards hide each other; 1: nothing is hidden but what a token does not cover.
    pub(crate) k: NonZeroU32,
    /// Categories that are in no customer's data, and that no store is told its cards buy in.
    pub(crate) sensitive_categories: BTreeSet<String>,
}

impl Default for Privacy {
    fn default() -> Self {
        Self {
            k: PRIVACY_K_DEFAULT,
            sensitive_categories: BTreeSet::new(),
        }
    }
}

/// The table `[customers]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Customers {
    /// Which rows are flagged, in the language of data tests.
    pub(crate) flagged: Option<String>,
    /// The file of what is known of customers beside their rows.
    pub(crate) dimension: Option<PathBuf>,
}

/// The table `[shards]`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Shards {
    /// Runs that the partitions of a dataset are cut into, 1 to 1,024.
    pub(crate) runs: u16,
}

impl Default for Shards {
    fn default() -> Self {
        Self { runs: RUNS_DEFAULT }
    }
}

/// The table `[regions]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Regions {
    /// The file of the tree of regions, for builds that name none themselves.
    pub(crate) file: Option<PathBuf>,
}

/// The table `[series]`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Series {
    /// Files of side series, for builds that name none themselves.
    pub(crate) files: Vec<PathBuf>,
    /// A series that ends so many days before the last business day is stale; 0: none is.
    pub(crate) stale_after_days: u32,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            stale_after_days: STALE_AFTER_DAYS_DEFAULT,
        }
    }
}

impl Config {
    /// Reads the file, or returns the defaults without one.
    pub(crate) fn read(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let name = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| UsageError(format!("--config {name}: {error}")))?;
        let config: Self = toml::from_str(&text).map_err(|error| {
            let before = error.span().map_or("", |span| &text[..span.start]);
            let line = 1 + before.matches('\n').count();
            UsageError(format!("--config {name}: line {line}: {}", error.message()))
        })?;
        config
            .check()
            .map_err(|problem| UsageError(format!("--config {name}: {problem}")))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let runs = self.shards.runs;
        if !(1..=PARTITIONS).contains(&runs) {
            return Err(format!("shards.runs: {runs} is not from 1 to {PARTITIONS}"));
        }
        let sound = self.loyalty.regular().and(self.loyalty.returning());
        sound.map_err(|error| error.to_string())?;
        self.server.check(&self.access)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../nightshard.example.toml");

    /// Returns the example with its optional keys and tables, too.
    fn with_optional() -> String {
        let is_toml = |text: &str| {
            let name = text.split_once(" = ").map(|(name, _)| name);
            let is_key = |name: &str| name.chars().all(|it| it.is_ascii_lowercase() || it == '_');
            name.is_some_and(is_key) || (text.starts_with('[') && text.ends_with(']'))
        };
        let lines = EXAMPLE.lines().map(|line| match line.strip_prefix("# ") {
            Some(optional) if is_toml(optional) => optional,
            _ => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_example_states_the_defaults() {
        let example: Config = toml::from_str(EXAMPLE).unwrap();
        assert_eq!(format!("{example:?}"), format!("{:?}", Config::default()));
        let tables: toml::Table = toml::from_str(&with_optional()).unwrap();
        let named: Vec<&str> = tables.keys().map(String::as_str).collect();
        let mut expected = [
            "histogram",
            "loyalty",
            "privacy",
            "customers",
            "shards",
            "regions",
            "series",
            "data_tests",
            "gate",
            "storage",
            "controller",
            "fetch",
            "server",
            "access",
        ];
        expected.sort_unstable();
        assert_eq!(named, expected);
    }

    #[test]
    fn what_the_example_leaves_open_may_be_set() {
        let example: Config = toml::from_str(&with_optional()).unwrap();
        let controller = example.controller.as_ref().unwrap();
        // What has no default, as the example has it.
        let expected = ControllerConfig {
            repository: "repository".into(),
            publish_to: controller.publish_to.clone(),
            pack: controller.pack.clone(),
            reclaim: controller.reclaim,
            build: controller.build.clone(),
            token_file: controller.token_file.clone(),
            listen: controller.listen,
            webhook: controller.webhook.clone(),
            ..ControllerConfig::default()
        };
        assert_eq!(format!("{controller:?}"), format!("{expected:?}"));
        example.check().unwrap();
    }

    #[test]
    fn rules_of_loyalty_out_of_bounds_name_their_key() {
        for (keys, problem) in [
            (
                "regular_days = 400",
                "loyalty.regular_days: 400 is not from 1 to 366",
            ),
            (
                "regular_days = 30\nregular_visits = 31",
                "loyalty.regular_visits: 31 is not from 1 to 30",
            ),
            (
                "absence_days = 0",
                "loyalty.absence_days: 0 is not from 1 to 3650",
            ),
            (
                "repeat_days = [30, 7]",
                "loyalty.repeat_days: 7 stands behind 30: the numbers ascend",
            ),
            (
                "first_days = 4000",
                "loyalty.first_days: 4000 is not from 0 to 3650",
            ),
        ] {
            let config: Config = toml::from_str(&format!("[loyalty]\n{keys}")).unwrap();
            assert_eq!(config.check(), Err(problem.to_owned()));
        }
    }
}
