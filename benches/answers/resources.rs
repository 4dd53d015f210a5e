//! What is asked of each resource, at random.

use crate::support::{Server, client::Client};

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

/// A resource, and how a request of it is made.
pub(crate) struct Resource {
    pub(crate) name: &'static str,
    pub(crate) asked: fn(&World, &mut Dice) -> Asked,
}

/// What there is to be asked about.
pub(crate) struct World {
    stores: Vec<String>,
    regions: Vec<String>,
    categories: Vec<String>,
    merchants: Vec<String>,
    tiles: Vec<String>,
}

impl World {
    /// Asks a server what it has; there are tiles where all is told exactly.
    pub(crate) fn ask(server: &Server, told: Told) -> Self {
        let mut client = Client::connect(server.address);
        let mut ids = |list: &str| {
            let (_generation, body) = client.ask(&format!("/v1/{list}?limit=1000"));
            let list: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let rows = list["data"]["rows"].as_array().unwrap().iter();
            let ids = rows.map(|row| row["id"].as_str().unwrap());
            ids.map(encoded).collect::<Vec<_>>()
        };
        Self {
            stores: ids("stores"),
            regions: ids("regions"),
            categories: ids("categories"),
            merchants: ids("merchants"),
            tiles: match told {
                Told::Exactly => ids("tiles"),
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

/// Numbers that look random, the same in each run (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let limit = u64::try_from(limit).unwrap();
        usize::try_from((mixed ^ (mixed >> 31)) % limit).unwrap()
    }

    fn one_of<'a>(&mut self, all: &'a [String]) -> &'a str {
        &all[self.below(all.len())]
    }

    /// Returns a day of the five years.
    fn day(&mut self) -> String {
        let (year, month, day) = (self.below(5), self.below(12), self.below(28));
        format!("{}-{:02}-{:02}", 2014 + year, month + 1, day + 1)
    }

    /// Returns the parameters of a range of days.
    fn range(&mut self) -> String {
        let mut ends = [self.day(), self.day()];
        ends.sort_unstable();
        format!("min_date={}&max_date={}", ends[0], ends[1])
    }

    fn month(&mut self) -> String {
        format!("{}-{:02}", 2014 + self.below(5), self.below(12) + 1)
    }

    fn year(&mut self) -> String {
        (2014 + self.below(5)).to_string()
    }
}

fn of_store(world: &World, dice: &mut Dice, rest: &str) -> Asked {
    Asked::Get(format!("/v1/stores/{}{rest}", dice.one_of(&world.stores)))
}

fn of_market(rest: &str) -> Asked {
    Asked::Get(format!("/v1/markets/all/{rest}"))
}

fn of_region(world: &World, dice: &mut Dice, rest: &str) -> Asked {
    Asked::Get(format!(
        "/v1/regions/{}/{rest}",
        dice.one_of(&world.regions)
    ))
}

/// What is told of places by days, whatever is hidden, and of stores.
const ALWAYS: &[Resource] = &[
    Resource {
        name: "store",
        asked: |world, dice| of_store(world, dice, ""),
    },
    Resource {
        name: "store statistics, any range",
        asked: |world, dice| {
            let range = dice.range();
            of_store(world, dice, &format!("/statistics?group_by=all&{range}"))
        },
    },
    Resource {
        name: "store statistics, five years by month",
        asked: |world, dice| of_store(world, dice, "/statistics"),
    },
    Resource {
        name: "store statistics, a year by day",
        asked: |world, dice| {
            let year = dice.year();
            let range = format!("min_date={year}-01-01&max_date={year}-12-31");
            of_store(world, dice, &format!("/statistics?group_by=day&{range}"))
        },
    },
    Resource {
        name: "store histogram, any range",
        asked: |world, dice| {
            let range = dice.range();
            of_store(world, dice, &format!("/histogram?{range}"))
        },
    },
    Resource {
        name: "store unit price, a year",
        asked: |world, dice| {
            let year = dice.year();
            let range = format!("min_date={year}-01-01&max_date={year}-12-31");
            of_store(
                world,
                dice,
                &format!("/unit_price?window=trailing_7d&{range}"),
            )
        },
    },
    Resource {
        name: "store comparison",
        asked: |world, dice| {
            let month = dice.month();
            of_store(world, dice, &format!("/comparison?period={month}"))
        },
    },
    Resource {
        name: "store loyalty, any range",
        asked: |world, dice| {
            let range = dice.range();
            of_store(world, dice, &format!("/loyalty?{range}"))
        },
    },
    Resource {
        name: "store loyalty, a year",
        asked: |world, dice| {
            let year = dice.year();
            of_store(world, dice, &format!("/loyalty?period={year}"))
        },
    },
    Resource {
        name: "store consumption pattern, a year",
        asked: |world, dice| {
            let year = dice.year();
            of_store(world, dice, &format!("/consumption_pattern?period={year}"))
        },
    },
    Resource {
        name: "store best time, a year",
        asked: |world, dice| {
            let year = dice.year();
            of_store(world, dice, &format!("/best_time?period={year}"))
        },
    },
    Resource {
        name: "store demographics, a year",
        asked: |world, dice| {
            let year = dice.year();
            of_store(world, dice, &format!("/demographics?period={year}"))
        },
    },
    Resource {
        name: "store origins, a year",
        asked: |world, dice| {
            let year = dice.year();
            of_store(world, dice, &format!("/origins?period={year}"))
        },
    },
    Resource {
        name: "store before and after, a year",
        asked: |world, dice| {
            let year = dice.year();
            of_store(world, dice, &format!("/before_after?period={year}"))
        },
    },
    Resource {
        name: "store payment mix, a year",
        asked: |world, dice| {
            let year = dice.year();
            of_store(world, dice, &format!("/payment_mix?period={year}"))
        },
    },
    Resource {
        name: "store benchmark, a month",
        asked: |world, dice| {
            let month = dice.month();
            of_store(world, dice, &format!("/benchmark?period={month}"))
        },
    },
    Resource {
        name: "store sales by day, any range",
        asked: |world, dice| {
            let range = dice.range();
            of_store(world, dice, &format!("/sales_by_day?series=index&{range}"))
        },
    },
    Resource {
        name: "merchant statistics, any range",
        asked: |world, dice| {
            let range = dice.range();
            let merchant = dice.one_of(&world.merchants);
            Asked::Get(format!(
                "/v1/merchants/{merchant}/statistics?group_by=all&{range}"
            ))
        },
    },
    Resource {
        name: "market statistics, any range",
        asked: |_world, dice| of_market(&format!("statistics?group_by=all&{}", dice.range())),
    },
    Resource {
        name: "market statistics, five years by month",
        asked: |_world, _dice| of_market("statistics"),
    },
    Resource {
        name: "market consumption pattern, a year",
        asked: |_world, dice| of_market(&format!("consumption_pattern?period={}", dice.year())),
    },
    Resource {
        name: "region statistics, any range",
        asked: |world, dice| {
            let range = dice.range();
            of_region(world, dice, &format!("statistics?group_by=all&{range}"))
        },
    },
    Resource {
        name: "category statistics, five years by month",
        asked: |world, dice| {
            let category = dice.one_of(&world.categories);
            Asked::Get(format!("/v1/categories/{category}/statistics"))
        },
    },
    Resource {
        name: "stores of a region by amount, 100",
        asked: |world, dice| {
            let region = dice.one_of(&world.regions);
            Asked::Get(format!("/v1/stores?region={region}&rank_by=amount"))
        },
    },
    Resource {
        name: "stores by growth, 100",
        asked: |_world, _dice| Asked::Get("/v1/stores?rank_by=growth".into()),
    },
    Resource {
        name: "regions, 100",
        asked: |_world, _dice| Asked::Get("/v1/regions".into()),
    },
    Resource {
        name: "search, two letters",
        asked: |_world, dice| {
            let letters = ["ca", "ma", "lu", "st", "pi", "ga"];
            Asked::Get(format!(
                "/v1/search?q={}",
                letters[dice.below(letters.len())]
            ))
        },
    },
    Resource {
        name: "generation",
        asked: |_world, _dice| Asked::Get("/v1/info/generation".into()),
    },
    Resource {
        name: "batch of 100 statistics",
        asked: |world, dice| {
            let path = |dice: &mut Dice| {
                let range = dice.range();
                let store = dice.one_of(&world.stores);
                format!(r#"{{"path": "/v1/stores/{store}/statistics?group_by=all&{range}"}}"#)
            };
            let lookups: Vec<String> = (0..100).map(|_| path(dice)).collect();
            Asked::Batch(format!(r#"{{"lookups": [{}]}}"#, lookups.join(",")))
        },
    },
    Resource {
        name: "unit prices of all stores on a date, 100",
        asked: |_world, dice| Asked::Get(format!("/v1/unit_price?date={}", dice.day())),
    },
];

/// What is told of places and tiles where nothing is hidden.
const EXACTLY: &[Resource] = &[
    Resource {
        name: "market histogram, any range",
        asked: |_world, dice| of_market(&format!("histogram?{}", dice.range())),
    },
    Resource {
        name: "market unit price, a year",
        asked: |_world, dice| {
            let year = dice.year();
            of_market(&format!(
                "unit_price?min_date={year}-01-01&max_date={year}-12-31"
            ))
        },
    },
    Resource {
        name: "market loyalty, any range",
        asked: |_world, dice| of_market(&format!("loyalty?{}", dice.range())),
    },
    Resource {
        name: "market loyalty, a year",
        asked: |_world, dice| of_market(&format!("loyalty?period={}", dice.year())),
    },
    Resource {
        name: "region loyalty, any range",
        asked: |world, dice| {
            let range = dice.range();
            of_region(world, dice, &format!("loyalty?{range}"))
        },
    },
    Resource {
        name: "tiles of a quarter of a degree, 100",
        asked: |_world, dice| {
            let (west, south) = (126 + dice.below(3), 35 + dice.below(3));
            Asked::Get(format!(
                "/v1/tiles?bbox={west},{south},{west}.25,{south}.25"
            ))
        },
    },
    Resource {
        name: "heat map of 10 tiles, a month",
        asked: |_world, dice| {
            let month = dice.month();
            Asked::Get(format!("/v1/tiles?limit=10&hours=week&period={month}"))
        },
    },
    Resource {
        name: "tile statistics, any range",
        asked: |world, dice| {
            let range = dice.range();
            let tile = dice.one_of(&world.tiles);
            Asked::Get(format!("/v1/tiles/{tile}/statistics?group_by=all&{range}"))
        },
    },
];

/// Returns the resources that are told.
pub(crate) fn of(told: Told) -> impl Iterator<Item = &'static Resource> {
    let exactly = EXACTLY.iter().filter(move |_| told == Told::Exactly);
    ALWAYS.iter().chain(exactly)
}
