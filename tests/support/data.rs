//! Real payments, which cannot be part of the project, and payments made up here.

use std::{
    env,
    ffi::OsString,
    io::Write,
    path::{Path, PathBuf},
};

use super::program;

/// Names the folder of real payments.
const VARIABLE: &str = "NIGHTSHARD_TEST_DATA";

/// Returns the folder of real payments: the one that `NIGHTSHARD_TEST_DATA` names, else
/// `../shared/data` beside the checkout.
///
/// Without either it is `None`, which is said on standard error: their licences let anybody
/// download them, but they are not the project's to give away. A test that gets `None` returns.
///
/// # Panics
/// If the variable names no folder, or where `CI=true` if there is none, so that nobody believes
/// that all was tested.
pub(crate) fn folder() -> Option<PathBuf> {
    if let Some(named) = env::var_os(VARIABLE) {
        let folder = PathBuf::from(named);
        assert!(
            folder.is_dir(),
            "{VARIABLE}: {} is no folder",
            folder.display()
        );
        return Some(folder);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if folder.is_dir() {
        return Some(folder);
    }
    let is_ci = env::var("CI").is_ok_and(|value| value == "true");
    assert!(!is_ci, "no real payments: set {VARIABLE} to their folder");
    // `tests/run` counts these lines. Straight to standard error: the test harness shows nothing
    // of tests that pass.
    let said = writeln!(
        std::io::stderr(),
        "not tested for want of real payments: set {VARIABLE} to their folder"
    );
    said.unwrap();
    None
}

/// Generates payments into a file.
pub(crate) fn generate(path: &Path, options: &[&str]) {
    let mut arguments: Vec<OsString> = ["generate", "--quiet", "--output"].map(Into::into).into();
    arguments.push(path.into());
    arguments.extend(options.iter().map(OsString::from));
    program::run(arguments).succeeded();
}
