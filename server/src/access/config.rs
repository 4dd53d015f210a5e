//! The table `[access]` of nightshard.toml.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::key;

/// Which keys make and verify tokens: none unless configured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessConfig {
    /// The first one signs, all of them verify.
    pub keys: Vec<KeyFile>,
}

/// Where a key is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    id: String,
    path: PathBuf,
}

impl KeyFile {
    /// Returns the name by which tokens name the key.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the file that holds it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AccessConfig {
    /// Returns whether callers have to show tokens.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Checks that every key has a name of its own.
    ///
    /// # Errors
    /// A line that names the key at fault.
    pub fn check(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for file in &self.keys {
            key::check_id(&file.id).map_err(|error| format!("access.keys: {error}"))?;
            if !seen.insert(&file.id) {
                return Err(format!("access.keys: two keys have the id {:?}", file.id));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_names_of_their_own() {
        let config = |text: &str| serde_json::from_str::<AccessConfig>(text).unwrap();
        assert_eq!(config("{}").check(), Ok(()));
        let two = r#"{"keys": [{"id": "a", "path": "x"}, {"id": "b", "path": "x"}]}"#;
        assert_eq!(config(two).check(), Ok(()));
        for (wrong, word) in [
            (
                r#"{"keys": [{"id": "a", "path": "x"}, {"id": "a", "path": "y"}]}"#,
                "two keys have the id \"a\"",
            ),
            (r#"{"keys": [{"id": "a b", "path": "x"}]}"#, "\"a b\""),
            (r#"{"keys": [{"id": "", "path": "x"}]}"#, "\"\""),
        ] {
            let error = config(wrong).check().unwrap_err();
            assert!(error.contains(word), "{error}");
        }
        for wrong in [
            r#"{"keys": [{"id": "a"}]}"#,
            r#"{"keys": [{"id": "a", "path": "x", "secret": "y"}]}"#,
        ] {
            assert!(serde_json::from_str::<AccessConfig>(wrong).is_err());
        }
    }
}
