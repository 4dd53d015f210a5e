//! The token that commands show to servers.

use std::{env, path::Path};

use crate::exit::UsageError;

const VARIABLE: &str = "NIGHTSHARD_TOKEN";

/// Returns the token of a file that `option` names, else of the environment, if there is any.
pub(crate) fn find(file: Option<&Path>, option: &str) -> anyhow::Result<Option<String>> {
    let Some(path) = file else {
        let token = env::var_os(VARIABLE).map(|token| token.to_string_lossy().trim().to_owned());
        return Ok(token.filter(|token| !token.is_empty()));
    };
    let wrong = |problem: String| UsageError(format!("{option} {}: {problem}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    match text.trim() {
        "" => Err(wrong("it is empty".into()).into()),
        token => Ok(Some(token.to_owned())),
    }
}
