//! `GET /v1/info/quality`: what the build found out about its rows.

use std::path::Path;

use nightshard_format::quality::TestResult;

use super::{Lookup, parameters::Parameters};
use crate::{
    json::Json,
    problem::{Problem, Result},
};

/// Writes what is odd about the rows, and the results of the data tests.
pub(super) fn write(parameters: Parameters<'_>, lookup: &mut Lookup<'_>) -> Result<()> {
    parameters.finish()?;
    let report = lookup.served.quality();
    let report =
        report.ok_or_else(|| Problem::not_found("this generation has no quality report"))?;
    let json = &mut *lookup.json;
    json.begin_object();
    json.key("flagged").value(&report.flagged);
    json.key("tests").begin_array();
    report.tests.iter().for_each(|test| write_test(json, test));
    json.end_array();
    json.end_object();
    Ok(())
}

fn write_test(json: &mut Json, test: &TestResult) {
    json.begin_object();
    json.key("name").string(&test.name);
    json.key("test").string(&test.test);
    json.key("columns").value(&test.columns);
    json.key("severity").string(test.severity.as_str());
    json.key("status").string(test.status.as_str());
    json.key("rows").integer(test.rows);
    json.key("failures").integer(test.failures);
    json.key("first_failures").begin_array();
    for row in &test.first_failures {
        json.begin_object();
        // In which folder of which machine it lay is nobody's business here.
        let name = Path::new(&row.file).file_name().unwrap_or_default();
        json.key("file").string(&name.to_string_lossy());
        json.key("line").integer(row.line);
        json.end_object();
    }
    json.end_array();
    json.end_object();
}
