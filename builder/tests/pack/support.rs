//! Tables in temporary folders, packed, and what comes out.

use std::{collections::BTreeMap, fs, path::PathBuf};

use nightshard_builder::{
    build::Quiet,
    pack::{Compression, PackPlan, PackedTable, pack},
};
use nightshard_format::{
    manifest::OnDuplicate,
    shard::{Mapped, Shard},
};
use tempfile::TempDir;

pub(crate) type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// A folder with the files of a table.
pub(crate) struct Files {
    folder: TempDir,
    pub(crate) paths: Vec<PathBuf>,
}

impl Files {
    pub(crate) fn write(files: &[(&str, &[u8])]) -> Self {
        let folder = TempDir::new().unwrap();
        let write = |(name, bytes): &(&str, &[u8])| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let paths = files.iter().map(write).collect();
        Self { folder, paths }
    }

    pub(crate) fn plan(&self) -> PackPlan {
        PackPlan {
            files: self.paths.clone(),
            format: None,
            dataset: "table".into(),
            key: "k".into(),
            values: vec![],
            on_duplicate: OnDuplicate::Error,
            is_ordered: false,
            media_type: None,
            runs: 4,
            memory_bytes: 64 << 20,
            threads: 2,
            compression: Compression::None,
            scratch: self.folder.path().to_owned(),
            staging: tempfile::tempdir_in(self.folder.path()).unwrap().keep(),
        }
    }

    /// A plan whose files outlive this.
    pub(crate) fn plan_kept(self) -> PackPlan {
        let plan = self.plan();
        let _path = self.folder.keep();
        plan
    }
}

pub(crate) fn shards(packed: &PackedTable) -> Vec<Shard<Mapped>> {
    let open = |shard: &nightshard_builder::emit::Staged| {
        let opened = Shard::open(Mapped::open(&shard.path).unwrap()).unwrap();
        opened.verify().unwrap();
        opened
    };
    packed.shards.iter().map(open).collect()
}

pub(crate) fn content(packed: &PackedTable) -> Map {
    let shards = shards(packed);
    let records = shards.iter().flat_map(Shard::iter).map(Result::unwrap);
    records
        .map(|record| {
            (
                record.key.to_vec(),
                record.value.read().unwrap().into_owned(),
            )
        })
        .collect()
}

pub(crate) fn map(records: &[(&str, &str)]) -> Map {
    let records = records.iter();
    records
        .map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect()
}

pub(crate) fn problem(plan: &PackPlan) -> String {
    let error = pack(plan, &Quiet).unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

/// Digests of the shards.
pub(crate) fn digests(packed: &PackedTable) -> Vec<String> {
    let shards = packed.shards.iter();
    shards.map(|shard| shard.entry.blob.clone()).collect()
}
