//! Customers: who is answered, and what.

use std::{num::NonZeroU32, sync::Arc};

use nightshard_format::record::CustomerFigures;
use nightshard_server::{Access, Config, Key, Server};
use serde_json::{Value, json};

use super::{StoppedClock, ask, key, token};
use crate::{
    client::Reply,
    fixture::{Customer, Fixture, Payment, Shop, figures},
    harness::{Harness, config},
};

const OWN: &str = "00112233445566778899aabbccddeeff";
const OTHER: &str = "ffeeddccbbaa99887766554433221100";
const NOBODY: &str = "ffffffffffffffffffffffffffffffff";

/// Two customers, of whom the first one is known by more than rows.
fn fixture(has_customers: bool) -> Arc<Fixture> {
    let fixture = Fixture::new();
    let shops = [Shop::new("a", "Marks & Spencer", "leeds", "food").of("m")];
    let payments = [Payment {
        store: 0,
        day: "2018-03-05".parse().unwrap(),
        card: 1,
        amount: 700,
        half_hour: None,
        paid: None,
    }];
    let customers = [
        Customer {
            key: OWN,
            figures: figures(),
            attributes: &[("a \"name\"", "1"), ("registered_at", "2017-05-01")],
        },
        Customer {
            key: OTHER,
            figures: CustomerFigures {
                foreign: Some(2),
                flagged: None,
                ..figures()
            },
            attributes: &[],
        },
    ];
    let id = match has_customers {
        true => fixture.write_with_customers(&shops, &payments, &customers),
        false => fixture.write(&shops, &payments),
    };
    fixture.select(1, &id);
    Arc::new(fixture)
}

fn holding() -> Config {
    Config {
        customers: true,
        ..config()
    }
}

fn serve(config: Config, keys: Vec<Key>, fixture: Arc<Fixture>) -> Harness {
    let access = Access::new(keys, NonZeroU32::new(10).unwrap());
    let server = Server::with_clock(config, access, Arc::new(StoppedClock));
    let harness = Harness::run(server, fixture, None);
    harness.wait_for(1);
    harness
}

fn get(harness: &Harness, scope: &str, path: &str) -> Reply {
    let token = token(scope, &key("first", "1"));
    ask(&mut harness.connect(), &token, ("GET", path), &[], b"")
}

fn path(key: &str) -> String {
    format!("/v1/customers/{key}")
}

fn detail(reply: &Reply) -> String {
    reply.json()["detail"].as_str().unwrap().to_owned()
}

#[test]
fn a_customer_is_told_what_it_paid_and_what_else_is_known() {
    let harness = serve(holding(), vec![key("first", "1")], fixture(true));
    let own = get(&harness, "customer", &path(OWN)).data();
    let expected = json!({
        "id": OWN,
        "payer": "card",
        "currency": "GBP",
        "currency_exponent": 2,
        "count": 2,
        "sum": 1_001,
        "mean": 500.5,
        "min": -250,
        "max": 1_251,
        "first_date": "2018-01-29",
        "last_date": "2018-03-05",
        "foreign_count": null,
        "flagged_count": 1,
        "flagged_share": 0.5,
        "attributes": {"a \"name\"": "1", "registered_at": "2017-05-01"},
    });
    assert_eq!(own, expected);
    let other = get(&harness, "customer", &path(OTHER)).data();
    assert_eq!(other["foreign_count"], 2);
    for unknown in ["flagged_count", "flagged_share"] {
        assert_eq!(other[unknown], Value::Null);
    }
    assert_eq!(other["attributes"], json!({}));
    let query = format!("{}?period=2018", path(OWN));
    let wrong = get(&harness, "customer", &query);
    assert_eq!(wrong.problem(), (400, Some("period".to_owned())));
}

#[test]
fn a_token_of_one_customer_finds_no_other() {
    let harness = serve(holding(), vec![key("first", "1")], fixture(true));
    let own = format!("customer:{OWN}");
    assert_eq!(get(&harness, &own, &path(OWN)).status, 200);
    let missing = get(&harness, "customer", &path(NOBODY));
    assert_eq!(detail(&missing), "there is no such customer");
    let large = OTHER.to_uppercase();
    for (scope, asked) in [
        (&*own, OTHER),
        (&own, NOBODY),
        ("customer", NOBODY),
        ("customer", &large),
        ("customer", "x"),
    ] {
        let reply = get(&harness, scope, &path(asked));
        assert_eq!(reply.status, 404, "{scope} {asked}");
        assert_eq!(reply.body, missing.body, "{scope} {asked}");
    }
}

#[test]
fn customers_are_for_tokens_that_say_so_and_such_tokens_for_nothing_else() {
    let harness = serve(holding(), vec![key("first", "1")], fixture(true));
    for scope in ["analyst", "app", "store:a", "merchant:m", "admin"] {
        for asked in [OWN, NOBODY] {
            let reply = get(&harness, scope, &path(asked));
            assert_eq!(reply.status, 403, "{scope}");
            let kind = scope.split(':').next().unwrap();
            let words = format!("the scope {kind} may not see customers");
            assert!(detail(&reply).starts_with(&words), "{scope}");
        }
    }
    let own = format!("customer:{OWN}");
    let elsewhere = format!("/v1/datasets/customers/{OWN}");
    for asked in ["/v1/stores/a", "/v1/stores", "/v1/markets/all", &elsewhere] {
        assert_eq!(get(&harness, &own, asked).status, 403, "{asked}");
    }
    assert_eq!(get(&harness, "analyst", &elsewhere).status, 404);
    assert_eq!(harness.connect().get(&path(OWN)).status, 401);
    // Whoever may see everything else still has to say so.
    let open = serve(holding(), vec![], fixture(true));
    let reply = open.connect().get(&path(OWN));
    assert_eq!(reply.status, 403);
    assert!(detail(&reply).ends_with("a token of customers is needed"));
}

#[test]
fn a_batch_answers_for_customers_as_single_requests_do() {
    let harness = serve(holding(), vec![key("first", "1")], fixture(true));
    let lookups = [OWN, OTHER].map(|key| json!({ "path": path(key) }));
    let body = json!({ "lookups": lookups }).to_string();
    let own = format!("customer:{OWN}");
    for (scope, expected) in [
        ("customer", [200, 200]),
        (&own, [200, 404]),
        ("analyst", [403, 403]),
    ] {
        let token = token(scope, &key("first", "1"));
        let request = ("POST", "/v1/batch");
        let reply = ask(
            &mut harness.connect(),
            &token,
            request,
            &[],
            body.as_bytes(),
        );
        let rows = reply.data()["rows"].take();
        for (row, expected) in rows.as_array().unwrap().iter().zip(expected) {
            assert_eq!(row["status"], expected, "{scope}");
        }
    }
}

#[test]
fn a_server_that_holds_no_customers_says_so_and_so_does_a_generation_without() {
    let keys = || vec![key("first", "1")];
    for (config, has_customers, expected) in [
        (config(), true, "this server does not hold customers"),
        (config(), false, "this server does not hold customers"),
        (holding(), false, "the generation has no customers"),
    ] {
        let harness = serve(config, keys(), fixture(has_customers));
        let own = format!("customer:{OWN}");
        for scope in ["customer", &own] {
            let reply = get(&harness, scope, &path(OWN));
            assert_eq!((reply.status, &*detail(&reply)), (404, expected));
        }
    }
}

#[test]
fn what_is_said_of_the_generation_says_nothing_of_customers() {
    let harness = serve(holding(), vec![key("first", "1")], fixture(true));
    for path in ["/v1/info/generation", "/v1/search?q=001122", "/v1/stores/a"] {
        let reply = get(&harness, "analyst", path);
        assert_eq!(reply.status, 200);
        let body = String::from_utf8(reply.body).unwrap();
        for word in ["customer", OWN, "amount_minor > 1000"] {
            assert!(!body.contains(word), "{path}: {body}");
        }
    }
    get(&harness, "customer", &path(OWN));
    // An answer is counted once it is sent, so whoever has it may ask before that.
    let metrics = |_| String::from_utf8(get(&harness, "admin", "/metrics").body).unwrap();
    let mut texts = (0..10_000).map(metrics);
    let counted = texts.find(|text| text.contains("/v1/customers/{id}"));
    assert!(!counted.unwrap().contains(OWN));
}
