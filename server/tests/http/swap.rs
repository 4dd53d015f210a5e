//! Swapping generations under a server that answers meanwhile.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use nightshard_format::{
    calendar::Day,
    manifest::{GenerationId, ShardEntry},
    record::{BEFORE_AFTER, DEMOGRAPHICS, ORIGINS, PLACE_DEMOGRAPHICS, SETTLEMENTS, SPEND_SHARES},
};
use nightshard_server::Config;
use serde_json::{Value, json};

use crate::{
    api::{before_after, benchmark, demographics, origins, settlements},
    client::{Client, Reply},
    fixture::{Fixture, Payment, Shop, replace},
    harness::{Harness, config},
};

/// Writes a generation of three stores with `rows` rows each.
pub(crate) fn write(fixture: &Fixture, rows: i32) -> GenerationId {
    let shops = ["a", "b", "c"].map(|id| Shop::new(id, "Corner Shop", "leeds", "food"));
    let payments: Vec<Payment> = (0..3)
        .flat_map(|store| {
            (0..rows).map(move |row| Payment {
                half_hour: None,
                paid: None,
                store,
                day: Day(17_500 + row % 60),
                card: row as u32,
                amount: i64::from(rows),
            })
        })
        .collect();
    fixture.write(&shops, &payments)
}

fn keeping(generations: usize) -> Config {
    Config {
        keep_mapped: generations.try_into().unwrap(),
        ..config()
    }
}

fn generation(reply: &Reply) -> String {
    reply.header("nightshard-generation").unwrap().to_owned()
}

/// Returns the number of rows of a store or market, all told.
pub(crate) fn count(client: &mut Client, target: &str) -> u64 {
    client.get(target).data()["count"].as_u64().unwrap()
}

#[test]
fn an_earlier_generation_can_be_named_while_it_is_kept() {
    let fixture = Arc::new(Fixture::new());
    let ids: Vec<GenerationId> = [10, 20, 30].map(|rows| write(&fixture, rows)).to_vec();
    fixture.select(1, &ids[0]);
    let harness = Harness::ready(keeping(2), fixture.clone(), 1);
    let mut client = harness.connect();
    let pinned = |id: &GenerationId| format!("/v1/stores/a?generation={id}");
    assert_eq!(
        client.get(&pinned(&ids[1])).problem(),
        (404, Some("generation".into()))
    );
    for (number, id) in (2..).zip(&ids[1..]) {
        fixture.select(number, id);
        harness.wait_for(number);
    }
    assert_eq!(count(&mut client, "/v1/stores/a"), 30);
    let reply = client.get(&pinned(&ids[1]));
    assert_eq!(generation(&reply), ids[1].as_str());
    assert_eq!(reply.header("nightshard-selection"), Some("3"));
    assert_eq!(reply.json()["generation"], ids[1].as_str());
    assert_eq!(reply.data()["count"], 20);
    let gone = client.get(&pinned(&ids[0]));
    assert_eq!(gone.problem(), (410, Some("generation".into())));
    assert_eq!(generation(&gone), ids[2].as_str());
    let body = br#"{"lookups": [{"path": "/v1/stores/a"}]}"#;
    let target = format!("/v1/batch?generation={}", ids[1]);
    let reply = client.request("POST", &target, &[], body);
    assert_eq!(generation(&reply), ids[1].as_str());
    assert_eq!(reply.data()["rows"][0]["data"]["count"], 20);
}

#[test]
fn a_list_goes_on_in_the_generation_it_began_in() {
    let fixture = Arc::new(Fixture::new());
    let ids: Vec<GenerationId> = [10, 20, 30].map(|rows| write(&fixture, rows)).to_vec();
    fixture.select(1, &ids[0]);
    let harness = Harness::ready(keeping(2), fixture.clone(), 1);
    let mut client = harness.connect();
    let first = client.get("/v1/stores?limit=1").data();
    let target = format!(
        "/v1/stores?limit=1&cursor={}",
        first["next"].as_str().unwrap()
    );
    fixture.select(2, &ids[1]);
    harness.wait_for(2);
    let reply = client.get(&target);
    assert_eq!(generation(&reply), ids[0].as_str());
    assert_eq!(reply.data()["rows"][0]["count"], 10);
    fixture.select(3, &ids[2]);
    harness.wait_for(3);
    assert_eq!(client.get(&target).problem(), (410, Some("cursor".into())));
    // One that was changed is of no generation that ever was.
    let cursor = first["next"].as_str().unwrap();
    for at in [0, 7, 8, 39] {
        let mut digits = cursor.as_bytes().to_vec();
        digits[at] = if digits[at] == b'0' { b'1' } else { b'0' };
        let changed = String::from_utf8(digits).unwrap();
        let reply = client.get(&format!("/v1/stores?limit=1&cursor={changed}"));
        let status = if at < 8 { 400 } else { 410 };
        assert_eq!(reply.problem(), (status, Some("cursor".into())), "{at}");
    }
}

#[test]
fn a_client_never_sees_time_run_backwards() {
    let fixture = Arc::new(Fixture::new());
    let ids = [10, 20].map(|rows| write(&fixture, rows));
    fixture.select(4, &ids[0]);
    let harness = Harness::ready(keeping(2), fixture.clone(), 4);
    let mut client = harness.connect();
    let mut at_least = |number: &str| {
        client.request(
            "GET",
            "/v1/stores/a",
            &[("nightshard-at-least", number)],
            b"",
        )
    };
    for number in ["0", "3", "4"] {
        assert_eq!(at_least(number).status, 200);
    }
    let behind = at_least("5");
    assert_eq!(behind.problem(), (503, None));
    assert_eq!(behind.header("retry-after"), Some("1"));
    assert_eq!(behind.header("nightshard-selection"), Some("4"));
    for wrong in ["x", "-1", "+1", "", "18446744073709551616"] {
        assert_eq!(at_least(wrong).problem(), (400, None), "{wrong}");
    }
    let header = "nightshard-at-least";
    for (headers, status) in [
        (&[("cookie", "theme=dark; Nightshard-At-Least=5")][..], 503),
        (&[("cookie", "Nightshard-At-Least=4")], 200),
        (&[("cookie", "Nightshard-At-Least=+4")], 400),
        (&[("cookie", "nightshard")], 200),
        (&[(header, "1"), (header, "5")], 503),
        (&[(header, "5"), (header, "1")], 503),
        (&[(header, "1"), ("cookie", "nightshard-at-least=5")], 503),
        (&[(header, "1"), (header, "4")], 200),
    ] {
        let reply = harness
            .connect()
            .request("GET", "/v1/stores/a", headers, b"");
        assert_eq!(reply.status, status, "{headers:?}");
    }
    fixture.select(5, &ids[1]);
    harness.wait_for(5);
    let reply = at_least("5");
    assert_eq!(reply.header("nightshard-selection"), Some("5"));
    assert_eq!(reply.data()["count"], 20);
}

/// Returns a counter without labels.
pub(crate) fn metric(client: &mut Client, name: &str) -> u64 {
    let text = String::from_utf8(client.get("/metrics").body).unwrap();
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap().parse().unwrap()
}

#[test]
fn a_candidate_that_fails_leaves_the_current_generation_and_is_tried_again() {
    let fixture = Arc::new(Fixture::new());
    let current = write(&fixture, 10);
    fixture.select(1, &current);
    let harness = Harness::ready(keeping(1), fixture.clone(), 1);
    let mut client = harness.connect();
    let mut selection = 1;
    for dataset in ["stores", "markets", "rankings", "search"] {
        let candidate = write(&fixture, 20);
        let file = fixture.shard_file(&candidate, dataset);
        let whole = std::fs::read(&file).unwrap();
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 1;
        replace(&file, &damaged);
        let failed = metric(&mut client, "nightshard_candidates_failed_total");
        selection += 1;
        fixture.select(selection, &candidate);
        while metric(&mut client, "nightshard_candidates_failed_total") < failed + 2 {
            let reply = client.get("/v1/stores/a");
            assert_eq!(generation(&reply), current.as_str());
            assert_eq!(
                reply.header("nightshard-selection"),
                Some(&*(selection - 1).to_string())
            );
        }
        assert_eq!(client.get("/readyz").status, 200);
        replace(&file, &whole);
        assert_eq!(harness.wait_for(selection), candidate);
        assert_eq!(count(&mut client, "/v1/markets/all"), 60);
        selection += 1;
        fixture.select(selection, &current);
        harness.wait_for(selection);
    }
}

#[test]
fn a_generation_that_lacks_any_shard_is_never_served() {
    let fixture = Arc::new(Fixture::new());
    let current = write(&fixture, 10);
    // Ids so that each shard of search and of rankings has something that is counted.
    let shops: Vec<Shop> = (0..40)
        .map(|index| {
            let (region, category) = (index % 9, index % 7);
            let of = |name, number| format!("{name}{number}");
            Shop::new(&of("s", index), "", &of("r", region), &of("c", category))
        })
        .collect();
    let payments: Vec<Payment> = (0..400)
        .map(|row| Payment {
            half_hour: None,
            paid: None,
            store: row % 40,
            day: Day(17_500 + (row % 60) as i32),
            card: 1,
            amount: 5,
        })
        .collect();
    let values = vec![(Day(17_500), 1.0), (Day(17_559), 2.0)];
    let series = ["a", "b", "c", "d"].map(|name| (name, values.clone()));
    let whole = fixture.write_beside(Day(17_559), &shops, &payments, &series);
    fixture.select(1, &current);
    let harness = Harness::ready(keeping(1), fixture.clone(), 1);
    let mut client = harness.connect();
    let mut lacking = fixture.lacking_one(&whole);
    assert!(lacking.len() > 15);
    let told = [
        (DEMOGRAPHICS, demographics::records()),
        (PLACE_DEMOGRAPHICS, demographics::records_of_places()),
        (ORIGINS, origins::records()),
        (BEFORE_AFTER, before_after::records()),
        (SPEND_SHARES, benchmark::spend_records()),
        (SETTLEMENTS, settlements::records()),
    ];
    let told = told
        .each_ref()
        .map(|(dataset, records)| (*dataset, records.as_slice()));
    let whole_told = fixture.write_all_told(&shops, &payments, &told);
    let lacking_told = fixture.lacking_one(&whole_told).into_iter();
    let is_told = |shard: &ShardEntry| told.iter().any(|(dataset, _)| shard.dataset == *dataset);
    lacking.extend(lacking_told.filter(|(shard, _)| is_told(shard)));
    for (dataset, _) in told {
        assert!(lacking.iter().any(|(shard, _)| shard.dataset == dataset));
    }
    // But for the months of all stores nothing says that there are demographics of one.
    let without_market = &[told[0]][..];
    let lacking_market = fixture.write_all_told(&shops, &payments, without_market);
    let of_stores = fixture.lacking_one(&lacking_market).remove(0).0;
    lacking.push((of_stores, lacking_market));
    for (number, (shard, id)) in (2..).zip(lacking) {
        let failed = metric(&mut client, "nightshard_candidates_failed_total");
        fixture.select(number, &id);
        harness.switch().wake();
        while metric(&mut client, "nightshard_candidates_failed_total") == failed {}
        assert_eq!(harness.switch().selection(), Some(1), "{shard:?}");
    }
    for (number, whole) in [(1_000, whole), (1_001, whole_told)] {
        fixture.select(number, &whole);
        assert_eq!(harness.wait_for(number), whole);
    }
}

#[test]
fn a_selection_that_names_nothing_or_is_older_changes_nothing() {
    let fixture = Arc::new(Fixture::new());
    let ids = [10, 20].map(|rows| write(&fixture, rows));
    fixture.select(5, &ids[0]);
    let harness = Harness::ready(keeping(2), fixture.clone(), 5);
    let mut client = harness.connect();
    let missing: GenerationId = "2018-01-01-0123456789ab".parse().unwrap();
    for (number, id) in [(6, &missing), (4, &ids[1])] {
        let failed = metric(&mut client, "nightshard_candidates_failed_total");
        fixture.select(number, id);
        harness.switch().wake();
        while metric(&mut client, "nightshard_candidates_failed_total") == failed {}
        let reply = client.get("/v1/stores/a");
        assert_eq!(generation(&reply), ids[0].as_str());
        assert_eq!(reply.header("nightshard-selection"), Some("5"));
    }
}

#[test]
fn a_rollback_serves_the_generation_that_is_still_mapped() {
    let fixture = Arc::new(Fixture::new());
    let ids = [10, 20].map(|rows| write(&fixture, rows));
    fixture.select(1, &ids[0]);
    let harness = Harness::ready(keeping(2), fixture.clone(), 1);
    fixture.select(2, &ids[1]);
    harness.wait_for(2);
    // Were it opened again, it would be refused.
    std::fs::remove_file(fixture.shard_file(&ids[0], "stores")).unwrap();
    fixture.select(3, &ids[0]);
    assert_eq!(harness.wait_for(3), ids[0]);
}

/// What each generation says, by its id.
type Truth = HashMap<String, u64>;

/// Checks that every figure of an answer belongs to the generation that it names.
fn check(reply: &Reply, truth: &Truth) {
    assert_eq!(
        reply.status,
        200,
        "{}",
        String::from_utf8_lossy(&reply.body)
    );
    let document = reply.json();
    let named = document["generation"].as_str().unwrap();
    assert_eq!(reply.header("nightshard-generation"), Some(named));
    let rows = truth[named];
    let sum_of = |data: &Value| -> u64 {
        let rows = data["rows"].as_array().unwrap().iter();
        rows.map(|row| row["count"].as_u64().unwrap()).sum()
    };
    let data = &document["data"];
    match data["rows"][0].get("status") {
        None => assert_eq!(sum_of(data), rows, "{document}"),
        Some(_) => {
            for row in data["rows"].as_array().unwrap() {
                assert_eq!(sum_of(&row["data"]), rows, "{document}");
            }
        }
    }
}

#[test]
fn a_thousand_swaps_under_load_fail_no_request_and_mix_no_generations() {
    let fixture = Arc::new(Fixture::new());
    let rows = [40, 70];
    let ids = rows.map(|rows| write(&fixture, rows));
    let truth: Truth = std::iter::zip(&ids, rows)
        .map(|(id, rows)| (id.to_string(), rows as u64))
        .collect();
    fixture.select(1, &ids[0]);
    // With one generation kept, every swap opens, verifies, maps and unmaps.
    let harness = Harness::ready(keeping(1), fixture.clone(), 1);
    let done = AtomicBool::new(false);
    let answered = AtomicU64::new(0);
    let paths = [
        "/v1/stores/a/statistics?group_by=week",
        "/v1/stores/b/histogram?bins=4",
        "/v1/stores/c/statistics?min_date=1990-01-01&group_by=all",
    ];
    let lookups: Vec<Value> = paths
        .iter()
        .cycle()
        .take(12)
        .map(|path| json!({"path": path}))
        .collect();
    let batch = json!({"lookups": lookups}).to_string();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (harness, truth, done, answered, batch) =
                (&harness, &truth, &done, &answered, &batch);
            scope.spawn(move || {
                let mut client = harness.connect();
                for round in thread.. {
                    if done.load(Relaxed) {
                        break;
                    }
                    let reply = match round % 4 {
                        3 => client.request("POST", "/v1/batch", &[], batch.as_bytes()),
                        path => client.get(paths[path]),
                    };
                    check(&reply, truth);
                    answered.fetch_add(1, Relaxed);
                }
            });
        }
        for number in 2..=1_001 {
            let before = answered.load(Relaxed);
            fixture.select(number, &ids[usize::from(number % 2 == 0)]);
            harness.switch().wake();
            harness.wait_for(number);
            while answered.load(Relaxed) == before {
                std::thread::yield_now();
            }
        }
        done.store(true, Relaxed);
    });
    assert!(answered.load(Relaxed) > 1_000);
    assert_eq!(
        metric(&mut harness.connect(), "nightshard_swaps_total"),
        1_001
    );
}
