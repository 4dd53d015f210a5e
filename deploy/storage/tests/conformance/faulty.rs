//! Storage in memory, while nothing fails.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use nightshard_storage::{Faults, Faulty, Storage};

use crate::suite::conforms;

#[tokio::test]
async fn faulty_storage_without_faults_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let empty = || -> Arc<dyn Storage> {
        let begun_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        Arc::new(Faulty::new(1, Faults::NONE, begun_at))
    };
    conforms(empty, folder.path()).await;
}
