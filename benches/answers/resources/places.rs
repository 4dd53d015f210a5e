//! What is asked of places and the market.

use super::{Asked, Resource, World};
use crate::dice::Dice;

fn market(rest: &str) -> Asked {
    Asked::Get(format!("/v1/markets/all/{rest}"))
}

fn region(rest: &str, world: &World, dice: &mut Dice) -> Asked {
    let id = dice.one_of(&world.regions);
    Asked::Get(format!("/v1/regions/{id}/{rest}"))
}

fn category(rest: &str, world: &World, dice: &mut Dice) -> Asked {
    let id = dice.one_of(&world.categories);
    Asked::Get(format!("/v1/categories/{id}/{rest}"))
}

fn tile(rest: &str, world: &World, dice: &mut Dice) -> Asked {
    let id = dice.one_of(&world.tiles);
    Asked::Get(format!("/v1/tiles/{id}/{rest}"))
}

/// What is told whatever is hidden.
pub(super) const ALWAYS: &[Resource] = &[
    Resource::aimed("market statistics, any range", |_world, dice| {
        market(&format!("statistics?group_by=all&{}", dice.range()))
    }),
    Resource::new("market statistics, five years by month", |_world, _dice| {
        market("statistics")
    }),
    Resource::new("market comparison, a month", |_world, dice| {
        market(&format!("comparison?{}", dice.month()))
    }),
    Resource::new("market consumption pattern, a year", |_world, dice| {
        market(&format!("consumption_pattern?{}", dice.year()))
    }),
    Resource::new("market best time, a year", |_world, dice| {
        market(&format!("best_time?{}", dice.year()))
    }),
    Resource::new("market payment mix, a year", |_world, dice| {
        market(&format!("payment_mix?{}", dice.year()))
    }),
    Resource::new("market demographics, a year", |_world, dice| {
        market(&format!("demographics?{}", dice.year()))
    }),
    Resource::new("region statistics, any range", |world, dice| {
        let rest = format!("statistics?group_by=all&{}", dice.range());
        region(&rest, world, dice)
    }),
    Resource::new("region comparison, a month", |world, dice| {
        region(&format!("comparison?{}", dice.month()), world, dice)
    }),
    Resource::new("region best time, a year", |world, dice| {
        region(&format!("best_time?{}", dice.year()), world, dice)
    }),
    Resource::new("region payment mix, a year", |world, dice| {
        region(&format!("payment_mix?{}", dice.year()), world, dice)
    }),
    Resource::new("region demographics, a year", |world, dice| {
        region(&format!("demographics?{}", dice.year()), world, dice)
    }),
    Resource::new("category statistics, five years by month", |world, dice| {
        category("statistics", world, dice)
    }),
    Resource::new("category payment mix, a year", |world, dice| {
        category(&format!("payment_mix?{}", dice.year()), world, dice)
    }),
    Resource::new("category demographics, a year", |world, dice| {
        category(&format!("demographics?{}", dice.year()), world, dice)
    }),
];

/// What is told where nothing is hidden.
pub(super) const EXACTLY: &[Resource] = &[
    Resource::new("market histogram, any range", |_world, dice| {
        market(&format!("histogram?{}", dice.range()))
    }),
    Resource::new("market unit price, a year", |_world, dice| {
        market(&format!("unit_price?{}", dice.days_of_year()))
    }),
    Resource::new("market sales by day, any range", |_world, dice| {
        market(&format!("sales_by_day?series=index&{}", dice.range()))
    }),
    Resource::new("market loyalty, any range", |_world, dice| {
        market(&format!("loyalty?{}", dice.range()))
    }),
    Resource::new("market loyalty, a year", |_world, dice| {
        market(&format!("loyalty?{}", dice.year()))
    }),
    Resource::new("region loyalty, any range", |world, dice| {
        region(&format!("loyalty?{}", dice.range()), world, dice)
    }),
    Resource::new("region sales by day, any range", |world, dice| {
        let rest = format!("sales_by_day?series=index&{}", dice.range());
        region(&rest, world, dice)
    }),
    Resource::new("category loyalty, a year", |world, dice| {
        category(&format!("loyalty?{}", dice.year()), world, dice)
    }),
    Resource::new("tile statistics, any range", |world, dice| {
        let rest = format!("statistics?group_by=all&{}", dice.range());
        tile(&rest, world, dice)
    }),
];
