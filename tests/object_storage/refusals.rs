//! Object storage that lets nobody in, or has something else than a repository.

use std::fs;

use crate::{
    published::{Published, straight},
    support::program::Outcome,
};

#[test]
fn who_may_not_is_told_what_to_check_with_exit_code_2() {
    let published = Published::new();
    published.build_more();
    let (from, uri) = (published.from(), published.uri());
    let credentials = "the credentials are not accepted: check AWS_ACCESS_KEY_ID";
    let missing = "s3://no-such-bucket/x";
    for (arguments, key, secret, words) in [
        (&["publish", &from, &uri][..], "test", "wrong", credentials),
        (&["verify", &uri], "nobody", "testtest", credentials),
        (&["reclaim", &uri], "test", "wrong", credentials),
        (
            &["publish", &from, &uri],
            "",
            "",
            "there are no usable credentials: set AWS_ACCESS_KEY_ID",
        ),
        (
            &["publish", &from, &uri],
            "reader",
            "readonly",
            "access is denied",
        ),
        (
            &["select", &uri, &published.generation],
            "reader",
            "readonly",
            "access is denied",
        ),
        (
            &["publish", &from, missing],
            "test",
            "testtest",
            "there is no such bucket: check its name",
        ),
        (
            &["generations", missing],
            "test",
            "testtest",
            "there is no such bucket: check its name",
        ),
    ] {
        let mut command = straight(arguments);
        command
            .env("AWS_ACCESS_KEY_ID", key)
            .env("AWS_SECRET_ACCESS_KEY", secret);
        let place = if arguments.contains(&missing) {
            missing
        } else {
            &uri
        };
        Outcome::of(command).failed(2, &[place, words]);
        published.is_untouched();
    }
    for arguments in [
        ["publish", &from, "gopher://x/y"],
        ["publish", "gopher://x/y", &uri],
        ["serve", "--from", "gopher://x/y"],
    ] {
        Outcome::of(straight(arguments))
            .failed(2, &["gopher://x/y", "there are file, s3 and hdfs"]);
    }
    published.is_untouched();
}

#[test]
fn a_reader_reads_what_it_may_and_a_folder_of_something_else_selects_nothing() {
    let published = Published::new();
    let mut verify = straight(["verify", &published.uri(), "--quiet"]);
    verify
        .env("AWS_ACCESS_KEY_ID", "reader")
        .env("AWS_SECRET_ACCESS_KEY", "readonly");
    Outcome::of(verify).succeeded();

    published.create("elsewhere/holiday/photo.jpg", "what others have");
    published.create("elsewhere/selections/readme.txt", "not a selection");
    published.create("elsewhere/generations/notes.txt", "not a generation");
    let elsewhere = format!("{}/elsewhere", published.uri());
    for arguments in [&["verify", &elsewhere][..], &["rollback", &elsewhere]] {
        let said = Outcome::of(straight(arguments));
        said.failed(1, &[&elsewhere, "no generation is selected"]);
    }
    // Publishing there harms nothing of it.
    let from = published.from();
    Outcome::of(straight(["publish", &from, &elsewhere])).succeeded();
    Outcome::of(straight(["reclaim", &elsewhere, "--floor-days", "0"])).succeeded();
    let (storage, name) = (
        published.storage(),
        "elsewhere/holiday/photo.jpg".parse().unwrap(),
    );
    let photo = storage.size(&name);
    assert_eq!(published.runtime.block_on(photo).unwrap(), Some(16));
    assert_eq!(fs::read_dir(published.cache("")).unwrap().count(), 1);
    published.is_untouched();
}
