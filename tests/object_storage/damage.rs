//! Generations in object storage that nobody can serve.

use std::fs;

use serde_json::Value;

use crate::{
    published::{Published, straight},
    support::{
        program::Outcome,
        server::{TestServer, serve},
    },
};

/// Publishes the next generation without selecting it, and returns it with the digest of a blob that
/// it does not share.
fn publish_next(published: &Published) -> (String, String) {
    let next = published.build_more();
    let arguments = [
        "publish",
        &published.from(),
        &published.uri(),
        "--no-select",
    ];
    Outcome::of(straight(arguments)).succeeded();
    let blobs = |id: &str| -> Vec<String> {
        let manifest = published.local.manifest(id);
        let shards = manifest["shards"].as_array().unwrap().iter();
        shards
            .map(|shard| shard["blob"].as_str().unwrap().to_owned())
            .collect()
    };
    let others = blobs(&published.generation);
    let own = blobs(&next).into_iter().find(|blob| !others.contains(blob));
    (next, own.unwrap())
}

/// Writes the next selection as somebody might who does not look at what it names.
fn force_selection(published: &Published, generation: &str) {
    let first = published
        .local
        .path()
        .join(format!("selections/{:020}.json", 1));
    let mut selection: Value = serde_json::from_slice(&fs::read(first).unwrap()).unwrap();
    selection["number"] = 2.into();
    selection["generation"] = generation.into();
    published.create(&format!("selections/{:020}.json", 2), selection.to_string());
}

/// Checks that `verify` names what is wrong, and servers, and that these serve on; a new server never
/// serves the generation.
fn is_refused(published: &Published, generation: &str, words: &[&str]) {
    let verified = Outcome::of(straight([
        "verify",
        &published.uri(),
        generation,
        "--quiet",
    ]));
    verified.failed(1, words);
    force_selection(published, generation);
    let (uri, config) = (published.uri(), published.config(""));
    let command = serve(straight(["serve"]), &uri, &published.cache("new"), &config);
    let new = TestServer::spawn_command(command);
    for server in [&published.server, &new] {
        server.wait_for_log_with_all(&[&["candidate refused"], words].concat());
    }
    assert_eq!(new.connect().get("/v1/markets/all").0, 503);
    assert_eq!(
        published.server.connect().generation(),
        published.generation
    );
}

/// Puts a shorter blob in the place of a right one.
#[test]
fn a_truncated_blob_is_named_and_mended_by_publishing_again() {
    let published = Published::new();
    let (next, blob) = publish_next(&published);
    let whole = fs::read(published.local.path().join("blobs").join(&blob)).unwrap();
    published.replace(&format!("blobs/{blob}"), &whole[..whole.len() / 2]);
    is_refused(&published, &next, &[&blob, "bytes"]);
    let arguments = ["publish", &published.from(), &published.uri(), &next];
    let mended = Outcome::of(straight(arguments)).succeeded();
    assert!(mended.stderr.contains(&blob), "{mended:?}");
    published
        .server
        .wait_for(&format!("serving generation {next}"));
}

#[test]
fn foreign_bytes_of_the_right_length_are_never_served() {
    let published = Published::new();
    let (next, blob) = publish_next(&published);
    let whole = fs::read(published.local.path().join("blobs").join(&blob)).unwrap();
    published.replace(&format!("blobs/{blob}"), &vec![b'x'; whole.len()]);
    is_refused(&published, &next, &[&blob, "damaged blob"]);
}

#[test]
fn a_manifest_of_a_newer_format_asks_for_a_newer_release() {
    let published = Published::new();
    let (next, _) = publish_next(&published);
    let manifest = published
        .local
        .path()
        .join("generations")
        .join(&next)
        .join("manifest.json");
    let text = fs::read_to_string(manifest).unwrap();
    let newer = text.replace("\"format_version\": 1", "\"format_version\": 2");
    assert_ne!(newer, text);
    let name = format!("generations/{next}/manifest.json");
    published.replace(&name, newer.as_bytes());
    is_refused(
        &published,
        &next,
        &[&name, "format version 2 is not known here"],
    );
}
