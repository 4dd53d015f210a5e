//! Where the card key comes from.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use nightshard_builder::pseudonym::CardKey;

use crate::exit::UsageError;

const VARIABLE: &str = "NIGHTSHARD_CARD_KEY";

/// Returns the key of the file given, of the environment, or of the user's configuration folder,
/// where the first build makes one and says so, however quiet it is asked to be.
pub(crate) fn find(file: Option<&Path>) -> anyhow::Result<CardKey> {
    if let Some(file) = file {
        return Ok(CardKey::read(file)?);
    }
    if let Ok(text) = std::env::var(VARIABLE) {
        return Ok(CardKey::parse(&text, VARIABLE)?);
    }
    let path = default_path()?;
    if path
        .try_exists()
        .with_context(|| path.display().to_string())?
    {
        return Ok(CardKey::read(&path)?);
    }
    let key = CardKey::create(&path)?;
    let _closed = writeln!(
        std::io::stderr(),
        "made a card key in {}: keep it, since another key makes other pseudonyms",
        path.display()
    );
    Ok(key)
}

fn default_path() -> anyhow::Result<PathBuf> {
    let folder = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
    let config = config.ok_or_else(|| {
        UsageError(format!(
            "--card-key-file or {VARIABLE} is needed: there is no home folder"
        ))
    })?;
    Ok(config.join("nightshard/card.key"))
}
