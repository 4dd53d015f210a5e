//! Customers: kept where that is asked for, served to their tokens, and named nowhere.

use std::{fs, path::PathBuf, process::Stdio};

use serde_json::json;

use crate::{
    serving::{CARD, HEADER, Serving, keeps_secrets, row},
    support::{
        client::Client,
        program::{self, Outcome},
        repository::{TestRepository, files_below},
        server::TestServer,
    },
};

/// A configuration that keeps customers and names a key of tokens.
fn configure(repository: &TestRepository) -> PathBuf {
    let key = repository.path().with_file_name("access.key");
    program::run(["token", "--new-key", key.to_str().unwrap()]).succeeded();
    let customers = repository.path().with_file_name("customers.csv");
    let text = format!("card_id,home\n{CARD},Atlantis\n4929000000000000,Mu\n");
    fs::write(&customers, text).unwrap();
    let config = format!(
        "[customers]\nflagged = \"amount_minor > 300\"\ndimension = {customers:?}\n\
         [access]\nkeys = [{{ id = \"first\", path = {key:?} }}]\n"
    );
    repository.write("nightshard.toml", config)
}

/// Returns the pseudonym of the card of all rows, as the program computes it.
fn pseudonym() -> String {
    let mut command = program::command(["pseudonym"]);
    let folder = tempfile::tempdir().unwrap();
    let ids = folder.path().join("ids");
    // White space around it is none of an id's, as in rows.
    fs::write(&ids, format!(" {CARD}\r\n")).unwrap();
    command.stdin(Stdio::from(fs::File::open(ids).unwrap()));
    let told = Outcome::of(command).succeeded();
    let pseudonym = told.stdout.strip_suffix('\n').unwrap().to_owned();
    assert_eq!(pseudonym.len(), 32);
    pseudonym
}

fn built(repository: &TestRepository, config: &str) -> Outcome {
    let rows: String = [250, 500, -100]
        .iter()
        .enumerate()
        .map(|(id, amount)| {
            row(
                id,
                "s0",
                &format!("2018-01-0{}", id + 5),
                &amount.to_string(),
            )
        })
        .collect();
    let input = repository.write("rows.csv", HEADER.to_owned() + &rows);
    repository.build([&input], &["--config", config, "--json"])
}

#[test]
fn a_customer_is_served_to_its_token_and_named_in_no_log() {
    let repository = TestRepository::new();
    let config = configure(&repository);
    let config = config.to_str().unwrap();
    let outcome = built(&repository, config).succeeded();
    let report = json!({"records": 1, "described": 1, "unknown": 1});
    assert_eq!(outcome.json()["customers"], report);
    let id = pseudonym();
    let token = |scope: &str| {
        let made = program::run(["token", "--config", config, "--scope", scope]).succeeded();
        made.stdout.trim_end().to_owned()
    };
    let own = token(&format!("customer:{id}"));
    let path = repository.path();
    for options in [&[][..], &["--customers"]] {
        let from = [
            "serve",
            "--from",
            path.to_str().unwrap(),
            "--config",
            config,
        ];
        let rest = ["--listen", "127.0.0.1:0"];
        let mut command = program::command([&from[..], &rest, options].concat());
        command.env("RUST_LOG", "debug");
        let server = TestServer::spawn_command(command);
        server.wait_for("serving generation ");
        let ask = |token: &str| {
            let path = format!("/v1/customers/{id}");
            let bearer = format!("authorization: Bearer {token}");
            let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{bearer}\r\n\r\n");
            Client::connect(server.address()).ask(&request)
        };
        assert_eq!(ask(&token("analyst")).0, 403);
        let (status, answer) = ask(&own);
        if options.is_empty() {
            assert_eq!(status, 404, "{answer}");
            assert_eq!(answer["detail"], "this server does not hold customers");
        } else {
            let data = &answer["data"];
            assert_eq!((status, &data["sum"]), (200, &json!(650)));
            assert_eq!(data["flagged_count"], 1);
            assert_eq!(data["attributes"], json!({"home": "Atlantis"}));
        }
        let log = server.log().join("\n");
        assert!(!log.contains(&id) && !log.contains(CARD), "{log}");
    }
    keeps_secrets(&repository, &outcome);
    for (place, text) in repository.texts() {
        for secret in [&*id, "Atlantis"] {
            assert!(!text.contains(secret), "{secret} is in {}", place.display());
        }
    }
}

#[test]
fn a_customer_is_verified_inspected_and_compared_but_never_exported() {
    let repository = TestRepository::new();
    let config = configure(&repository);
    built(&repository, config.to_str().unwrap()).succeeded();
    repository.run("verify", &["--quiet"]).succeeded();
    let id = pseudonym();
    let key = ["--dataset", "customers", "--key", &id];
    let told = repository.run("inspect", &key).succeeded().stdout;
    for words in ["-100 to 500", "2018-01-05 to 2018-01-07", "home: Atlantis"] {
        assert!(told.contains(words), "{told}");
    }
    let inspected = [&key[..], &["--json"]].concat();
    let inspected = repository.run("inspect", &inspected).succeeded().json();
    assert_eq!(inspected["value"]["customer"]["count"], 3);

    let output = repository.path().with_file_name("export");
    let to = ["--quiet", "--output", output.to_str().unwrap()];
    repository.run("export", &to).succeeded();
    for file in files_below(&output) {
        let bytes = fs::read(&file).unwrap();
        let found = bytes
            .windows(id.len())
            .any(|window| window == id.as_bytes());
        assert!(!found, "{}", file.display());
    }
    let asked = [&["--dataset", "customers"], &to[..]].concat();
    repository
        .run("export", &asked)
        .failed(2, &["--dataset customers"]);

    let input = repository.path().with_file_name("rows.csv");
    repository.build([&input], &["--no-gate"]).succeeded();
    let differs = repository.run("diff", &[]).succeeded();
    assert!(differs.stdout.contains("customers"), "{differs:?}");
    assert!(!differs.stdout.contains(&id), "{differs:?}");
}

#[test]
fn what_cannot_be_kept_of_customers_is_named_without_a_card() {
    let serving = Serving::start();
    let repository = &serving.repository;
    let twice = repository.write("twice.csv", format!("card_id,x\n{CARD},1\n{CARD},2\n"));
    let refused = repository.write("refused.csv", "card_id,customer_id\n");
    let dimension = |path: &PathBuf| format!("dimension = {path:?}\n");
    for (text, code, words) in [
        (
            format!("flagged = \"card_id = '{CARD}'\"\n"),
            2,
            &["wrong.toml", "customers.flagged: card_id cannot be asked"][..],
        ),
        (
            "flagged = \"amount_minor\"\n".to_owned(),
            2,
            &["wrong.toml", "customers.flagged: character 1"],
        ),
        (
            "flaged = \"true\"\n".to_owned(),
            2,
            &["wrong.toml", "line 2"],
        ),
        (
            dimension(&twice),
            1,
            &["twice.csv", "line 3: the card stands in line 2"],
        ),
        (
            dimension(&refused),
            1,
            &["refused.csv", "line 1", "customer_id"],
        ),
        (dimension(&"/nowhere.csv".into()), 1, &["/nowhere.csv"]),
    ] {
        let config = repository.write("wrong.toml", format!("[customers]\n{text}"));
        let options = ["--config", config.to_str().unwrap()];
        serving.refuses_input(&serving.good, &options, code, words);
    }
}
