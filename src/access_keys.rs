//! The keys that tokens are made and verified with, in files.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    num::NonZeroU32,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use anyhow::Context;
use nightshard_server::{Access, AccessConfig, Key, KeyFile};

use crate::exit::UsageError;

/// Reads all keys of a configuration, which says what is asked of callers; `k` cards hide each other.
pub(crate) fn open(access: &AccessConfig, k: NonZeroU32) -> anyhow::Result<Access> {
    let keys = access
        .keys
        .iter()
        .map(read)
        .collect::<anyhow::Result<_>>()?;
    Ok(Access::new(keys, k))
}

/// Reads a key file, and says so if others than its owner may read it.
///
/// That is no error: secrets that are mounted into a container are readable to all in it.
pub(crate) fn read(file: &KeyFile) -> anyhow::Result<Key> {
    let path = file.path();
    let named = |problem: String| {
        let (id, path) = (file.id(), path.display());
        UsageError(format!("access.keys {id:?} in {path}: {problem}"))
    };
    let text = fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    let key = Key::parse(file.id(), &text).map_err(|error| named(error.to_string()))?;
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        let (path, mode) = (path.display(), mode & 0o777);
        // Nobody is left to tell if standard error is closed.
        let _closed = writeln!(
            io::stderr(),
            "others may read the access key in {path} (mode {mode:03o}): chmod 600, if you can"
        );
    }
    Ok(key)
}

/// Makes a key file that only its owner can read, from 32 random bytes of the system.
pub(crate) fn create(path: &Path) -> anyhow::Result<()> {
    let random = Path::new("/dev/urandom");
    let mut secret = [0; 32];
    fs::File::open(random)
        .and_then(|mut source| source.read_exact(&mut secret))
        .with_context(|| random.display().to_string())?;
    let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        writeln!(file, "{digits}")?;
        file.sync_all()
    };
    write().with_context(|| format!("--new-key {}", path.display()))
}
