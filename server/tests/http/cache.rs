//! Starting while the repository cannot be reached.

use std::sync::Arc;

use nightshard_format::manifest::GenerationId;
use nightshard_server::Config;

use crate::{
    fixture::replace,
    harness::{Harness, config},
    scripted::Scripted,
    swap::{count, metric, write},
};

/// A source with two generations, of which an earlier run served the first under selection 7.
fn source() -> (Arc<Scripted>, [GenerationId; 2]) {
    let source = Scripted::new();
    let ids = [10, 20].map(|rows| write(&source.fixture, rows));
    source.set_last_served(7, &ids[0]);
    (source, ids)
}

#[test]
fn a_server_starts_from_what_it_served_before_and_goes_on_once_the_repository_answers() {
    let (source, ids) = source();
    source.fixture.select(8, &ids[1]);
    source.set_broken(true);
    let harness = Harness::ready(config(), source.clone(), 7);
    let state = harness.state();
    assert_eq!(
        (&state["source"], &state["serving"]["selection"]),
        (&"cache".into(), &7.into())
    );
    assert_eq!(state["repository"]["reachable"], false);
    let mut client = harness.connect();
    assert_eq!(count(&mut client, "/v1/stores/a"), 10);
    let ready = client.get("/readyz");
    let text = "ready\nthe repository cannot be reached\nwhat is served is from the cache\n";
    assert_eq!((ready.status, &*ready.body), (200, text.as_bytes()));
    assert_eq!(metric(&mut client, "nightshard_serving_from_cache"), 1);
    source.set_broken(false);
    assert_eq!(harness.wait_for(8), ids[1]);
    let state = harness.state();
    assert_eq!(
        (&state["source"], &state["repository"]["reachable"]),
        (&"repository".into(), &true.into())
    );
}

#[test]
fn what_the_repository_still_selects_is_not_opened_again() {
    let (source, ids) = source();
    source.fixture.select(7, &ids[0]);
    source.set_broken(true);
    let harness = Harness::ready(config(), source.clone(), 7);
    source.set_broken(false);
    harness.state_until(|state| state["source"] == "repository");
    assert_eq!(source.times_opened(&ids[0]), 1);
}

#[test]
fn a_repository_that_answers_is_believed_and_not_the_cache() {
    let (source, ids) = source();
    source.fixture.select(9, &ids[1]);
    let harness = Harness::ready(config(), source.clone(), 1);
    assert_eq!(harness.switch().selection(), Some(9));
    assert_eq!(source.times_opened(&ids[0]), 0);
}

#[test]
fn a_repository_that_hangs_at_the_start_is_not_waited_for_for_ever() {
    let (source, ids) = source();
    source.fixture.select(8, &ids[1]);
    source.looks.close();
    let impatient = Config {
        start_patience_ms: 1,
        ..config()
    };
    let harness = Harness::ready(impatient, source.clone(), 7);
    assert_eq!(harness.state()["source"], "cache");
    source.looks.open();
    assert_eq!(harness.wait_for(8), ids[1]);
}

#[test]
fn what_is_prepared_before_anything_is_served_leaves_the_cache_alone() {
    let (source, ids) = source();
    source.looks.close();
    let harness = Harness::start(config(), source.clone());
    harness.prepare_now(&ids[1]);
    source.set_broken(true);
    source.looks.open();
    assert_eq!(harness.wait_for(7), ids[0]);
    while !source.retains(&ids[0]) {}
    assert!(source.retains(&ids[1]) && !source.has_dropped(&ids[0]));
}

#[test]
fn where_the_selected_generation_cannot_be_opened_the_one_before_is_served() {
    let (source, ids) = source();
    let file = source.fixture.shard_file(&ids[1], "stores");
    let whole = std::fs::read(&file).unwrap();
    replace(&file, &whole[1..]);
    source.fixture.select(8, &ids[1]);
    let harness = Harness::ready(config(), source.clone(), 7);
    assert_eq!(harness.state()["source"], "cache");
    replace(&file, &whole);
    assert_eq!(harness.wait_for(8), ids[1]);
}

#[test]
fn a_server_that_has_nothing_is_not_ready_whatever_its_cache_claims() {
    let source = Scripted::new();
    source.set_last_served(7, &"2018-01-01-0123456789ab".parse().unwrap());
    source.set_broken(true);
    let harness = Harness::start(config(), source.clone());
    let state = harness.state_until(|state| !state["failed"].is_null());
    assert!(state["serving"].is_null());
    let mut client = harness.connect();
    assert_eq!(client.get("/readyz").problem(), (503, None));
    assert_eq!(client.get("/v1/stores/a").problem(), (503, None));
}
