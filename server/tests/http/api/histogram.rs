//! Histograms.

use serde_json::json;

use super::server;
use crate::harness::config;

#[test]
fn histogram_bins_are_ascending_and_add_up() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    for (query, counted, low) in [
        ("", 4, 300),
        ("?of=refunds", 1, -500),
        ("?of=all&bins=64", 5, -500),
        ("?period=2018-01", 2, 1_000),
        ("?period=2018-W05&bins=2", 3, 300),
        ("?period=2018-Q1", 4, 300),
        ("?min_date=2018-01-30&max_date=2018-02-03", 2, 300),
        ("?period=2018-02-03", 1, 300),
        ("?period=2017", 0, 0),
    ] {
        let data = client.get(&format!("/v1/stores/a/histogram{query}")).data();
        let rows = data["rows"].as_array().unwrap();
        let total: u64 = rows.iter().map(|row| row["count"].as_u64().unwrap()).sum();
        assert_eq!(total, counted, "{query}");
        assert!(
            rows.windows(2)
                .all(|pair| pair[0]["high"] == pair[1]["low"])
        );
        if let Some(first) = rows.first() {
            let (first_low, first_high) = (
                first["low"].as_i64().unwrap(),
                first["high"].as_i64().unwrap(),
            );
            assert!((first_low..first_high).contains(&low), "{query}");
        }
    }
    let data = client
        .get("/v1/markets/all/histogram?period=2018-02&of=all")
        .data();
    assert_eq!(
        (&data["period"], &data["of"]),
        (&json!("2018-02"), &json!("all"))
    );
    assert_eq!(data.get("partial"), None);
    for (query, label) in [
        ("min_date=2031-01-01", "2031-01-01/.."),
        ("max_date=1990-01-01", "../1990-01-01"),
        (
            "min_date=2031-01-01&max_date=2031-01-02",
            "2031-01-01/2031-01-02",
        ),
        ("min_date=2018-02-03", "2018-02-03/2018-03-05"),
    ] {
        let path = format!("/v1/stores/a/histogram?{query}");
        assert_eq!(client.get(&path).data()["period"], label, "{query}");
    }
    let data = client.get("/v1/markets/all/histogram?period=2018").data();
    assert_eq!(data["partial"], true);
}
