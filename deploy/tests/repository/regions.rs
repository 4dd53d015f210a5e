//! Regions that are no tree.

use std::collections::BTreeMap;

use nightshard_format::{
    record::{REGION_TREE, RegionRecord, StoreProfile},
    shard::Span,
};

use crate::support::{Tables, assert_found};

#[tokio::test(flavor = "multi_thread")]
async fn regions_without_the_file_that_says_them_are_found() {
    let profile = StoreProfile::default();
    let forge = |tables: &mut Tables| {
        let mut value = Vec::new();
        RegionRecord::default().encode(&mut value).unwrap();
        let region = BTreeMap::from([(b"leeds".to_vec(), value)]);
        tables.insert((REGION_TREE, Span::Current), region);
    };
    let problem = "a file of regions goes with it, and one of them is missing";
    assert_found(&profile, forge, Some(problem)).await;
    assert_found(&profile, |_tables| (), None).await;
}
