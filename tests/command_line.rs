//! The command line with bad input, full disks and wrong options: one line that names what is at
//! fault, the right exit code, the old generation still served, and nothing left behind.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod support;

use std::{
    ffi::OsStr,
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use support::{
    data,
    program::{self, Outcome},
    random::Random,
    repository::{TestRepository, files_below},
    server::TestServer,
};
use tempfile::TempDir;

const HEADER: &str = "tx_id,store_id,card_id,ts,amount_minor,currency\n";
/// A card number, which nobody but shards of customers may ever see, and then only as pseudonym.
const CARD: &str = "4929123456789012";
/// A name that stands in rows that are refused, which nobody is to see either.
const UNSEEN: &str = "Zyzzogeton";
/// What a build says when the header is none of the layout's.
const LACKS_ALL: &str = "the header lacks store_id, card_id, ts, amount_minor, currency";

/// A row of the header above; `id` is its tx_id, too.
fn row(id: usize, store: &str, ts: &str, amount: &str) -> String {
    format!("{id},{store},{CARD},{ts},{amount},GBP\n")
}

/// So many sound rows.
fn rows(ids: std::ops::Range<usize>) -> String {
    ids.map(|id| row(id, &format!("s{}", id % 3), "2018-01-05T10:00:00", "250"))
        .collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A repository with a generation that a server serves, into which builds are tried that fail.
struct Serving {
    repository: TestRepository,
    server: TestServer,
    good: PathBuf,
    generation: String,
}

impl Serving {
    fn start() -> Self {
        let repository = TestRepository::new();
        let good = repository.write("good.csv", HEADER.to_owned() + &rows(0..50));
        repository.build([&good], &[]).succeeded();
        let server = TestServer::start(&repository.path());
        let generation = repository.current();
        Self {
            repository,
            server,
            good,
            generation,
        }
    }

    /// Builds from a file of this content, which has to fail and to change nothing.
    #[track_caller]
    fn refuses(&self, name: &str, content: impl AsRef<[u8]>, problem: &str) {
        let path = self.repository.write(name, content);
        self.refuses_input(&path, &[], 1, &[name, problem]);
    }

    /// Builds from a file or folder, which has to fail and to change nothing.
    #[track_caller]
    fn refuses_input(&self, input: &Path, options: &[&str], code: i32, words: &[&str]) {
        let outcome = self.repository.build([input], options);
        outcome.failed(code, words);
        self.is_untouched(&outcome);
    }

    /// Checks that the old generation is current, right and served, and that neither litter nor
    /// secrets are anywhere.
    #[track_caller]
    fn is_untouched(&self, outcome: &Outcome) {
        assert_eq!(self.repository.current(), self.generation);
        self.repository.run("verify", &["--quiet"]).succeeded();
        assert_eq!(self.server.connect().generation(), self.generation);
        assert_eq!(self.repository.litter(), Vec::<PathBuf>::new());
        assert_eq!(self.repository.generations().len(), 1);
        self.keeps_secrets(outcome);
    }

    #[track_caller]
    fn keeps_secrets(&self, outcome: &Outcome) {
        keeps_secrets(&self.repository, outcome);
    }

    /// Checks that the next run is as clean as the first.
    #[track_caller]
    fn builds_again(&self) {
        let more = self
            .repository
            .write("more.csv", HEADER.to_owned() + &rows(0..60));
        self.repository.build([&more], &[]).succeeded();
        let current = self.repository.current();
        assert_ne!(current, self.generation);
        self.repository.run("verify", &["--quiet"]).succeeded();
        self.server
            .wait_for(&format!("serving generation {current}"));
        assert_eq!(self.repository.litter(), Vec::<PathBuf>::new());
        self.repository.build([&self.good], &[]).succeeded();
        self.server
            .wait_for(&format!("serving generation {}", self.generation));
    }
}

/// Checks that no card, key or refused row is in what was printed or stands beside the shards,
/// and no card in the shards.
#[track_caller]
fn keeps_secrets(repository: &TestRepository, outcome: &Outcome) {
    let mut texts = repository.texts();
    texts.push(("standard error".into(), outcome.stderr.clone()));
    texts.push(("standard output".into(), outcome.stdout.clone()));
    for (place, text) in texts {
        for secret in [CARD, UNSEEN, program::CARD_KEY] {
            assert!(!text.contains(secret), "{secret} is in {}", place.display());
        }
    }
    for blob in files_below(&repository.path().join("blobs")) {
        let bytes = fs::read(&blob).unwrap();
        let found = bytes
            .windows(CARD.len())
            .any(|window| window == CARD.as_bytes());
        assert!(!found, "{CARD} is in {}", blob.display());
    }
}

#[test]
fn inputs_that_are_no_transactions_are_named_and_change_nothing() {
    let serving = Serving::start();
    let sound = HEADER.to_owned() + &rows(0..50);
    let compressed = gzip(&sound);
    let mut damaged = compressed.clone();
    let checksum_at = compressed.len() - 8;
    damaged[checksum_at] ^= 1;
    let utf16: Vec<u8> = sound.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut random = Random::new(1);
    let binary: Vec<u8> = (0..50_000)
        .map(|_| random.next().to_le_bytes()[0])
        .collect();
    let headless = row(1, UNSEEN, "2018-01-05", "1") + &rows(2..50);

    serving.refuses("empty.csv", "", "is empty");
    serving.refuses("blank.csv", "\n\n \r\n", "is empty");
    serving.refuses("empty.csv.gz", gzip(""), "is empty");
    serving.refuses(
        "ends.csv.gz",
        &compressed[..compressed.len() / 2],
        "file ends early",
    );
    serving.refuses(
        "ends_late.csv.gz",
        &compressed[..compressed.len() - 1],
        "file ends early",
    );
    serving.refuses("damaged.csv.gz", &damaged, "compressed data is damaged");
    serving.refuses("zeroes.csv", [0; 5_000], "is not a text file");
    serving.refuses("binary.csv", &binary, "is not a text file");
    serving.refuses("utf16.csv", &utf16, "is not a text file");
    serving.refuses("headless.csv", headless, LACKS_ALL);
    serving.refuses(
        "half_a_header.csv",
        &HEADER[..20],
        "the header lacks card_id",
    );
    serving.refuses("semicolons.csv", sound.replace(',', ";"), "(delimiter ',')");
    serving.refuses("tabs.csv", sound.replace(',', "\t"), "(delimiter ',')");
    serving.refuses("no.jsonl", &sound, "is not JSON lines");
    serving.builds_again();
}

#[test]
fn inputs_without_a_usable_row_say_what_became_of_their_rows() {
    let serving = Serving::start();
    let only = |rows: String| {
        serving
            .repository
            .write("only.csv", HEADER.to_owned() + &rows)
    };
    let bad = only(row(1, UNSEEN, "2018-02-30", "1") + &row(2, UNSEEN, "2018-01-05", "x"));
    serving.refuses_input(&bad, &[], 1, &["no usable row: of 2 read 2 were rejected"]);
    let none = only(String::new());
    serving.refuses_input(&none, &[], 1, &["no usable row"]);
    let good = only(rows(0..9));
    let later = ["--as-of", "2017-12-31"];
    serving.refuses_input(&good, &later, 1, &["9 excluded", "after_as_of"]);
    let other = ["--currency", "EUR"];
    serving.refuses_input(&good, &other, 1, &["9 excluded", "other_currency"]);
    serving.builds_again();
}

#[test]
fn places_that_cannot_be_read_are_named_and_change_nothing() {
    let serving = Serving::start();
    let beside = |name: &str| serving.good.with_file_name(name);
    serving.refuses_input(
        &beside("missing.csv"),
        &[],
        1,
        &["missing.csv", "No such file"],
    );
    serving.refuses_input(&serving.good.join("file.csv"), &[], 1, &["Not a directory"]);

    let folder = beside("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("readme.md"), UNSEEN).unwrap();
    serving.refuses_input(&folder, &[], 1, &["folder", "no file of transactions"]);

    fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).unwrap();
    let mut arguments = serving.repository.build_arguments([&folder], &["--quiet"]);
    arguments.insert(0, program::path().into());
    let outcome = Outcome::of(bound_by_permissions(&arguments));
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    outcome.failed(1, &["folder", "Permission denied"]);
    serving.is_untouched(&outcome);
    serving.builds_again();
}

#[test]
fn a_repository_in_the_input_folder_is_not_read() {
    let repository = TestRepository::new();
    let faulty = row(9, "s1", "2018-02-30", "1");
    let input = repository.write("rows.csv", format!("{HEADER}{}{faulty}", rows(0..8)));
    let folder = [input.parent().unwrap()];
    let first = repository.build_json(folder, &[]);
    assert_eq!(repository.build_json(folder, &[])["rows"], first["rows"]);
    repository
        .build([repository.path()], &[])
        .failed(1, &["repository is a repository"]);
}

#[test]
fn a_file_that_may_be_cut_in_its_last_row_is_named() {
    let repository = TestRepository::new();
    let rows = format!("{HEADER}{}", rows(0..8));
    let whole = repository.write("whole.csv", &rows);
    let cut = repository.write("cut.csv", rows.trim_end());
    let warned = |input: &Path| {
        let outcome = program::run(repository.build_arguments([input], &[])).succeeded();
        let words = format!(
            "warning: {}: ends without a line break; its last row may be cut",
            input.display()
        );
        outcome.stderr.contains(&words)
    };
    assert!(!warned(&whole));
    assert!(warned(&cut));
    let generation = repository
        .path()
        .join("generations")
        .join(repository.current());
    let report = fs::read(generation.join("build.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["without_line_end"], json!([cut]));
}

#[test]
fn an_end_long_after_the_last_row_is_built_and_warned_of() {
    let repository = TestRepository::new();
    let input = repository.write(
        "rows.csv",
        format!("{HEADER}{}", row(1, "s", "2018-01-05", "1")),
    );
    let warned = |as_of: &str| {
        let arguments = repository.build_arguments([&input], &["--as-of", as_of]);
        let outcome = program::run(arguments).succeeded();
        outcome.stderr.contains(&format!(
            "warning: --as-of {as_of} lies 367 days after the last row's, 2018-01-05"
        ))
    };
    assert!(!warned("2019-01-06"));
    assert!(warned("2019-01-07"));
}

#[test]
fn a_currency_is_named_in_capitals_or_not() {
    let repository = TestRepository::new();
    let input = repository.write("rows.csv", format!("{HEADER}{}", rows(0..8)));
    let used = |currency: &str| {
        let result = repository.build_json([&input], &["--currency", currency]);
        result["rows"]["used"].clone()
    };
    assert_eq!(used("gbp"), used("GBP"));
}

#[test]
fn one_file_under_two_names_is_refused() {
    let serving = Serving::start();
    let folder = serving.good.parent().unwrap();
    let link = folder.join("link.csv");
    std::os::unix::fs::symlink(&serving.good, &link).unwrap();
    let roundabout = folder.join("scratch/../good.csv");
    for other in [&serving.good, &link, &roundabout] {
        let outcome = serving.repository.build([&serving.good, other], &[]);
        outcome.failed(1, &["is named twice"]);
        serving.is_untouched(&outcome);
    }
}

/// Makes a command that permissions bind, also when root runs it.
fn bound_by_permissions<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    // The owner of what this process creates is its effective user.
    let user = fs::metadata("/proc/self").unwrap();
    let command = if std::os::unix::fs::MetadataExt::uid(&user) == 0 {
        let mut command = Command::new("setpriv");
        command
            .arg("--bounding-set=-dac_override,-dac_read_search")
            .args(arguments);
        command
    } else {
        let mut command = Command::new(&arguments[0]);
        command.args(&arguments[1..]);
        command
    };
    program::in_test_environment(command)
}

#[test]
fn options_that_make_no_sense_are_refused_with_exit_code_2() {
    let serving = Serving::start();
    let beside = |name: &str| {
        serving
            .good
            .with_file_name(name)
            .to_str()
            .unwrap()
            .to_owned()
    };
    let missing = beside("missing");
    let config = |text: &str| {
        let path = serving.repository.write("nightshard.toml", text);
        path.to_str().unwrap().to_owned()
    };
    let refuses = |options: &[&str], words: &[&str]| {
        serving.refuses_input(&serving.good, options, 2, words);
    };
    refuses(&["--memory", "1MiB"], &["--memory", "64MiB"]);
    refuses(&["--memory", "4GB"], &["--memory", "GiB"]);
    refuses(&["--threads", "0"], &["--threads"]);
    refuses(&["--currency", "pounds"], &["--currency", "three letters"]);
    refuses(&["--as-of", "2018-02-29"], &["--as-of", "2018-02-29"]);
    for day in ["2100-01-01", "9999-12-31", "1969-12-31"] {
        refuses(&["--as-of", day], &["--as-of", day, "2099-12-31"]);
    }
    refuses(&["--engine", "steam"], &["--engine", "steam"]);
    refuses(&["--colour", "red"], &["--colour"]);
    refuses(&["--layout", &missing], &["layout", "missing"]);
    refuses(&["--config", &missing], &["--config", "missing"]);
    refuses(
        &["--config", &config("[shards]\nruns = 0\n")],
        &["nightshard.toml", "shards.runs", "1 to 1024"],
    );
    refuses(
        &["--config", &config("[shards]\nruns = 1025\n")],
        &["shards.runs", "1025"],
    );
    refuses(
        &["--config", &config("[shards]\ncolour = 1\n")],
        &["line 2", "colour"],
    );
    refuses(&["--config", &config("hello\n")], &["line 1"]);
    let layout = serving.repository.write("layout.toml", "delimiter = 'ö'\n");
    refuses(&["--layout", layout.to_str().unwrap()], &["layout.toml"]);
    let key = serving.repository.write("card.key", UNSEEN);
    refuses(
        &["--card-key-file", key.to_str().unwrap()],
        &["--card-key-file", "card.key", "64 hex"],
    );
    serving.builds_again();
}

#[test]
fn the_card_key_is_kept_in_the_configuration_folder_and_what_is_wrong_with_it_is_named() {
    use std::os::unix::ffi::OsStrExt;
    let repository = TestRepository::new();
    let input = repository.write("good.csv", HEADER.to_owned() + &rows(0..50));
    let home = &input.with_file_name("home");
    fs::create_dir(home).unwrap();
    let kept = home.join(".config/nightshard/card.key");
    let build = |key: Option<&OsStr>, xdg: &str| {
        let mut command = program::command(repository.build_arguments([&input], &["--quiet"]));
        command
            .current_dir(home)
            .env_remove("NIGHTSHARD_CARD_KEY")
            .env("HOME", home)
            .env("XDG_CONFIG_HOME", xdg);
        if let Some(key) = key {
            command.env("NIGHTSHARD_CARD_KEY", key);
        }
        Outcome::of(command)
    };
    // A relative XDG_CONFIG_HOME is none.
    let first = build(None, "relative").succeeded();
    assert!(first.stderr.starts_with("made a card key in "), "{first:?}");
    let generation = repository.current();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&kept), 0o600);
    assert_eq!(build(None, "").succeeded().stderr, "");
    assert_eq!(repository.current(), generation);

    fs::set_permissions(&kept, fs::Permissions::from_mode(0o644)).unwrap();
    let told = build(None, "").succeeded().stderr;
    assert!(told.contains("card.key (mode 644)"), "{told}");
    let empty = home.join("xdg/nightshard/card.key");
    fs::create_dir_all(empty.parent().unwrap()).unwrap();
    fs::write(&empty, "").unwrap();
    let xdg = home.join("xdg");
    let outcome = build(None, xdg.to_str().unwrap());
    outcome.failed(1, &[empty.to_str().unwrap(), "it is empty"]);
    for wrong in [&b"\xff\xfe"[..], b""] {
        let outcome = build(Some(OsStr::from_bytes(wrong)), "");
        outcome.failed(2, &["NIGHTSHARD_CARD_KEY", "64 hex"]);
    }
}

#[test]
fn commands_without_sense_or_object_say_so_in_one_line() {
    let serving = Serving::start();
    let path = serving.repository.path();
    let missing = serving.good.with_file_name("missing");
    let (path, missing) = (path.to_str().unwrap(), missing.to_str().unwrap());
    let good = serving.good.to_str().unwrap();
    let unknown = "2018-01-05-0123456789ab";
    let taken = serving.server.address().to_string();
    for (code, arguments, word) in [
        (2, &["fly"][..], "fly"),
        (2, &["build", "--input", good], "--output"),
        (2, &["build", "--output", path], "--input"),
        (2, &["build", "--input", good, "--output", good], "good.csv"),
        (
            2,
            &["build", "--input", good, "--output", "gopher://x/y"],
            "gopher://x/y",
        ),
        (
            2,
            &[
                "build",
                "--input",
                good,
                "--output",
                path,
                "--scratch",
                missing,
            ],
            "--scratch",
        ),
        (2, &["serve", "--from", missing], "missing"),
        (
            2,
            &["serve", "--from", path, "--listen", "0.0.0.0:0"],
            "--listen",
        ),
        (
            1,
            &["serve", "--from", path, "--listen", &taken],
            "--listen",
        ),
        (2, &["verify", missing], "missing"),
        (1, &["verify", good], "good.csv"),
        (1, &["verify", path, unknown], unknown),
        (1, &["select", path, unknown], unknown),
        (2, &["select", path, "yesterday"], "yesterday"),
        (1, &["inspect", path, "--key", "nobody"], "nobody"),
        (2, &["inspect", path, "--dataset", "dreams"], "dreams"),
        (2, &["inspect", path, "--key", "xyz", "--hex"], "xyz"),
        (2, &["generations", missing], "missing"),
        (2, &["generate", "--output", "gopher://x/y"], "gopher://x/y"),
        (2, &["generate", "--output", "x.parquet"], "x.parquet"),
        (
            2,
            &["generate", "--output", "x.csv", "--layout", "cubist"],
            "cubist",
        ),
        (
            2,
            &["generate", "--output", "x.csv", "--from", "2018-02-29"],
            "--from",
        ),
        (
            2,
            &["generate", "--output", "x.csv", "--from", "2019-01-01"],
            "--to",
        ),
    ] {
        let outcome = program::run(arguments);
        assert_eq!(outcome.code, Some(code), "{arguments:?}: {outcome:?}");
        outcome.failed(code, &[word]);
        serving.is_untouched(&outcome);
    }
}

#[test]
fn rows_that_cannot_be_used_are_counted_named_and_never_shown() {
    let long = "x".repeat(10_000_000);
    let huge = "9".repeat(40);
    let day = "2018-01-05";
    let unseen = |id, ts: &str, amount: &str| row(id, UNSEEN, ts, amount);
    let cases: [(&str, String, usize, &[&str]); 8] = [
        (
            "repeated.csv",
            rows(0..5) + HEADER + &rows(5..9) + HEADER,
            9,
            &["7,record,repeated header", "12,record,repeated header"],
        ),
        (
            "half_written.csv",
            rows(0..5) + &unseen(5, day, "1")[..20],
            5,
            &["7,record,wrong number of fields"],
        ),
        (
            "dates.csv",
            rows(0..1)
                + &unseen(1, "2018-02-29", "1")
                + &unseen(2, "2018-13-01", "1")
                + &unseen(3, "2018-01-05T25:00:00", "1")
                + &unseen(4, "05/01/2018", "1")
                + &unseen(5, "", "1")
                + &unseen(6, "0018-01-05", "1")
                + &row(7, "leap", "2016-02-29T23:59:59", "1"),
            2,
            &[
                "3,ts,impossible date",
                "4,ts,impossible date",
                "5,ts,impossible date",
                "6,ts,impossible date",
                "7,ts,missing",
                "8,ts,date out of range",
            ],
        ),
        (
            "amounts.csv",
            rows(0..1)
                + &unseen(1, day, &huge)
                + &unseen(2, day, "100000000000001")
                + &unseen(3, day, "-100000000000001")
                + &row(4, "most", day, "100000000000000")
                + &row(5, "least", day, "-100000000000000")
                + &unseen(6, day, "")
                + &unseen(7, day, "1.5")
                + &unseen(8, day, "one"),
            3,
            &[
                "10,amount_minor,not a number",
                "3,amount_minor,overflow",
                "4,amount_minor,overflow",
                "5,amount_minor,overflow",
                "8,amount_minor,missing",
                "9,amount_minor,more digits than the unit has",
            ],
        ),
        (
            "long_lines.csv",
            rows(0..2) + UNSEEN + &long + "\n" + &rows(2..3) + &unseen(3, day, &long) + &rows(4..6),
            5,
            &["4,record,record too long", "6,record,record too long"],
        ),
        (
            // One id a store: rows of other stores, and rows without one, are others.
            "ids.csv",
            rows(0..3)
                + &rows(1..2)
                + &unseen(7, day, "100")
                + &unseen(7, day, "200")
                + &unseen(7, day, "100")
                + &row(7, "other", day, "100")
                + &row(7, "other", day, "100")[1..]
                + &row(7, "other", day, "100")[1..],
            6,
            &[
                "6,tx_id,one id with different content",
                "7,tx_id,one id with different content",
                "8,tx_id,one id with different content",
            ],
        ),
        (
            "quotes.csv",
            rows(0..9_000)
                + &row(9_000, "\"Smith, Jones\nand \"\"Sons\"\"\"", day, "1")
                + &row(9_001, "\"Smith, Jones and \"\"Sons\"\"\"", day, "1")
                + &rows(9_002..9_010)
                + &format!("9010,\"{UNSEEN},,,,\n")
                + &rows(9_011..20_000),
            19_998,
            &[
                "9002,store_id,control character",
                "9013,record,quote never closed",
            ],
        ),
        (
            "fields.csv",
            rows(0..1)
                + &format!("1,{UNSEEN}\n")
                + &unseen(2, day, "1").replace("GBP", "GBP,more")
                + &unseen(3, day, "1").replace("GBP", "")
                + &unseen(4, day, "1").replace("GBP", "pounds")
                + &row(5, "", day, "1")
                + "\n"
                + &rows(6..7),
            2,
            &[
                "3,record,wrong number of fields",
                "4,record,wrong number of fields",
                "5,currency,missing",
                "6,currency,not a currency code",
                "7,store_id,missing",
            ],
        ),
    ];
    for (name, body, used, rejected) in cases {
        accounts_for(name, (HEADER.to_owned() + &body).as_bytes(), used, rejected);
    }
    let with_unknown = (HEADER.to_owned() + &rows(0..3))
        .lines()
        .zip(["colour", UNSEEN, UNSEEN, ""])
        .map(|(line, colour)| format!("{colour},{line},{colour}\n"))
        .collect::<String>();
    accounts_for("unknown_columns.csv", with_unknown.as_bytes(), 3, &[]);
    // The byte for é in another encoding.
    let mut bytes = (HEADER.to_owned() + &rows(0..1)).into_bytes();
    bytes.extend_from_slice(b"1,caf\xe9,,2018-01-05,1,GBP\n");
    let rejected = ["3,store_id,invalid encoding"];
    accounts_for("latin1.csv", &bytes, 1, &rejected);
}

/// Builds, and checks that the rows used and rejected are those expected, and that rows add up.
#[track_caller]
fn accounts_for(name: &str, content: &[u8], used: usize, rejected: &[&str]) {
    let repository = TestRepository::new();
    let input = repository.write(name, content);
    let outcome = repository.build([input], &["--json"]).succeeded();
    let built = outcome.json();
    let rows = &built["rows"];
    assert_eq!(rows["used"], used, "{name}: {rows}");
    let sum = |counts: &Value| -> u64 {
        counts
            .as_object()
            .unwrap()
            .values()
            .map(|count| count.as_u64().unwrap())
            .sum()
    };
    let (rejected_rows, excluded_rows) = (sum(&rows["rejected"]), sum(&rows["excluded"]));
    assert_eq!(
        rows["read"],
        used as u64 + rejected_rows + excluded_rows,
        "{name}: {rows}"
    );
    assert_eq!(rejected_rows, rejected.len() as u64, "{name}: {rows}");
    let generation = built["generation"].as_str().unwrap();
    let mut expected: Vec<String> = rejected.iter().map(|row| format!("{name},{row}")).collect();
    expected.sort();
    assert_eq!(repository.quarantine(generation), expected);
    assert_eq!(repository.manifest(generation)["rows"], *rows, "{name}");
    keeps_secrets(&repository, &outcome);
    assert_eq!(repository.litter(), Vec::<PathBuf>::new());
}

#[test]
fn a_full_disk_is_named_and_changes_nothing() {
    let serving = Serving::start();
    let large = serving
        .repository
        .write("large.csv", HEADER.to_owned() + &spread_rows(20_000));
    // A limit on the length of a file is the full disk that every user can make.
    for (limit_kib, place) in [(1, "repository/tmp/build-"), (64, "manifest.json")] {
        let arguments = serving.repository.build_arguments([&large], &["--quiet"]);
        let outcome = Outcome::of(with_file_limit(limit_kib, &arguments));
        outcome.failed(1, &[place, "File too large"]);
        serving.is_untouched(&outcome);
    }
    serving.builds_again();
}

#[test]
fn a_full_scratch_disk_is_named_and_changes_nothing() {
    let serving = Serving::start();
    let large = serving.good.with_file_name("large.csv");
    let size = [
        "--stores",
        "50",
        "--cards",
        "5000",
        "--transactions",
        "1500000",
    ];
    data::generate(&large, &[&size[..], &["--to", "2018-02-28"]].concat());
    let options = ["--quiet", "--memory", "64MiB", "--currency", "EUR"];
    let arguments = serving.repository.build_arguments([&large], &options);
    let outcome = Outcome::of(with_file_limit(1_000, &arguments));
    outcome.failed(1, &["scratch", "File too large"]);
    serving.is_untouched(&outcome);
    serving.builds_again();
}

/// Makes a command whose files can be no longer than this.
fn with_file_limit<S: AsRef<OsStr>>(limit_kib: u64, arguments: &[S]) -> Command {
    let mut command = Command::new("sh");
    // In units of 512 bytes. The signal is ignored, so that writes fail as on a full disk.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", limit_kib * 2);
    command
        .arg("-c")
        .arg(script)
        .arg("sh")
        .arg(program::path())
        .args(arguments);
    program::in_test_environment(command)
}

/// Rows of many stores over many months: hundreds of kilobytes of shards.
fn spread_rows(len: usize) -> String {
    let day = |id: usize| format!("20{:02}-{:02}-{:02}", 10 + id % 9, 1 + id % 12, 1 + id % 28);
    let rows = (0..len).map(|id| {
        row(
            id,
            &format!("store {}", id % 997),
            &day(id),
            &id.to_string(),
        )
    });
    rows.collect()
}

/// A small file system of its own, unmounted at the end.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts one, or returns `None`, which is said on standard error, where that is forbidden.
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={size}"),
                "nightshard-test",
            ])
            .arg(folder.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        let said = writeln!(
            std::io::stderr(),
            "no small disk could be mounted to be filled up"
        );
        said.unwrap();
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount")
            .arg("--lazy")
            .arg(self.0.path())
            .status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

#[test]
fn a_repository_on_a_disk_that_fills_up_serves_on_and_builds_when_there_is_room() {
    let Some(disk) = SmallDisk::mount("1m") else {
        return;
    };
    let repository = TestRepository::in_folder(disk.0.path());
    let beside = tempfile::tempdir().unwrap();
    let write = |name: &str, rows: String| {
        let path = beside.path().join(name);
        fs::write(&path, HEADER.to_owned() + &rows).unwrap();
        path
    };
    let good = write("good.csv", rows(0..50));
    repository.build([&good], &[]).succeeded();
    let generation = repository.current();
    let server = TestServer::start(&repository.path());

    let large = write("large.csv", spread_rows(20_000));
    let outcome = repository.build([&large], &[]);
    outcome.failed(1, &["repository/", "No space left on device"]);
    assert_eq!(repository.current(), generation);
    repository.run("verify", &["--quiet"]).succeeded();
    assert_eq!(server.connect().generation(), generation);
    assert_eq!(repository.litter(), Vec::<PathBuf>::new());
    keeps_secrets(&repository, &outcome);

    let more = write("more.csv", rows(0..60));
    repository.build([&more], &[]).succeeded();
    repository.run("verify", &["--quiet"]).succeeded();
    server.wait_for(&format!("serving generation {}", repository.current()));
}

#[test]
fn damage_is_found_and_named_with_exit_code_1() {
    let serving = Serving::start();
    let manifest = serving.repository.manifest(&serving.generation);
    let blob = manifest["shards"][0]["blob"].as_str().unwrap();
    let path = serving.repository.path().join("blobs").join(blob);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    // Another file in its place: a blob is never written to.
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    let outcome = serving.repository.run("verify", &["--quiet"]);
    outcome.failed(1, &[blob]);
    let outcome = serving.repository.run("verify", &["--json"]);
    assert_eq!(outcome.code, Some(1));
    assert_eq!(outcome.json()["damage"].as_array().unwrap().len(), 1);

    // Building the same rows again puts the blob right, and says so.
    let build = serving.repository.build([&serving.good], &[]).succeeded();
    assert!(build.stderr.starts_with("mended: "), "{build:?}");
    assert!(build.stderr.contains(blob), "{build:?}");
    serving.repository.run("verify", &["--quiet"]).succeeded();
}

#[test]
fn generations_show_selections_and_what_is_wrong_with_the_highest() {
    let repository = TestRepository::new();
    for rows in [rows(0..50), rows(0..60)] {
        let input = repository.write("input.csv", HEADER.to_owned() + &rows);
        repository.build([&input], &[]).succeeded();
    }
    let list = || repository.run("generations", &[]).succeeded().stdout;
    let lines = list();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[1].ends_with("  1           previous"), "{lines:?}");
    assert!(lines[2].ends_with("  2           current"), "{lines:?}");

    let third = repository
        .path()
        .join("selections/00000000000000000003.json");
    let missing = json!({
        "number": 3, "generation": "2018-01-01-0123456789ab", "nonce": "", "at": "", "by": "",
    });
    for (content, problem) in [
        (
            "{".to_owned(),
            "cannot use selections/00000000000000000003.json",
        ),
        (
            missing.to_string(),
            "selection 3 names generation 2018-01-01-0123456789ab, which is not here",
        ),
    ] {
        fs::write(&third, content).unwrap();
        let listed = list();
        let last = listed.lines().last().unwrap();
        assert!(last.starts_with(problem), "{listed}");
        assert!(last.contains("select a generation"), "{listed}");
        assert_eq!(listed.matches("previous").count(), 1, "{listed}");
        let json = repository.run("generations", &["--json"]).succeeded();
        let json = json.json();
        assert!(json["problem"].as_str().unwrap().starts_with(problem));
    }
}

#[test]
fn who_selects_at_the_same_time_as_another_loses_and_is_told_with_exit_code_4() {
    let repository = TestRepository::new();
    let ours = repository.write("ours.csv", HEADER.to_owned() + &rows(0..60));
    let theirs = repository.write("theirs.csv", HEADER.to_owned() + &rows(0..50));
    let options = ["--no-select"];
    let ours = repository.build_json([&ours], &options)["generation"].take();
    let theirs = repository.build_json([&theirs], &options)["generation"].take();
    let ours = ours.as_str().unwrap();

    // The other writer comes once ours has looked for the last selection and has its own aside,
    // and before that gets its name, or else we try again.
    let selections = repository.path().join("selections");
    fs::create_dir(&selections).unwrap();
    let next = selections.join("00000000000000000001.json");
    let record = json!({
        "number": 1, "generation": theirs, "nonce": "", "at": "", "by": "somebody else",
    });
    let record = repository.write("theirs.json", record.to_string());
    for _attempt in 0..1_000 {
        let has_ended = AtomicBool::new(false);
        let (was_first, outcome) = std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                while repository.litter().is_empty() && !has_ended.load(Relaxed) {}
                fs::hard_link(&record, &next).is_ok()
            });
            let outcome = repository.run("select", &[ours]);
            has_ended.store(true, Relaxed);
            (other.join().unwrap(), outcome)
        });
        if was_first {
            outcome.failed(4, &["selection 1 was written by somebody else"]);
            assert_eq!(repository.current(), theirs.as_str().unwrap());
            assert_eq!(repository.litter(), Vec::<PathBuf>::new());
            return;
        }
        outcome.succeeded();
        fs::remove_file(&next).unwrap();
    }
    panic!("the other writer always came too late");
}

#[test]
fn results_for_programs_are_json() {
    let serving = Serving::start();
    let more = serving
        .repository
        .write("more.csv", HEADER.to_owned() + &rows(0..60));
    let [build, again] = [(); 2].map(|()| serving.repository.build_json([&more], &[]));
    assert_eq!(
        build["rows"],
        json!({"read": 60, "used": 60, "rejected": {}, "excluded": {}})
    );
    assert_eq!(build["stores"], 3);
    assert_eq!(
        (&build["selection"], &again["selection"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        (&again["blobs_new"], &again["generation"]),
        (&json!(0), &build["generation"])
    );
    let current = build["generation"].as_str().unwrap();

    let run = |command: &str, arguments: &[&str]| {
        let arguments = [arguments, &["--json"]].concat();
        let outcome = serving.repository.run(command, &arguments).succeeded();
        assert!(
            outcome
                .stderr
                .lines()
                .all(|line| line.starts_with("verified ")),
            "{outcome:?}"
        );
        outcome.json()
    };
    let listed = run("generations", &[]);
    assert_eq!(listed["generations"].as_array().unwrap().len(), 2);
    let verified = run("verify", &[]);
    assert_eq!(
        (&verified["generation"], &verified["damage"]),
        (&json!(current), &json!([]))
    );
    let selected = run("select", &[&serving.generation]);
    assert_eq!(selected["is_new"], true);
    assert_eq!(selected["selection"]["generation"], serving.generation);
    let all = run("inspect", &[current]);
    assert_eq!(all["generation"], current);
    let record = run("inspect", &["--key", "s1"]);
    assert!(record.is_object(), "{record}");

    let blob = files_below(&serving.repository.path().join("blobs")).remove(0);
    for command in ["verify", "inspect"] {
        let blob = blob.to_str().unwrap();
        let shard = program::run([command, blob, "--json"]).succeeded().json();
        assert!(shard["records"].as_u64().unwrap() > 0, "{shard}");
    }
    let output = serving.good.with_file_name("generated.csv");
    let output = output.to_str().unwrap();
    let generate = [
        "generate",
        "--transactions",
        "1000",
        "--output",
        output,
        "--json",
    ];
    let generated = program::run(generate).succeeded().json();
    assert_eq!(generated["rows"], 1_000);
}

#[test]
fn the_demo_overwrites_nothing_and_takes_its_address_first() {
    let temporary = tempfile::tempdir().unwrap();
    let own = temporary.path().join("transactions.csv");
    fs::write(&own, "mine").unwrap();
    let folder = temporary.path().to_str().unwrap();
    let demo = |folder: &str, listen: &str| {
        let arguments = ["demo", "--folder", folder, "--listen", listen];
        program::run(arguments.map(OsStr::new))
    };
    demo(folder, "127.0.0.1:0").failed(2, &["--folder", folder]);
    assert_eq!(fs::read_to_string(own).unwrap(), "mine");

    let new = temporary.path().join("new");
    let folder = new.to_str().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    demo(folder, &address).failed(1, &["--listen", &address]);
    demo(folder, "0.0.0.0:0").failed(2, &["--listen", "0.0.0.0:0"]);
    assert!(!new.is_dir());
}

#[test]
fn the_demo_generates_builds_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "demo",
        "--transactions",
        "20000",
        "--listen",
        "127.0.0.1:0",
        "--folder",
    ];
    let arguments = arguments.iter().map(OsStr::new);
    let arguments = arguments.chain([folder.path().as_os_str()]);
    let first = TestServer::spawn(arguments.clone());
    let generation = first.wait_for("serving generation ");
    drop(first);
    // A folder of an earlier demo is used again.
    let server = TestServer::spawn(arguments);
    assert_eq!(server.wait_for("serving generation "), generation);
    let mut client = server.connect();
    assert_eq!(client.generation(), generation);
    let largest = client.data("/v1/stores?limit=1")["rows"][0]["id"].take();
    let path = format!(
        "/v1/stores/{}/statistics?group_by=all",
        largest.as_str().unwrap()
    );
    assert!(client.data(&path)["rows"][0]["count"].as_u64().unwrap() > 0);
    let market = client.data("/v1/markets/all/statistics?group_by=all");
    assert_eq!(market["rows"][0]["count"], 20_000);
    assert!(
        !client.data("/v1/markets/all/histogram")["rows"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}
