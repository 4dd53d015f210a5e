//! What may depend on what, which crates stay out, and under which licences those inside are.
//!
//! `deny.toml` says the same of crates and licences to cargo-deny, for those who have it.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use serde_json::Value;

/// The edges between the workspace's packages: who may use whom.
const EDGES: [(&str, &[&str]); 7] = [
    ("nightshard-format", &[]),
    ("nightshard-storage", &[]),
    (
        "nightshard-builder",
        &["nightshard-format", "nightshard-storage"],
    ),
    (
        "nightshard-deploy",
        &["nightshard-format", "nightshard-storage"],
    ),
    (
        "nightshard-server",
        &[
            "nightshard-format",
            "nightshard-storage",
            "nightshard-deploy",
        ],
    ),
    (
        "nightshard-python",
        &[
            "nightshard-format",
            "nightshard-storage",
            "nightshard-deploy",
        ],
    ),
    (
        "nightshard",
        &[
            "nightshard-format",
            "nightshard-storage",
            "nightshard-builder",
            "nightshard-deploy",
            "nightshard-server",
        ],
    ),
];

/// Crates that must not be anywhere in the tree.
const BANNED: [(&str, &str); 9] = [
    (
        "aws-sdk-s3-transfer-manager",
        "brings an old TLS stack with open advisories",
    ),
    (
        "aws-lc-rs",
        "a second rustls provider beside ring panics at run time",
    ),
    (
        "aws-lc-sys",
        "a second rustls provider beside ring panics at run time",
    ),
    (
        "aws-lc-fips-sys",
        "a second rustls provider beside ring panics at run time",
    ),
    (
        "rustls-graviola",
        "a second rustls provider beside ring panics at run time",
    ),
    ("openssl", "TLS is rustls"),
    ("openssl-sys", "TLS is rustls"),
    ("native-tls", "TLS is rustls"),
    (
        "s3s-fs",
        "races in the conditional put that publication rests on",
    ),
];

/// Crates of which only these versions may be in the tree.
const VERSIONS: [(&str, &str); 3] = [("bincode", "2.0.1"), ("hyper", "1."), ("rustls", "0.23.")];

/// Crates that are slow to compile or large: a second version of one costs everybody.
const ONCE: [&str; 15] = [
    "arrow",
    "axum",
    "blake3",
    "clap",
    "criterion",
    "hyper",
    "hyper-util",
    "jiff",
    "parquet",
    "rayon",
    "regex-automata",
    "ring",
    "rustls",
    "tokio",
    "zstd-sys",
];

/// Hashes that are not stable for ever, which nothing of ours may use by itself.
const UNSTABLE_HASHES: [&str; 5] = ["ahash", "foldhash", "gxhash", "fxhash", "rustc-hash"];

/// Licences that ask for no more than to be named.
const PERMISSIVE: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

#[test]
fn packages_use_only_those_that_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.into();
    let packages = workspace_packages();
    let names: BTreeSet<&str> = packages
        .iter()
        .map(|package| text(&package["name"]))
        .collect();
    assert!(names.iter().eq(allowed.keys()), "{names:?}");
    for package in &packages {
        let name = text(&package["name"]);
        // Tests, too: whoever needs another package there tests the wrong thing.
        for used in dependencies(package).filter(|used| names.contains(used)) {
            assert!(allowed[name].contains(&used), "{name} uses {used}");
        }
    }
}

#[test]
fn banned_crates_and_versions_stay_out() {
    let locked = locked_versions();
    for (name, why) in BANNED {
        assert!(!locked.contains_key(name), "{name} is banned: {why}");
    }
    for (name, wanted) in VERSIONS {
        for version in locked.get(name).into_iter().flatten() {
            assert!(
                version.starts_with(wanted),
                "{name} {version} is not {wanted}"
            );
        }
    }
    for name in ONCE {
        let versions = locked.get(name).map_or(0, Vec::len);
        assert!(versions <= 1, "{name} is there {versions} times");
    }
}

#[test]
fn the_python_wheel_speaks_no_http() {
    let arguments = ["tree", "--offline", "--edges", "normal", "--prefix", "none"];
    let mut tree = Command::new(env!("CARGO"));
    tree.args(arguments)
        .args(["--package", "nightshard-python"]);
    let output = tree.current_dir(root()).output().unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("nightshard-deploy "), "{tree}");
    for name in ["hyper", "rustls", "croner"] {
        let is_there = tree
            .lines()
            .any(|line| line.split(' ').next() == Some(name));
        assert!(!is_there, "{name} is in the wheel");
    }
}

#[test]
fn no_package_hashes_with_what_may_change() {
    for package in workspace_packages() {
        for used in dependencies(&package) {
            assert!(
                !UNSTABLE_HASHES.contains(&used),
                "{} uses {used}",
                package["name"]
            );
        }
    }
}

#[test]
fn all_crates_are_under_permissive_licences() {
    let metadata = metadata(&[]);
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50, "that cannot be all");
    for package in packages {
        let (name, licence) = (text(&package["name"]), package["license"].as_str());
        let licence = licence.unwrap_or_else(|| panic!("{name} has no licence"));
        assert!(is_permissive(licence), "{name} is under {licence}");
    }
}

#[test]
fn licences_are_told_apart() {
    for permissive in [
        "MIT",
        "MIT/Apache-2.0",
        "Apache-2.0 / MIT",
        "GPL-3.0 OR MIT",
        "(MIT OR GPL-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0-only",
    ] {
        assert!(is_permissive(permissive), "{permissive}");
    }
    for other in [
        "GPL-3.0",
        "MIT AND MPL-2.0",
        "(MIT OR Apache-2.0) AND LGPL-3.0",
        "MPL-2.0 OR (MIT AND GPL-2.0)",
        "GPL-2.0 WITH Classpath-exception-2.0",
        "",
    ] {
        assert!(!is_permissive(other), "{other}");
    }
}

/// Returns whether an SPDX expression leaves a choice of permissive licences; `AND` binds closer
/// than `OR`, as SPDX has it.
fn is_permissive(expression: &str) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut words = words.as_slice();
    any_of(&mut words) && words.is_empty()
}

fn any_of(words: &mut &[&str]) -> bool {
    let mut is_permissive = all_of(words);
    while take(words, "OR") {
        is_permissive |= all_of(words);
    }
    is_permissive
}

fn all_of(words: &mut &[&str]) -> bool {
    let mut is_permissive = one(words);
    while take(words, "AND") {
        is_permissive &= one(words);
    }
    is_permissive
}

fn one(words: &mut &[&str]) -> bool {
    if take(words, "(") {
        let is_permissive = any_of(words);
        return take(words, ")") && is_permissive;
    }
    let Some((licence, rest)) = words.split_first() else {
        return false;
    };
    *words = rest;
    if !take(words, "WITH") {
        return PERMISSIVE.contains(licence);
    }
    let Some((exception, rest)) = words.split_first() else {
        return false;
    };
    *words = rest;
    PERMISSIVE.contains(&format!("{licence} WITH {exception}").as_str())
}

/// Passes over the next word if it is this one.
fn take(words: &mut &[&str], word: &str) -> bool {
    match words.split_first() {
        Some((first, rest)) if *first == word => {
            *words = rest;
            true
        }
        _ => false,
    }
}

fn workspace_packages() -> Vec<Value> {
    let mut metadata = metadata(&["--no-deps"]);
    serde_json::from_value(metadata["packages"].take()).unwrap()
}

/// Returns the names of what a package uses, for whatever purpose and platform.
fn dependencies(package: &Value) -> impl Iterator<Item = &str> {
    package["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|used| text(&used["name"]))
}

/// Returns what cargo says of the packages that this platform needs, which are here since this
/// test was compiled: nothing is fetched.
fn metadata(options: &[&str]) -> Value {
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        let output = command
            .args(arguments)
            .current_dir(root())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    };
    let version = String::from_utf8(cargo(&["--version", "--verbose"])).unwrap();
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let fixed = [
        "metadata",
        "--format-version",
        "1",
        "--offline",
        "--filter-platform",
        host,
    ];
    serde_json::from_slice(&cargo(&[&fixed, options].concat())).unwrap()
}

/// Returns the versions of every crate in Cargo.lock, of whatever platform.
fn locked_versions() -> BTreeMap<String, Vec<String>> {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let lock: toml::Table = lock.parse().unwrap();
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in lock["package"].as_array().unwrap() {
        let part = |name: &str| package[name].as_str().unwrap().to_owned();
        versions
            .entry(part("name"))
            .or_default()
            .push(part("version"));
    }
    versions
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
