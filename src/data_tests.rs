//! Data tests: from the configuration, and for people.

use std::path::Path;

use nightshard_builder::{Error, data_tests::DataTests, layout::Layout, pseudonym::CardKey};
use nightshard_format::quality::{QualityReport, Status, TestResult};
use serde_json::json;

use crate::{
    config::Config,
    exit::UsageError,
    output::{Column, Table, print, print_json},
};

/// Makes the tests that a configuration file declares.
pub(crate) fn compile(
    config: &Config,
    path: Option<&Path>,
    layout: &Layout,
    card_key: &CardKey,
) -> Result<DataTests, UsageError> {
    let tests = DataTests::compile(&config.data_tests, layout, card_key.hash_seed());
    tests.map_err(|error| {
        let path = path.unwrap_or(Path::new("")).display();
        UsageError(format!("--config {path}: {error}"))
    })
}

/// Says what a failed test means for a build.
pub(crate) fn explain(error: Error) -> anyhow::Error {
    let is_refused = matches!(error, Error::DataTest { .. });
    let error = anyhow::Error::from(error);
    match is_refused {
        true => error.context("nothing is published"),
        false => error,
    }
}

/// Shows all results of a build that ended because of one.
pub(crate) fn show_refused(error: &anyhow::Error, is_json: bool, is_quiet: bool) {
    let Some(Error::DataTest { results, .. }) = error.downcast_ref() else {
        return;
    };
    // The error is told on standard error, whoever reads this or not.
    let _closed = match (is_json, is_quiet) {
        (true, _) => print_json(&json!({ "data_tests": results })),
        (false, true) => Ok(()),
        (false, false) => print(&table(results)),
    };
}

/// Returns lines about what was found out about rows; none if that is nothing.
pub(crate) fn to_text(quality: &QualityReport) -> String {
    let mut text = String::new();
    let flagged = quality.flagged.iter();
    let flagged: Vec<String> = flagged
        .map(|(flag, count)| format!("{flag} {count}"))
        .collect();
    if !flagged.is_empty() {
        text = format!("\nflagged: {}", flagged.join(", "));
    }
    if !quality.tests.is_empty() {
        text = format!("{text}\n{}", table(&quality.tests).trim_end());
    }
    text
}

fn table(results: &[TestResult]) -> String {
    let mut table = Table::new(&[
        Column::Text("data test"),
        Column::Text("status"),
        Column::Number("rows"),
        Column::Number("failures"),
        Column::Text("first at"),
    ]);
    for result in results {
        let status = match result.status {
            Status::Passed => "passed",
            Status::Warned => "WARNED",
            Status::Blocked => "BLOCKED",
            Status::Unknown => "unknown",
        };
        let first = result.first_failures.first();
        table.row([
            result.name.clone(),
            status.to_owned(),
            result.rows.to_string(),
            result.failures.to_string(),
            first.map_or_else(String::new, |row| format!("{}:{}", row.file, row.line)),
        ]);
    }
    table.to_text()
}
