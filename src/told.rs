//! What a build keeps of the generation before (docs/privacy.md, "Freezing").

use anyhow::{Context, anyhow};
use nightshard_builder::build::{AtomsReport, ToldBefore};
use nightshard_deploy::{Base, Repository};
use nightshard_format::{manifest::Manifest, told_atoms::TOLD_MONTHS};

/// Reads what the current generation of a repository told; `None` if there is none, or it protects nothing.
///
/// What is current and cannot be read may have told what others made now could be subtracted from.
pub(crate) async fn read(
    repository: &Repository,
    base: &Base,
) -> anyhow::Result<Option<(Manifest, ToldBefore)>> {
    let read = match &base.manifest {
        Ok(None) => return Ok(None),
        Ok(Some(manifest)) => read_of(repository, manifest).await,
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

async fn read_of(
    repository: &Repository,
    manifest: &Manifest,
) -> anyhow::Result<Option<(Manifest, ToldBefore)>> {
    let Some(atoms) = repository.told_atoms(manifest).await? else {
        return Ok(None);
    };
    let months = repository.open_datasets(manifest.clone(), &TOLD_MONTHS);
    let months = months.await?;
    for dataset in TOLD_MONTHS {
        // What an earlier release says of months otherwise is not copied: no server would read it.
        months.records_by_month(dataset)?;
    }
    Ok(Some((manifest.clone(), ToldBefore { atoms, months })))
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
