//! `POST /v1/batch`: many lookups in one request, all answered from one generation.

use hyper::StatusCode;
use serde::Deserialize;

use super::{Lookup, check_length, parameters::Parameters, route::Route, take_numbers};
use crate::{
    problem::{Failure, Problem, Result},
    respond,
};

/// The most lookups of one request.
const LOOKUPS_MAX: usize = 1_000;

/// The body of a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    lookups: Vec<Item>,
}

/// One lookup.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    /// Path and query of a resource.
    path: String,
}

/// Writes the answers of all lookups of a body, in their order.
pub(crate) fn write(
    body: &[u8],
    mut parameters: Parameters<'_>,
    lookup: &mut Lookup<'_>,
) -> Result<()> {
    lookup.quotes_large = take_numbers(&mut parameters)?;
    parameters.finish()?;
    let body: Body = serde_json::from_slice(body)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("the body: {error}")))?;
    if body.lookups.len() > LOOKUPS_MAX {
        let detail = format!("more than {LOOKUPS_MAX} lookups");
        return Err(Problem::parameter("lookups", detail).into());
    }
    lookup.json.begin_object();
    lookup.json.key("rows").begin_array();
    for item in &body.lookups {
        write_item(&item.path, lookup)?;
        lookup.work.check_deadline()?;
        check_length(lookup.json)?;
    }
    lookup.json.end_array();
    lookup.json.end_object();
    Ok(())
}

fn write_item(path: &str, lookup: &mut Lookup<'_>) -> Result<()> {
    let start = lookup.json.len();
    lookup.json.begin_object();
    lookup.json.key("status").integer(200_u16);
    lookup.json.key("data");
    let problem = match answer(path, lookup) {
        Ok(()) => {
            lookup.json.end_object();
            return Ok(());
        }
        Err(whole @ (Failure::Heavy | Failure::Long)) => return Err(whole),
        Err(Failure::Problem(problem)) => *problem,
        Err(Failure::Data(error)) => respond::damage(&error),
    };
    let json = &mut *lookup.json;
    json.rewind(start);
    json.begin_object();
    json.key("status").integer(problem.status.as_u16());
    json.key("problem");
    problem.write(json);
    json.end_object();
    Ok(())
}

fn answer(path: &str, lookup: &mut Lookup<'_>) -> Result<()> {
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let route = Route::parse(path).ok_or_else(|| respond::no_such_path(path))?;
    // A parameter `generation` is unknown here: all lookups are answered from one.
    lookup.write(&route, Parameters::parse(query)?)
}
