//! Of what a token lets its bearer see figures.

use std::{fmt, str::FromStr};

use nightshard_format::record::is_customer_key;

use super::AccessError;

/// Ids of stores have no more bytes.
const ID_LEN_MAX: usize = 1_024;

/// Of what a token lets its bearer see figures.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// One store, by its id.
    Store(String),
    /// All stores of a merchant, by its id.
    Merchant(String),
    /// Who stores are, and what of them is safe to show to anyone.
    App,
    /// Everything but customers.
    Analyst,
    /// All customers, and nothing else.
    Customers,
    /// One customer, by its pseudonym.
    Customer(String),
    /// No figures, but what servers do.
    Admin,
}

/// What scopes are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScopeKind {
    Store,
    Merchant,
    App,
    Analyst,
    Customer,
    Admin,
}

impl ScopeKind {
    /// All kinds, in their order.
    pub(crate) const ALL: [Self; 6] = [
        Self::Store,
        Self::Merchant,
        Self::App,
        Self::Analyst,
        Self::Customer,
        Self::Admin,
    ];

    /// Returns the word that a scope of this kind begins with.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Merchant => "merchant",
            Self::App => "app",
            Self::Analyst => "analyst",
            Self::Customer => "customer",
            Self::Admin => "admin",
        }
    }
}

impl Scope {
    /// Returns the kind.
    pub(crate) fn kind(&self) -> ScopeKind {
        match self {
            Self::Store(_) => ScopeKind::Store,
            Self::Merchant(_) => ScopeKind::Merchant,
            Self::App => ScopeKind::App,
            Self::Analyst => ScopeKind::Analyst,
            Self::Customers | Self::Customer(_) => ScopeKind::Customer,
            Self::Admin => ScopeKind::Admin,
        }
    }
}

impl FromStr for Scope {
    type Err = AccessError;

    fn from_str(text: &str) -> Result<Self, AccessError> {
        let id = |id: &str| {
            let is_id = (1..=ID_LEN_MAX).contains(&id.len());
            is_id.then(|| id.to_owned()).ok_or(AccessError::Scope)
        };
        Ok(match (text.split_once(':'), text) {
            (Some(("store", store)), _) => Self::Store(id(store)?),
            (Some(("merchant", merchant)), _) => Self::Merchant(id(merchant)?),
            (None, "app") => Self::App,
            (None, "analyst") => Self::Analyst,
            (Some(("customer", pseudonym)), _) if is_customer_key(pseudonym.as_bytes()) => {
                Self::Customer(pseudonym.to_owned())
            }
            (None, "customer") => Self::Customers,
            (None, "admin") => Self::Admin,
            _ => return Err(AccessError::Scope),
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind().as_str();
        match self {
            Self::Store(id) | Self::Merchant(id) | Self::Customer(id) => write!(f, "{kind}:{id}"),
            _ => f.write_str(kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for text in [
            "store:a",
            "store:b/1 é: x",
            "merchant:m:1",
            "app",
            "analyst",
            "customer",
            "customer:00112233445566778899aabbccddeeff",
            "admin",
        ] {
            let scope: Scope = text.parse().unwrap();
            assert_eq!(scope.to_string(), text);
            assert!(text.starts_with(scope.kind().as_str()));
        }
        let long = format!("store:{}", "x".repeat(ID_LEN_MAX + 1));
        let large = format!("customer:{}", "AB".repeat(16));
        for wrong in [
            "",
            "store",
            "store:",
            "app:x",
            "Analyst",
            "admin ",
            "customer:",
            "customer:4711",
            &large,
            &long,
        ] {
            assert!(wrong.parse::<Scope>().is_err(), "{wrong}");
        }
    }
}
