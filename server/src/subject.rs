//! Whom figures are of: a store, a market, a place or a merchant.

use nightshard_format::record::{CATEGORIES, MERCHANTS, REGION_CATEGORIES, REGIONS, STORES, TILES};

use crate::problem::Problem;

/// A store, market, region, category, category of a region, tile, or merchant, whether or not there is such a one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The dataset that it is of.
    pub(crate) dataset: &'static str,
    /// Its key in there.
    pub(crate) key: &'a [u8],
}

impl<'a> Subject<'a> {
    /// Returns the id: of a category in a region, that of the category.
    pub(crate) fn id(self) -> &'a [u8] {
        self.ids_of_both()
            .map_or(self.key, |(_, category)| category)
    }

    /// Returns the region of a category in a region.
    pub(crate) fn region(self) -> Option<&'a [u8]> {
        self.ids_of_both().map(|(region, _)| region)
    }

    /// Returns whether it is of the stores of many merchants, so that it may be protected: what is of a store or a
    /// merchant is somebody's own books.
    pub(crate) fn is_of_many(self) -> bool {
        ![STORES, MERCHANTS].contains(&self.dataset)
    }

    fn ids_of_both(self) -> Option<(&'a [u8], &'a [u8])> {
        if self.dataset != REGION_CATEGORIES {
            return None;
        }
        let end = self.key.iter().position(|byte| *byte == 0)?;
        Some((&self.key[..end], &self.key[end + 1..]))
    }

    /// Returns the problem of one that there is not.
    pub(crate) fn missing(self) -> Problem {
        let kind = match self.dataset {
            STORES => "store",
            REGIONS => "region",
            CATEGORIES => "category",
            REGION_CATEGORIES => "category in such a region",
            TILES => "tile with a store",
            MERCHANTS => "merchant of several stores",
            _ => "market",
        };
        Problem::not_found(format!("there is no such {kind}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_in_a_region_has_the_ids_of_both() {
        let subject = |dataset, key| Subject { dataset, key };
        let both = subject(REGION_CATEGORIES, b"leeds\0food");
        assert_eq!(
            (both.region(), both.id()),
            (Some(&b"leeds"[..]), &b"food"[..])
        );
        let region = subject(REGIONS, b"leeds");
        assert_eq!((region.region(), region.id()), (None, &b"leeds"[..]));
    }
}
