//! What is asked of each resource, at random.

mod lists;
mod places;
mod stores;

use crate::{
    dice::Dice,
    support::{Server, client::Client},
};

/// Whether places and the market are told exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing is hidden.
    Exactly,
    /// Answers about places are protected.
    Protected,
}

/// A request of one resource.
pub(crate) enum Asked {
    /// What is asked for by its path alone.
    Get(String),
    /// Lookups in one request.
    Batch(String),
}

impl Asked {
    /// Asks, and returns how long the answer's body is.
    pub(crate) fn ask(&self, client: &mut Client) -> usize {
        let (_generation, body) = match self {
            Self::Get(target) => client.ask(target),
            Self::Batch(body) => client.post("/v1/batch", body),
        };
        body.len()
    }
}

/// Makes a request of a resource.
type Ask = fn(&World, &mut Dice) -> Asked;

/// A resource, and how a request of it is made.
pub(crate) struct Resource {
    pub(crate) name: &'static str,
    pub(crate) asked: Ask,
    /// Whether its 99th percentile is to be under [`AIM_MS`].
    pub(crate) is_aimed: bool,
}

/// The aim for the statistics of a store and of the market over any days, in milliseconds.
pub(crate) const AIM_MS: f64 = 1.0;

impl Resource {
    const fn new(name: &'static str, asked: Ask) -> Self {
        Self {
            name,
            asked,
            is_aimed: false,
        }
    }

    const fn aimed(name: &'static str, asked: Ask) -> Self {
        Self {
            name,
            asked,
            is_aimed: true,
        }
    }
}

/// What there is to be asked about.
pub(crate) struct World {
    stores: Vec<String>,
    regions: Vec<String>,
    /// Those that others are parts of.
    provinces: Vec<String>,
    categories: Vec<String>,
    merchants: Vec<String>,
    tiles: Vec<String>,
}

impl World {
    /// Asks a server what it has; there are tiles where all is told exactly.
    pub(crate) fn ask(server: &Server, told: Told) -> Self {
        let mut client = Client::connect(server.address);
        let mut ids = |list: &str| {
            let (_generation, body) = client.ask(&format!("/v1/{list}limit=1000"));
            let list: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let rows = list["data"]["rows"].as_array().unwrap().iter();
            let ids = rows.map(|row| row["id"].as_str().unwrap());
            ids.map(encoded).collect::<Vec<_>>()
        };
        Self {
            stores: ids("stores?"),
            regions: ids("regions?"),
            provinces: ids("regions?parent=&"),
            categories: ids("categories?"),
            merchants: ids("merchants?"),
            tiles: match told {
                Told::Exactly => ids("tiles?"),
                Told::Protected => Vec::new(),
            },
        }
    }
}

/// Encodes an id for a path, but the slash of a tile's, which parts two segments.
fn encoded(id: &str) -> String {
    let is_tile = id.bytes().all(|byte| byte.is_ascii_digit() || byte == b'/');
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || (is_tile && byte == b'/');
    let encode = |byte: u8| match is_plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    id.bytes().map(encode).collect()
}

/// Returns the resources that are told.
pub(crate) fn of(told: Told) -> impl Iterator<Item = &'static Resource> {
    let always = stores::STORES.iter().chain(places::ALWAYS);
    let exactly = places::EXACTLY.iter().chain(lists::EXACTLY);
    always
        .chain(lists::ALWAYS)
        .chain(exactly.filter(move |_| told == Told::Exactly))
}
