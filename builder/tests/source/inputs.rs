//! Which files are read, and what is said of each.

use std::fs;
use std::path::{Path, PathBuf};

use nightshard_builder::layout::Layout;
use nightshard_builder::source::{Error, Inputs, ReaderOptions};

use crate::outcomes::{HEADER, SMALL, file, gzip, many_rows, read, read_all, zst};

#[test]
fn unreadable_files_are_errors_that_name_the_file() {
    let is_error = |bytes: &[u8], check: fn(&Error) -> bool| {
        let error = read(bytes).unwrap_err();
        assert!(check(&error), "{error:?}");
        assert!(error.to_string().contains("in.csv"), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    };
    let whole = format!("{HEADER}{}", many_rows());
    is_error(b"", |e| matches!(e, Error::Empty { .. }));
    is_error(b"\n \n", |e| matches!(e, Error::Empty { .. }));
    is_error(&gzip(b""), |e| matches!(e, Error::Empty { .. }));
    is_error(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", |e| {
        matches!(e, Error::Binary { .. })
    });
    is_error(b"\xff\xfes\0t\0o\0r\0e\0", |e| {
        matches!(e, Error::Binary { .. })
    });
    for compressed in [gzip(whole.as_bytes()), zst(whole.as_bytes())] {
        for len in [compressed.len() - 1, compressed.len() / 2, 12] {
            is_error(&compressed[..len], |e| matches!(e, Error::EndsEarly { .. }));
        }
        let mut damaged = compressed.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        let check = |e: &Error| matches!(e, Error::Damaged { .. } | Error::EndsEarly { .. });
        is_error(&damaged, check);
    }
    let trailing = [gzip(whole.as_bytes()), b"rubbish".to_vec()].concat();
    is_error(&trailing, |e| {
        matches!(e, Error::Damaged { .. } | Error::EndsEarly { .. })
    });
    let missing = Inputs::resolve(&["/nowhere/in.csv"]).unwrap_err();
    assert!(
        matches!(missing, Error::Read { .. }) && missing.to_string().contains("/nowhere/in.csv")
    );
}

fn touch(folder: &Path, names: &[&str]) {
    for name in names {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, HEADER).unwrap();
    }
}

#[test]
fn folders_are_read_in_the_order_of_paths_and_the_rest_is_named() {
    let folder = tempfile::tempdir().unwrap();
    touch(
        folder.path(),
        &[
            "b/2.CSV.gz",
            "b/1.tsv",
            "a.jsonl.zst",
            "c.ndjson",
            "d.json",
            "e.txt",
            "x.stores.csv",
            "x.stores.csv.gz",
            ".hidden.csv",
            "_SUCCESS",
            "readme.md",
            ".git/a.csv",
            "f.csv.bz2",
        ],
    );
    let base = folder.path().to_str().unwrap();
    let inputs = Inputs::resolve(&[base]).unwrap();
    let names = |paths: &[PathBuf]| -> Vec<String> {
        let name = |path: &PathBuf| path.strip_prefix(base).unwrap().display().to_string();
        paths.iter().map(name).collect()
    };
    let taken = [
        "a.jsonl.zst",
        "b/1.tsv",
        "b/2.CSV.gz",
        "c.ndjson",
        "d.json",
        "e.txt",
    ];
    assert_eq!(names(inputs.files()), taken);
    let passed_over = [
        ".git",
        ".hidden.csv",
        "_SUCCESS",
        "f.csv.bz2",
        "readme.md",
        "x.stores.csv",
        "x.stores.csv.gz",
    ];
    assert_eq!(names(inputs.ignored()), passed_over);
    assert_eq!(inputs.size_bytes(), 6 * HEADER.len() as u64);
    // Named itself, a file is taken whatever it is called.
    let uris = [
        format!("file://localhost{base}/x.stores.csv"),
        format!("file://{base}/b"),
    ];
    let named = Inputs::resolve(&uris).unwrap();
    assert_eq!(
        names(named.files()),
        ["b/1.tsv", "b/2.CSV.gz", "x.stores.csv"]
    );
    let twice = Inputs::resolve(&[base.to_owned(), format!("{base}/c.ndjson")]).unwrap_err();
    assert!(matches!(twice, Error::NamedTwice { .. }));
    let empty = Inputs::resolve(&[format!("{base}/.git")]).unwrap();
    assert_eq!(names(empty.files()), [".git/a.csv"]);
    fs::remove_file(folder.path().join(".git/a.csv")).unwrap();
    let none = Inputs::resolve(&[format!("{base}/.git")]).unwrap_err();
    assert!(matches!(none, Error::NoFiles { ignored: 0, .. }));
    assert!(matches!(
        Inputs::resolve(&["s3://a/b"]),
        Err(Error::UnknownScheme { .. })
    ));
}

#[test]
fn repositories_in_a_folder_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let names = [
        "a.csv",
        "output/tmp/build-1/quarantine.csv",
        "other/generations/1/reports/quarantine.csv",
        "other/blobs/b",
        "generations/b.csv",
    ];
    touch(folder.path(), &names);
    let base = folder.path().to_str().unwrap();
    let output = folder.path().join("generations/../output");
    let inputs = Inputs::resolve_beside(&[base], Some(&output)).unwrap();
    let paths = |names: &[&str]| -> Vec<PathBuf> {
        names.iter().map(|name| folder.path().join(name)).collect()
    };
    assert_eq!(inputs.files(), paths(&["a.csv", "generations/b.csv"]));
    assert_eq!(inputs.ignored(), paths(&["other", "output"]));
    for input in ["other", "output"] {
        let uri = format!("{base}/{input}");
        let error = Inputs::resolve_beside(&[&uri], Some(&output)).unwrap_err();
        assert!(matches!(error, Error::IsRepository { .. }));
        assert!(error.to_string().contains(&uri));
    }
    let missing = folder.path().join("missing");
    assert!(Inputs::resolve_beside(&[format!("{base}/a.csv")], Some(&missing)).is_ok());
}

#[cfg(target_os = "linux")]
/// Rows in conflict are named by reading again, which a pipe would hold up for ever.
#[test]
fn what_cannot_be_read_twice_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.csv");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let error = Inputs::resolve(&[pipe.to_str().unwrap()]).unwrap_err();
    assert!(matches!(error, Error::NotAFile { .. }), "{error}");
}

#[test]
fn a_file_whose_name_no_report_could_hold_is_refused_at_once() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().to_str().unwrap();
    touch(folder.path(), &["a.csv"]);
    fs::write(folder.path().join(OsStr::from_bytes(b"caf\xe9.pdf")), "").unwrap();
    let inputs = Inputs::resolve(&[base]).unwrap();
    assert_eq!(inputs.ignored(), [folder.path().join("caf\u{fffd}.pdf")]);
    fs::write(
        folder.path().join(OsStr::from_bytes(b"caf\xe9.csv")),
        HEADER,
    )
    .unwrap();
    let error = Inputs::resolve(&[base]).unwrap_err();
    assert!(matches!(error, Error::NameNotUtf8 { .. }));
    assert!(error.to_string().contains("caf\u{fffd}.csv"), "{error}");
}

#[test]
fn every_file_is_summed_up_by_the_digest_of_its_stored_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let plain = format!("{HEADER}{}", many_rows()).into_bytes();
    let stored = [
        ("a.csv", plain.clone()),
        ("b.csv.gz", gzip(&plain)),
        ("c.csv.zst", zst(&plain)),
    ];
    for (name, bytes) in &stored {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let inputs = Inputs::resolve(&[folder.path().to_str().unwrap()]).unwrap();
    let layout = Layout::builtin("canonical").unwrap();
    let (outcomes, read, summaries) = read_all(&inputs, &layout, SMALL).unwrap();
    assert_eq!((outcomes.rows.len(), read.total()), (1500, 1500));
    for ((name, bytes), summary) in stored.iter().zip(&summaries) {
        assert_eq!(summary.path, folder.path().join(name));
        assert_eq!(summary.digest, blake3::hash(bytes));
        assert_eq!(summary.size_bytes, bytes.len() as u64);
    }
}

#[test]
fn a_last_row_without_line_break_counts_and_its_file_is_named() {
    let row = "s,c,2018-03-05,1,KRW";
    let json = r#"{"store_id":"s","ts":"2018-03-05","amount_minor":1,"currency":"KRW"}"#;
    let open = format!("{HEADER}{row}\n{row}");
    let files = [
        ("cut.csv", open.clone().into_bytes(), true),
        ("cut.csv.gz", gzip(open.as_bytes()), true),
        ("cut.csv.zst", zst(open.as_bytes()), true),
        ("ended.csv", format!("{open}\n").into_bytes(), false),
        ("blank.csv", format!("{open}\r\n  ").into_bytes(), false),
        ("header.csv", HEADER.trim_end().into(), false),
        ("object.jsonl", json.into(), false),
    ];
    for (name, bytes, is_open_ended) in files {
        let (_folder, path) = file(name, &bytes);
        let inputs = Inputs::resolve(&[path.to_str().unwrap()]).unwrap();
        let layout = Layout::builtin("canonical").unwrap();
        for block_bytes in [1, 32, 1 << 20] {
            let options = ReaderOptions {
                block_bytes,
                ..SMALL
            };
            let (outcomes, _, summaries) = read_all(&inputs, &layout, options).unwrap();
            assert_eq!(summaries[0].is_open_ended, is_open_ended, "{name}");
            assert_eq!(outcomes.rejected, []);
        }
    }
}
