//! What is asked of stores and merchants, which nothing is hidden of.

use super::{Asked, Resource, World};
use crate::dice::Dice;

fn store(rest: &str, world: &World, dice: &mut Dice) -> Asked {
    Asked::Get(format!("/v1/stores/{}{rest}", dice.one_of(&world.stores)))
}

fn merchant(rest: &str, world: &World, dice: &mut Dice) -> Asked {
    let id = dice.one_of(&world.merchants);
    Asked::Get(format!("/v1/merchants/{id}{rest}"))
}

pub(super) const STORES: &[Resource] = &[
    Resource::new("store", |world, dice| store("", world, dice)),
    Resource::aimed("store statistics, any range", |world, dice| {
        let rest = format!("/statistics?group_by=all&{}", dice.range());
        store(&rest, world, dice)
    }),
    Resource::new("store statistics, five years by month", |world, dice| {
        store("/statistics", world, dice)
    }),
    Resource::new("store statistics, a year by day", |world, dice| {
        let rest = format!("/statistics?group_by=day&{}", dice.days_of_year());
        store(&rest, world, dice)
    }),
    Resource::new("store histogram, any range", |world, dice| {
        store(&format!("/histogram?{}", dice.range()), world, dice)
    }),
    Resource::new("store unit price, a year", |world, dice| {
        let rest = format!("/unit_price?window=trailing_7d&{}", dice.days_of_year());
        store(&rest, world, dice)
    }),
    Resource::new("store comparison, a month", |world, dice| {
        store(&format!("/comparison?{}", dice.month()), world, dice)
    }),
    Resource::new("store loyalty, any range", |world, dice| {
        store(&format!("/loyalty?{}", dice.range()), world, dice)
    }),
    Resource::new("store loyalty, a year", |world, dice| {
        store(&format!("/loyalty?{}", dice.year()), world, dice)
    }),
    Resource::new("store consumption pattern, a year", |world, dice| {
        let rest = format!("/consumption_pattern?{}", dice.year());
        store(&rest, world, dice)
    }),
    Resource::new("store best time, a year", |world, dice| {
        store(&format!("/best_time?{}", dice.year()), world, dice)
    }),
    Resource::new("store demographics, a year", |world, dice| {
        store(&format!("/demographics?{}", dice.year()), world, dice)
    }),
    Resource::new("store demographics, five years", |world, dice| {
        store("/demographics", world, dice)
    }),
    Resource::new("store origins, a year", |world, dice| {
        store(&format!("/origins?{}", dice.year()), world, dice)
    }),
    Resource::new("store origins, five years", |world, dice| {
        store("/origins", world, dice)
    }),
    Resource::new("store before and after, a year", |world, dice| {
        store(&format!("/before_after?{}", dice.year()), world, dice)
    }),
    Resource::new("store payment mix, a year", |world, dice| {
        store(&format!("/payment_mix?{}", dice.year()), world, dice)
    }),
    Resource::new("store settlements, any range", |world, dice| {
        store(&format!("/settlements?{}", dice.range()), world, dice)
    }),
    Resource::new("store settlements, a year", |world, dice| {
        let rest = format!("/settlements?{}", dice.days_of_year());
        store(&rest, world, dice)
    }),
    Resource::new("store benchmark, a month", |world, dice| {
        store(&format!("/benchmark?{}", dice.month()), world, dice)
    }),
    Resource::new("store sales by day, any range", |world, dice| {
        let rest = format!("/sales_by_day?series=index&{}", dice.range());
        store(&rest, world, dice)
    }),
    Resource::new("merchant", |world, dice| merchant("", world, dice)),
    Resource::new("merchant statistics, any range", |world, dice| {
        let rest = format!("/statistics?group_by=all&{}", dice.range());
        merchant(&rest, world, dice)
    }),
    Resource::new("merchant loyalty, a year", |world, dice| {
        merchant(&format!("/loyalty?{}", dice.year()), world, dice)
    }),
    Resource::new("merchant payment mix, a year", |world, dice| {
        merchant(&format!("/payment_mix?{}", dice.year()), world, dice)
    }),
];
