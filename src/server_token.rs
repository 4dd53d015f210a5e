//! The token that commands show to servers.

use std::{env, path::Path};

use crate::exit::UsageError;

const VARIABLE: &str = "NIGHTSHARD_TOKEN";

/// Returns the token of a file that `option` names, else of the environment, if there is any.
pub(crate) fn find(file: Option<&Path>, option: &str) -> anyhow::Result<Option<String>> {
    let token = match file {
        Some(path) => Some(std::fs::read_to_string(path).map_err(|error| {
            let path = path.display();
            UsageError(format!("{option} {path}: {error}"))
        })?),
        None => env::var_os(VARIABLE).map(|token| token.to_string_lossy().into_owned()),
    };
    let token = token.map(|token| token.trim().to_owned());
    Ok(token.filter(|token| !token.is_empty()))
}
