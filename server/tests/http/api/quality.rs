//! What a build found out about its rows.

use std::sync::Arc;

use nightshard_format::quality::{FailedRow, QualityReport, Severity, Status, TestResult};
use serde_json::json;

use super::{payments, server, shops};
use crate::{
    fixture::Fixture,
    harness::{Harness, config},
};

fn report(failures: u64) -> QualityReport {
    QualityReport {
        inputs: String::new(),
        flagged: [("coordinate_out_of_range".to_owned(), 2)].into(),
        tests: vec![TestResult {
            name: "every row has a card".into(),
            test: "not_null".into(),
            columns: vec!["card_id".into()],
            severity: Severity::Warn,
            status: Status::Warned,
            rows: 8,
            failures,
            first_failures: vec![FailedRow {
                file: "/home/ann/secret/payments.csv".into(),
                line: 7,
            }],
        }],
    }
}

#[test]
fn results_of_data_tests_name_files_and_not_where_they_lay() {
    let fixture = Arc::new(Fixture::new());
    let id = fixture.write(&shops(), &payments());
    fixture.put_quality(&id, report(1));
    fixture.select(1, &id);
    let harness = Harness::ready(config(), fixture, 1);
    let data = harness.connect().get("/v1/info/quality").data();
    assert_eq!(
        data,
        json!({
            "flagged": {"coordinate_out_of_range": 2},
            "tests": [{
                "name": "every row has a card", "test": "not_null", "columns": ["card_id"],
                "severity": "warn", "status": "warned", "rows": 8, "failures": 1,
                "first_failures": [{"file": "payments.csv", "line": 7}],
            }],
        })
    );
    let wrong = harness.connect().get("/v1/info/quality?limit=1").problem();
    assert_eq!(wrong, (400, Some("limit".into())));
}

#[test]
fn a_generation_without_a_report_has_no_results() {
    let (harness, _) = server(config());
    let problem = harness.connect().get("/v1/info/quality").problem();
    assert_eq!(problem, (404, None));
}

/// The same rows may be tested anew: the generation is the same one, its report is not.
#[test]
fn entity_tags_change_with_the_report() {
    let tag = |failures| {
        let fixture = Arc::new(Fixture::new());
        let id = fixture.write(&shops(), &payments());
        fixture.put_quality(&id, report(failures));
        fixture.select(1, &id);
        let harness = Harness::ready(config(), fixture, 1);
        let reply = harness.connect().get("/v1/info/quality");
        reply.header("etag").unwrap().to_owned()
    };
    assert_eq!(tag(1), tag(1));
    assert_ne!(tag(1), tag(2));
}
