//! The atoms that a build keeps of the generation before (docs/privacy.md, "Freezing").

use anyhow::{Context, anyhow};
use nightshard_builder::build::AtomsReport;
use nightshard_deploy::{Base, Repository};
use nightshard_format::{manifest::Manifest, told_atoms::ToldAtoms};

/// Reads the atoms of what is current in a repository; `None` if it has none.
///
/// What is current and cannot be read may have told atoms, which others made now could be subtracted from.
pub(crate) async fn read(
    repository: &Repository,
    base: &Base,
) -> anyhow::Result<Option<(Manifest, ToldAtoms)>> {
    let read = match &base.manifest {
        Ok(None) => return Ok(None),
        Ok(Some(manifest)) => {
            let told = repository.told_atoms(manifest).await;
            told.map(|told| Some((manifest.clone(), told?)))
                .map_err(anyhow::Error::from)
        }
        Err(error) => Err(anyhow!("{error}")),
    };
    read.with_context(|| {
        format!(
            "the atoms of the current generation of {} cannot be kept: publish it there again or select \
             another one; --fresh-atoms starts protected answers afresh",
            repository.location()
        )
    })
}

/// Says whose atoms were kept.
pub(crate) fn describe(report: &AtomsReport) -> String {
    const AFRESH: &str = "protected answers start afresh";
    match (&report.generation, &report.changed) {
        (None, _) => format!("no generation to keep atoms of: {AFRESH}"),
        (Some(id), Some(what)) => {
            format!("atoms of generation {id} are not kept, since {what} is another: {AFRESH}")
        }
        (Some(id), None) if report.are_input => {
            format!(
                "atoms of generation {id} are kept: rows that came late, were taken back or moved since are in \
                 protected answers as they were"
            )
        }
        (Some(id), None) => format!("atoms of generation {id} are kept"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_whose_atoms_are_kept_and_why_none_are() {
        let said = |has_generation: bool, changed: Option<&str>, are_input| {
            describe(&AtomsReport {
                generation: has_generation.then(|| "2018-01-31-0123456789ab".parse().unwrap()),
                changed: changed.map(str::to_owned),
                are_input,
            })
        };
        assert_eq!(
            said(false, None, false),
            "no generation to keep atoms of: protected answers start afresh"
        );
        assert_eq!(
            said(true, Some("privacy.k"), false),
            "atoms of generation 2018-01-31-0123456789ab are not kept, since privacy.k is another: \
             protected answers start afresh"
        );
        let kept = "atoms of generation 2018-01-31-0123456789ab are kept";
        assert_eq!(said(true, None, false), kept);
        assert!(said(true, None, true).starts_with(&format!("{kept}: ")));
    }
}
