//! What every storage must do.

use std::{fs, path::Path, sync::Arc};

use nightshard_storage::{ErrorKind, Storage};

use crate::{content, name, names, names_in};

/// Runs the whole suite; `empty` makes a new empty storage, `files` is a folder for local files.
pub(crate) async fn conforms(empty: impl Fn() -> Arc<dyn Storage>, files: &Path) {
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
        let content = content(len);
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
    let content = content(LEN);
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

/// Stores what is longer than a part of S3 and a block of the tests' HDFS, both of 16 MiB.
#[cfg(any(feature = "hdfs", feature = "s3"))]
pub(crate) async fn long_files_are_stored_and_read_in_parts(storage: &dyn Storage, files: &Path) {
    const LEN: usize = (40 << 20) + 7;
    const PART: usize = 16 << 20;
    let file = files.join("long");
    let long = name("blobs/long");
    let mut content = content(LEN);
    fs::write(&file, &content).unwrap();
    storage.create_from_file(&long, &file).await.unwrap();
    assert_eq!(storage.size(&long).await.unwrap(), Some(LEN as u64));
    assert!(storage.get(&long, LEN as u64).await.unwrap().unwrap() == content);
    let error = storage.get(&long, LEN as u64 - 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    for range in [
        PART - 1..PART + 1,
        PART..2 * PART,
        2 * PART - 5..LEN,
        LEN - 1..LEN + 9,
    ] {
        let read = storage.get_range(&long, range.start as u64..range.end as u64);
        assert!(read.await.unwrap().unwrap() == content[range.start..range.end.min(LEN)]);
    }
    let error = storage.create_from_file(&long, &file).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);

    content[LEN / 2] ^= 1;
    fs::write(&file, &content).unwrap();
    storage.replace_from_file(&long, &file).await.unwrap();
    assert!(storage.get(&long, LEN as u64).await.unwrap().unwrap() == content);
    assert!(storage.delete(&long).await.unwrap());
}

/// Lists more than servers list at once, which is 1,000.
#[cfg(any(feature = "hdfs", feature = "s3"))]
pub(crate) async fn many_pages_are_listed(storage: Arc<dyn Storage>) {
    let mut creates = tokio::task::JoinSet::new();
    for at in 0..1_100 {
        let storage = storage.clone();
        let object = name(&format!("many/{at:04}"));
        creates.spawn(async move { storage.create(&object, "x".into()).await });
        if creates.len() >= 16 {
            creates.join_next().await.unwrap().unwrap().unwrap();
        }
    }
    creates
        .join_all()
        .await
        .into_iter()
        .for_each(Result::unwrap);
    let listed = storage.list(&name("many")).await.unwrap();
    assert_eq!(listed.len(), 1_100);
    assert!(listed.is_sorted_by(|left, right| left.name < right.name));
}
