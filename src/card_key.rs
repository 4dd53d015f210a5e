//! Where the card key comes from.

use std::{
    env, fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use nightshard_builder::pseudonym::CardKey;

use crate::exit::UsageError;

const OPTION: &str = "--card-key-file";
const VARIABLE: &str = "NIGHTSHARD_CARD_KEY";

/// Returns the key of the file given, of the environment, or of the user's configuration folder,
/// where the first build makes one and says so, however quiet it is asked to be.
pub(crate) fn find(file: Option<&Path>) -> anyhow::Result<CardKey> {
    if let Some(file) = file {
        return read(file).map_err(|error| UsageError(format!("{OPTION}: {error}")).into());
    }
    if let Some(text) = env::var_os(VARIABLE) {
        let text = text.to_str().unwrap_or_default();
        return Ok(CardKey::parse(text, VARIABLE)?);
    }
    let path = default_path()?;
    let is_there = || {
        path.try_exists()
            .with_context(|| path.display().to_string())
    };
    if is_there()? {
        return Ok(read(&path)?);
    }
    match CardKey::create(&path) {
        Ok(key) => {
            say(&format!(
                "made a card key in {}: keep it, since another key makes other pseudonyms",
                path.display()
            ));
            Ok(key)
        }
        // Another build was first.
        Err(_) if is_there()? => Ok(read(&path)?),
        Err(error) => Err(error.into()),
    }
}

/// Reads a key file, and says so if others than its owner may read it.
///
/// That is no error: secrets that are mounted into a container are readable to all in it.
fn read(path: &Path) -> nightshard_builder::Result<CardKey> {
    let key = CardKey::read(path)?;
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        let (path, mode) = (path.display(), mode & 0o777);
        say(&format!(
            "others may read the card key in {path} (mode {mode:03o}): chmod 600, if you can"
        ));
    }
    Ok(key)
}

/// Tells whoever reads standard error, if anybody is left.
fn say(line: &str) {
    let _closed = writeln!(std::io::stderr(), "{line}");
}

fn default_path() -> anyhow::Result<PathBuf> {
    let folder = |name| env::var_os(name).map(PathBuf::from);
    // The XDG specification has relative paths ignored, and empty ones.
    let config = folder("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let home = || folder("HOME").filter(|path| !path.as_os_str().is_empty());
    let config = config.or_else(|| Some(home()?.join(".config")));
    let config = config.ok_or_else(|| {
        UsageError(format!(
            "{OPTION} or {VARIABLE} is needed: there is no home folder"
        ))
    })?;
    Ok(config.join("nightshard/card.key"))
}
