//! Side series: loaded, served beside sales, refused where they are wrong, and told where they are stale.

use std::path::Path;

use serde_json::{Value, json};

use crate::{
    serving::{HEADER, Serving, gzip, row, rows},
    support::{program, repository::TestRepository, server::TestServer},
};

/// Values of a Monday, a Wednesday and, twice and in two spellings, of a Friday.
const SERIES: &str = "date,name,value\n2018-01-01,index,100.5\n2018-01-05,index,99\n\
                      2018-01-03,index,-1e2\n2018-01-05,index,99.0\n2018-01-05,rain,0\n";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn series_are_served_whatever_file_they_come_from() {
    let repository = TestRepository::new();
    let input = repository.write("input.csv", HEADER.to_owned() + &rows(0..9));
    let plain = repository.write("series.csv", SERIES);
    let compressed = repository.write("series.csv.gz", gzip(SERIES));
    let reordered = "value,date,NAME\r\n-100,2018-01-03,index\r\n0,2018-01-05,\"rain\"\r\n";
    let first = repository.write("first.csv", reordered);
    let rest = "\u{feff}name,value,date\nindex,100.50,2018-01-01\nindex,+99,2018-01-05\n";
    let rest = repository.write("rest.csv", rest);
    let config = format!("[series]\nfiles = [{plain:?}]\n[privacy]\nk = 1\n");
    let config = repository.write("nightshard.toml", config);

    let mut shards = None;
    for options in [
        &["--series", text(&plain)][..],
        &["--series", text(&compressed)],
        &["--series", text(&rest), text(&first)],
        &["--series", text(&first), "--series", text(&rest)],
        &["--config", text(&config)],
        // What is named is read instead of what the configuration names.
        &["--config", text(&config), "--series", text(&compressed)],
    ] {
        repository.build_json([&input], options);
        let manifest = repository.manifest(&repository.current());
        let expected = shards.get_or_insert_with(|| manifest["shards"].clone());
        assert_eq!(manifest["shards"], *expected, "{options:?}");
        let inputs = manifest["inputs"].as_array().unwrap().iter();
        let of_series = inputs.filter(|input| input["role"] == "series");
        let files = options.iter().filter(|option| option.contains(".csv"));
        assert_eq!(of_series.count(), files.count().max(1), "{options:?}");
        assert_eq!(manifest["configuration"]["series.stale_after_days"], 7);
    }
    repository.run("verify", &["--quiet"]).succeeded();
    let shown = ["--dataset", "series", "--key", "index", "--json"];
    let shown = repository.run("inspect", &shown).succeeded().json();
    assert_eq!(
        shown["value"]["series"][1],
        json!({"date": "2018-01-03", "value": -100.0})
    );

    let server = TestServer::start(&repository.path());
    let mut client = server.connect();
    let index = json!({"name": "index", "first_date": "2018-01-01", "last_date": "2018-01-05",
                       "values": 3, "stale": false});
    assert_eq!(client.data("/v1/series?limit=1")["rows"], json!([index]));
    let data = client.data("/v1/markets/all/sales_by_day?series=index");
    let day = json!({"date": "2018-01-05", "sum": 2_250, "count": 9, "value": 99.0});
    assert_eq!(data["rows"], json!([day]));
}

#[test]
fn series_that_are_wrong_are_named_by_file_line_and_column_and_change_nothing() {
    let serving = Serving::start();
    let refuses = |name: &str, content: &[u8], problem: &str| {
        let path = serving.repository.write(name, content);
        let options = ["--series", text(&path)];
        serving.refuses_input(&serving.good, &options, 1, &[name, problem]);
    };
    let with = |row: &[u8]| [SERIES.as_bytes(), row, b"\n"].concat();
    refuses(
        "number.csv",
        &with(b"2018-01-06,a,1.2.3"),
        "line 7: value is not a number",
    );
    refuses(
        "comma.csv",
        &with(b"2018-01-06,a,\"1,5\""),
        "line 7: value is not a number",
    );
    refuses(
        "none.csv",
        &with(b"2018-01-06,a,n/a"),
        "line 7: value is not a number",
    );
    refuses(
        "nan.csv",
        &with(b"2018-01-06,a,NaN"),
        "line 7: value is not a number",
    );
    refuses(
        "large.csv",
        &with(b"2018-01-06,a,1e999"),
        "line 7: value is too large",
    );
    refuses(
        "date.csv",
        &with(b"06.01.2018,a,1"),
        "line 7: date is not a date",
    );
    refuses(
        "far.csv",
        &with(b"9018-01-06,a,1"),
        "line 7: date is not from 1970-01-01",
    );
    refuses("name.csv", &with(b"2018-01-06,,1"), "line 7: name is empty");
    refuses(
        "short.csv",
        &with(b"2018-01-06,a"),
        "line 7: fewer or more fields than the header has",
    );
    refuses(
        "twice.csv",
        &with(b"2018-01-03,index,-100.1"),
        "line 7: value is another",
    );
    refuses(
        "latin.csv",
        &with(b"2018-01-06,caf\xe9,1"),
        "line 7: name is not UTF-8",
    );
    let utf16 = SERIES.encode_utf16().flat_map(u16::to_le_bytes);
    refuses(
        "utf16.csv",
        &utf16.collect::<Vec<u8>>(),
        "is not a text file",
    );
    refuses(
        "header.csv",
        b"day,name,value\n2018-01-06,a,1\n",
        "line 1: the column \"",
    );
    refuses(
        "semicolons.csv",
        SERIES.replace(',', ";").as_bytes(),
        "line 1: the column \"",
    );
    refuses("no_rows.csv", b"date,name,value\n", "there is no row");
    refuses("empty.csv", b"", "line 1: there is no header");
    let compressed = gzip(SERIES);
    refuses(
        "cut.csv.gz",
        &compressed[..compressed.len() - 4],
        "file ends early",
    );
    let missing = serving.good.with_file_name("missing.csv");
    let options = ["--series", text(&missing)];
    serving.refuses_input(&serving.good, &options, 1, &["missing.csv", "No such file"]);
    let config = serving
        .repository
        .write("wrong.toml", "[series]\nstale_after_days = -1\n");
    let options = ["--config", text(&config)];
    serving.refuses_input(&serving.good, &options, 2, &["wrong.toml", "line 2"]);
    serving.builds_again();
}

#[test]
fn a_stale_series_is_told_by_the_build_the_gate_and_the_server_and_refuses_nothing() {
    let repository = TestRepository::new();
    let sale = row(50, "s1", "2018-01-12T10:00:00", "1");
    let input = repository.write("input.csv", HEADER.to_owned() + &rows(0..9) + &sale);
    let late = "2018-01-13,late,1\n2081-01-05,index,100\n";
    let series = repository.write("series.csv", format!("{SERIES}{late}"));
    let built = |more: &[&str]| {
        let options = [&["--series", text(&series)], more].concat();
        let arguments = repository.build_arguments([&input], &options);
        program::run(arguments).succeeded()
    };
    let said = built(&[]).stderr;
    let stale = "warning: series index is stale: it ends on 2018-01-05, 7 days before 2018-01-12";
    let left_out = "warning: series late is left out: it has no value up to 2018-01-12";
    assert!(said.contains(stale) && said.contains(left_out), "{said}");

    let current = repository.current();
    let gate = repository.run("gate", &[&current, "--last"]).succeeded();
    let found = "index ends on 2018-01-05, 7 days before the last business day; rain ends on";
    assert!(
        gate.stdout.contains("WARNED") && gate.stdout.contains(found),
        "{gate:?}"
    );
    let report = repository
        .path()
        .join("generations")
        .join(&current)
        .join("build.json");
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let index = json!({"name": "index", "values": 3, "after_as_of": 1, "last_date": "2018-01-05",
                       "days_behind": 7, "is_stale": true});
    assert_eq!(report["series"][0], index);

    let server = TestServer::start(&repository.path());
    let mut client = server.connect();
    assert_eq!(client.metric("nightshard_series_stale"), 2);
    assert_eq!(client.data("/v1/series")["rows"][0]["stale"], true);

    let config = repository.write("patient.toml", "[series]\nstale_after_days = 8\n");
    let said = built(&["--config", text(&config)]).stderr;
    assert!(!said.contains("is stale"), "{said}");
    let current = repository.current();
    server.wait_for(&format!("serving generation {current}"));
    assert_eq!(client.metric("nightshard_series_stale"), 0);
    let gate = repository.run("gate", &[&current, "--last"]).succeeded();
    assert!(
        gate.stdout.contains("2 side series, none stale"),
        "{gate:?}"
    );
}
