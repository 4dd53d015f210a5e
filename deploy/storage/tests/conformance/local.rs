//! Local folders.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use nightshard_storage::{ErrorKind, LocalFolder, Storage, UNFINISHED_AGE_MAX};

use crate::{name, names, names_in, suite::conforms};

#[tokio::test(flavor = "multi_thread")]
async fn local_folder_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let next = std::sync::atomic::AtomicU32::new(0);
    let files = folder.path().join("files");
    fs::create_dir(&files).unwrap();
    let empty = || -> Arc<dyn Storage> {
        let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Arc::new(LocalFolder::new(
            folder.path().join(format!("storage-{number}/deep")),
        ))
    };
    conforms(empty, &files).await;
    for number in 0..next.into_inner() {
        let tmp = folder.path().join(format!("storage-{number}/deep/tmp"));
        let left_over = fs::read_dir(tmp).map_or(0, Iterator::count);
        assert_eq!(left_over, 0, "nothing is left aside");
    }
}

#[tokio::test]
async fn a_file_of_another_file_system_is_copied() {
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalFolder::new(folder.path().to_owned());
    let file = other.path().join("file");
    let copy = name("a/copy");
    fs::write(&file, "from elsewhere").unwrap();
    storage.create_from_file(&copy, &file).await.unwrap();
    assert_eq!(
        storage.get(&copy, 99).await.unwrap(),
        Some("from elsewhere".into())
    );
    fs::write(&file, "from there again").unwrap();
    storage.replace_from_file(&copy, &file).await.unwrap();
    assert_eq!(
        storage.get(&copy, 99).await.unwrap(),
        Some("from there again".into())
    );
    assert_eq!(
        fs::read_dir(folder.path().join("tmp")).map_or(0, Iterator::count),
        0
    );
}

fn left_over(root: &Path, name: &str, modified: SystemTime) -> PathBuf {
    let path = root.join("tmp").join(name);
    fs::write(&path, "half").unwrap();
    fs::File::open(&path)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    path
}

#[tokio::test]
async fn only_what_was_abandoned_a_day_ago_is_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalFolder::new(folder.path().to_owned());
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
    assert_eq!(storage.clear_unfinished(now).await.unwrap(), 0);
    fs::create_dir(folder.path().join("tmp")).unwrap();
    let second = Duration::from_secs(1);
    let old = left_over(folder.path(), "old", now - UNFINISHED_AGE_MAX - second);
    let young = left_over(folder.path(), "young", now - UNFINISHED_AGE_MAX);
    let future = left_over(folder.path(), "future", now + second);
    assert_eq!(storage.clear_unfinished(now).await.unwrap(), 1);
    assert!(!old.is_file() && young.is_file() && future.is_file());
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_regular_file_is_neither_read_nor_followed() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalFolder::new(folder.path().to_owned());
    storage.create(&name("a/mine"), "x".into()).await.unwrap();
    let path = |name: &str| folder.path().join(name);
    let made = std::process::Command::new("mkfifo")
        .arg(path("a/pipe"))
        .status();
    assert!(made.unwrap().success());
    // Two circles: following them to the system's limit would take 2^40 steps.
    symlink(path("a"), path("a/round")).unwrap();
    symlink(path("a"), path("a/about")).unwrap();
    symlink(path("a/itself"), path("a/itself")).unwrap();
    symlink(path("a/mine"), path("a/link")).unwrap();
    let listed = names_in(&storage, "a").await;
    assert_eq!(listed, names(&["a/link", "a/mine"]));
    assert_eq!(storage.get(&name("a/pipe"), 9).await.unwrap(), None);
    assert_eq!(storage.size(&name("a/pipe")).await.unwrap(), None);
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_published_is_read_only_and_never_the_world_s() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalFolder::new(folder.path().join("root"));
    let file = folder.path().join("made elsewhere");
    fs::write(&file, "y").unwrap();
    storage.create(&name("a/made"), "x".into()).await.unwrap();
    let moved = name("a/moved");
    storage.create_from_file(&moved, &file).await.unwrap();
    for object in ["a/made", "a/moved"] {
        let metadata = fs::metadata(folder.path().join("root").join(object)).unwrap();
        let mode = metadata.permissions().mode() & 0o777;
        assert!(mode == 0o440 || mode == 0o400, "{object}: {mode:o}");
    }
}

#[tokio::test]
async fn what_stands_in_the_way_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("blobs"), "a file, not a folder").unwrap();
    let storage = LocalFolder::new(folder.path().to_owned());
    let error = storage
        .create(&name("blobs/00"), "x".into())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("cannot create blobs/00 in"));
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn foreign_files_are_not_listed() {
    let folder = tempfile::tempdir().unwrap();
    let storage = LocalFolder::new(folder.path().to_owned());
    storage.create(&name("a/mine"), "x".into()).await.unwrap();
    fs::write(folder.path().join("a/not mine"), "y").unwrap();
    assert_eq!(names_in(&storage, "a").await, names(&["a/mine"]));
}
