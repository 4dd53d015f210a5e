//! Files read piece by piece, against another reader of CSV and against themselves.

use nightshard_builder::layout::Layout;
use nightshard_builder::source::{Inputs, ReaderOptions};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::outcomes::{HEADER, SMALL, file, read_all};

/// Fields of a few characters that matter to CSV.
fn field() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[ab\", \n\r;한]{0,6}").unwrap()
}

/// What becomes of a text field: trimmed of ASCII white space.
fn trimmed(field: &str) -> String {
    field
        .trim_matches(|c: char| c.is_ascii_whitespace())
        .to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        rng_seed: RngSeed::Fixed(11),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn well_formed_csv_is_split_as_the_csv_crate_splits_it(
        records in proptest::collection::vec((field(), field(), any::<bool>()), 0..40),
        crlf in any::<bool>(),
        block_bytes in 1_usize..200,
    ) {
        let line_end = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut bytes = HEADER.as_bytes().to_vec();
        let mut lines = Vec::new();
        for (store, card, always) in &records {
            lines.push(1 + bytes.iter().filter(|byte| **byte == b'\n').count() as u64);
            let style =
                if *always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
            let mut writer = csv::WriterBuilder::new()
                .quote_style(style)
                .terminator(line_end)
                .from_writer(Vec::new());
            writer.write_record([store, card, "2018-03-05", "1", "KRW"]).unwrap();
            bytes.extend(writer.into_inner().unwrap());
        }
        let mut csv_reader = csv::ReaderBuilder::new().from_reader(bytes.as_slice());
        let parsed = csv_reader.records().map(|record| record.unwrap());
        let oracle: Vec<_> = lines
            .into_iter()
            .zip(parsed)
            .map(|(line, record)| (line, trimmed(&record[0]), trimmed(&record[1])))
            .collect();
        prop_assert_eq!(oracle.len(), records.len());
        let (_folder, path) = file("in.csv", &bytes);
        let inputs = Inputs::resolve(&[path.to_str().unwrap()]).unwrap();
        let layout = Layout::builtin("canonical").unwrap();
        let options = ReaderOptions { block_bytes, ..SMALL };
        let (outcomes, read, _) = read_all(&inputs, &layout, options).unwrap();
        prop_assert_eq!(read.total(), oracle.len() as u64);
        let kept: Vec<_> = outcomes.rows.into_iter()
            .map(|(line, row)| (line, row.store_id, row.card_id))
            .collect();
        let rejected: Vec<u64> = outcomes.rejected.iter().map(|(line, _, _)| *line).collect();
        let is_plain = |text: &str| !text.contains(char::is_control);
        let (sound, faulty): (Vec<_>, Vec<_>) = oracle.into_iter().partition(|(_, store, card)| {
            !store.is_empty() && is_plain(store) && is_plain(card)
        });
        prop_assert_eq!(kept, sound);
        prop_assert_eq!(rejected, faulty.into_iter().map(|(line, ..)| line).collect::<Vec<_>>());
    }

    #[test]
    fn any_bytes_give_the_same_outcomes_however_they_are_divided(
        bytes in proptest::collection::vec(
            proptest::sample::select(b"ab\"\"\",,,\n\n\r \xe9".to_vec()), 0..400),
        block_bytes in 1_usize..64,
        record_bytes_max in HEADER.len()..80,
    ) {
        let bytes = [HEADER.as_bytes(), &bytes].concat();
        let (_folder, path) = file("in.csv", &bytes);
        let inputs = Inputs::resolve(&[path.to_str().unwrap()]).unwrap();
        let layout = Layout::builtin("canonical").unwrap();
        let small = ReaderOptions { block_bytes, record_bytes_max };
        let large = ReaderOptions { block_bytes: 1 << 16, record_bytes_max };
        let (outcomes, read, _) = read_all(&inputs, &layout, small).unwrap();
        prop_assert_eq!(&outcomes, &read_all(&inputs, &layout, large).unwrap().0);
        prop_assert_eq!(read.total(), (outcomes.rows.len() + outcomes.rejected.len()) as u64);
    }
}
