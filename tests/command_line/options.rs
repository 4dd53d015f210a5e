//! Options and keys that make no sense.

use std::{ffi::OsStr, fs, os::unix::fs::PermissionsExt, path::Path};

use crate::serving::{HEADER, Serving, UNSEEN, rows};
use crate::support::{
    program::{self, Outcome},
    repository::TestRepository,
};

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
    let any = "127.0.0.1:0";
    let token = serving.repository.write("token", "secret");
    let short = format!("[server.admin]\ntoken_file = {token:?}\n");
    let short = serving.repository.write("short.toml", short);
    let short = short.to_str().unwrap().to_owned();
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
        (
            2,
            &[
                "serve",
                "--from",
                path,
                "--listen",
                any,
                "--admin",
                "0.0.0.0:0",
            ],
            "server.admin.token_file",
        ),
        (
            1,
            &["serve", "--from", path, "--listen", any, "--admin", &taken],
            "server.admin.listen",
        ),
        (
            2,
            &[
                "serve", "--from", path, "--listen", any, "--admin", any, "--config", &short,
            ],
            "from 16 to 1024",
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
