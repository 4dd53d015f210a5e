//! The kernels: what turns splits into rows, and partitions of rows into records.
//!
//! A kernel knows nothing of threads, files or who runs it. [`scan`] takes parsed transactions
//! to the exchange by store; [`store_partition`] takes one partition of stores to its records,
//! and sends every card's days to the exchange by card; [`card_partition`] takes one partition
//! of cards to the market's counts, and with [`place_cards`] to those of [`places`].
//! [`currency_count`] and [`conflict_scan`] look a second time where there are several currencies, or
//! tx_ids with different content.

pub mod added_mixes;
pub mod admission;
pub mod atom_cards;
pub mod before_after;
pub mod before_after_cells;
pub mod benchmark;
mod buys_again;
pub mod by_value;
pub mod card_days;
mod card_memory;
pub mod card_order;
pub mod card_partition;
mod card_periods;
pub mod card_spending;
mod card_sums;
mod card_visits;
pub mod cardholder;
mod cell_merchants;
pub mod cells;
pub mod combinations;
pub mod conflict_scan;
mod counted_rows;
pub mod currency_count;
pub mod customer_partition;
pub mod customer_row;
pub mod customer_scan;
mod customer_sums;
mod day_hours;
pub mod dedupe;
mod demographics;
mod distances;
pub mod even_partitions;
pub mod folded;
pub mod frozen;
pub mod hiding;
mod known_combinations;
pub mod leaf_cards;
pub mod leaf_mixes;
pub mod leaf_month;
pub mod leaf_pattern;
mod loaded_rows;
pub mod loyal_places;
pub mod loyalty_row;
pub mod market;
pub mod merged_labels;
pub mod mix;
mod month_cardholders;
mod month_mixes;
mod month_settlements;
pub mod origin_cells;
pub mod origins;
pub mod period_cards;
pub mod place_atoms;
pub mod place_cardholders;
pub mod place_cards;
pub mod place_days;
pub mod place_loyalty;
pub mod place_partitions;
pub mod place_row;
pub mod places;
pub mod profile;
mod profiles;
mod quintiles;
pub mod row;
mod said;
pub mod scan;
pub mod sent_rows;
mod settlement;
pub mod sliced;
pub mod sold_to_cards;
pub mod spend_row;
pub mod spend_shares;
pub mod store_cards;
pub mod store_cells;
pub mod store_days;
pub mod store_labels;
mod store_loyalty;
mod store_order;
pub mod store_partition;
pub mod told_by_place;
