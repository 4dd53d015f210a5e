//! Who may ask what: tokens of every scope against every resource.

mod conditional;
mod customers;
mod described;
mod interfaces;
mod merchants;
mod places;
mod resources;
mod stores;
mod tokens;

use std::{num::NonZeroU32, sync::Arc, time::Instant};

use nightshard_format::calendar::Day;
use nightshard_server::{Access, Claims, Clock, Config, Key, Server, Token};

use crate::{
    client::{Client, Reply},
    fixture::{Fixture, Payment, Shop},
    harness::{Harness, config},
};

/// What the clock of these servers says, always.
const NOW: u64 = 1_600_000_000;

#[derive(Debug)]
struct StoppedClock;

impl Clock for StoppedClock {
    fn unix_seconds(&self, _now: Instant) -> u64 {
        NOW
    }
}

/// Returns a key whose secret is one digit.
fn key(id: &str, digit: &str) -> Key {
    Key::parse(id, &digit.repeat(64)).unwrap()
}

/// Returns a token of a scope that is good.
fn token(scope: &str, key: &Key) -> String {
    let claims = Claims {
        scope: scope.parse().unwrap(),
        not_before: NOW,
        expires: NOW + 1,
    };
    claims.sign(key)
}

/// Three stores, of which the first two are of one merchant, and a side series.
fn fixture() -> Arc<Fixture> {
    let fixture = Fixture::new();
    let shops = [
        Shop::new("a", "Marks & Spencer", "leeds", "food").of("m"),
        Shop::new("b/1 é", "Café Noir", "leeds", "fuel").of("m"),
        Shop::new("c", "Corner", "york", "food").of("n"),
    ];
    let day = |text: &str| -> Day { text.parse().unwrap() };
    let payment = |store, date, card, amount| Payment {
        store,
        day: day(date),
        card,
        amount,
        half_hour: None,
        paid: None,
    };
    let payments = [
        payment(0, "2018-01-29", 1, 1_000),
        payment(0, "2018-02-03", 2, 300),
        payment(0, "2018-03-05", 3, 700),
        payment(1, "2018-01-31", 1, 5_000),
        payment(2, "2018-02-01", 9, 100),
        payment(2, "2018-03-02", 9, 200),
    ];
    let series = [("rain", vec![(day("2018-01-29"), 2.5)])];
    let id = fixture.write_beside(day("2018-03-05"), &shops, &payments, &series);
    fixture.select(1, &id);
    Arc::new(fixture)
}

/// A server with keys, and who asks it.
struct Guarded {
    harness: Harness,
    key: Key,
}

impl Guarded {
    /// Starts a server that hides figures of fewer than `k` cards.
    fn start(k: u32) -> Self {
        Self::start_with(config(), k, None)
    }

    fn start_with(config: Config, k: u32, secret: Option<Token>) -> Self {
        Self::serve(fixture(), config, k, secret)
    }

    fn serve(fixture: Arc<Fixture>, config: Config, k: u32, secret: Option<Token>) -> Self {
        let key = key("first", "1");
        let keys = vec![key.clone(), self::key("second", "2")];
        let harness = serving(fixture, config, keys, k, secret);
        Self { harness, key }
    }

    fn token(&self, scope: &str) -> String {
        token(scope, &self.key)
    }

    /// Asks under a scope.
    fn get(&self, scope: &str, target: &str) -> Reply {
        self.ask(scope, "GET", target, &[], b"")
    }

    fn ask(
        &self,
        scope: &str,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut client = self.harness.connect();
        ask(
            &mut client,
            &self.token(scope),
            (method, target),
            headers,
            body,
        )
    }
}

/// Starts a server with some keys.
fn serving(
    fixture: Arc<Fixture>,
    config: Config,
    keys: Vec<Key>,
    k: u32,
    secret: Option<Token>,
) -> Harness {
    let access = Access::new(keys, NonZeroU32::new(k).unwrap());
    let server = Server::with_clock(config, access, Arc::new(StoppedClock));
    let harness = Harness::run(server, fixture, secret);
    harness.wait_for(1);
    harness
}

/// Asks with a token.
fn ask(
    client: &mut Client,
    token: &str,
    (method, target): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let bearer = format!("Bearer {token}");
    let mut all = vec![("authorization", &*bearer)];
    all.extend(headers);
    client.request(method, target, &all, body)
}
