//! Candidates that are made ready before they are selected.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nightshard_format::manifest::GenerationId;
use nightshard_server::Config;
use serde_json::Value;

use crate::{
    fixture::replace,
    harness::{Harness, config, names},
    scripted::Scripted,
    swap::{count, write},
};

/// A server of the first of these generations, under selection 1.
fn serving(sizes: &[i32], config: Config) -> (Arc<Scripted>, Harness, Vec<GenerationId>) {
    let source = Scripted::new();
    let write = |rows: &i32| write(&source.fixture, *rows);
    let ids: Vec<GenerationId> = sizes.iter().map(write).collect();
    source.fixture.select(1, &ids[0]);
    let harness = Harness::ready(config, source.clone(), 1);
    (source, harness, ids)
}

/// Waits until something is so.
#[track_caller]
fn wait_until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
}

#[test]
fn a_prepared_generation_is_swapped_to_without_being_opened_again() {
    let (source, harness, ids) = serving(&[10, 20], config());
    let state = harness.prepare(&ids[1]);
    assert_eq!(state["serving"]["generation"], ids[0].as_str());
    let state = harness.state_until(|state| names(&state["prepared"], &ids[1]));
    assert_eq!(state["preparing"], Value::Null);
    assert_eq!(count(&mut harness.connect(), "/v1/stores/a"), 10);
    // It is no generation that was ever served here.
    let pinned = format!("/v1/stores/a?generation={}", ids[1]);
    assert_eq!(harness.connect().get(&pinned).status, 404);
    wait_until(|| source.retains(&ids[1]) && source.retains(&ids[0]));
    // Were it opened once more, it would never be served.
    source.opens.close();
    source.fixture.select(2, &ids[1]);
    assert_eq!(harness.wait_for(2), ids[1]);
    assert_eq!(source.times_opened(&ids[1]), 1);
    assert_eq!(count(&mut harness.connect(), "/v1/stores/a"), 20);
    let state = harness.state();
    assert_eq!(state["prepared"], Value::Array(vec![]));
    assert!(names(&state["kept"], &ids[0]) && names(&state["kept"], &ids[1]));
    source.opens.open();
}

#[test]
fn what_is_prepared_is_swapped_to_while_something_else_is_being_opened() {
    let (source, harness, ids) = serving(&[10, 20, 30], config());
    harness.prepare_now(&ids[1]);
    source.opens.close();
    harness.prepare(&ids[2]);
    source.opens.wait_for_call();
    assert_eq!(harness.state()["preparing"], ids[2].as_str());
    source.fixture.select(2, &ids[1]);
    assert_eq!(harness.wait_for(2), ids[1]);
    source.opens.open();
    harness.state_until(|state| names(&state["prepared"], &ids[2]));
}

#[test]
fn a_selection_of_what_is_being_prepared_is_served_once_that_has_ended() {
    let (source, harness, ids) = serving(&[10, 20], config());
    source.opens.close();
    harness.prepare(&ids[1]);
    source.opens.wait_for_call();
    source.fixture.select(2, &ids[1]);
    harness.state_until(|state| state["repository"]["selection"] == 2);
    assert_eq!(harness.switch().selection(), Some(1));
    source.opens.open();
    assert_eq!(harness.wait_for(2), ids[1]);
    assert_eq!(source.times_opened(&ids[1]), 1);
}

#[test]
fn what_is_to_be_prepared_while_it_is_opened_to_be_served_is_ready_although_that_was_overtaken() {
    let (source, harness, ids) = serving(&[10, 20], config());
    source.opens.close();
    source.fixture.select(2, &ids[1]);
    source.opens.wait_for_call();
    harness.prepare(&ids[1]);
    source.fixture.select(3, &ids[0]);
    assert_eq!(harness.wait_for(3), ids[0]);
    source.opens.open();
    harness.state_until(|state| names(&state["prepared"], &ids[1]));
    assert_eq!(source.times_opened(&ids[1]), 1);
}

#[test]
fn two_generations_are_kept_ready_and_a_newer_one_displaces_the_oldest() {
    let (source, harness, ids) = serving(&[10, 20, 30, 40], config());
    for id in &ids[1..] {
        harness.prepare_now(id);
    }
    let state = harness.state();
    assert_eq!(
        state["prepared"],
        serde_json::json!([ids[2].as_str(), ids[3].as_str()])
    );
    wait_until(|| source.retains(&ids[3]) && !source.retains(&ids[1]));
    // What was asked for last is ready longest.
    harness.prepare(&ids[2]);
    let prepared = serde_json::json!([ids[3].as_str(), ids[2].as_str()]);
    harness.state_until(|state| state["prepared"] == prepared);
    harness.prepare_now(&ids[1]);
    let state = harness.state();
    assert!(names(&state["prepared"], &ids[2]) && !names(&state["prepared"], &ids[3]));
    assert_eq!(source.times_opened(&ids[1]), 2);
    assert_eq!(source.times_opened(&ids[2]), 1);
}

#[test]
fn a_failed_preparation_is_remembered_until_the_next_and_changes_nothing() {
    let (_source, harness, ids) = serving(&[10, 20], config());
    let missing: GenerationId = "2018-01-01-0123456789ab".parse().unwrap();
    harness.prepare(&missing);
    let state = harness.state_until(|state| !state["failed"].is_null());
    assert_eq!(state["failed"]["generation"], missing.as_str());
    let problem = state["failed"]["problem"].as_str().unwrap();
    assert!(problem.contains("there is no such generation"), "{problem}");
    assert!(!problem.contains('\n'));
    assert_eq!(state["preparing"], Value::Null);
    assert_eq!(state["serving"]["selection"], 1);
    harness.prepare_now(&ids[1]);
    assert_eq!(harness.state()["failed"], Value::Null);
}

#[test]
fn what_is_prepared_but_damaged_is_refused_and_served_once_it_is_whole() {
    let (source, harness, ids) = serving(&[10, 20], config());
    let file = source.fixture.shard_file(&ids[1], "stores");
    let whole = std::fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    replace(&file, &damaged);
    harness.prepare(&ids[1]);
    let state = harness.state_until(|state| !state["failed"].is_null());
    assert_eq!(state["failed"]["generation"], ids[1].as_str());
    assert_eq!(state["prepared"], Value::Array(vec![]));
    replace(&file, &whole);
    source.fixture.select(2, &ids[1]);
    assert_eq!(harness.wait_for(2), ids[1]);
    assert_eq!(harness.state()["failed"], Value::Null);
}

#[test]
fn a_generation_that_is_kept_is_ready_at_once_and_stays_so() {
    let keeping_one = Config {
        keep_mapped: 2.try_into().unwrap(),
        ..config()
    };
    let (source, harness, ids) = serving(&[10, 20, 30], keeping_one);
    source.fixture.select(2, &ids[1]);
    harness.wait_for(2);
    harness.prepare_now(&ids[0]);
    source.fixture.select(3, &ids[2]);
    harness.wait_for(3);
    // It is not kept any more for who names it, but still ready to go back to.
    let state = harness.state();
    assert!(!names(&state["kept"], &ids[0]) && names(&state["prepared"], &ids[0]));
    source.opens.close();
    source.fixture.select(4, &ids[0]);
    assert_eq!(harness.wait_for(4), ids[0]);
    assert_eq!(source.times_opened(&ids[0]), 1);
    source.opens.open();
}

#[test]
fn preparing_what_is_served_changes_nothing() {
    let (source, harness, ids) = serving(&[10], config());
    harness.prepare(&ids[0]);
    let state = harness.state_until(|state| state["preparing"].is_null());
    assert_eq!(state["prepared"], Value::Array(vec![]));
    assert_eq!(state["failed"], Value::Null);
    assert_eq!(source.times_opened(&ids[0]), 1);
}

#[test]
fn a_generation_can_be_prepared_before_anything_is_selected() {
    let source = Scripted::new();
    let id = write(&source.fixture, 10);
    let harness = Harness::start(config(), source.clone());
    let state = harness.prepare_now(&id);
    assert_eq!(state["serving"], Value::Null);
    assert_eq!(harness.connect().get("/readyz").status, 503);
    source.fixture.select(1, &id);
    harness.wait_for(1);
    assert_eq!(source.times_opened(&id), 1);
    wait_until(|| source.served() == [(1, id.clone())]);
}
