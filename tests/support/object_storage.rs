//! The object storage that `tests/servers/run` starts.

/// The variable of the server's URL.
const SERVER: &str = "NIGHTSHARD_TEST_S3";

/// The bucket that it has.
pub(crate) const BUCKET: &str = "nightshard";

/// Returns the URL of the server.
pub(crate) fn server() -> String {
    std::env::var(SERVER).unwrap_or_else(|_unset| {
        panic!("{SERVER} is not set: start what is tested by `tests/servers/run cargo test ...`")
    })
}

/// Returns a bucket and a prefix that no other test uses, nor another run.
pub(crate) fn fresh_folder() -> String {
    let folder = tempfile::Builder::new().prefix("").rand_bytes(16).tempdir();
    let folder = folder.unwrap();
    let name = folder.path().file_name().unwrap().to_str().unwrap();
    format!("{BUCKET}/{name}")
}
