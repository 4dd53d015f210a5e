//! `nightshard token`: keys and tokens, from their making to what a server answers to them.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use crate::{
    serving::Serving,
    support::{
        client::Client,
        program::{self, Outcome},
        repository::TestRepository,
        server::TestServer,
    },
};

/// A key made by the program, and a configuration that names it.
struct Keys {
    path: PathBuf,
    config: PathBuf,
}

impl Keys {
    fn make(repository: &TestRepository) -> Self {
        let path = repository.path().with_file_name("access.key");
        let made = new_key(&path).succeeded();
        assert!(made.stdout.contains("access.key"), "{made:?}");
        let config = format!("[access]\nkeys = [{{ id = \"first\", path = {path:?} }}]\n");
        let config = repository.write("nightshard.toml", config);
        Self { path, config }
    }

    fn secret(&self) -> String {
        fs::read_to_string(&self.path).unwrap().trim().to_owned()
    }

    /// Makes a token with these options.
    fn token(&self, options: &[&str]) -> Outcome {
        let config = ["--config", self.config.to_str().unwrap()];
        program::run([&["token"], options, &config].concat())
    }

    fn of_scope(&self, scope: &str) -> String {
        let made = self.token(&["--scope", scope]).succeeded();
        assert_eq!(made.stderr, "");
        made.stdout.trim_end().to_owned()
    }
}

fn new_key(path: &std::path::Path) -> Outcome {
    program::run(["token", "--new-key", path.to_str().unwrap()])
}

#[test]
fn a_key_is_made_for_its_owner_only_and_never_written_over() {
    let repository = TestRepository::new();
    let keys = Keys::make(&repository);
    let mode = || fs::metadata(&keys.path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    let secret = keys.secret();
    assert_eq!(secret.len(), 64);
    new_key(&keys.path).failed(1, &["--new-key", "access.key"]);
    assert_eq!(keys.secret(), secret);
    let other = keys.path.with_file_name("other.key");
    new_key(&other).succeeded();
    assert_ne!(fs::read_to_string(other).unwrap().trim(), secret);
    fs::set_permissions(&keys.path, fs::Permissions::from_mode(0o644)).unwrap();
    let told = keys.token(&["--scope", "app"]).succeeded();
    assert!(told.stderr.contains("access.key (mode 644)"), "{told:?}");
    assert!(!told.stderr.contains(&secret) && !told.stdout.contains(&secret));
}

#[test]
fn a_server_with_keys_listens_anywhere_and_answers_tokens_without_telling_them() {
    let Serving {
        repository,
        generation,
        server: _server,
        ..
    } = Serving::start();
    let keys = Keys::make(&repository);
    let mut command =
        program::command(["serve", "--listen", "0.0.0.0:0", "--admin", "127.0.0.1:0"]);
    command.arg("--from").arg(repository.path());
    command.arg("--config").arg(&keys.config);
    command.env("RUST_LOG", "trace");
    let server = TestServer::spawn_command(command);
    let admin = server.wait_for("admin on ");
    server.wait_for("serving generation ");
    let ask = |token: &str, path: &str| {
        Client::connect(server.address())
            .ask(&format!(
                "GET {path} HTTP/1.1\r\nhost: shop.example\r\nauthorization: Bearer {token}\r\n\r\n"
            ))
            .0
    };
    let own = keys.of_scope("store:s0");
    assert_eq!(ask(&own, "/v1/stores/s0/statistics"), 200);
    assert_eq!(ask(&own, "/v1/stores/s1/statistics"), 404);
    let cut = &own[..own.len() - 1];
    assert_eq!(ask(cut, "/v1/stores/s0/statistics"), 401);
    assert_eq!(server.connect().get("/v1/stores/s0").0, 401);
    assert_eq!(server.connect().text("/healthz").0, 200);

    let select = |token: Option<&str>| {
        let path = repository.path();
        let arguments = [
            "select",
            path.to_str().unwrap(),
            &generation,
            "--servers",
            &admin,
        ];
        let mut command = program::command(arguments);
        command.args(["--prepare-seconds", "2"]);
        if let Some(token) = token {
            command.env("NIGHTSHARD_TOKEN", token);
        }
        Outcome::of(command)
    };
    let switcher = keys.of_scope("admin");
    let outcomes = [
        select(Some(&switcher)).succeeded(),
        select(None),
        select(Some(&own)),
    ];
    assert!(outcomes[1..].iter().all(|outcome| outcome.code == Some(1)));
    let log = server.log().join("\n");
    let told = outcomes.map(|outcome| outcome.stdout + &outcome.stderr);
    for secret in [&*own, cut, &*switcher, &*keys.secret()] {
        assert!(!log.contains(secret), "{log}");
        assert!(told.iter().all(|text| !text.contains(secret)), "{told:?}");
    }
}

#[test]
fn what_no_token_can_be_made_of_is_named() {
    let repository = TestRepository::new();
    let keys = Keys::make(&repository);
    for (options, word) in [
        (&[][..], "--scope"),
        (&["--scope", "owner"], "a scope is store:ID"),
        (&["--scope", "store:"], "a scope is store:ID"),
        (&["--scope", "app", "--expires", "soon"], "--expires"),
        (&["--scope", "app", "--expires", "0"], "--expires"),
        (&["--scope", "app", "--expires", "2001-01-01"], "--expires"),
        (
            &["--scope", "app", "--not-before", "9000-01-01"],
            "--expires",
        ),
        (&["--new-key", "x"], "--new-key"),
    ] {
        keys.token(options).failed(2, &[word]);
    }
    program::run(["token", "--scope", "app"]).failed(2, &["--config"]);
    let secret = keys.secret();
    let two = format!(
        "[access]\nkeys = [{{ id = \"a\", path = {0:?} }}, {{ id = \"a\", path = {0:?} }}]\n",
        keys.path
    );
    for (config, word) in [
        ("", "wrong.toml: it names no key in [access]"),
        (&*two, "wrong.toml: access.keys: two keys have the id \"a\""),
        (
            "[access]\nkeys = [{ id = \"a\", path = \"/nowhere\" }]\n",
            "/nowhere",
        ),
        ("[privacy]\nk = 0\n", "wrong.toml: line 2"),
    ] {
        let config = repository.write("wrong.toml", config);
        let arguments = ["token", "--scope", "app", "--config"].map(String::from);
        let arguments = arguments.into_iter().chain([config.display().to_string()]);
        program::run(arguments).failed(2, &[word]);
    }
    // Half a key is none, and is not shown.
    fs::write(&keys.path, &secret[..32]).unwrap();
    let outcome = keys.token(&["--scope", "app"]);
    outcome.failed(2, &["access.key", "64 hexadecimal digits"]);
    assert!(!outcome.stderr.contains(&secret[..32]), "{outcome:?}");
}
