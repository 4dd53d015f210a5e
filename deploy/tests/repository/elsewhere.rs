//! Repositories whose blobs are no local files: published to, fetched from, opened from a cache.

use std::{fs, path::Path, sync::Arc, time::SystemTime};

use nightshard_deploy::{Cache, Error, ErrorKind, FetchConfig, Repository, Served, VerifiedBlobs};
use nightshard_format::manifest::{GenerationId, Manifest};
use nightshard_storage::{Faults, Faulty, ObjectName};

use crate::support::{Bench, FixedEnvironment};

fn storage(faults: Faults) -> Arc<Faulty> {
    Arc::new(Faulty::new(1, faults, SystemTime::UNIX_EPOCH))
}

fn repository(storage: &Arc<Faulty>) -> Repository {
    Repository::with_environment(storage.clone(), FixedEnvironment::named("elsewhere"))
}

fn cached(storage: &Arc<Faulty>, folder: &Path) -> Repository {
    repository(storage).with_cache(Cache::open(folder, FetchConfig::default()).unwrap())
}

fn blob_name(digest: &str) -> ObjectName {
    format!("blobs/{digest}").parse().unwrap()
}

/// Publishes a generation locally and returns its repository and manifest.
async fn publish_locally(bench: &Bench, months: u32, seed: i64) -> (Repository, Manifest) {
    let staged = bench.stage(3, months, seed);
    let repository = bench.repository();
    repository.publish(&staged).await.unwrap();
    (repository, staged.manifest)
}

async fn open(repository: &Repository, id: &GenerationId) -> Result<(), Error> {
    let mut verified = VerifiedBlobs::new();
    repository.open_generation(id, &mut verified).await?;
    let verification = repository.verify(id, |_progress| {}).await?;
    assert_eq!(verification.damage, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_travels_and_only_what_is_not_there_does() {
    let (bench, storage) = (Bench::new(), storage(Faults::NONE));
    let elsewhere = repository(&storage);
    let (local, first) = publish_locally(&bench, 2, 0).await;
    let published = elsewhere.publish_of(&local, &first.id).await.unwrap();
    assert!(published.is_new && published.blobs_present == 0);
    assert_eq!(published.blobs_new, first.shards.len() as u64);
    // What was there stays there: nothing is moved out of a repository.
    open(&local, &first.id).await.unwrap();
    let again = elsewhere.publish_of(&local, &first.id).await.unwrap();
    assert!(!again.is_new && again.blobs_new == 0);

    let cache = tempfile::tempdir().unwrap();
    let cached = cached(&storage, cache.path());
    let fetched = cached.fetch(&first.shards).await.unwrap();
    assert_eq!(fetched.blobs, published.blobs_new);
    assert_eq!(fetched.bytes, published.bytes_new);
    open(&cached, &first.id).await.unwrap();
    let (_, second) = publish_locally(&bench, 2, 1).await;
    let published = elsewhere.publish_of(&local, &second.id).await.unwrap();
    assert!(published.blobs_new > 0 && published.blobs_present > 0);
    let fetched = cached.fetch(&second.shards).await.unwrap();
    assert_eq!(fetched.blobs, published.blobs_new);
    open(&cached, &second.id).await.unwrap();

    // On to a third, through the cache; what stands beside the manifest goes, too.
    let third = Bench::new();
    third
        .repository()
        .publish_of(&cached, &second.id)
        .await
        .unwrap();
    open(&third.repository(), &second.id).await.unwrap();
    let beside = third.root().join("generations").join(second.id.as_str());
    assert!(beside.join("build.json").is_file());
    assert!(beside.join("reports").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_repository_is_copied_to_another_and_stays_whole() {
    let (bench, other) = (Bench::new(), Bench::new());
    let (local, manifest) = publish_locally(&bench, 1, 0).await;
    let copy = other.repository();
    copy.publish_of(&local, &manifest.id).await.unwrap();
    open(&local, &manifest.id).await.unwrap();
    open(&copy, &manifest.id).await.unwrap();
    let tmp = fs::read_dir(other.root().join("tmp")).unwrap().count();
    assert_eq!(tmp, 0, "no copy is left over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_blob_does_not_travel() {
    let (bench, storage) = (Bench::new(), storage(Faults::NONE));
    let (local, manifest) = publish_locally(&bench, 1, 0).await;
    let path = bench.blob(&manifest.shards[0].blob);
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    let error = repository(&storage).publish_of(&local, &manifest.id).await;
    assert!(matches!(error, Err(Error::BadBlob { .. })), "{error:?}");
    assert!(repository(&storage).generations().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_wrong_in_storage_is_named_and_never_kept() {
    let (bench, storage) = (Bench::new(), storage(Faults::NONE));
    let (local, manifest) = publish_locally(&bench, 1, 0).await;
    let elsewhere = repository(&storage);
    elsewhere.publish_of(&local, &manifest.id).await.unwrap();
    let name = blob_name(&manifest.shards[0].blob);
    let right = storage.objects()[&name].clone();
    let mut flipped = right.to_vec();
    flipped[7] ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let cached = cached(&storage, folder.path());
    for wrong in [
        flipped,
        right[..9].to_vec(),
        b"foreign".to_vec(),
        Vec::new(),
    ] {
        storage.put(&name, wrong.into());
        let error = open(&cached, &manifest.id).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(error.to_string().contains(&manifest.shards[0].blob));
        let kept = folder.path().join("blobs").join(&manifest.shards[0].blob);
        assert!(!kept.exists());
        let verification = cached.verify(&manifest.id, |_progress| {}).await.unwrap();
        assert_eq!(verification.damage.len(), 1);
    }
    storage.put(&name, right);
    open(&cached, &manifest.id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_cache_that_lost_bytes_is_fetched_again() {
    let (bench, storage) = (Bench::new(), storage(Faults::NONE));
    let (local, manifest) = publish_locally(&bench, 1, 0).await;
    let elsewhere = repository(&storage);
    elsewhere.publish_of(&local, &manifest.id).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cached = cached(&storage, folder.path());
    open(&cached, &manifest.id).await.unwrap();
    let path = folder.path().join("blobs").join(&manifest.shards[1].blob);
    let right = fs::read(&path).unwrap();
    for wrong in [
        [&right[..50], &[right[50] ^ 1], &right[51..]].concat(),
        vec![1],
    ] {
        fs::remove_file(&path).unwrap();
        fs::write(&path, wrong).unwrap();
        open(&cached, &manifest.id).await.unwrap();
        assert!(fs::read(&path).unwrap() == right);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fetching_goes_on_where_it_was_broken_off_and_survives_a_torn_beginning() {
    let (bench, storage) = (Bench::new(), storage(Faults::NONE));
    let (local, manifest) = publish_locally(&bench, 1, 0).await;
    let elsewhere = repository(&storage);
    elsewhere.publish_of(&local, &manifest.id).await.unwrap();
    let entry = &manifest.shards[0];
    let right = storage.objects()[&blob_name(&entry.blob)].clone();
    for part in [&right[..right.len() / 2], b"torn", &[0; 1 << 20], b""] {
        let folder = tempfile::tempdir().unwrap();
        let cached = cached(&storage, folder.path());
        let path = folder
            .path()
            .join("tmp")
            .join(format!("{}.part", entry.blob));
        fs::write(&path, part).unwrap();
        cached.fetch(std::slice::from_ref(entry)).await.unwrap();
        let kept = fs::read(folder.path().join("blobs").join(&entry.blob));
        assert!(kept.unwrap() == right);
        assert!(!path.exists());
    }
}

#[tokio::test]
async fn what_does_not_fit_on_the_disk_is_not_begun() {
    let (bench, storage) = (Bench::new(), storage(Faults::NONE));
    let (local, manifest) = publish_locally(&bench, 1, 0).await;
    let elsewhere = repository(&storage);
    elsewhere.publish_of(&local, &manifest.id).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = FetchConfig {
        reserve_bytes: u64::MAX,
        ..FetchConfig::default()
    };
    let cache = Cache::open(folder.path(), config).unwrap();
    let cached = elsewhere.with_cache(cache);
    let error = cached.fetch(&manifest.shards).await.unwrap_err();
    assert!(matches!(error, Error::CacheFull { free_bytes: 0, .. }));
    let text = error.to_string();
    assert!(
        text.contains(&folder.path().display().to_string()),
        "{text}"
    );
    let begun = fs::read_dir(folder.path().join("tmp")).unwrap().count();
    assert_eq!(begun, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_served_is_found_again_without_storage() {
    let (bench, storage) = (Bench::new(), storage(Faults::NONE));
    let (local, manifest) = publish_locally(&bench, 1, 0).await;
    let elsewhere = repository(&storage);
    elsewhere.publish_of(&local, &manifest.id).await.unwrap();
    let selected = elsewhere.select(&manifest.id).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let served = Served {
        selection: selected.selection.number,
        generation: manifest.id.clone(),
    };
    {
        let cache = Cache::open(folder.path(), FetchConfig::default()).unwrap();
        assert_eq!(cache.served(), None);
        let cached = elsewhere.clone().with_cache(cache.clone());
        open(&cached, &manifest.id).await.unwrap();
        cache.put_served(&served).unwrap();
        let taken = Cache::open(folder.path(), FetchConfig::default()).unwrap_err();
        let cause = std::error::Error::source(&taken).unwrap().to_string();
        assert_eq!(cause, "another process uses it");
    }
    storage.set_faults(Faults {
        refused_permille: 1_000,
        ..Faults::NONE
    });
    let cached = cached(&storage, folder.path());
    let cache = Cache::clone(cached.find_cache().unwrap());
    assert_eq!(cache.served(), Some(served));
    assert!(cached.current().await.is_err());
    open(&cached, &manifest.id).await.unwrap();

    // What is not needed goes, what is stays.
    cache.retain(&[&manifest]).unwrap();
    open(&cached, &manifest.id).await.unwrap();
    cache.retain(&[]).unwrap();
    assert!(open(&cached, &manifest.id).await.is_err());
}
