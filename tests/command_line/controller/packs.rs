//! Nights with packed datasets.

use super::Nights;
use crate::serving::{row, rows};

#[test]
fn a_night_packs_datasets_into_the_generation_that_it_serves() {
    let nights = Nights::new("");
    let table = |name: &str, text: &str| nights.repository.write(name, text);
    let prices = table("prices.csv", "sku,price\na,1\n");
    let zones = table("zones.csv", "zone,name\nz,north\n");
    let config = std::fs::read_to_string(&nights.config).unwrap();
    let pack = format!(
        "pack = [[\"--input\", {prices:?}, \"--dataset\", \"prices\", \"--key\", \"sku\"], \
         [\"--input\", {zones:?}, \"--dataset\", \"zones\", \"--key\", \"zone\"]]\n"
    );
    std::fs::write(&nights.config, config + &pack).unwrap();
    let value = |dataset: &str, key: &str| {
        let got = nights.repository.run("get", &[dataset, key]);
        got.succeeded().stdout
    };

    nights.run(&["--once", "--day", "2018-01-05"]).succeeded();
    let first = nights.repository.current();
    assert!(
        value("prices", "a").contains("\"price\":\"1\""),
        "{}",
        value("prices", "a")
    );
    assert!(value("zones", "z").contains("north"));
    let manifest = nights.repository.manifest(&first);
    assert_eq!(manifest["stores"], 3, "it has the transactions, too");
    let history = nights.run(&["--history", "--day", "2018-01-05"]);
    assert!(
        history
            .succeeded()
            .stdout
            .contains(&format!("generation {first} built"))
    );

    table("prices.csv", "sku,price\na,2\n");
    nights.holds(&(rows(0..50) + &row(50, "s1", "2018-01-06T10:00:00", "1")));
    nights.run(&["--once", "--day", "2018-01-06"]).succeeded();
    assert!(value("prices", "a").contains("\"price\":\"2\""));

    // Without a table there is no generation.
    std::fs::remove_file(&zones).unwrap();
    let night = nights.run(&["--once", "--day", "2018-01-07"]);
    assert_eq!(night.code, Some(1), "{night:?}");
    assert!(night.stdout.contains("build failed too often"), "{night:?}");
    assert!(nights.repository.current().starts_with("2018-01-06"));
}
