//! Values stored compressed.

use nightshard_builder::{
    build::Quiet,
    pack::{Compression, PackPlan, PackedTable, pack},
};
use nightshard_format::shard::Shard;

use crate::support::{Files, content, digests, shards};

/// Values that look alike, and fall short of one sample of memory in none of four shards.
fn alike(rows: u64) -> String {
    let mut table = String::from("k,name,note,v\n");
    for row in 0..rows {
        let key = row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (city, tens) = (["Leeds", "York", "Hull"][(row % 3) as usize], row / 10);
        let street = key >> 50;
        table.push_str(&format!(
            "{key:x},shop number {row} in {city},open since {tens},{street} High Street\n"
        ));
    }
    table
}

#[test]
fn compressed_values_are_the_same_in_fewer_bytes_whatever_the_memory_and_the_threads() {
    let files = Files::write(&[("t.csv", alike(30_000).as_bytes())]);
    let run = |compression, memory_bytes, threads| {
        let plan = PackPlan {
            compression,
            memory_bytes,
            threads,
            ..files.plan()
        };
        pack(&plan, &Quiet).unwrap()
    };
    let plain = run(Compression::None, 1 << 30, 2);
    assert!(!shards(&plain).iter().any(Shard::is_compressed));
    let large = run(Compression::Zstd, 1 << 30, 2);
    assert!(shards(&large).iter().all(Shard::is_compressed));
    assert_eq!(content(&large), content(&plain));
    let bytes = |packed: &PackedTable| -> u64 {
        let shards = packed.shards.iter();
        shards.map(|shard| shard.entry.size_bytes).sum()
    };
    let (of_large, of_plain) = (bytes(&large), bytes(&plain));
    assert!(of_large * 3 < of_plain * 2, "{of_large} of {of_plain}");
    for threads in [1, 2] {
        let small = run(Compression::Zstd, 1 << 20, threads);
        assert!(small.report.spilled_bytes > 1 << 20);
        assert_eq!(digests(&small), digests(&large));
    }
}

#[test]
fn values_are_stored_as_they_are_where_compression_does_not_pay() {
    let mut random = String::from("k,v\n");
    for row in 0..20_000_u64 {
        let digest = blake3::hash(&row.to_le_bytes());
        random.push_str(&format!("{row},{}\n", &digest.to_hex()[..24]));
    }
    // Too little to make a dictionary of, and the other way round: too little that is alike.
    for table in [alike(50), alike(0) + "a,b,c,d\n", random] {
        let files = Files::write(&[("t.csv", table.as_bytes())]);
        let run = |compression| {
            let plan = PackPlan {
                compression,
                values: vec!["v".into()],
                ..files.plan()
            };
            digests(&pack(&plan, &Quiet).unwrap())
        };
        assert_eq!(run(Compression::Zstd), run(Compression::None));
    }
}
