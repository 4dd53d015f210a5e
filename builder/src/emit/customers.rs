//! The shards of customers.

use nightshard_format::{
    record::{CUSTOMERS, encode_customer},
    shard::Span,
};
use serde::Serialize;

use super::{
    run_shards::RunShards,
    shard_set::{Staged, Staging},
};
use crate::{
    Result,
    customers::Customers,
    exchange::Exchanged,
    kernel::{
        customer_partition::{key_of, take},
        customer_row::CustomerRow,
    },
};

/// The records of one partition, in the order of a shard's keys.
pub struct CustomerRecords(Vec<CustomerRecord>);

struct CustomerRecord {
    pseudonym: u128,
    value: Vec<u8>,
    is_described: bool,
}

/// How many customers there are: all that is told of them outside their dataset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CustomersReport {
    /// Customers that have a record.
    pub records: u64,
    /// Those of them that the dimension file has.
    pub described: u64,
    /// Customers of the dimension file that have no record.
    pub unknown: u64,
}

/// Encodes the customers of one partition of keys.
///
/// # Errors
/// [`crate::Error::File`] if the scratch folder cannot be read.
pub fn encode(
    sent: &Exchanged<CustomerRow>,
    partition: u16,
    customers: &Customers,
) -> Result<CustomerRecords> {
    let has_flags = customers.flagged.is_some();
    let encode = |row: CustomerRow| {
        let attributes = customers.table.attributes(row.id);
        let mut value = Vec::new();
        let known = attributes.as_deref().unwrap_or_default();
        encode_customer(&row.sums.figures(has_flags), known, &mut value)?;
        Ok(CustomerRecord {
            pseudonym: row.id,
            value,
            is_described: attributes.is_some(),
        })
    };
    let rows = take(sent, partition)?.into_iter();
    Ok(CustomerRecords(rows.map(encode).collect::<Result<_>>()?))
}

/// Takes the records of customers, partition after partition, to shards.
pub struct CustomerShards<'a> {
    shards: RunShards<'a>,
    report: CustomersReport,
}

impl<'a> CustomerShards<'a> {
    /// Starts writing into `staging`.
    #[must_use]
    pub fn new(staging: &'a Staging) -> Self {
        Self {
            shards: RunShards::new(staging, CUSTOMERS),
            report: CustomersReport::default(),
        }
    }

    /// Adds the next partition.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub fn add(&mut self, partition: &CustomerRecords) -> Result<()> {
        for record in &partition.0 {
            let key = key_of(record.pseudonym);
            self.shards.append(Span::Current, &key, &record.value)?;
            self.report.records += 1;
            self.report.described += u64::from(record.is_described);
        }
        Ok(())
    }

    /// Ends all shards; `described` customers are in the dimension file.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub fn finish(mut self, described: u64) -> Result<(Vec<Staged>, CustomersReport)> {
        self.report.unknown = described.saturating_sub(self.report.described);
        Ok((self.shards.finish()?, self.report))
    }
}
