//! `POST /v1/batch`: many lookups in one request, all answered from one generation.

use std::collections::BTreeMap;

use hyper::StatusCode;
use serde::Deserialize;

use super::{Lookup, check_length, parameters::Parameters, route::Route, take_numbers};
use crate::{
    problem::{Failure, Problem, Result},
    respond,
};

/// The most lookups of one request.
const LOOKUPS_MAX: usize = 1_000;

/// The members of a request's body. Bodies are read as maps: serde takes arrays for structures.
#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
enum Member {
    Lookups,
}

/// The members of a lookup.
#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
enum ItemMember {
    /// Path and query of a resource.
    Path,
}

type Item = BTreeMap<ItemMember, String>;

/// Reads the paths that a body asks for.
fn read(body: &[u8]) -> Result<Vec<String>, Problem> {
    let wrong = |detail| Problem::new(StatusCode::BAD_REQUEST, format!("the body: {detail}"));
    let mut body: BTreeMap<Member, Vec<Item>> =
        serde_json::from_slice(body).map_err(|error| wrong(error.to_string()))?;
    let items = body.remove(&Member::Lookups);
    let items = items.ok_or_else(|| wrong("it has no lookups".into()))?;
    if items.len() > LOOKUPS_MAX {
        let detail = format!("more than {LOOKUPS_MAX} lookups");
        return Err(Problem::parameter("lookups", detail));
    }
    let path = |mut item: Item| item.remove(&ItemMember::Path);
    let paths = items.into_iter().map(path).collect::<Option<Vec<String>>>();
    paths.ok_or_else(|| wrong("a lookup has no path".into()))
}

/// Writes the answers of all lookups of a body, in their order.
pub(crate) fn write(
    body: &[u8],
    mut parameters: Parameters<'_>,
    lookup: &mut Lookup<'_>,
) -> Result<()> {
    lookup.quotes_large = take_numbers(&mut parameters)?;
    parameters.finish()?;
    let paths = read(body)?;
    lookup.json.begin_object();
    lookup.json.key("rows").begin_array();
    for path in &paths {
        write_item(path, lookup)?;
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
    lookup.caller.check(&route)?;
    // A parameter `generation` is unknown here: all lookups are answered from one.
    lookup.write(&route, Parameters::parse(query)?)
}
