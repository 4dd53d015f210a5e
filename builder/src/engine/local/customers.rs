//! Customers, where they are kept: cards from all stores together, then to shards by their keys.

use std::sync::atomic::{AtomicU16, Ordering};

use nightshard_format::key::PARTITIONS;

use super::Engine;
use crate::{
    Result,
    build::Stage,
    customers::Customers,
    emit::{self, CustomerShards, CustomersReport, Staged, StoreFacts},
    exchange::{Exchanged, Outbox},
    kernel::{
        customer_partition::{self, SensitiveStores, SentCustomers},
        customer_row::CustomerRow,
        customer_scan::CustomerScan,
        store_partition::CARD_PARTITIONS,
    },
};

impl Engine<'_> {
    /// Makes what marks rows and names cards for one thread, where customers are kept.
    pub(super) fn customer_scan(&self) -> Option<CustomerScan<'_>> {
        let customers = self.plan.customers.as_ref()?;
        let budget = self.shares.customers;
        Some(CustomerScan::new(customers, budget, &self.scratch))
    }

    /// Makes the buffers of the exchange of customers by card, where they are kept.
    pub(super) fn customer_outbox(&self) -> Option<Outbox<CustomerRow>> {
        let outbox = || {
            let partitions = CARD_PARTITIONS.into();
            Outbox::new(partitions, self.shares.customers, &self.scratch)
        };
        self.plan.customers.as_ref().map(|_| outbox())
    }

    /// Writes the customers that were sent, but for what they paid in stores of sensitive categories.
    pub(super) fn write_customers(
        &self,
        customers: &Customers,
        sent: &SentCustomers,
        stores: &[StoreFacts],
    ) -> Result<(Vec<Staged>, CustomersReport)> {
        let is_sensitive = |store: &&StoreFacts| {
            let category = store.category.as_ref();
            category.is_some_and(|it| self.plan.sensitive_categories.contains(it))
        };
        let sensitive = stores.iter().filter(is_sensitive);
        let sensitive = sensitive.map(|store| store.ordinal).collect();
        let by_key = self.name_customers(sent, &sensitive)?;
        let mut shards = CustomerShards::new(&self.staging);
        self.in_order(
            0..PARTITIONS,
            |partition| emit::encode_customers(&by_key, partition, customers),
            |records| {
                self.progress.advance(1);
                shards.add(&records)
            },
        )?;
        shards.finish(customers.table.len() as u64)
    }

    /// Sends all customers to the partitions of their keys.
    fn name_customers(
        &self,
        sent: &SentCustomers,
        sensitive: &SensitiveStores,
    ) -> Result<Exchanged<CustomerRow>> {
        let steps = u64::from(CARD_PARTITIONS) + u64::from(PARTITIONS);
        self.progress.begin(Stage::Customers, steps);
        let next = AtomicU16::new(0);
        let outboxes = self.on_all_threads(|| {
            let mut outbox = Outbox::new(PARTITIONS.into(), self.shares.customers, &self.scratch);
            loop {
                let partition = next.fetch_add(1, Ordering::Relaxed);
                if partition >= CARD_PARTITIONS {
                    return Ok(outbox);
                }
                let budget = self.shares.partition;
                customer_partition::reduce(sent, partition, sensitive, budget, &mut outbox)?;
                self.progress.advance(1);
            }
        })?;
        Exchanged::new(outboxes)
    }
}
