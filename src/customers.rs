//! Customers: from the configuration to what a build keeps of them.

use std::path::{Path, PathBuf};

use nightshard_builder::{
    customers::{CustomerTable, Customers},
    data_tests::Condition,
    emit::CustomersReport,
    layout::Layout,
    pseudonym::CardKey,
};

use crate::{config::Config, exit::UsageError};

/// Reads what a configuration file says of customers, if it has them kept.
pub(crate) fn read(
    config: &Config,
    path: Option<&Path>,
    layout: &Layout,
    card_key: &CardKey,
) -> anyhow::Result<Option<Customers>> {
    let Some(customers) = &config.customers else {
        return Ok(None);
    };
    let compile = |text: &String| Condition::compile(text, layout, "customers.flagged");
    let flagged = customers.flagged.as_ref().map(compile).transpose();
    let flagged = flagged.map_err(|error| {
        let path = path.unwrap_or(Path::new("")).display();
        UsageError(format!("--config {path}: {error}"))
    })?;
    let read = |path: &PathBuf| CustomerTable::read(path, card_key);
    let table = customers.dimension.as_ref().map(read).transpose()?;
    Ok(Some(Customers {
        flagged,
        table: table.unwrap_or_default(),
    }))
}

/// Returns a line about how many customers there are, where they are kept.
pub(crate) fn to_text(report: Option<CustomersReport>) -> String {
    let Some(CustomersReport {
        records,
        described,
        unknown,
    }) = report
    else {
        return String::new();
    };
    format!("\n{records} customers, {described} of them described; {unknown} described have no row")
}
