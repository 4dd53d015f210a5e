//! Errors on their way out: one line, and an exit code.

use std::{io::Write, process::ExitCode};

use clap::error::ErrorKind;

/// Wrong usage or configuration.
const USAGE: u8 = 2;
/// The quality gate says no.
pub(crate) const REFUSED: u8 = 3;
/// Another writer was first.
const CONFLICT: u8 = 4;

/// An option or a configuration file is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// The quality gate refuses a generation.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) String);

/// Somebody else is writing what is to be written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Conflict(pub(crate) String);

/// Prints an error with its causes in one line, and returns its exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    // Nobody is left to tell if standard error is closed.
    let _closed = writeln!(std::io::stderr(), "nightshard: {}", one_line(error));
    ExitCode::from(code(error))
}

/// Prints what is wrong with the arguments in one line, or the help that they ask for.
pub(crate) fn report_arguments(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        error.exit();
    }
    let text = error.to_string();
    // The usage below the problem is what --help shows.
    let problem = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = problem
        .trim_start_matches("error: ")
        .split_whitespace()
        .collect();
    // Nobody is left to tell if standard error is closed.
    let _closed = writeln!(std::io::stderr(), "nightshard: {}", words.join(" "));
    ExitCode::from(USAGE)
}

/// Returns an error with its causes in one line.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        // A transparent error repeats its cause.
        if !line.ends_with(&cause) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&cause);
        }
    }
    // Names that files have for columns are shown, and a terminal obeys what they hold.
    line.replace(char::is_control, " ")
}

fn code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(code_of).unwrap_or(1)
}

fn code_of(error: &(dyn std::error::Error + 'static)) -> Option<u8> {
    use nightshard_builder::Error as Build;
    if error.is::<UsageError>() {
        return Some(USAGE);
    }
    if error.is::<Conflict>() {
        return Some(CONFLICT);
    }
    let is_bad = matches!(
        error.downcast_ref(),
        Some(nightshard_deploy::Error::MarkedBad { .. })
    );
    if is_bad || error.is::<Refused>() {
        return Some(REFUSED);
    }
    if matches!(error.downcast_ref(), Some(Build::DataTest { .. })) {
        return Some(REFUSED);
    }
    let is_option = matches!(
        error.downcast_ref(),
        Some(Build::Option { .. } | Build::Layout(_))
    );
    if is_option || error.is::<nightshard_builder::layout::Error>() {
        return Some(USAGE);
    }
    if let Some(generate) = error.downcast_ref::<nightshard_builder::generate::Error>() {
        return generate.is_usage().then_some(USAGE);
    }
    let storage = error.downcast_ref::<nightshard_storage::Error>();
    let deploy = error.downcast_ref::<nightshard_deploy::Error>();
    let kind = storage.map(nightshard_storage::Error::kind);
    match kind.or_else(|| deploy.map(nightshard_deploy::Error::kind))? {
        nightshard_deploy::ErrorKind::Conflict => Some(CONFLICT),
        nightshard_deploy::ErrorKind::Invalid => Some(USAGE),
        _ => None,
    }
}
