//! What is read as a manifest, and what is not.

use super::*;
use crate::{
    privacy::{PRIVACY_K_KEY, Privacy},
    staleness::{STALE_AFTER_DAYS_KEY, Staleness},
};

fn manifest() -> Manifest {
    let mut manifest = Manifest {
        format_version: 1,
        id: "2018-12-31-000000000000".parse().unwrap(),
        as_of: "2018-12-31".into(),
        transactions: Some(Transactions {
            days: ["2018-01-01".into(), "2018-12-31".into()],
            currency: "GBP".into(),
            currency_exponent: 2,
            rows: Rows {
                read: 3,
                used: 1,
                rejected: [("bad_date".into(), 1)].into(),
                excluded: [("duplicate".into(), 1)].into(),
            },
            stores: 1,
            card_key: "00".into(),
        }),
        packed: BTreeMap::new(),
        inputs: vec![],
        configuration: BTreeMap::new(),
        shards: vec![],
    };
    manifest.id = manifest.compute_id().unwrap();
    manifest
}

/// A manifest of the packed dataset `prices` alone, with one shard of two records.
fn packed() -> Manifest {
    let mut manifest = Manifest {
        transactions: None,
        packed: [(
            "prices".into(),
            Packed {
                media_type: "text/plain".into(),
                key: "sku".into(),
                values: vec!["price".into()],
                on_duplicate: OnDuplicate::Last,
                rows: Rows {
                    read: 3,
                    used: 2,
                    excluded: [("duplicate".into(), 1)].into(),
                    ..Rows::default()
                },
            },
        )]
        .into(),
        inputs: vec![Input::File {
            role: InputRole::Packed,
            dataset: Some("prices".into()),
            blake3: "a".repeat(64),
            size_bytes: 1,
        }],
        shards: vec![shard("prices", 2)],
        ..manifest()
    };
    manifest.id = manifest.compute_id().unwrap();
    manifest
}

fn shard(dataset: &str, records: u64) -> ShardEntry {
    ShardEntry {
        dataset: dataset.into(),
        span: "current".into(),
        first_partition: 0,
        end_partition: 1,
        blob: "0".repeat(64),
        size_bytes: 1,
        records,
    }
}

fn read(mut manifest: Manifest) -> Result<Manifest> {
    manifest.id = manifest.compute_id()?;
    Manifest::from_json(&manifest.to_json()?)
}

#[test]
fn transactions_packed_datasets_or_both_make_a_generation() {
    let mut both = packed();
    both.transactions = manifest().transactions;
    both.shards.push(shard("stores", 1));
    both.inputs.insert(
        0,
        Input::File {
            role: InputRole::Stores,
            dataset: None,
            blake3: "b".repeat(64),
            size_bytes: 1,
        },
    );
    for right in [manifest(), packed(), both] {
        let read = read(right.clone()).unwrap();
        assert_eq!(read.transactions, right.transactions);
        assert_eq!(read.packed, right.packed);
    }
    let neither = Manifest {
        transactions: None,
        ..manifest()
    };
    assert!(matches!(read(neither), Err(Error::Corrupt { .. })));
}

#[test]
fn a_packed_dataset_replaces_its_namesake_and_nothing_else() {
    let mut merged = manifest();
    merged.shards.push(shard("stores", 1));
    let alone = merged.clone();
    merged.carry_packed(&packed());
    let carried = read(merged.clone()).unwrap();
    assert_eq!(carried.packed, packed().packed);
    assert_eq!(carried.transactions, alone.transactions);
    assert_eq!(carried.shards, [shard("prices", 2), shard("stores", 1)]);
    assert_eq!(carried.inputs, packed().inputs);

    let mut prices = packed().packed["prices"].clone();
    prices.rows.read = 1;
    prices.rows.used = 1;
    prices.rows.excluded.clear();
    merged.put_packed("prices", prices.clone(), [], [shard("prices", 1)]);
    merged.carry_packed(&packed());
    let replaced = read(merged).unwrap();
    assert_eq!(replaced.packed["prices"], prices);
    assert_eq!(replaced.shards, [shard("prices", 1), shard("stores", 1)]);
    assert!(replaced.inputs.is_empty());
}

#[test]
fn members_of_transactions_stand_all_or_none() {
    let json: serde_json::Value = serde_json::to_value(manifest()).unwrap();
    let members = [
        "days",
        "currency",
        "currency_exponent",
        "rows",
        "stores",
        "card_key",
    ];
    for member in members {
        for change in [None, Some(serde_json::Value::Null)] {
            let mut json = json.clone();
            let members = json.as_object_mut().unwrap();
            members.remove(member);
            change.map(|change| members.insert(member.into(), change));
            let read = Manifest::from_json(&serde_json::to_vec(&json).unwrap());
            let error = read.unwrap_err().to_string();
            assert!(error.contains(member), "{error}");
        }
    }
}

#[test]
fn packed_datasets_that_do_not_fit_their_shards_are_refused() {
    let change = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = packed();
        change(&mut manifest);
        let read = read(manifest);
        assert!(matches!(read, Err(Error::Corrupt { .. })), "{read:?}");
    };
    change(&|manifest| manifest.shards[0].records = 1);
    change(&|manifest| manifest.shards[0].span = "2018-01".into());
    change(&|manifest| manifest.shards[0].dataset = "others".into());
    change(&|manifest| {
        let prices = manifest.packed.get_mut("prices").unwrap();
        prices.rows.read = 4;
    });
    change(&|manifest| {
        let prices = manifest.packed.get_mut("prices").unwrap();
        prices.media_type = "text/plain\n".into();
    });
    for name in ["stores", "", "Prices", "a/b", &"x".repeat(33)] {
        change(&|manifest| {
            let prices = manifest.packed.remove("prices").unwrap();
            manifest.packed.insert(name.into(), prices);
            manifest.shards[0].dataset = name.into();
            manifest.inputs.clear();
        });
    }
    change(&|manifest| {
        if let Input::File { dataset, .. } = &mut manifest.inputs[0] {
            *dataset = Some("others".into());
        }
    });
    change(&|manifest| {
        if let Input::File { dataset, .. } = &mut manifest.inputs[0] {
            *dataset = None;
        }
    });
}

#[test]
fn json_round_trips_and_any_change_is_noticed() {
    let manifest = manifest();
    let json = manifest.to_json().unwrap();
    assert_eq!(Manifest::from_json(&json).unwrap(), manifest);
    for at in 0..json.len() {
        let mut damaged = json.clone();
        damaged[at] ^= 0x01;
        if let Ok(read) = Manifest::from_json(&damaged) {
            // White space may become other white space.
            assert_eq!(read, manifest, "byte {at}");
        }
        assert!(at == json.len() - 1 || Manifest::from_json(&json[..at]).is_err());
    }
}

#[test]
fn rows_that_do_not_add_up_and_newer_versions_are_refused() {
    let mut wrong = manifest();
    wrong.transactions.as_mut().unwrap().rows.used = 2;
    wrong.id = wrong.compute_id().unwrap();
    assert!(matches!(
        Manifest::from_json(&wrong.to_json().unwrap()),
        Err(Error::Corrupt { .. })
    ));
    let mut newer = manifest();
    newer.format_version = 2;
    assert!(matches!(
        Manifest::from_json(&newer.to_json().unwrap()),
        Err(Error::UnknownVersion { found: 2, .. })
    ));
}

#[test]
fn inputs_out_of_order_or_without_a_digest_are_refused() {
    let file = |role, digit: &str| Input::File {
        role,
        dataset: None,
        blake3: digit.repeat(64),
        size_bytes: 1,
    };
    let (transactions, stores) = (InputRole::Transactions, InputRole::Stores);
    let series = InputRole::Series;
    let atoms = |digit: &str| Input::Atoms {
        blake3: digit.repeat(64),
    };
    for (inputs, is_right) in [
        (vec![file(series, "b"), atoms("a")], true),
        (vec![atoms("a"), file(series, "b")], false),
        (vec![atoms("x")], false),
        (vec![file(stores, "b"), file(series, "a")], true),
        (vec![file(series, "a"), file(stores, "b")], false),
        (vec![file(transactions, "b"), file(stores, "a")], true),
        (vec![file(transactions, "a"), file(transactions, "a")], true),
        (vec![file(stores, "a"), file(transactions, "b")], false),
        (
            vec![file(transactions, "b"), file(transactions, "a")],
            false,
        ),
        (vec![file(transactions, "x")], false),
    ] {
        let mut manifest = manifest();
        manifest.inputs = inputs;
        manifest.id = manifest.compute_id().unwrap();
        let read = Manifest::from_json(&manifest.to_json().unwrap());
        assert_eq!(read.is_ok(), is_right, "{read:?}");
    }
}

#[test]
fn sums_that_overflow_are_refused_like_wrong_ones() {
    let refused = |mut wrong: Manifest| {
        wrong.id = wrong.compute_id().unwrap();
        let read = Manifest::from_json(&wrong.to_json().unwrap());
        assert!(matches!(read, Err(Error::Corrupt { .. })), "{read:?}");
    };
    let mut rows = manifest();
    let counts = &mut rows.transactions.as_mut().unwrap().rows;
    counts.read = 1;
    counts.rejected.insert("many".into(), u64::MAX);
    refused(rows);
    let mut sizes = manifest();
    sizes.shards.push(ShardEntry {
        size_bytes: u64::MAX,
        ..shard("stores", 1)
    });
    refused(sizes);
}

#[test]
fn ids_that_could_be_paths_are_refused() {
    for text in [
        "../../../etc/passwd",
        "2018-12-31-00000000000/",
        "2018-12-31",
        "",
        "2018-12-31-00000000000G",
        "2018-12-31--00000000000",
        "2018-12-31-0000000000000",
    ] {
        assert!(text.parse::<GenerationId>().is_err(), "{text}");
    }
}

#[test]
fn after_how_many_days_series_are_stale_is_a_number_or_the_default() {
    let rule = |days: Option<serde_json::Value>| {
        let mut manifest = manifest();
        let configuration = &mut manifest.configuration;
        configuration.extend(days.map(|days| (STALE_AFTER_DAYS_KEY.to_owned(), days)));
        let as_of: Day = manifest.as_of.parse().unwrap();
        Staleness::of(&manifest)
            .map(|rule| [2, 3, 7].map(|days| rule.is_stale(Day(as_of.0 - days))))
    };
    assert_eq!(rule(None).unwrap(), [false, false, true]);
    assert_eq!(rule(Some(3.into())).unwrap(), [false, true, true]);
    for wrong in [(-1).into(), "7".into(), 1.5.into(), u64::MAX.into()] {
        assert!(matches!(rule(Some(wrong)), Err(Error::Corrupt { .. })));
    }
}

#[test]
fn answers_are_protected_where_the_configuration_says_so() {
    let privacy = |k: Option<serde_json::Value>| {
        let mut manifest = manifest();
        let configuration = &mut manifest.configuration;
        configuration.extend(k.map(|k| (PRIVACY_K_KEY.to_owned(), k)));
        Privacy::of(&manifest)
    };
    for (k, expected, is_protecting) in
        [(None, 1, false), (Some(1), 1, false), (Some(10), 10, true)]
    {
        let privacy = privacy(k.map(Into::into)).unwrap();
        assert_eq!(
            (privacy.k(), privacy.is_protecting()),
            (expected, is_protecting)
        );
    }
    for wrong in [0.into(), (-1).into(), "10".into(), 1.5.into()] {
        assert!(matches!(privacy(Some(wrong)), Err(Error::Corrupt { .. })));
    }
}

#[test]
fn a_manifest_that_differs_in_kept_atoms_alone_is_the_same_again() {
    let atoms = |digit: &str| Input::Atoms {
        blake3: digit.repeat(64),
    };
    let with = |input: Option<Input>, as_of: &str| {
        let mut manifest = manifest();
        manifest.as_of = as_of.into();
        manifest.inputs.extend(input);
        manifest.id = manifest.compute_id().unwrap();
        manifest
    };
    let day = manifest().as_of;
    for of_base in [None, Some(atoms("a"))] {
        let base = with(of_base, &day);
        for own in [None, Some(atoms("a")), Some(atoms("b"))] {
            let mut again = with(own.clone(), &day);
            again.repeat(&base).unwrap();
            assert_eq!(again, base);
            let later = with(own, "2038-01-01");
            let mut other = later.clone();
            other.repeat(&base).unwrap();
            assert_eq!(other, later);
        }
    }
}
