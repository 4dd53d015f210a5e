//! Exports that end well, fail, or are killed at any moment.

use std::collections::BTreeMap;

use super::*;

fn contents(generation: &str, names: &[&str]) -> Contents {
    let written = |name: &&str| Written {
        name: (*name).to_owned(),
        table: "table".into(),
        rows: 1,
        size_bytes: 1,
    };
    Contents::new(generation, names.iter().map(written).collect())
}

/// Writes files aside, each of which says what generation it is of.
fn write_aside(folder: &OutputFolder, contents: &Contents) {
    for name in contents.names() {
        fs::write(folder.aside_of(name), &contents.generation).unwrap();
    }
}

fn export(path: &Path, generation: &str, names: &[&str]) -> anyhow::Result<()> {
    let folder = OutputFolder::open(path)?;
    folder.check_free(names.iter().copied())?;
    let contents = contents(generation, names);
    write_aside(&folder, &contents);
    folder.place(&contents)
}

/// Returns what is in a folder, but for its list.
fn files(path: &Path) -> BTreeMap<String, String> {
    let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let names = names.map(|entry| entry.file_name().into_string().unwrap());
    names
        .filter(|name| name != CONTENTS)
        .map(|name| {
            let text = fs::read_to_string(path.join(&name)).unwrap_or_else(|_| "folder".into());
            (name, text)
        })
        .collect()
}

fn expected(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    let files = files.iter();
    files
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

/// Dies as a process does that is killed: nothing is cleared up, and the lock is gone.
fn kill(folder: OutputFolder) {
    folder.lock.unlock().unwrap();
    std::mem::forget(folder);
}

#[test]
fn an_export_replaces_an_earlier_one_whole_and_leaves_other_files_alone() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("new/export");
    export(&path, "g1", &["a.csv", "b.csv"]).unwrap();
    assert_eq!(files(&path), expected(&[("a.csv", "g1"), ("b.csv", "g1")]));
    fs::write(path.join("notes.txt"), "mine").unwrap();
    export(&path, "g2", &["b.csv", "c.csv"]).unwrap();
    let after = expected(&[("b.csv", "g2"), ("c.csv", "g2"), ("notes.txt", "mine")]);
    assert_eq!(files(&path), after);
    let read = read_contents(&path).unwrap().unwrap();
    assert_eq!(read, contents("g2", &["b.csv", "c.csv"]));

    let error = export(&path, "g3", &["notes.txt"]).unwrap_err();
    assert!(error.to_string().contains("notes.txt"), "{error}");
    assert_eq!(files(&path), after);
}

#[test]
fn what_fails_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("export");
    let folder = OutputFolder::open(&path).unwrap();
    write_aside(&folder, &contents("g1", &["a.csv"]));
    drop(folder);
    assert!(!path.is_dir());

    export(&path, "g1", &["a.csv"]).unwrap();
    let folder = OutputFolder::open(&path).unwrap();
    write_aside(&folder, &contents("g2", &["a.csv", "b.csv"]));
    drop(folder);
    assert_eq!(files(&path), expected(&[("a.csv", "g1")]));
    let read = read_contents(&path).unwrap();
    assert_eq!(read, Some(contents("g1", &["a.csv"])));
}

#[test]
fn whenever_an_export_is_killed_no_half_file_has_a_name_and_the_next_one_is_clean() {
    for killed_at in 0..4 {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("export");
        let before = killed_at > 0;
        if before {
            export(&path, "g1", &["a.csv", "old.csv"]).unwrap();
        }
        let next = contents("g2", &["a.csv", "b.csv"]);
        let folder = OutputFolder::open(&path).unwrap();
        // Half of a file, or all of them.
        fs::write(folder.aside_of("a.csv"), "g").unwrap();
        if killed_at >= 2 {
            write_aside(&folder, &next);
            folder.begin_placing(&next).unwrap();
        }
        if killed_at >= 3 {
            fs::rename(folder.aside_of("a.csv"), path.join("a.csv")).unwrap();
        }
        kill(folder);

        let left = files(&path);
        assert!(left.values().all(|text| text != "g"), "{left:?}");
        let said = read_contents(&path).unwrap();
        let is_complete = said.is_some_and(|contents| contents.complete);
        assert_eq!(is_complete, killed_at == 1, "killed at {killed_at}");
        export(&path, "g3", &["b.csv"]).unwrap();
        assert_eq!(files(&path), expected(&[("b.csv", "g3")]));
    }
}

#[test]
fn a_folder_of_others_is_refused_and_left_alone() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path();
    fs::write(path.join("stores.csv"), "mine").unwrap();
    let error = export(path, "g1", &["stores.csv"]).unwrap_err();
    assert!(error.is::<UsageError>());
    for word in ["--output", "stores.csv", "empty folder"] {
        assert!(error.to_string().contains(word), "{error}");
    }
    assert_eq!(files(path), expected(&[("stores.csv", "mine")]));
    let error = export(&path.join("stores.csv"), "g1", &[]).unwrap_err();
    assert!(error.is::<UsageError>(), "{error}");

    for foreign in [
        "{}",
        "not JSON",
        r#"{"nightshard_export": 2, "generation": "g", "complete": true, "files": []}"#,
        r#"{"nightshard_export": 1, "generation": "g", "complete": true, "files":
            [{"name": "../stores.csv", "table": "t", "rows": 0, "size_bytes": 0}]}"#,
    ] {
        let folder = path.join("foreign");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(CONTENTS), foreign).unwrap();
        let error = export(&folder, "g1", &["a.csv"]).unwrap_err();
        assert!(error.to_string().contains(CONTENTS), "{error}");
        assert_eq!(files(&folder), expected(&[]));
    }
}

#[test]
fn two_do_not_export_into_one_folder_at_once() {
    let temporary = tempfile::tempdir().unwrap();
    let first = OutputFolder::open(temporary.path()).unwrap();
    let error = OutputFolder::open(temporary.path()).unwrap_err();
    assert!(error.is::<Conflict>(), "{error}");
    drop(first);
    OutputFolder::open(temporary.path()).unwrap();
}
