//! Tiles of the map, and lists as features: from a dimension file with coordinates to what a map is drawn from.

use serde_json::json;

use crate::{
    serving::{HEADER, row},
    support::{repository::TestRepository, server::TestServer},
};

/// Two stores of one tile, and one that is nowhere on the map.
const STORES: &str =
    "store_id,store_name,lat,lon\na,A,37.5665,126.978\nb,B,37.5666,126.979\nc,C,95,126\n";

fn built(k: u32) -> TestRepository {
    let repository = TestRepository::new();
    let rows = [("a", "100"), ("b", "250"), ("c", "50")].into_iter();
    let rows = rows.enumerate().map(|(id, (store, amount))| {
        let ts = format!("2018-01-0{}T10:00:00", id + 1);
        row(id, store, &ts, amount)
    });
    let input = repository.write("input.csv", HEADER.to_owned() + &rows.collect::<String>());
    let stores = repository.write("stores.csv", STORES);
    let config = repository.write("nightshard.toml", format!("[privacy]\nk = {k}\n"));
    let options = [("--stores", &stores), ("--config", &config)];
    let options = options.map(|(name, path)| [name, path.to_str().unwrap()]);
    let built = repository.build_json([&input], options.as_flattened());
    assert_eq!(
        built["flagged"],
        json!({"store_coordinate_out_of_range": 1})
    );
    repository.run("verify", &["--quiet"]).succeeded();
    repository
}

#[test]
fn stores_of_a_tile_are_told_together_where_nothing_is_hidden() {
    let repository = built(1);
    let server = TestServer::start(&repository.path());
    let mut client = server.connect();
    let tile = json!({"id": "8348/53978", "bbox": [126.974_187_3, 37.566, 126.979_874_3, 37.570_5],
                      "stores": 2, "count": 2, "sum": 350});
    for (target, expected) in [
        ("/v1/tiles", json!([tile])),
        (
            "/v1/tiles?bbox=126.975,37.567,126.976,37.568",
            json!([tile]),
        ),
        ("/v1/tiles?bbox=127,37,128,38", json!([])),
    ] {
        assert_eq!(client.data(target)["rows"], expected, "{target}");
    }
    let statistics = client.data("/v1/tiles/8348/53978/statistics?group_by=all");
    assert_eq!(statistics["rows"][0]["cards"], 1);
    // A Monday and a Tuesday.
    let hours = client.data("/v1/tiles?hours=week");
    let hour =
        |weekday: u32, sum: u32| json!({"weekday": weekday, "hour": 10, "count": 1, "sum": sum});
    assert_eq!(
        hours["rows"][0]["hours"],
        json!([hour(1, 100), hour(2, 250)])
    );
    let hours = client.data("/v1/tiles?hours=day&period=2018-01-02");
    let expected = json!([{"hour": 10, "count": 1, "sum": 250}]);
    assert_eq!(hours["rows"][0]["hours"], expected);
    assert_eq!(client.get("/v1/tiles/8348/53979").0, 404);
    assert_eq!(client.get("/v1/tiles?bbox=1,2").0, 400);
    assert_eq!(client.get("/v1/tiles?period=2018").0, 400);
}

#[test]
fn lists_are_features_with_longitudes_before_latitudes() {
    let repository = built(1);
    let server = TestServer::start(&repository.path());
    let mut client = server.connect();
    let tiles = client.data("/v1/tiles?format=geojson");
    assert_eq!(tiles["type"], "FeatureCollection");
    let tile = &tiles["features"][0];
    assert_eq!(tile["properties"]["sum"], 350);
    let ring = &tile["geometry"]["coordinates"][0];
    assert_eq!(ring[0], json!([126.974_187_3, 37.566]));
    assert_eq!(ring.as_array().unwrap().len(), 5);
    let stores = client.data("/v1/stores?format=geojson&rank_by=amount");
    let geometry = |at: usize| stores["features"][at]["geometry"].clone();
    let point = |lon: f64, lat: f64| json!({"type": "Point", "coordinates": [lon, lat]});
    assert_eq!(geometry(0), point(126.979, 37.566_6));
    assert_eq!(geometry(1), point(126.978, 37.566_5));
    assert!(geometry(2).is_null());
}

#[test]
fn nothing_is_told_of_tiles_where_answers_are_protected() {
    let repository = built(10);
    let server = TestServer::start(&repository.path());
    let mut client = server.connect();
    for target in [
        "/v1/tiles",
        "/v1/tiles?hours=day&format=geojson",
        "/v1/tiles/8348/53978",
        "/v1/tiles/8348/53978/statistics",
    ] {
        assert_eq!(client.get(target).0, 403, "{target}");
    }
    let generation = repository.current();
    let manifest = repository.manifest(&generation).to_string();
    assert!(!manifest.contains("tiles"), "{manifest}");
}
