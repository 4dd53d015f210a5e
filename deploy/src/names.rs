//! Where things are in a repository.

use nightshard_format::manifest::GenerationId;
use nightshard_storage::{ObjectName, Result};

use crate::SelectionNumber;

/// The folder of all generations.
pub(crate) fn generations() -> Result<ObjectName> {
    "generations".parse()
}

/// The folder of all selections.
pub(crate) fn selections() -> Result<ObjectName> {
    "selections".parse()
}

/// The folder of a generation.
pub(crate) fn generation(id: &GenerationId) -> Result<ObjectName> {
    format!("generations/{id}").parse()
}

/// The shard of this digest.
pub(crate) fn blob(digest: &str) -> Result<ObjectName> {
    format!("blobs/{digest}").parse()
}

/// The manifest of a generation.
pub(crate) fn manifest(id: &GenerationId) -> Result<ObjectName> {
    format!("generations/{id}/manifest.json").parse()
}

/// What is known of how a generation was built, beside what decides its content.
pub(crate) fn build(id: &GenerationId) -> Result<ObjectName> {
    format!("generations/{id}/build.json").parse()
}

/// The note that a run made a generation.
pub(crate) fn run(id: &GenerationId, run: &str) -> Result<ObjectName> {
    format!("generations/{id}/runs/{run}.json").parse()
}

/// The folder of a generation's reports.
pub(crate) fn reports(id: &GenerationId) -> Result<ObjectName> {
    format!("generations/{id}/reports").parse()
}

/// One of a generation's reports.
pub(crate) fn report(id: &GenerationId, report: &str) -> Result<ObjectName> {
    format!("generations/{id}/reports/{report}").parse()
}

/// The name of one of several reports of a kind.
pub(crate) fn numbered(kind: &str, number: u32) -> String {
    format!("{kind}-{number:04}.json")
}

/// One of a generation's several reports of a kind.
pub(crate) fn numbered_report(id: &GenerationId, kind: &str, number: u32) -> Result<ObjectName> {
    report(id, &numbered(kind, number))
}

/// Returns the number of a report of this kind that has this name.
pub(crate) fn number_of_report(name: &ObjectName, kind: &str) -> Option<u32> {
    let number = name.last_part().strip_prefix(kind)?.strip_prefix('-')?;
    number.strip_suffix(".json")?.parse().ok()
}

/// A selection.
pub(crate) fn selection(number: SelectionNumber) -> Result<ObjectName> {
    format!("selections/{:020}.json", number.0).parse()
}

/// The folder of all blobs.
pub(crate) fn blobs() -> Result<ObjectName> {
    "blobs".parse()
}

/// The folder of all marks.
pub(crate) fn marks() -> Result<ObjectName> {
    "marks".parse()
}

/// The folder of a generation's marks.
pub(crate) fn marks_of(id: &GenerationId) -> Result<ObjectName> {
    format!("marks/{id}").parse()
}

/// A mark.
pub(crate) fn mark(id: &GenerationId, number: u64) -> Result<ObjectName> {
    format!("marks/{id}/{number:020}.json").parse()
}

/// The folder of all intents.
pub(crate) fn intents() -> Result<ObjectName> {
    "intents".parse()
}

/// What a publisher is about to reference.
pub(crate) fn intent(nonce: &str) -> Result<ObjectName> {
    format!("intents/{nonce}.json").parse()
}

/// The folder of all condemnations.
pub(crate) fn condemnations() -> Result<ObjectName> {
    "condemned".parse()
}

/// What is about to be deleted.
pub(crate) fn condemnation(nonce: &str) -> Result<ObjectName> {
    format!("condemned/{nonce}.json").parse()
}

/// Returns the generation and number of the mark that has this name, or `None` for another object.
pub(crate) fn of_mark(name: &ObjectName) -> Option<(GenerationId, u64)> {
    let (id, number) = name.as_str().strip_prefix("marks/")?.split_once('/')?;
    Some((id.parse().ok()?, number_of_record(number)?))
}

/// Returns the generation in whose folder an object is, or `None` for one of another folder.
pub(crate) fn generation_of(name: &ObjectName) -> Option<GenerationId> {
    let (id, _inside) = name
        .as_str()
        .strip_prefix("generations/")?
        .split_once('/')?;
    id.parse().ok()
}

/// Returns the generation whose manifest has this name, or `None` for another object.
pub(crate) fn generation_of_manifest(name: &ObjectName) -> Option<GenerationId> {
    let id = name.as_str().strip_prefix("generations/")?;
    id.strip_suffix("/manifest.json")?.parse().ok()
}

/// Returns the generation and the run whose note has this name, or `None` for another object.
pub(crate) fn of_run(name: &ObjectName) -> Option<(GenerationId, String)> {
    let (id, inside) = name
        .as_str()
        .strip_prefix("generations/")?
        .split_once('/')?;
    let run = inside.strip_prefix("runs/")?.strip_suffix(".json")?;
    Some((id.parse().ok()?, run.to_owned()))
}

/// Returns the number of the selection that has this name, or `None` for another object.
pub(crate) fn number_of_selection(name: &ObjectName) -> Option<SelectionNumber> {
    let number = name.as_str().strip_prefix("selections/")?;
    number_of_record(number).map(SelectionNumber)
}

/// Returns the number that a record's name ends with.
fn number_of_record(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".json")?;
    let is_number = number.len() == 20 && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| number.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selection_names_round_trip_in_numeric_order() {
        let mut last = None;
        for number in [1, 2, 9, 10, u64::MAX].map(SelectionNumber) {
            let name = selection(number).unwrap();
            assert_eq!(number_of_selection(&name), Some(number));
            assert!(last < Some(name.clone()));
            last = Some(name);
        }
        for foreign in [
            "selections/1.json",
            "selections/0000000000000000000x.json",
            "selections/00000000000000000001.txt",
            "selections/99999999999999999999.json",
            "selections/a/00000000000000000001.json",
        ] {
            assert_eq!(
                number_of_selection(&foreign.parse().unwrap()),
                None,
                "{foreign}"
            );
        }
    }

    #[test]
    fn only_manifests_name_generations() {
        let id: GenerationId = "2018-12-31-0123456789ab".parse().unwrap();
        assert_eq!(
            generation_of_manifest(&manifest(&id).unwrap()),
            Some(id.clone())
        );
        assert_eq!(generation_of_manifest(&build(&id).unwrap()), None);
        let note = run(&id, "0a-1").unwrap();
        assert_eq!(generation_of_manifest(&note), None);
        assert_eq!(of_run(&note), Some((id.clone(), "0a-1".into())));
        assert_eq!(of_run(&build(&id).unwrap()), None);
        let foreign = "generations/other/manifest.json".parse().unwrap();
        assert_eq!(generation_of_manifest(&foreign), None);
    }
}
