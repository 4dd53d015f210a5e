//! Exports that cannot be made, and that are the same however they are made.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::serving::{HEADER, row};
use crate::support::{
    program::{self, Outcome},
    repository::{TestRepository, files_below},
};

/// Rows of a few stores over a year, and a packed table.
fn repository() -> TestRepository {
    let repository = TestRepository::new();
    let rows: String = (0..3_000)
        .map(|id| {
            let day = format!("2018-{:02}-{:02}", 1 + id % 12, 1 + id % 28);
            row(id, &format!("s{}", id % 101), &day, &(id * 7).to_string())
        })
        .collect();
    let input = repository.write("rows.csv", HEADER.to_owned() + &rows);
    repository.build([&input], &[]).succeeded();
    pack_prices(&repository, "a,milk\nb,tea\n", &["--no-gate"]);
    repository
}

/// Packs names by what they are kept under into the repository.
fn pack_prices(repository: &TestRepository, rows: &str, options: &[&str]) {
    let prices = repository.write("prices.csv", format!("sku,name\n{rows}"));
    let (input, output) = (prices.to_str().unwrap(), repository.path());
    let files = ["--input", input, "--output", output.to_str().unwrap()];
    let what = ["--dataset", "prices", "--key", "sku", "--quiet"];
    program::run([&["pack"], &files[..], &what, options].concat()).succeeded();
}

/// Exports quietly into a folder beside the repository.
fn export(repository: &TestRepository, output: &Path, options: &[&str]) -> Outcome {
    let to = ["--quiet", "--output", output.to_str().unwrap()];
    repository.run("export", &[options, &to].concat())
}

fn beside(repository: &TestRepository, name: &str) -> PathBuf {
    repository.path().with_file_name(name)
}

/// Returns the files of a folder by name.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = files_below(folder).into_iter();
    paths
        .map(|path| {
            let bytes = fs::read(&path).unwrap();
            (path.strip_prefix(folder).unwrap().to_owned(), bytes)
        })
        .collect()
}

#[test]
fn an_export_has_the_same_bytes_whatever_the_threads() {
    let repository = repository();
    let first = beside(&repository, "first");
    export(&repository, &first, &["--threads", "1"]).succeeded();
    let expected = files(&first);
    assert!(expected.keys().any(|name| name.ends_with("stores.csv")));
    for threads in ["2", "7"] {
        let again = beside(&repository, threads);
        export(&repository, &again, &["--threads", threads]).succeeded();
        assert!(files(&again) == expected, "{threads} threads");
    }
    // In the place of itself, by one at a time.
    let lock = fs::File::open(&first).unwrap();
    lock.lock().unwrap();
    let busy = export(&repository, &first, &[]);
    busy.failed(4, &["--output", "another process"]);
    // A process that another test has begun may have it open for a moment: it is the lock that ends.
    lock.unlock().unwrap();
    export(&repository, &first, &[]).succeeded();
    assert!(files(&first) == expected);
}

#[test]
fn what_is_chosen_is_exported_and_nothing_else() {
    let repository = repository();
    let output = beside(&repository, "output");
    let names = |options: &[&str]| {
        export(&repository, &output, options).succeeded();
        let names: Vec<String> = files(&output)
            .keys()
            .map(|name| name.to_str().unwrap().to_owned())
            .collect();
        names.join(" ")
    };
    assert_eq!(
        names(&["--format", "csv", "--dataset", "prices", "catalog"]),
        "categories.csv export.json generation.csv packed_prices.csv regions.csv"
    );
    let packed = fs::read_to_string(output.join("packed_prices.csv")).unwrap();
    let mut lines: Vec<&str> = packed.lines().collect();
    lines[1..].sort_unstable();
    assert_eq!(lines[0], "key,key_base64,value,value_base64");
    assert!(lines[1].starts_with("a,,"), "{packed}");
    // What the earlier export had and this one has not is gone.
    assert_eq!(
        names(&["--format", "parquet", "--dataset", "markets"]),
        "export.json generation.parquet market_cohorts.parquet market_days.parquet \
         market_histograms.parquet market_hours.parquet market_loyalty.parquet market_mixes.parquet \
         market_months.parquet market_quarters.parquet market_repeats.parquet market_weeks.parquet market_years.parquet \
         markets.parquet"
    );
    // An earlier generation, without the packed table.
    let generations = repository.generations();
    let built = generations[0]["generation"].as_str().unwrap();
    let told = repository.run(
        "export",
        &[
            "--generation",
            built,
            "--output",
            output.to_str().unwrap(),
            "--json",
            "--quiet",
        ],
    );
    let told = told.succeeded().json();
    assert_eq!(
        (&told["generation"], &told["complete"]),
        (&built.into(), &true.into())
    );
    let files = told["files"].as_array().unwrap();
    // The generation; stores and markets, each with their mixes and who comes back; the numbers of visits and the scores
    // of both; the catalog.
    assert_eq!(files.len(), 2 * (1 + 9 + 9 + 3 + 3 + 2 + 2 + 2));
    let stores = files.iter().find(|file| file["name"] == "stores.parquet");
    assert_eq!(stores.unwrap()["rows"], 101);
}

#[test]
fn places_have_the_tables_of_stores_under_their_own_keys() {
    let repository = TestRepository::new();
    let header = "tx_id,store_id,card_id,ts,amount_minor,currency,category,region\n";
    let rows = [
        "1,s1,a,2018-03-05,250,GBP,food,leeds\n",
        "2,s2,a,2018-03-06,-50,GBP,food,leeds\n",
        "3,s3,b,2018-03-06,100,GBP,books,\n",
    ];
    let input = repository.write("rows.csv", header.to_owned() + &rows.concat());
    repository.build([&input], &[]).succeeded();
    let output = beside(&repository, "output");
    let options = ["--format", "csv", "--dataset", "region_categories"];
    export(&repository, &output, &options).succeeded();
    let names: Vec<String> = files(&output)
        .keys()
        .map(|name| name.to_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        names.join(" ").replace("region_category_", ""),
        "export.json generation.csv cohorts.csv days.csv histograms.csv hours.csv loyalty.csv mixes.csv months.csv \
         quarters.csv repeats.csv totals.csv weeks.csv years.csv"
    );
    let text = |name: &str| fs::read_to_string(output.join(name)).unwrap();
    assert_eq!(
        text("region_category_totals.csv"),
        "region,category,first_date,last_date,count,sum,mean,min,max,std,cards,refund_count,refund_sum,zero_count,\
         buyers\n\
         leeds,food,2018-03-05,2018-03-06,2,200,100,-50,250,150,1,1,-50,0,1\n"
    );
    let days = text("region_category_days.csv");
    assert_eq!(days.lines().count(), 3);
    assert!(days.contains("\nleeds,food,2018-03-06,1,-50,"), "{days}");
    let loyalty = text("region_category_loyalty.csv");
    assert_eq!(
        loyalty.lines().nth(1).unwrap(),
        "leeds,food,all,2018-03-05,2018-03-06,false,2018-03-05,1,,,,0,1,,0,0"
    );
    let cohorts = text("region_category_cohorts.csv");
    assert_eq!(
        cohorts,
        "region,category,period,first_date,last_date,partial,months_later,cards\n\
         leeds,food,2018-03,2018-03-01,2018-03-31,true,0,1\n"
    );
    let others = ["--format", "csv", "--dataset", "regions", "origins"];
    export(&repository, &output, &others).succeeded();
    assert_eq!(text("region_totals.csv").lines().count(), 2);
    assert_eq!(
        text("store_origins.csv").lines().next().unwrap(),
        "id,period,first_date,last_date,partial,region,merged,cards,share"
    );
}

#[test]
fn a_repository_of_packed_datasets_alone_is_exported() {
    let repository = TestRepository::new();
    let options = ["--value", "name", "--as-of", "2018-03-05"];
    pack_prices(&repository, "a,milk\n", &options);
    let output = beside(&repository, "output");
    export(&repository, &output, &["--format", "csv"]).succeeded();
    let text = |name: &str| fs::read_to_string(output.join(name)).unwrap();
    assert_eq!(
        text("packed_prices.csv"),
        "key,key_base64,value,value_base64\na,,milk,\n"
    );
    let id = repository.current();
    let generation = text("generation.csv");
    let row = generation.lines().nth(1).unwrap();
    assert_eq!(row, format!("{id},2018-03-05,,,,,,,,,"));
    assert_eq!(files(&output).len(), 3);
    export(&repository, &output, &["--dataset", "stores"])
        .failed(2, &["--dataset stores", "what can be exported is prices"]);
}

#[test]
fn what_cannot_be_exported_is_named_and_nothing_is_written() {
    let repository = repository();
    let output = beside(&repository, "output");
    let (path, to) = (repository.path(), output.to_str().unwrap());
    let path = path.to_str().unwrap();
    let unknown = "2018-01-05-0123456789ab";
    let missing = beside(&repository, "missing");
    let missing = missing.to_str().unwrap();
    let file = beside(&repository, "rows.csv");
    let file = file.to_str().unwrap();
    for (code, arguments, words) in [
        (2, &[path][..], &["--output"][..]),
        (2, &["--output", to], &["URI"]),
        (2, &[missing, "--output", to], &["missing"]),
        (
            1,
            &[path, "--generation", unknown, "--output", to],
            &[unknown],
        ),
        (
            2,
            &[path, "--output", "s3://bucket/export"],
            &["--output s3://", "local"],
        ),
        (2, &[path, "--output", "gopher://x/y"], &["gopher://x/y"]),
        (2, &[path, "--output", file], &["--output", "is a file"]),
        (
            2,
            &[path, "--output", to, "--format", "xml"],
            &["--format", "xml"],
        ),
        (2, &[path, "--output", to, "--threads", "0"], &["--threads"]),
        (
            2,
            &[path, "--output", to, "--dataset", "prices", "dreams"],
            &[
                "--dataset dreams",
                "stores, markets, loyalty, place_loyalty, catalog, prices",
            ],
        ),
        (
            2,
            &[path, "--output", to, "--dataset", "search"],
            &["--dataset search"],
        ),
    ] {
        let outcome = program::run([&["export"], arguments].concat());
        outcome.failed(code, words);
        assert!(!output.is_dir(), "{arguments:?}");
    }
    export(&repository, &repository.path(), &[]).failed(2, &["--output", "empty folder"]);
}

#[test]
fn a_damaged_shard_is_named_and_an_earlier_export_stays() {
    let repository = repository();
    let (old, new) = (beside(&repository, "old"), beside(&repository, "new"));
    export(&repository, &old, &[]).succeeded();
    let before = files(&old);
    let manifest = repository.manifest(&repository.current());
    let shards = manifest["shards"].as_array().unwrap();
    let month = shards
        .iter()
        .find(|shard| shard["dataset"] == "stores" && shard["span"] == "2018-07");
    let digest = month.unwrap()["blob"].as_str().unwrap();
    let blob = repository.path().join("blobs").join(digest);
    let mut bytes = fs::read(&blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    // Blobs are read-only: another file takes the place.
    fs::remove_file(&blob).unwrap();
    fs::write(&blob, bytes).unwrap();

    for output in [&old, &new] {
        let outcome = export(&repository, output, &[]);
        outcome.failed(1, &[digest, "stores 2018-07", "damaged"]);
    }
    assert!(files(&old) == before);
    assert!(!new.is_dir());
    // What does not need it is exported all the same.
    export(&repository, &new, &["--dataset", "markets", "prices"]).succeeded();

    fs::remove_file(&blob).unwrap();
    export(&repository, &old, &[]).failed(1, &[digest, "missing"]);
    assert!(files(&old) == before);
}

#[test]
fn the_help_says_what_there_is() {
    let help = program::run(["export", "--help"]).succeeded().stdout;
    for word in [
        "<URI>",
        "--output",
        "--format",
        "--dataset",
        "--generation",
        "--threads",
        "docs/export.md",
    ] {
        assert!(help.contains(word), "no {word} in {help}");
    }
}
