//! The canonical fields and their names.

use serde::{Deserialize, Serialize};

/// Declares [`Field`] with the name of each variant, so that neither list can miss one.
macro_rules! fields {
    ($($variant:ident $name:literal,)*) => {
        /// A field of the canonical transaction.
        ///
        /// # Shape
        /// Ordered as the canonical columns are; the order of content hashing follows it.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[non_exhaustive]
        pub enum Field {
            $(#[doc = concat!("`", $name, "`")] #[serde(rename = $name)] $variant,)*
            /// The record as a whole, where no single field is at fault.
            #[serde(skip)]
            Record,
        }

        impl Field {
            /// Returns the canonical column's name, or `record`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Record => "record",
                }
            }

            /// Returns the field of a canonical column, or `None` if there is no such column.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

fields! {
    TxId "tx_id",
    StoreId "store_id",
    CardId "card_id",
    Ts "ts",
    AmountMinor "amount_minor",
    Currency "currency",
    Category "category",
    Region "region",
    Lat "lat",
    Lon "lon",
    Installments "installments",
    CardCompany "card_company",
    Channel "channel",
    AgeBand "age_band",
    Gender "gender",
    Segment "segment",
    MerchantId "merchant_id",
    CustomerId "customer_id",
    PointsUsed "points_used",
    FeeMinor "fee_minor",
    DepositMinor "deposit_minor",
    SettlesOn "settles_on",
    Status "status",
    OriginalTxId "original_tx_id",
    Country "country",
    IsForeign "is_foreign",
    DeviceId "device_id",
    PaymentMethod "payment_method",
    Campaign "campaign",
    Source "source",
    Product "product",
}
