//! Data tests as the configuration declares them.

use std::path::PathBuf;

use nightshard_format::quality::Severity;
use serde::Deserialize;

/// One table `[[data_tests]]` of the configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Definition {
    /// Its name; by default the test and its columns.
    pub name: Option<String>,
    /// What is tested.
    pub test: Option<String>,
    /// The canonical field that the test is about.
    pub column: Option<String>,
    /// Several fields, which together are unique.
    pub columns: Option<Vec<String>>,
    /// What becomes of a build that fails.
    pub severity: Severity,
    /// The rows that are tested: those of which this is true.
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// So many rows may fail.
    pub max_failures: Option<u64>,
    /// Such a share of the rows tested may fail.
    pub max_share: Option<f64>,
    /// The values of `accepted_values`.
    pub values: Option<Vec<toml::Value>>,
    /// The least value of `range`.
    pub min: Option<toml::Value>,
    /// The largest value of `range`.
    pub max: Option<toml::Value>,
    /// The file of `references`.
    pub file: Option<PathBuf>,
    /// The column of that file; by default of the field's name.
    pub file_column: Option<String>,
    /// What `expression` says of every row.
    pub expression: Option<String>,
}
