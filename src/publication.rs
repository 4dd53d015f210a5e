//! What a generation that was just made becomes: published, and current unless that is not wanted.

use std::io::Write;

use nightshard_deploy::{Base, Published, Repository, Result, Selected, Staged};

/// Publishes a generation made from `base`, selects it if that is wanted, and says which blobs
/// were damaged.
///
/// What another writer selected meanwhile is kept; `staged` then has the manifest of both.
pub(crate) async fn publish(
    repository: &Repository,
    base: Base,
    staged: &mut Staged,
    is_selected: bool,
) -> Result<(Published, Option<Selected>)> {
    let (published, selected) = if is_selected {
        let (published, selected) = repository.publish_from(base, staged).await?;
        (published, Some(selected))
    } else {
        (repository.publish(staged).await?, None)
    };
    for damage in &published.mended {
        // Said however quiet this is asked to be: a disk that loses bytes loses more.
        let _closed = writeln!(std::io::stderr(), "mended: {damage}");
    }
    Ok((published, selected))
}
