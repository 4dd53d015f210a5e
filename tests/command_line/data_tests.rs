//! Data tests of the configuration: warned of, or in the way of a generation.

use std::fs;

use crate::{
    serving::{CARD, HEADER, Serving, keeps_secrets},
    support::{repository::TestRepository, server::TestServer},
};

const ROWS: &str = "t1,s0,4929123456789012,2018-01-05T10:00:00,250,GBP\n\
                    t2,s1,,2018-01-06,-250,GBP\n\
                    t2,s0,4929123456789012,2018-01-07T10:00:00,1,GBP\n\
                    t3,s9,,2018-01-08,700,EUR\n\
                    t4,s0,4929123456789012,2018-13-01,250,GBP\n";

const NO_CARD: &str = "[[data_tests]]\nname = \"every row has a card\"\ntest = \"not_null\"\n\
                       column = \"card_id\"\n";

/// Everything that can be said, of which some rows fail.
fn config(stores: &str) -> String {
    format!(
        "[privacy]\nk = 1\n{NO_CARD}severity = \"warn\"\n\
         [[data_tests]]\ntest = \"unique\"\ncolumn = \"tx_id\"\nmax_failures = 1\n\
         [[data_tests]]\ntest = \"accepted_values\"\ncolumn = \"currency\"\n\
         values = [\"GBP\", \"USD\"]\nseverity = \"warn\"\n\
         [[data_tests]]\ntest = \"range\"\ncolumn = \"ts\"\nmin = 2018-01-05\nmax = 2018-01-08\n\
         [[data_tests]]\ntest = \"references\"\ncolumn = \"store_id\"\nfile = {stores:?}\n\
         where = \"currency = 'GBP'\"\n\
         [[data_tests]]\nname = \"refunds have no card\"\ntest = \"expression\"\n\
         expression = \"amount_minor > 0 or card_id is null\"\n"
    )
}

#[test]
fn results_are_shown_published_and_served_and_change_no_generation() {
    let repository = TestRepository::new();
    let input = repository.write("rows.csv", HEADER.to_owned() + ROWS);
    let stores = repository.write("stores.csv", "store_id\ns0\ns1\ns2\n");
    let config = repository.write("nightshard.toml", config(stores.to_str().unwrap()));
    let options = ["--config", config.to_str().unwrap()];

    let plain = repository.build_json([&input], &[]);
    assert_eq!(plain["data_tests"].as_array().unwrap().len(), 0);
    let tested = repository.build_json([&input], &options);
    assert_eq!(tested["generation"], plain["generation"]);
    let told: Vec<(&str, &str, u64, u64)> = tested["data_tests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|test| {
            let text = |key: &str| test[key].as_str().unwrap();
            let count = |key: &str| test[key].as_u64().unwrap();
            (
                text("name"),
                text("status"),
                count("rows"),
                count("failures"),
            )
        })
        .collect();
    let expected = [
        ("every row has a card", "warned", 4, 2),
        ("unique(tx_id)", "passed", 4, 1),
        ("accepted_values(currency)", "warned", 4, 1),
        ("range(ts)", "passed", 4, 0),
        ("references(store_id)", "passed", 3, 0),
        ("refunds have no card", "passed", 4, 0),
    ];
    assert_eq!(told, expected);
    let lines = |test: usize| -> Vec<u64> {
        let rows = tested["data_tests"][test]["first_failures"].as_array();
        rows.unwrap()
            .iter()
            .map(|row| row["line"].as_u64().unwrap())
            .collect()
    };
    assert_eq!((lines(0), lines(1)), (vec![3, 5], vec![4]));

    // The report of the build with tests is the newer one; a third that says the same is none.
    repository.build_json([&input], &options);
    let id = tested["generation"].as_str().unwrap();
    let reports = repository
        .path()
        .join("generations")
        .join(id)
        .join("reports");
    let names = fs::read_dir(&reports).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("quality")).collect();
    names.sort();
    assert_eq!(names, ["quality-0001.json", "quality-0002.json"]);

    let server = TestServer::start(&repository.path());
    let served = server.connect().data("/v1/info/quality");
    assert_eq!(served["tests"][0]["failures"], 2);
    assert_eq!(served["tests"][0]["first_failures"][0]["file"], "rows.csv");

    // What is packed on top is another generation of the same rows.
    let prices = repository.write("prices.csv", "sku,price\na,1\n");
    let output = repository.path();
    let mut pack: Vec<&std::ffi::OsStr> =
        ["pack", "--dataset", "prices", "--key", "sku", "--quiet"]
            .map(std::ffi::OsStr::new)
            .into();
    let paths = [("--input", &prices), ("--output", &output)];
    for (option, path) in paths {
        pack.extend([std::ffi::OsStr::new(option), path.as_os_str()]);
    }
    crate::support::program::run(pack).succeeded();
    assert_ne!(repository.current(), id);
    let server = TestServer::start(&repository.path());
    assert_eq!(server.connect().data("/v1/info/quality"), served);

    let mut shown = repository.build_arguments([&input], &options);
    shown.retain(|argument| argument != "--quiet");
    let shown = crate::support::program::run(shown).succeeded();
    let table = ["data test", "every row has a card", "WARNED", "rows.csv:3"];
    assert!(
        table.iter().all(|word| shown.stdout.contains(word)),
        "{shown:?}"
    );
    for (path, text) in repository.texts() {
        assert!(!text.contains(CARD), "{}", path.display());
    }
    assert!(!shown.stdout.contains(CARD) && !shown.stderr.contains(CARD));
}

#[test]
fn a_test_that_blocks_leaves_nothing_published_and_is_named() {
    let serving = Serving::start();
    let repository = &serving.repository;
    let input = repository.write("rows.csv", HEADER.to_owned() + ROWS);
    let config = repository.write("nightshard.toml", NO_CARD);
    let options = ["--no-gate", "--config", config.to_str().unwrap()];
    let listed = repository.generations().len();

    let outcome = repository.build([&input], &options);
    let problem = "data test \"every row has a card\": 2 of 4 rows fail, the first at";
    outcome.failed(3, &["nothing is published: ", problem, "rows.csv:3"]);
    keeps_secrets(repository, &outcome);
    assert_eq!(repository.generations().len(), listed);
    assert_eq!(repository.current(), serving.generation);
    assert_eq!(serving.server.connect().generation(), serving.generation);
    assert_eq!(repository.litter(), Vec::<std::path::PathBuf>::new());

    let shown = crate::support::program::run(repository.build_arguments([&input], &options));
    assert_eq!(shown.code, Some(3));
    assert!(shown.stdout.contains("BLOCKED"), "{shown:?}");
    let json: Vec<&str> = options.into_iter().chain(["--json"]).collect();
    let told = repository.build([&input], &json);
    assert_eq!(told.code, Some(3));
    assert_eq!(told.json()["data_tests"][0]["status"], "blocked");
}

#[test]
fn results_do_not_depend_on_threads_memory_or_how_rows_are_cut_into_files() {
    let repository = TestRepository::new();
    let rows: Vec<String> = (0..30_000)
        .map(|id| format!("{},s{},,2018-01-05,{id},GBP\n", id % 20_000, id % 50))
        .collect();
    let whole = repository.write("all.csv", HEADER.to_owned() + &rows.concat());
    let parts: Vec<_> = rows
        .chunks(7_000)
        .enumerate()
        .map(|(part, rows)| {
            repository.write(
                &format!("part-{part}.csv"),
                HEADER.to_owned() + &rows.concat(),
            )
        })
        .collect();
    let config = "[[data_tests]]\ntest = \"unique\"\ncolumn = \"tx_id\"\nseverity = \"warn\"\n\
                  [[data_tests]]\ntest = \"range\"\ncolumn = \"amount_minor\"\nmax = 9999\n\
                  severity = \"warn\"\n";
    let config = repository.write("nightshard.toml", config);
    let config = config.to_str().unwrap();
    let results = |inputs: &[std::path::PathBuf], options: &[&str]| {
        let options: Vec<&str> = ["--no-gate", "--config", config]
            .iter()
            .chain(options)
            .copied()
            .collect();
        repository.build_json(inputs, &options)["data_tests"].clone()
    };
    let expected = results(std::slice::from_ref(&whole), &["--threads", "1"]);
    assert_eq!(expected[0]["failures"], 10_000);
    assert_eq!(expected[0]["first_failures"][0]["line"], 20_002);
    assert_eq!(expected[1]["failures"], 20_000);
    let options = ["--threads", "4", "--memory", "64MiB"];
    assert_eq!(results(&[whole], &options), expected);
    let reversed: Vec<_> = parts.iter().rev().cloned().collect();
    let cut = results(&parts, &["--threads", "1"]);
    assert_eq!(results(&reversed, &options), cut);
    for test in 0..2 {
        assert_eq!(cut[test]["failures"], expected[test]["failures"]);
    }
    // Row 20,000, the first that repeats another: line 6,002 of the third file.
    assert_eq!(cut[0]["first_failures"][0]["line"], 6_002);
}

#[test]
fn a_wrong_declaration_names_file_test_and_key_before_a_row_is_read() {
    let repository = TestRepository::new();
    let input = repository.write("rows.csv", HEADER.to_owned() + ROWS);
    for (text, words) in [
        ("colour = 1\n", ["line 5", "unknown field `colour`"]),
        (
            "severity = \"error\"\n",
            [
                "line 5",
                "unknown variant `error`, expected `warn` or `block`",
            ],
        ),
        (
            "where = \"card > 1\"\n",
            [
                "test \"every row has a card\"",
                "where: character 1: \"card\" is no field",
            ],
        ),
        (
            "values = [1]\n",
            [
                "test \"every row has a card\"",
                "values: does not belong to the test not_null",
            ],
        ),
    ] {
        let config = repository.write("nightshard.toml", NO_CARD.to_owned() + text);
        let config = config.to_str().unwrap();
        let outcome = repository.build([&input], &["--config", config]);
        outcome.failed(2, &[&["--config", "nightshard.toml"][..], &words].concat());
    }
}

#[test]
fn coordinates_are_rejected_flagged_or_sound() {
    let repository = TestRepository::new();
    let header = "store_id,card_id,ts,amount_minor,currency,lat,lon\n";
    let row = |lat: &str, lon: &str| format!("s0,,2018-01-05,1,GBP,{lat},{lon}\n");
    let rows = [
        row("52.5", "-1.9"),
        row("", ""),
        row("north", "1"),
        row("52.5", "\"1,9\""),
        row("91", "1"),
        row("1", "-180.01"),
    ];
    let input = repository.write("rows.csv", header.to_owned() + &rows.concat());
    let stores = repository.write("stores.csv", "store_id,lat,lon\ns0,99,1\n");
    let stores = stores.to_str().unwrap();
    let built = repository.build_json([&input], &["--no-gate", "--stores", stores]);
    assert_eq!(built["rows"]["used"], 4);
    assert_eq!(built["flagged"]["coordinate_out_of_range"], 2);
    assert_eq!(built["flagged"]["store_coordinate_out_of_range"], 1);
    let quarantine = repository.quarantine(built["generation"].as_str().unwrap());
    let expected = ["rows.csv,4,lat,not a number", "rows.csv,5,lon,not a number"];
    assert_eq!(quarantine, expected);
}

#[test]
fn what_no_value_or_day_can_meet_is_wrong_configuration() {
    let repository = TestRepository::new();
    let input = repository.write("rows.csv", HEADER.to_owned() + ROWS);
    let range = "[[data_tests]]\ntest = \"range\"\ncolumn = \"amount_minor\"\nmin = 2\nmax = 1\n";
    for (text, problem) in [
        (range, "min: is above max: no value is between them"),
        (
            "[loyalty]\nregular_days = 400\n",
            "loyalty.regular_days: 400 is not from 1 to 366",
        ),
    ] {
        let config = repository.write("nightshard.toml", text);
        let options = ["--config", config.to_str().unwrap()];
        repository.build([&input], &options).failed(2, &[problem]);
    }
}
