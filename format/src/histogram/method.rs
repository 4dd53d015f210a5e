//! How a histogram is cut: configuration of a build, named in its manifest.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The method that finds the bins of a histogram.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The optimum, by dynamic programming ([`super::v_optimal`]).
    #[default]
    Exact,
    /// Nearly the optimum, by hill climbing ([`super::climb`]).
    Climb,
}

impl Method {
    /// Returns the name, as configurations and manifests have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Climb => "climb",
        }
    }
}

/// The error of parsing a [`Method`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown histogram method {actual:?}, expected exact or climb")]
pub struct UnknownMethod {
    /// What was given.
    pub actual: String,
}

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "exact" => Ok(Self::Exact),
            "climb" => Ok(Self::Climb),
            _ => Err(UnknownMethod {
                actual: name.to_owned(),
            }),
        }
    }
}
