//! A server of a repository that is no local folder, with a cache of what it fetched.

use std::{sync::Arc, time::SystemTime};

use nightshard_deploy::{Cache, FetchConfig, Repository};
use nightshard_format::{
    manifest::GenerationId,
    quality::{QualityReport, inputs_digest},
    record::CUSTOMERS,
};
use nightshard_server::{Config, RepositorySource};
use nightshard_storage::{Faults, Faulty};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    fixture::{Customer, Fixture, Payment, Shop, figures},
    harness::{Harness, config},
    swap::{count, write},
};

/// Storage in memory, and the folder of one server's cache.
struct Elsewhere {
    runtime: Runtime,
    storage: Arc<Faulty>,
    cache: TempDir,
    fixture: Fixture,
}

impl Elsewhere {
    fn new() -> Self {
        Self {
            runtime: Runtime::new().unwrap(),
            storage: Arc::new(Faulty::new(1, Faults::NONE, SystemTime::UNIX_EPOCH)),
            cache: TempDir::new().unwrap(),
            fixture: Fixture::new(),
        }
    }

    /// Publishes a generation of so many rows.
    fn publish(&self, rows: i32) -> GenerationId {
        let id = write(&self.fixture, rows);
        self.publish_written(&id);
        id
    }

    /// Publishes a generation of the fixture.
    fn publish_written(&self, id: &GenerationId) {
        let manifest = self.fixture.manifest(id);
        for entry in &manifest.shards {
            let name = format!("blobs/{}", entry.blob).parse().unwrap();
            let bytes = self.fixture.blob(&entry.blob);
            self.storage.put(&name, bytes.into());
        }
        let name = format!("generations/{id}/manifest.json").parse().unwrap();
        let json = manifest.to_json().unwrap();
        self.storage.put(&name, json.into());
    }

    /// Puts a quality report beside a generation.
    fn put_report(&self, id: &GenerationId, number: u32, json: &[u8]) {
        let name = format!("generations/{id}/reports/quality-{number:04}.json");
        self.storage
            .put(&name.parse().unwrap(), json.to_vec().into());
    }

    fn repository(&self) -> Repository {
        Repository::new(self.storage.clone())
    }

    /// Selects a generation, which is published, and returns the number.
    fn select(&self, id: &GenerationId) -> u64 {
        let cache = Cache::temporary(FetchConfig::default()).unwrap();
        let repository = self.repository().with_cache(cache);
        self.runtime.block_on(repository.select(id)).unwrap();
        let selection = self.runtime.block_on(repository.current());
        selection.unwrap().unwrap().number.0
    }

    /// Says whether storage does anything.
    fn set_down(&self, is_down: bool) {
        self.storage.set_faults(Faults {
            refused_permille: if is_down { 1_000 } else { 0 },
            ..Faults::NONE
        });
    }

    /// Starts a server with the cache that the one before left.
    fn start(&self) -> Harness {
        self.start_with(config())
    }

    fn start_with(&self, config: Config) -> Harness {
        let cache = Cache::open(self.cache.path(), FetchConfig::default()).unwrap();
        let repository = self.repository().with_cache(cache);
        let source = RepositorySource::new(repository, self.runtime.handle().clone());
        let source = source.with_customers(config.customers);
        Harness::start(config, Arc::new(source))
    }
}

#[test]
fn a_server_that_starts_while_storage_is_down_serves_what_it_served_before() {
    let elsewhere = Elsewhere::new();
    let ids = [10, 20].map(|rows| elsewhere.publish(rows));
    let number = elsewhere.select(&ids[0]);
    let harness = elsewhere.start();
    assert_eq!(harness.wait_for(number), ids[0]);
    // It goes on with what it has.
    elsewhere.set_down(true);
    harness.state_until(|state| state["repository"]["reachable"] == false);
    assert_eq!(count(&mut harness.connect(), "/v1/stores/a"), 10);
    drop(harness);

    let harness = elsewhere.start();
    assert_eq!(harness.wait_for(number), ids[0]);
    let state = harness.state();
    assert_eq!(state["source"], "cache");
    assert_eq!(state["repository"]["reachable"], false);
    assert_eq!(count(&mut harness.connect(), "/v1/stores/a"), 10);
    elsewhere.set_down(false);
    let number = elsewhere.select(&ids[1]);
    assert_eq!(harness.wait_for(number), ids[1]);
    assert_eq!(harness.state()["source"], "repository");
}

/// A report of other inputs is none of the generation's, and one that cannot be read keeps nothing from
/// being served.
#[test]
fn the_newest_quality_report_is_served_and_while_storage_is_down_the_one_found_last() {
    let elsewhere = Elsewhere::new();
    let ids = [10, 20, 30].map(|rows| elsewhere.publish(rows));
    let report = |id: usize, number, is_right, flagged| {
        let manifest = elsewhere.fixture.manifest(&ids[id]);
        let inputs = match is_right {
            true => inputs_digest(&manifest),
            false => "of other inputs".to_owned(),
        };
        let report = QualityReport {
            inputs,
            flagged: [("coordinate_out_of_range".to_owned(), flagged)].into(),
            ..QualityReport::default()
        };
        elsewhere.put_report(&ids[id], number, &serde_json::to_vec(&report).unwrap());
    };
    report(0, 1, false, 6);
    report(0, 2, true, 7);
    report(1, 1, false, 8);
    elsewhere.put_report(&ids[2], 1, b"{");
    let flagged = |harness: &Harness| {
        let reply = harness.connect().get("/v1/info/quality");
        (reply.status == 200).then(|| reply.data()["flagged"]["coordinate_out_of_range"].clone())
    };
    for id in [&ids[1], &ids[2]] {
        let number = elsewhere.select(id);
        let harness = elsewhere.start();
        assert_eq!(harness.wait_for(number), *id);
        assert_eq!(flagged(&harness), None);
    }
    let number = elsewhere.select(&ids[0]);
    let harness = elsewhere.start();
    assert_eq!(harness.wait_for(number), ids[0]);
    assert_eq!(flagged(&harness), Some(7.into()));
    drop(harness);
    elsewhere.set_down(true);
    let harness = elsewhere.start();
    assert_eq!(harness.wait_for(number), ids[0]);
    assert_eq!(harness.state()["source"], "cache");
    assert_eq!(flagged(&harness), Some(7.into()));
    drop(harness);

    // The rows are tested anew, and what was kept is not believed for longer than it has to be.
    elsewhere.set_down(false);
    report(0, 3, true, 9);
    for is_down in [false, true] {
        elsewhere.set_down(is_down);
        let harness = elsewhere.start();
        assert_eq!(harness.wait_for(number), ids[0]);
        assert_eq!(flagged(&harness), Some(9.into()));
    }
}

#[test]
fn what_is_prepared_is_fetched_before_it_is_selected_and_stays_in_the_cache() {
    let elsewhere = Elsewhere::new();
    let ids = [10, 20].map(|rows| elsewhere.publish(rows));
    let number = elsewhere.select(&ids[0]);
    let harness = elsewhere.start();
    harness.wait_for(number);
    harness.prepare_now(&ids[1]);
    assert_eq!(harness.switch().selection(), Some(number));
    let number = elsewhere.select(&ids[1]);
    assert_eq!(harness.wait_for(number), ids[1]);
    drop(harness);
    // Both are in the cache: the server had them mapped.
    for id in &ids {
        for entry in &elsewhere.fixture.manifest(id).shards {
            let path = elsewhere.cache.path().join("blobs").join(&entry.blob);
            assert_eq!(
                std::fs::read(path).unwrap(),
                elsewhere.fixture.blob(&entry.blob)
            );
        }
    }
}

#[test]
fn a_preparation_while_storage_is_down_fails_and_may_be_asked_for_again() {
    let elsewhere = Elsewhere::new();
    let ids = [10, 20].map(|rows| elsewhere.publish(rows));
    let number = elsewhere.select(&ids[0]);
    let harness = elsewhere.start();
    harness.wait_for(number);
    elsewhere.set_down(true);
    harness.prepare(&ids[1]);
    let state = harness.state_until(|state| !state["failed"].is_null());
    assert_eq!(state["failed"]["generation"], ids[1].as_str());
    elsewhere.set_down(false);
    harness.prepare_now(&ids[1]);
    assert!(harness.state()["failed"].is_null());
}

#[test]
fn customers_are_fetched_by_servers_that_hold_them_alone() {
    let elsewhere = Elsewhere::new();
    let shops = [Shop::new("a", "", "", "")];
    let payment = Payment {
        half_hour: None,
        paid: None,
        store: 0,
        day: figures().days.last,
        card: 1,
        amount: 5,
    };
    let customer = Customer {
        key: "00112233445566778899aabbccddeeff",
        figures: figures(),
        attributes: &[],
    };
    let id = elsewhere
        .fixture
        .write_with_customers(&shops, &[payment], &[customer]);
    elsewhere.publish_written(&id);
    let number = elsewhere.select(&id);
    let manifest = elsewhere.fixture.manifest(&id);
    for customers in [false, true] {
        let config = Config {
            customers,
            ..config()
        };
        let harness = elsewhere.start_with(config);
        assert_eq!(harness.wait_for(number), id);
        assert_eq!(count(&mut harness.connect(), "/v1/stores/a"), 1);
        for entry in &manifest.shards {
            let path = elsewhere.cache.path().join("blobs").join(&entry.blob);
            let is_there = path.try_exists().unwrap();
            assert_eq!(is_there, customers || entry.dataset != CUSTOMERS);
        }
    }
}
