//! What every storage must do; run on each implementation.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use nightshard_storage::{
    ErrorKind, Faults, Faulty, LocalFolder, ObjectName, Storage, UNFINISHED_AGE_MAX,
};

fn name(text: &str) -> ObjectName {
    text.parse().unwrap()
}

fn names(texts: &[&str]) -> Vec<ObjectName> {
    texts.iter().map(|text| name(text)).collect()
}

/// Returns the names of what is in a folder, and checks what else is said of it.
async fn names_in(storage: &dyn Storage, folder: &str) -> Vec<ObjectName> {
    let listed = storage.list(&name(folder)).await.unwrap();
    for object in &listed {
        let len_bytes = storage.size(&object.name).await.unwrap();
        assert_eq!(Some(object.len_bytes), len_bytes, "{}", object.name);
        assert!(object.modified > SystemTime::UNIX_EPOCH, "{}", object.name);
    }
    listed.into_iter().map(|object| object.name).collect()
}

/// Runs the whole suite; `empty` makes a new empty storage, `files` is a folder for local files.
async fn conforms(empty: impl Fn() -> Arc<dyn Storage>, files: &Path) {
    an_object_is_read_back_as_created(&*empty()).await;
    an_existing_object_is_never_overwritten(&*empty(), files).await;
    files_of_any_length_become_objects(&*empty(), files).await;
    a_replaced_object_is_the_new_one_whole(&*empty(), files).await;
    absence_is_no_error(&*empty()).await;
    parts_are_read_as_far_as_the_object_goes(&*empty()).await;
    reading_stops_at_the_limit(&*empty()).await;
    listing_is_sorted_and_complete(&*empty()).await;
    exactly_one_of_many_writers_wins(empty()).await;
    many_objects_can_be_created_at_once(empty(), files).await;
}

async fn an_object_is_read_back_as_created(storage: &dyn Storage) {
    for (at, content) in [&b""[..], b"x", &[0xff; 100_000]].into_iter().enumerate() {
        let name = name(&format!("a/b/{at}"));
        storage.create(&name, content.into()).await.unwrap();
        let read = storage.get(&name, 100_000).await.unwrap().unwrap();
        assert_eq!(read, content);
        assert_eq!(
            storage.size(&name).await.unwrap(),
            Some(content.len() as u64)
        );
    }
    assert!(storage.delete(&name("a/b/1")).await.unwrap());
    assert_eq!(names_in(storage, "a").await, names(&["a/b/0", "a/b/2"]));
}

async fn an_existing_object_is_never_overwritten(storage: &dyn Storage, files: &Path) {
    let taken = name("once/only");
    storage.create(&taken, "first".into()).await.unwrap();
    let file = files.join("second");
    fs::write(&file, "second").unwrap();
    let errors = [
        storage.create(&taken, "second".into()).await.unwrap_err(),
        storage.create_from_file(&taken, &file).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.to_string().contains("once/only"));
        assert!(error.to_string().contains(storage.location()));
    }
    assert_eq!(fs::read(&file).unwrap(), b"second");
    assert_eq!(storage.get(&taken, 10).await.unwrap(), Some("first".into()));
    // Once deleted, a name is free again.
    assert!(storage.delete(&taken).await.unwrap());
    storage.create_from_file(&taken, &file).await.unwrap();
    assert_eq!(
        storage.get(&taken, 10).await.unwrap(),
        Some("second".into())
    );
}

async fn files_of_any_length_become_objects(storage: &dyn Storage, files: &Path) {
    for len in [0, 1, 3_000_000] {
        let file = files.join(format!("file-{len}"));
        let content: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        fs::write(&file, &content).unwrap();
        let object = name(&format!("files/{len}"));
        storage.create_from_file(&object, &file).await.unwrap();
        assert!(storage.get(&object, 3_000_000).await.unwrap().unwrap() == content);
        if let Some(path) = storage.local_path(&object) {
            assert!(fs::read(path).unwrap() == content);
        }
    }
    let missing = files.join("missing");
    let error = storage
        .create_from_file(&name("files/none"), &missing)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&missing.display().to_string()));
    assert_eq!(storage.size(&name("files/none")).await.unwrap(), None);
}

async fn a_replaced_object_is_the_new_one_whole(storage: &dyn Storage, files: &Path) {
    let object = name("blobs/mended");
    for (damaged, right) in [(&b"damaged, and too long"[..], "right"), (b"", "")] {
        let file = files.join("right");
        storage.create(&object, damaged.into()).await.unwrap();
        let path = storage.local_path(&object);
        let opened = path.map(|path| fs::File::open(path).unwrap());
        fs::write(&file, right).unwrap();
        storage.replace_from_file(&object, &file).await.unwrap();
        let read = storage.get(&object, 99).await.unwrap().unwrap();
        assert_eq!(read, right);
        if let Some(opened) = opened {
            // Whoever has it open keeps what it had.
            assert_eq!(std::io::read_to_string(opened).unwrap().as_bytes(), damaged);
        }
        assert!(storage.delete(&object).await.unwrap());
    }
    let missing = files.join("no such file");
    let error = storage
        .replace_from_file(&object, &missing)
        .await
        .unwrap_err();
    assert!(error.to_string().contains(&missing.display().to_string()));
}

async fn absence_is_no_error(storage: &dyn Storage) {
    storage.create(&name("here/it"), "is".into()).await.unwrap();
    for absent in ["gone", "here/gone", "here/it/below", "here"].map(name) {
        assert_eq!(storage.get(&absent, 10).await.unwrap(), None);
        assert_eq!(storage.size(&absent).await.unwrap(), None);
    }
    assert!(!storage.delete(&name("gone")).await.unwrap());
    assert!(!storage.delete(&name("here/it/below")).await.unwrap());
    assert_eq!(names_in(storage, "gone").await, []);
}

async fn parts_are_read_as_far_as_the_object_goes(storage: &dyn Storage) {
    const LEN: usize = 3_000_000;
    let content: Vec<u8> = (0..LEN).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let object = name("a/long");
    storage
        .create(&object, content.clone().into())
        .await
        .unwrap();
    storage.create(&name("a/empty"), "".into()).await.unwrap();
    for range in [
        0..1,
        0..3_000_000,
        1..2_999_999,
        2_999_990..4_000_000,
        3_000_000..3_000_001,
        9_000_000..9_000_010,
        5..5,
    ] {
        let read = storage.get_range(&object, range.clone()).await.unwrap();
        let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap());
        let expected = &content[start.min(LEN)..end.min(LEN)];
        assert!(read.unwrap() == expected, "{range:?}");
    }
    let none = storage.get_range(&name("a/empty"), 0..9).await.unwrap();
    assert_eq!(none, Some("".into()));
    let absent = storage.get_range(&name("a/none"), 0..9).await.unwrap();
    assert_eq!(absent, None);
}

async fn reading_stops_at_the_limit(storage: &dyn Storage) {
    storage
        .create(&name("long"), "0123456789".into())
        .await
        .unwrap();
    assert_eq!(
        storage.get(&name("long"), 10).await.unwrap(),
        Some("0123456789".into())
    );
    let error = storage.get(&name("long"), 9).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
}

async fn listing_is_sorted_and_complete(storage: &dyn Storage) {
    for object in ["l/10", "l/9", "l/a/z", "l/a/b/c", "l.x", "lx/1", "l/B"].map(name) {
        storage.create(&object, "".into()).await.unwrap();
    }
    let listed = names_in(storage, "l").await;
    assert_eq!(listed, names(&["l/10", "l/9", "l/B", "l/a/b/c", "l/a/z"]));
    assert_eq!(names_in(storage, "l/a").await, names(&["l/a/b/c", "l/a/z"]));
}

async fn exactly_one_of_many_writers_wins(storage: Arc<dyn Storage>) {
    for round in 0..20 {
        let object = name(&format!("race/{round}"));
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let (storage, object) = (storage.clone(), object.clone());
                tokio::spawn(async move {
                    storage
                        .create(&object, format!("writer {writer}").into())
                        .await
                })
            })
            .collect();
        let mut winners = Vec::new();
        for (writer, task) in writers.into_iter().enumerate() {
            match task.await.unwrap() {
                Ok(()) => winners.push(writer),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        let content = storage.get(&object, 20).await.unwrap().unwrap();
        assert_eq!(content, format!("writer {}", winners[0]));
    }
}

async fn many_objects_can_be_created_at_once(storage: Arc<dyn Storage>, files: &Path) {
    let tasks: Vec<_> = (0..200)
        .map(|at| {
            let file = files.join(format!("many-{at}"));
            fs::write(&file, at.to_string()).unwrap();
            let storage = storage.clone();
            tokio::spawn(async move {
                storage
                    .create_from_file(&name(&format!("many/{at:03}")), &file)
                    .await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let listed = names_in(&*storage, "many").await;
    assert_eq!(listed.len(), 200);
    for (at, object) in listed.iter().enumerate() {
        assert_eq!(
            storage.get(object, 9).await.unwrap().unwrap(),
            at.to_string()
        );
    }
}

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
async fn faulty_storage_without_faults_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let empty = || -> Arc<dyn Storage> {
        let begun_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        Arc::new(Faulty::new(1, Faults::NONE, begun_at))
    };
    conforms(empty, folder.path()).await;
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
