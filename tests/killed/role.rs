//! Who is killed, and the steps of each.

/// A kind of process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// `build` into the repository.
    Build,
    /// `publish` of a generation of another repository.
    Publish,
    /// `controller --once`.
    Night,
    /// The build that a controller has begun, which tries again.
    NightsBuild,
    /// `rollback` to what was current before.
    Rollback,
    /// `reclaim` of everything that nobody needs.
    Reclaim,
    /// `serve` with a cache.
    Serve,
}

/// What each of those who publish writes and withdraws, in order.
const PUBLISHING: &[&str] = &[
    "PUT intents",
    "PUT blobs",
    "PUT beside",
    "PUT manifest",
    "PUT selections",
    "DELETE intents",
];
/// What a build does of it that is not to select.
const BUILDING: &[&str] = &[
    "PUT intents",
    "PUT blobs",
    "PUT beside",
    "PUT manifest",
    "DELETE intents",
];
const NIGHT: &[&str] = &[
    "PUT leases",
    "PUT runs",
    "PUT intents",
    "PUT blobs",
    "PUT beside",
    "PUT manifest",
    "PUT selections",
    "DELETE intents",
    "PUT marks",
];
const ROLLING_BACK: &[&str] = &[
    "PUT marks",
    "PUT intents",
    "PUT selections",
    "DELETE intents",
];
const RECLAIMING: &[&str] = &[
    "PUT condemned",
    "PUT marks",
    "DELETE manifest",
    "DELETE beside",
    "DELETE blobs",
    "DELETE condemned",
];
const SERVING: &[&str] = &["GET manifest", "GET blobs", "swap", "scrub"];

impl Role {
    pub(crate) const ALL: [Self; 7] = [
        Self::Build,
        Self::Publish,
        Self::Night,
        Self::NightsBuild,
        Self::Rollback,
        Self::Reclaim,
        Self::Serve,
    ];

    /// Returns the steps at which it is killed.
    pub(crate) fn steps(self) -> &'static [&'static str] {
        match self {
            Self::Build | Self::Publish => PUBLISHING,
            Self::Night => NIGHT,
            Self::NightsBuild => BUILDING,
            Self::Rollback => ROLLING_BACK,
            Self::Reclaim => RECLAIMING,
            Self::Serve => SERVING,
        }
    }
}
