//! Processes whose clock is wrong.

use std::{path::Path, process::Command};

/// Where Debian's package `faketime` has its library, by architecture.
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];

/// An hour, by which clocks are wrong.
pub(crate) const HOUR: i64 = 3_600;

/// Has a command find its clock to be so many seconds ahead; what files say of times stays as it is.
pub(crate) fn ahead(mut command: Command, seconds: i64) -> Command {
    with_library(&mut command).env("FAKETIME", format!("{seconds:+}s"));
    command
}

/// Has a command find its clock to be as much ahead as a file says in seconds, such as `+3600s`,
/// whenever it looks.
pub(crate) fn as_a_file_says(mut command: Command, file: &Path) -> Command {
    with_library(&mut command)
        .env("FAKETIME_TIMESTAMP_FILE", file)
        .env("FAKETIME_NO_CACHE", "1");
    command
}

fn with_library(command: &mut Command) -> &mut Command {
    let mut libraries = LIBRARIES.into_iter();
    let library = libraries.find(|library| Path::new(library).is_file());
    let library = library.expect("the package faketime is installed");
    command
        .env("LD_PRELOAD", library)
        .env("DONT_FAKE_MONOTONIC", "1")
        .env("NO_FAKE_STAT", "1")
}
