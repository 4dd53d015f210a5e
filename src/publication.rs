//! What a generation that was just made becomes: published, and current unless that is not wanted
//! or its quality gate refuses it.

use std::io::Write;

use nightshard_deploy::{
    Base, Published, Repository, Selected, Staged,
    gate::{GateReport, Thresholds},
};

use crate::exit::Refused;

/// What is done with a generation once it is published.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Then<'a> {
    /// Nothing.
    Nothing,
    /// It is selected.
    Select,
    /// It is selected if its gate holds.
    SelectIfLike(&'a Thresholds),
}

impl<'a> Then<'a> {
    /// Returns what the options `--no-select` and `--no-gate` ask for.
    pub(crate) fn of(no_select: bool, no_gate: bool, thresholds: &'a Thresholds) -> Self {
        match (no_select, no_gate) {
            (true, _) => Self::Nothing,
            (false, true) => Self::Select,
            (false, false) => Self::SelectIfLike(thresholds),
        }
    }
}

/// Publishes a generation made from `base`, selects it if that is wanted, and says which blobs
/// were damaged.
///
/// What another writer selected meanwhile is kept; `staged` then has the manifest of both. The gate
/// compares with `base`: what others changed since has passed theirs.
pub(crate) async fn publish(
    repository: &Repository,
    base: Base,
    staged: &mut Staged,
    then: Then<'_>,
) -> anyhow::Result<(Published, Option<Selected>)> {
    let published = repository.publish(staged).await?;
    for damage in &published.mended {
        // Said however quiet this is asked to be: a disk that loses bytes loses more.
        let _closed = writeln!(std::io::stderr(), "mended: {damage}");
    }
    match then {
        Then::Nothing => return Ok((published, None)),
        Then::Select => {}
        Then::SelectIfLike(thresholds) => {
            let current = base.usable();
            if current.is_none_or(|current| current.id != staged.manifest.id) {
                let gate = repository.gate(&staged.manifest, current, thresholds);
                check(repository, &gate.await?)?;
            }
        }
    }
    let (published, selected) = repository.select_from(base, staged, published).await?;
    Ok((published, Some(selected)))
}

fn check(repository: &Repository, report: &GateReport) -> Result<(), Refused> {
    let Some(check) = report.refusal() else {
        return Ok(());
    };
    let (id, location) = (&report.generation, repository.location());
    Err(Refused(format!(
        "the quality gate refuses generation {id}: {}: {}; it is published, not selected: see \
         `nightshard gate {location} {id} --last`, and `nightshard select {location} {id}` makes \
         it current all the same",
        check.name, check.line
    )))
}
