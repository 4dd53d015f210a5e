//! Object storage that takes connections and never answers, until it does again.

use crate::{
    published::{Published, straight, through},
    support::{
        object_storage,
        program::Outcome,
        proxy::{Effect, Proxy, Side, Trap},
        server::{TestServer, serve},
    },
};

/// Whoever is not answered gives up soon; on a busy machine, somebody who would be answered may, too.
const IMPATIENT: &str = "[storage]\nstall_ms = 300\nretry_ms = 600\n";
/// What a request says that is given up.
const STALLED: &str = "no progress for 300 ms";
/// So often a step is tried that was not reached in time.
const TRIES_MAX: usize = 20;

#[test]
fn a_publisher_whose_storage_hangs_gives_up_and_succeeds_once_it_answers_again() {
    let published = Published::new();
    let next = published.build_more();
    let proxy = Proxy::start(&object_storage::server(), &published.folder);
    let config = published.config(IMPATIENT);
    let config = config.to_str().unwrap();
    let (from, uri) = (published.from(), published.uri());
    let publish = ["publish", &from, &uri];
    let impatient = [&publish[..], &["--config", config]].concat();
    for (step, passing) in [("PUT intents", 0), ("PUT blobs", 1), ("PUT manifest", 0)] {
        let mut tries = 0;
        while !proxy.hangs() {
            assert!(tries < TRIES_MAX, "{step} was never asked for");
            tries += 1;
            proxy.set(Some(Trap {
                step: step.to_owned(),
                passing,
                side: Side::Before,
                effect: Effect::Hang,
            }));
            let outcome = Outcome::of(through(&proxy.url(), &impatient));
            outcome.failed(1, &[&uri, STALLED]);
            published.is_untouched();
        }
        proxy.release();
    }
    proxy.set(None);
    Outcome::of(through(&proxy.url(), publish)).succeeded();
    published
        .server
        .wait_for(&format!("serving generation {next}"));
}

#[test]
fn every_command_gives_up_in_one_line() {
    let published = Published::new();
    let proxy = Proxy::start(&object_storage::server(), &published.folder);
    proxy.hang();
    let config = published.config(IMPATIENT);
    let config = config.to_str().unwrap();
    let (from, uri) = (published.from(), published.uri());
    let input = published.local.write(
        "one.csv",
        "store_id,card_id,ts,amount_minor,currency\ns,c,2018-03-05,1,EUR\n",
    );
    for arguments in [
        &[
            "build",
            "--input",
            input.to_str().unwrap(),
            "--output",
            &uri,
            "--quiet",
        ][..],
        &["publish", &from, &uri],
        &["select", &uri, &published.generation],
        &["mark", &uri, &published.generation, "good"],
        &["rollback", &uri],
        &["reclaim", &uri],
        &["generations", &uri],
        &["verify", &uri],
    ] {
        let arguments = [arguments, &["--config", config]].concat();
        let outcome = Outcome::of(through(&proxy.url(), arguments));
        outcome.failed(1, &[&uri, STALLED]);
    }
    published.is_untouched();
}

#[test]
fn a_server_whose_storage_hangs_serves_on_says_so_and_follows_once_it_answers() {
    let published = Published::new();
    let proxy = Proxy::start(&object_storage::server(), &published.folder);
    let (uri, config) = (published.uri(), published.config(IMPATIENT));
    let start = |cache: &str| {
        let command = through(&proxy.url(), ["serve"]);
        TestServer::spawn_command(serve(command, &uri, &published.cache(cache), &config))
    };
    let server = start("first");
    server.wait_for("serving generation ");
    proxy.hang();
    server.wait_for_log_with_all(&["the repository cannot be followed", STALLED]);
    assert_eq!(server.connect().generation(), published.generation);
    // One that has nothing to serve is never ready, and alive.
    let empty = start("second");
    empty.wait_for_log("the repository cannot be followed");
    assert_eq!(empty.connect().get("/v1/markets/all").0, 503);

    let next = published.build_more();
    Outcome::of(straight(["publish", &published.from(), &uri])).succeeded();
    assert_eq!(server.connect().generation(), published.generation);
    proxy.release();
    server.wait_for_log("the repository answers again");
    for server in [server, empty] {
        server.wait_for(&format!("serving generation {next}"));
        assert_eq!(server.connect().generation(), next);
    }
}
