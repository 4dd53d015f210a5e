//! What a build makes of side series.

use std::path::PathBuf;

use nightshard_builder::series::SeriesTable;
use nightshard_format::{
    calendar::Day,
    manifest::{Input, InputRole},
    record::{CATALOG, Ranking, SERIES, SideSeries},
    shard::Span,
};

use super::{
    support::{TestBuild, build},
    write_file,
};

#[test]
fn a_generation_has_what_is_known_of_each_series_on_its_last_day() {
    let folder = tempfile::tempdir().unwrap();
    let row = |id: &str, ts: &str| format!("{id},bar,c1,{ts},100,EUR,bar,,,,,,,,,");
    let rows = [row("t1", "2018-03-01"), row("t2", "2018-03-10")];
    let path = write_file(&folder, "rows.csv", &rows);
    let series = |name: &str, rows: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("date,name,value\n{rows}")).unwrap();
        path
    };
    let first = series(
        "first.csv",
        "2018-03-04,index,2\n2018-02-28,index,1.5\n2018-03-11,index,9\n",
    );
    let second = series("second.csv", "2018-03-11,late,1\n2018-03-09,fresh,-1");
    let build = |files: &[&PathBuf], days: u32| {
        let series = SeriesTable::read(files).unwrap();
        let test = build(&[&path], |plan| {
            plan.series = series;
            plan.series_stale_after_days = days;
        });
        test.unwrap()
    };
    let test = build(&[&first, &second], 6);
    let generation = test.open();
    let day = |text: &str| text.parse::<Day>().unwrap();
    let values = |name: &str| {
        let value = generation.get(SERIES, Span::Current, name.as_bytes());
        let value = value.unwrap()?;
        let mut values = Vec::new();
        let series = SideSeries::parse(value.in_place().unwrap()).unwrap();
        series
            .visit(|day, value| values.push((day, value)))
            .unwrap();
        Some(values)
    };
    let index = vec![(day("2018-02-28"), 1.5), (day("2018-03-04"), 2.0)];
    assert_eq!(values("index"), Some(index));
    assert_eq!(values("fresh"), Some(vec![(day("2018-03-09"), -1.0)]));
    assert_eq!(values("late"), None);
    let names = generation.get(CATALOG, Span::Current, SERIES.as_bytes());
    let names = names.unwrap().unwrap();
    let names = Ranking::parse(names.in_place().unwrap()).unwrap();
    assert_eq!(
        (0..3).filter_map(|at| names.get(at)).collect::<Vec<_>>(),
        [&b"fresh"[..], b"index"]
    );

    let report = &test.built.report;
    assert_eq!(report.without_line_end, std::slice::from_ref(&second));
    let said: Vec<_> = report
        .series
        .iter()
        .map(|it| {
            (
                &*it.name,
                it.values,
                it.after_as_of,
                it.days_behind,
                it.is_stale,
            )
        })
        .collect();
    let expected = [
        ("fresh", 1, 0, Some(1), false),
        ("index", 2, 1, Some(6), true),
        ("late", 0, 1, None, false),
    ];
    assert_eq!(said, expected);

    // The order of files is nobody's business; after how many days a series is stale is everybody's.
    let id = |test: &TestBuild| test.built.manifest.id.clone();
    assert_eq!(id(&build(&[&second, &first], 6)), id(&test));
    let later = build(&[&first, &second], 7);
    assert_eq!(later.built.manifest.shards, test.built.manifest.shards);
    assert_ne!(id(&later), id(&test));
    assert!(
        later
            .built
            .report
            .series
            .iter()
            .all(|series| !series.is_stale)
    );
    let roles = test.built.manifest.inputs.iter();
    let roles: Vec<InputRole> = roles.filter_map(Input::role).collect();
    assert_eq!(
        roles,
        [
            InputRole::Transactions,
            InputRole::Series,
            InputRole::Series
        ]
    );
}
