//! What is asked of lists, of all stores at once and of the generation.

use super::{Asked, Resource, World};
use crate::dice::Dice;

fn get(target: &str) -> Asked {
    Asked::Get(target.into())
}

/// Asks for the statistics of a hundred stores.
fn batch(world: &World, dice: &mut Dice) -> Asked {
    let mut lookup = || {
        let range = dice.range();
        let store = dice.one_of(&world.stores);
        format!(r#"{{"path": "/v1/stores/{store}/statistics?group_by=all&{range}"}}"#)
    };
    let lookups: Vec<String> = (0..100).map(|_| lookup()).collect();
    Asked::Batch(format!(r#"{{"lookups": [{}]}}"#, lookups.join(",")))
}

/// What is told whatever is hidden.
pub(super) const ALWAYS: &[Resource] = &[
    Resource::new("stores of a region by amount, 100", |world, dice| {
        let region = dice.one_of(&world.regions);
        get(&format!("/v1/stores?region={region}&rank_by=amount"))
    }),
    Resource::new("stores by growth, 100", |_world, _dice| {
        get("/v1/stores?rank_by=growth")
    }),
    Resource::new("regions, 100", |_world, _dice| get("/v1/regions")),
    Resource::new("regions that are parts of one, 100", |world, dice| {
        let province = dice.one_of(&world.provinces);
        get(&format!("/v1/regions?parent={province}"))
    }),
    Resource::new("merchants, 100", |_world, _dice| get("/v1/merchants")),
    Resource::new("search, two letters", |_world, dice| {
        let letters = ["ca", "ma", "lu", "st", "pi", "ga"];
        get(&format!(
            "/v1/search?q={}",
            letters[dice.below(letters.len())]
        ))
    }),
    Resource::new("side series", |_world, _dice| get("/v1/series")),
    Resource::new("generation", |_world, _dice| get("/v1/info/generation")),
    Resource::new("quality", |_world, _dice| get("/v1/info/quality")),
    Resource::new("batch of 100 statistics", batch),
    Resource::new("unit prices of stores on a date, 100", |_world, dice| {
        get(&format!("/v1/unit_price?date={}", dice.day()))
    }),
    Resource::new("unit prices of stores, a year, 1,000", |_world, dice| {
        get(&format!(
            "/v1/unit_price?limit=1000&{}",
            dice.days_of_year()
        ))
    }),
    Resource::new("unit prices of stores, any range, 100", |_world, dice| {
        get(&format!("/v1/unit_price?{}", dice.range()))
    }),
];

/// What is told where nothing is hidden.
pub(super) const EXACTLY: &[Resource] = &[
    Resource::new("tiles of a quarter of a degree, 100", |_world, dice| {
        let (west, south) = (126 + dice.below(3), 35 + dice.below(3));
        get(&format!(
            "/v1/tiles?bbox={west},{south},{west}.25,{south}.25"
        ))
    }),
    Resource::new("heat map of 10 tiles, a month", |_world, dice| {
        get(&format!("/v1/tiles?limit=10&hours=week&{}", dice.month()))
    }),
];
