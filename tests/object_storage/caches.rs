//! Caches on disks that are full.

use std::{fs, os::unix::fs::MetadataExt};

use crate::{
    published::{Published, straight},
    support::{
        program::Outcome,
        server::{TestServer, serve},
        small_disk::SmallDisk,
    },
};

/// Fills a disk but for so many bytes.
fn fill(disk: &SmallDisk, left_bytes: usize) {
    let size = rustix::fs::statvfs(disk.path()).unwrap();
    let free = usize::try_from(size.f_bavail * size.f_frsize).unwrap();
    let filling = vec![0; free.saturating_sub(left_bytes)];
    let filled = fs::write(disk.path().join("filling"), filling);
    // The file's own entry takes some, too.
    assert!(filled.is_ok() || left_bytes == 0, "{filled:?}");
}

#[test]
fn a_full_cache_is_named_and_the_next_generation_fetched_once_there_is_room() {
    let Some(disk) = SmallDisk::mount("4m") else {
        return;
    };
    let published = Published::new();
    let cache = disk.path().join("cache");
    let reserve = "[fetch]\nreserve_bytes = 1048576\n";
    let (uri, config) = (published.uri(), published.config(reserve));
    let server = TestServer::spawn_command(serve(straight(["serve"]), &uri, &cache, &config));
    server.wait_for("serving generation ");

    // Room that is to stay free is none.
    fill(&disk, 1 << 20);
    let next = published.build_more();
    Outcome::of(straight(["publish", &published.from(), &uri])).succeeded();
    let named = format!("the cache {} has room for 0 bytes", cache.display());
    server.wait_for_log_with_all(&["candidate refused", &named, "free some"]);
    assert_eq!(server.connect().generation(), published.generation);

    fs::remove_file(disk.path().join("filling")).unwrap();
    server.wait_for(&format!("serving generation {next}"));
    assert_eq!(server.connect().generation(), next);
}

/// Somebody else fills the disk after the room was looked for, or the file system's own needs do.
#[test]
fn a_disk_that_is_full_to_the_last_byte_is_named_and_leaves_what_is_served() {
    let Some(disk) = SmallDisk::mount("4m") else {
        return;
    };
    let published = Published::new();
    let cache = disk.path().join("cache");
    let no_reserve = "[fetch]\nreserve_bytes = 0\n";
    let (uri, config) = (published.uri(), published.config(no_reserve));
    let server = TestServer::spawn_command(serve(straight(["serve"]), &uri, &cache, &config));
    server.wait_for("serving generation ");
    fill(&disk, 0);
    let next = published.build_more();
    Outcome::of(straight(["publish", &published.from(), &uri])).succeeded();
    server.wait_for_log_with_all(&["candidate refused", cache.to_str().unwrap()]);
    assert_eq!(server.connect().generation(), published.generation);

    // Another command says so in one line.
    let arguments = [
        "verify", &uri, "--quiet", "--cache", "CACHE", "--config", "CONFIG",
    ];
    let other = disk.path().join("other");
    let arguments = arguments.map(|word| match word {
        "CACHE" => other.to_str().unwrap(),
        "CONFIG" => config.to_str().unwrap(),
        word => word,
    });
    Outcome::of(straight(arguments)).failed(1, &[other.to_str().unwrap()]);

    fs::remove_file(disk.path().join("filling")).unwrap();
    server.wait_for(&format!("serving generation {next}"));
    let blobs = fs::read_dir(cache.join("blobs")).unwrap();
    assert!(
        blobs
            .map(|blob| blob.unwrap().metadata().unwrap().size())
            .all(|len| len > 0)
    );
}
