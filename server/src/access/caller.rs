//! Who asks: which resources they may, and which stores they see.

use hyper::StatusCode;
use nightshard_format::{
    privacy::Privacy,
    record::{MERCHANTS, STORES, StoreProfile},
};
use xxhash_rust::xxh3::xxh3_64;

use super::scope::{Scope, ScopeKind};
use crate::{
    api::route::{Part, Route},
    problem::Problem,
};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    scope: Scope,
    /// Figures that can tell of fewer cards are hidden from whom they are not whole.
    privacy: Privacy,
}

/// What a resource shows, as far as it matters to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// What is no figure of a store: who, where, which.
    Names,
    /// Figures of single stores and merchants, of which the caller's own are shown.
    Stores,
    /// Figures of many stores together, which may be protected.
    Places,
    /// What customers paid.
    Customers,
    /// Everything else about the data.
    Data,
    /// What the server does.
    Server,
}

impl Caller {
    pub(super) fn new(scope: Scope, privacy: Privacy) -> Self {
        Self { scope, privacy }
    }

    /// Returns what the caller is counted by.
    pub(crate) fn kind(&self) -> ScopeKind {
        self.scope.kind()
    }

    /// Returns what tells apart what callers are answered: 0 for who sees everything.
    pub(crate) fn tag(&self) -> u64 {
        match self.scope {
            Scope::Analyst => 0,
            _ => xxh3_64(format!("{} {}", self.privacy.k(), self.scope).as_bytes()),
        }
    }

    /// Checks that the caller may ask for a resource, whichever store it names.
    ///
    /// # Errors
    /// 403 that says why not, if not.
    pub(crate) fn check(&self, route: &Route<'_>) -> Result<(), Problem> {
        use Scope::{Admin, Analyst, App, Customer, Customers, Merchant, Store};
        // Each lookup of a batch is checked by itself.
        if *route == Route::Batch {
            return Ok(());
        }
        match (&self.scope, Shows::of(route)) {
            (_, Shows::Customers) if !matches!(self.scope, Customers | Customer(_)) => {
                Err(self.no_customers())
            }
            (Analyst, _)
            | (Customers | Customer(_), Shows::Customers)
            | (Store(_) | Merchant(_), Shows::Names | Shows::Stores | Shows::Places)
            | (App, Shows::Names | Shows::Places)
            | (Admin, Shows::Server) => Ok(()),
            (Store(_) | Merchant(_) | App, Shows::Stores | Shows::Data) if self.hides() => {
                Err(self.hidden())
            }
            (Store(_) | Merchant(_) | App, Shows::Stores | Shows::Data) => Ok(()),
            _ => Err(self.forbidden()),
        }
    }

    /// Checks that the caller may see what a generation tells of places and the market, by how many cards
    /// hide one another in it.
    ///
    /// # Errors
    /// 403 that says why not, if not.
    pub(crate) fn check_places(&self, told: Privacy) -> Result<(), Problem> {
        if self.sees_market() || told.k() >= self.privacy.k() {
            return Ok(());
        }
        Err(self.hidden())
    }

    fn hides(&self) -> bool {
        self.privacy.is_protecting()
    }

    /// Returns the problem of figures that the caller may not see as they are.
    pub(crate) fn hidden(&self) -> Problem {
        let kind = self.kind().as_str();
        let detail = format!("the scope {kind} may not see exact figures");
        Problem::new(StatusCode::FORBIDDEN, detail)
    }

    /// Returns the problem of customers, which are for tokens that say so.
    fn no_customers(&self) -> Problem {
        let kind = self.kind().as_str();
        let detail =
            format!("the scope {kind} may not see customers: a token of customers is needed");
        Problem::new(StatusCode::FORBIDDEN, detail)
    }

    /// Returns the problem of what the caller has no business with.
    pub(crate) fn forbidden(&self) -> Problem {
        let kind = self.kind().as_str();
        Problem::new(
            StatusCode::FORBIDDEN,
            format!("the scope {kind} may not ask this"),
        )
    }

    /// Returns whether the caller sees who stores are, and none of their figures.
    pub(crate) fn sees_names_only(&self) -> bool {
        self.hides() && self.scope == Scope::App
    }

    /// Returns whether the caller sees exact figures of everything together.
    pub(crate) fn sees_market(&self) -> bool {
        !self.hides() || self.scope == Scope::Analyst
    }

    /// Returns whether the caller may find regions and categories by their names.
    pub(crate) fn sees_places(&self) -> bool {
        !self.hides() || matches!(self.scope, Scope::Analyst | Scope::App)
    }

    /// Returns the only stores that the caller sees, or `None` for who sees all.
    pub(crate) fn stores(&self) -> Option<Covered<'_>> {
        match &self.scope {
            Scope::Analyst | Scope::App => None,
            Scope::Store(id) => Some(Covered::One(id)),
            Scope::Merchant(id) => Some(Covered::Merchants(id)),
            Scope::Customers | Scope::Customer(_) | Scope::Admin => Some(Covered::Nothing),
        }
    }

    /// Returns whether the caller sees the books of a merchant of several stores, by its id. One of its stores does
    /// not make them one's own.
    pub(crate) fn sees_merchant(&self, id: &[u8]) -> bool {
        match &self.scope {
            Scope::Analyst | Scope::App => true,
            Scope::Merchant(own) => own.as_bytes() == id,
            Scope::Store(_) | Scope::Customers | Scope::Customer(_) | Scope::Admin => false,
        }
    }

    /// Returns whether the caller sees a customer, by the key of its record.
    pub(crate) fn sees_customer(&self, key: &[u8]) -> bool {
        match &self.scope {
            Scope::Customers => true,
            Scope::Customer(own) => own.as_bytes() == key,
            _ => false,
        }
    }
}

/// The stores that a token covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Covered<'a> {
    /// The one of this id.
    One(&'a str),
    /// Those of the merchant of this id.
    Merchants(&'a str),
    /// None.
    Nothing,
}

impl Covered<'_> {
    /// Returns whether a store is one of them, by its id alone if that says it.
    pub(crate) fn has_id(self, id: &[u8]) -> Option<bool> {
        match self {
            Self::One(own) => Some(own.as_bytes() == id),
            Self::Merchants(_) => None,
            Self::Nothing => Some(false),
        }
    }

    /// Returns whether a store is one of them.
    pub(crate) fn has(self, id: &[u8], profile: &StoreProfile) -> bool {
        match self {
            Self::Merchants(own) => profile.merchant_id.as_deref() == Some(own),
            _ => self.has_id(id) == Some(true),
        }
    }
}

impl Shows {
    fn of(route: &Route<'_>) -> Self {
        match route {
            Route::Series { dataset, part, .. } => match (*dataset, *part) {
                (STORES, Part::Profile) => Self::Names,
                (STORES | MERCHANTS, _) => Self::Stores,
                _ => Self::Places,
            },
            Route::Stores
            | Route::Search
            | Route::SideSeries
            | Route::Generation
            | Route::Catalog(_)
            | Route::Batch
            | Route::OpenApi
            | Route::Docs => Self::Names,
            Route::UnitPrices | Route::Merchants => Self::Stores,
            Route::Customer(_) => Self::Customers,
            Route::Places { .. } => Self::Places,
            Route::Packed { .. } | Route::Quality => Self::Data,
            Route::Health | Route::Ready | Route::Metrics => Self::Server,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(scope: &str, k: u64) -> Caller {
        Caller::new(scope.parse().unwrap(), Privacy::new(k).unwrap())
    }

    #[test]
    fn a_token_covers_its_own_stores() {
        let profile = |merchant: Option<&str>| StoreProfile {
            merchant_id: merchant.map(str::to_owned),
            ..StoreProfile::default()
        };
        for (scope, id, merchant, expected) in [
            ("store:a", "a", None, true),
            ("store:a", "ab", None, false),
            ("store:a", "b", Some("a"), false),
            ("merchant:m", "a", Some("m"), true),
            ("merchant:m", "m", None, false),
            ("merchant:m", "a", Some("n"), false),
            ("customer", "a", Some("m"), false),
            ("admin", "a", None, false),
        ] {
            let caller = caller(scope, 10);
            let covered = caller.stores().unwrap();
            let has = covered.has(id.as_bytes(), &profile(merchant));
            assert_eq!(has, expected, "{scope} {id}");
            let by_id = covered.has_id(id.as_bytes());
            assert!(by_id.is_none_or(|by_id| by_id == expected), "{scope} {id}");
        }
        for all in ["analyst", "app"] {
            assert_eq!(caller(all, 10).stores(), None);
        }
    }

    #[test]
    fn places_are_shown_that_hide_at_least_what_the_server_hides() {
        for (scope, k, told, expected) in [
            ("app", 10, 1, false),
            ("app", 10, 9, false),
            ("app", 10, 10, true),
            ("store:a", 10, 20, true),
            ("merchant:a", 10, 1, false),
            ("merchant:a", 1, 1, true),
            ("analyst", 10, 1, true),
        ] {
            let is_shown = caller(scope, k).check_places(Privacy::new(told).unwrap());
            assert_eq!(is_shown.is_ok(), expected, "{scope} {k} {told}");
        }
    }

    #[test]
    fn the_books_of_a_merchant_are_seen_by_its_own_token_and_by_who_sees_all() {
        for (scope, sees) in [
            ("merchant:m", [true, false]),
            ("store:m", [false, false]),
            ("analyst", [true, true]),
            ("admin", [false, false]),
        ] {
            let caller = caller(scope, 10);
            let seen = ["m", "n"].map(|id| caller.sees_merchant(id.as_bytes()));
            assert_eq!(seen, sees, "{scope}");
        }
        // What an app sees of them is asked before: nothing, unless nothing is hidden.
        let route = Route::parse("/v1/merchants/m").unwrap();
        assert!(caller("app", 10).check(&route).is_err());
        assert!(caller("app", 1).check(&route).is_ok());
    }

    #[test]
    fn a_customer_is_seen_by_its_own_token_and_that_of_all() {
        let [own, other] = ["0f".repeat(16), "f0".repeat(16)];
        for (scope, sees) in [
            ("customer", [true, true]),
            (&*format!("customer:{own}"), [true, false]),
            (&*format!("store:{own}"), [false, false]),
            ("analyst", [false, false]),
            ("admin", [false, false]),
        ] {
            let caller = caller(scope, 10);
            let seen = [&own, &other].map(|key| caller.sees_customer(key.as_bytes()));
            assert_eq!(seen, sees, "{scope}");
            let route = Route::Customer(own.as_bytes().into());
            assert_eq!(caller.check(&route).is_ok(), sees[0], "{scope}");
        }
    }

    #[test]
    fn callers_who_are_answered_alike_have_one_tag() {
        let mut tags: Vec<u64> = Vec::new();
        for (scope, k) in [
            ("analyst", 10),
            ("app", 10),
            ("app", 1),
            ("store:a", 10),
            ("store:b", 10),
            ("merchant:a", 10),
            ("customer", 10),
            ("customer:00112233445566778899aabbccddeeff", 10),
        ] {
            let tag = caller(scope, k).tag();
            assert_eq!(tag, caller(scope, k).tag());
            assert!(!tags.contains(&tag), "{scope}");
            tags.push(tag);
        }
        assert_eq!(caller("analyst", 10).tag(), caller("analyst", 1).tag());
        assert_eq!(tags[0], 0);
    }
}
