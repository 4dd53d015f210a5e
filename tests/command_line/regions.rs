//! The tree of regions: served above the regions of stores, refused where it is wrong, and told where it lacks some.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{
    serving::{Serving, gzip},
    support::{client::Client, program, repository::TestRepository, server::TestServer},
};

const TREE: &str = "region,name,parent,lat,lon\nkr-11-2,종로구,kr-11,,\nkr-11,서울,,37.57,126.98\n\
                    kr-11-1,강남구,kr-11,37.5,127.05\nkr-26,부산,,95,129\n";

/// Rows of stores in regions by id, by name, by a name in another Unicode form, and of one that is in no file.
const ROWS: &str = "tx_id,store_id,card_id,ts,amount_minor,currency,category,region\n\
    t1,a,c1,2018-01-05T10:00:00,100,KRW,cafe,kr-11-1\n\
    t2,b,c1,2018-01-05T11:00:00,200,KRW,cafe,\u{110c}\u{1169}\u{11bc}\u{1105}\u{1169}\u{1100}\u{116e}\n\
    t3,c,c2,2018-01-06T10:00:00,400,KRW,bar,대구\n\
    t4,a,c2,2018-01-06T11:00:00,800,KRW,cafe,kr-11-1\n";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn rows(client: &mut Client, target: &str) -> Value {
    client.data(target)["rows"].take()
}

fn ids(client: &mut Client, target: &str) -> Vec<String> {
    let rows = rows(client, target);
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn regions_above_others_are_places_like_them() {
    let repository = TestRepository::new();
    let input = repository.write("input.csv", ROWS);
    let tree = repository.write("regions.csv", TREE);
    let built = repository.build_json([&input], &["--regions", text(&tree)]);
    assert_eq!(
        built["flagged"],
        json!({"region_coordinate_out_of_range": 1})
    );
    repository.run("verify", &["--quiet"]).succeeded();
    let server = TestServer::start(&repository.path());
    let client = &mut server.connect();

    let seoul = json!({"id": "kr-11", "parent": null, "name": "서울", "lat": 37.57, "lon": 126.98,
                       "stores": 2, "count": 3, "sum": 1_100});
    assert_eq!(rows(client, "/v1/regions?limit=1"), json!([seoul]));
    for (target, expected) in [
        ("/v1/regions", &["kr-11", "kr-11-1", "kr-11-2", "대구"][..]),
        ("/v1/regions?parent=", &["kr-11", "대구"]),
        ("/v1/regions?parent=kr-11", &["kr-11-1", "kr-11-2"]),
        ("/v1/regions?parent=kr-11-1", &[]),
        (
            "/v1/regions?parent=kr-11&rank_by=amount",
            &["kr-11-1", "kr-11-2"],
        ),
        ("/v1/info/regions", &["kr-11", "kr-11-1", "kr-11-2", "대구"]),
        ("/v1/stores?region=kr-11", &["a", "b"]),
        ("/v1/stores?region=kr-11&category=bar", &[]),
    ] {
        assert_eq!(ids(client, target), expected, "{target}");
    }
    for missing in [
        "/v1/regions?parent=kr-26",
        "/v1/regions/kr-26",
        "/v1/regions?parent=x",
    ] {
        assert_eq!(client.get(missing).0, 404, "{missing}");
    }

    let all = "statistics?group_by=all";
    for (place, count, cards) in [
        ("regions/kr-11", 3, 2),
        ("regions/kr-11-1", 2, 2),
        ("regions/kr-11-2", 1, 1),
        ("regions/kr-11/categories/cafe", 3, 2),
    ] {
        let rows = rows(client, &format!("/v1/{place}/{all}"));
        assert_eq!(
            [&rows[0]["count"], &rows[0]["cards"]],
            [count, cards],
            "{place}"
        );
    }
    let cafes = json!([{"id": "cafe", "stores": 2, "count": 3, "sum": 1_100}]);
    assert_eq!(rows(client, "/v1/regions/kr-11/categories"), cafes);
    let gangnam = client.data("/v1/regions/kr-11-1");
    for (member, value) in [
        ("parent", json!("kr-11")),
        ("name", json!("강남구")),
        ("lat", json!(37.5)),
        ("lon", json!(127.05)),
        ("region", json!("kr-11-1")),
    ] {
        assert_eq!(gangnam[member], value, "{member}");
    }
    // The words are 로구, a part of a name, and 서울.
    for (query, id, name) in [
        ("%EB%A1%9C%EA%B5%AC", "kr-11-2", "종로구"),
        ("%EC%84%9C%EC%9A%B8", "kr-11", "서울"),
        ("kr-11-1", "kr-11-1", "강남구"),
    ] {
        let found = rows(client, &format!("/v1/search?kind=region&q={query}"));
        assert_eq!(found, json!([{"kind": "region", "id": id, "name": name}]));
    }
}

#[test]
fn the_tree_is_the_same_whatever_file_it_comes_from() {
    let repository = TestRepository::new();
    let input = repository.write("input.csv", ROWS);
    let plain = repository.write("regions.csv", TREE);
    let compressed = repository.write("regions.csv.gz", gzip(TREE));
    let mut lines: Vec<&str> = TREE.lines().collect();
    lines[1..].reverse();
    let reordered = repository.write("reordered.csv", lines.join("\r\n") + "\r\n");
    let config = format!("[regions]\nfile = {plain:?}\n[privacy]\nk = 1\n");
    let config = repository.write("nightshard.toml", config);
    let mut shards = None;
    for options in [
        ["--regions", text(&plain)],
        ["--regions", text(&compressed)],
        ["--regions", text(&reordered)],
        ["--config", text(&config)],
    ] {
        repository.build_json([&input], &options);
        let manifest = repository.manifest(&repository.current());
        let expected = shards.get_or_insert_with(|| manifest["shards"].clone());
        assert_eq!(manifest["shards"], *expected, "{options:?}");
        let mut inputs = manifest["inputs"].as_array().unwrap().iter();
        assert!(inputs.any(|input| input["role"] == "regions"));
    }
    let shown = ["--dataset", "region_tree", "--key", "kr-11", "--json"];
    let shown = repository.run("inspect", &shown).succeeded().json();
    let expected = json!({"parent": null, "name": "서울", "lat": 37.57, "lon": 126.98, "stores": 0,
                          "children": ["kr-11-1", "kr-11-2"]});
    assert_eq!(shown["value"]["region"], expected);
}

#[test]
fn regions_that_the_file_lacks_or_has_twice_are_named_and_counted() {
    let repository = TestRepository::new();
    let input = repository.write("input.csv", ROWS);
    let tree = "region,name\nx,종로구\ny,종로구\n";
    let tree = repository.write("regions.csv", tree);
    let outcome = program::run(repository.build_arguments([&input], &["--regions", text(&tree)]));
    let outcome = outcome.succeeded();
    let said = &outcome.stderr;
    for warning in [
        "warning: 2 regions of 2 stores are not in the file of regions: \"kr-11-1\", \"대구\"",
        "warning: 1 regions of 1 stores are names of several regions of the file: ",
    ] {
        assert!(said.contains(warning), "{said}");
    }
    let report = repository.texts().into_iter();
    let is_report = |path: &PathBuf| path.ends_with("build.json");
    let (_, report) = report
        .into_iter()
        .find(|(path, _)| is_report(path))
        .unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["regions"]["regions"], 2);
    assert_eq!(
        report["regions"]["unknown"],
        json!({"kr-11-1": 1, "대구": 1})
    );
    let ambiguous = report["regions"]["ambiguous"].as_object().unwrap();
    assert_eq!(ambiguous.values().collect::<Vec<_>>(), [1]);
}

#[test]
fn files_of_regions_that_are_wrong_are_named_by_file_and_line_and_change_nothing() {
    let serving = Serving::start();
    let refuses = |name: &str, content: &[u8], problem: &str| {
        let path = serving.repository.write(name, content);
        let options = ["--regions", text(&path)];
        serving.refuses_input(&serving.good, &options, 1, &[name, problem]);
    };
    let with = |row: &str| [TREE.as_bytes(), row.as_bytes(), b"\n"].concat();
    refuses(
        "twice.csv",
        &with("kr-11,,,,"),
        "line 6: the region stands in line 3, too",
    );
    refuses("empty.csv", &with(",a,,,"), "line 6: region is empty");
    refuses(
        "orphan.csv",
        &with("a,,kr-99,,"),
        "line 6: parent is \"kr-99\", which is no region",
    );
    refuses(
        "cycle.csv",
        &with("a,,b,,\nb,,a,,"),
        "line 6: the region \"a\" is a part of itself",
    );
    refuses(
        "number.csv",
        &with("a,,,north,1"),
        "line 6: lat or lon is not a number",
    );
    refuses(
        "comma.csv",
        &with("a,,,\"37,5\",1"),
        "line 6: lat or lon is not a number",
    );
    refuses(
        "one.csv",
        &with("a,,,37.5,"),
        "line 6: lat and lon must both",
    );
    refuses("short.csv", &with("a,b"), "line 6: fewer or more fields");
    refuses("open.csv", &with("a,\"b,,,"), "line 6: quote never closed");
    refuses("none.csv", b"region,name\n", "there is no row");
    refuses("column.csv", b"region,colour\n", "line 1: the column");
    refuses(
        "latin.csv",
        b"region,name\na,Caf\xe9\n",
        "line 2: name is not UTF-8",
    );
    refuses("wide.csv", b"\xff\xfer\0e\0", "UTF-16");
    let gone = ["--regions", "nowhere.csv"];
    serving.refuses_input(&serving.good, &gone, 1, &["nowhere.csv"]);
}
