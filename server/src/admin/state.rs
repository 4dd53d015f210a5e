//! What a server says of itself to whoever switches it.

use std::sync::Arc;

use nightshard_format::manifest::GenerationId;

use crate::{
    generation::ServedGeneration, json::Json, outlook::Details, service::Shared, switch::Kept,
};

/// Writes the state.
pub(super) fn of(shared: &Shared) -> Vec<u8> {
    let mut json = Json::with_capacity(512);
    let kept = shared.switch.load();
    let kept = kept.as_deref();
    let outlook = &shared.outlook;
    // What is ready is kept before it is no longer being prepared: read the other way round, it
    // could be seen as neither.
    let details = outlook.details();
    let prepared = shared.switch.prepared();
    let ready: Vec<_> = ready(&prepared, kept).collect();
    json.begin_object();
    json.key("serving");
    write_serving(kept, &mut json);
    json.key("repository").begin_object();
    json.key("selection");
    match outlook.known() {
        Some(number) => json.integer(number),
        None => json.null(),
    }
    json.key("reachable").boolean(details.is_reachable);
    json.key("problem")
        .optional_string(details.problem.as_deref());
    json.end_object();
    json.key("prepared");
    write_ids(ready.iter().copied(), &mut json);
    // It became ready in between.
    let preparing = details.preparing().filter(|id| !ready.contains(id));
    json.key("preparing")
        .optional_string(preparing.map(GenerationId::as_str));
    json.key("failed");
    write_failed(&details, &mut json);
    json.key("kept");
    let generations = kept.into_iter().flat_map(Kept::generations);
    write_ids(
        generations.map(|served| ServedGeneration::id(served)),
        &mut json,
    );
    json.key("source").string(if outlook.is_from_cache() {
        "cache"
    } else {
        "repository"
    });
    let requests = shared.metrics.requests();
    json.key("requests").begin_object();
    json.key("total").integer(requests.total);
    json.key("errors_5xx").integer(requests.errors_5xx);
    json.key("behind_503").integer(requests.behind_503);
    json.end_object();
    json.end_object();
    json.into_bytes()
}

fn write_serving(kept: Option<&Kept>, json: &mut Json) {
    let Some(Kept { current, .. }) = kept else {
        return json.null();
    };
    let served = current.generation();
    json.begin_object();
    json.key("selection").integer(current.selection());
    json.key("generation").string(served.id().as_str());
    json.key("as_of").display(served.as_of());
    json.end_object();
}

/// Returns the ids of what is ready to be selected and is not served already.
fn ready<'a>(
    prepared: &'a [Arc<ServedGeneration>],
    kept: Option<&Kept>,
) -> impl Iterator<Item = &'a GenerationId> {
    let current = kept.map(|kept| kept.current.generation().id());
    let ready = prepared.iter().filter(move |served| {
        let is_current = current.is_some_and(|current| current == served.id());
        !is_current && served.refused().next().is_none()
    });
    ready.map(|served| served.id())
}

fn write_failed(details: &Details, json: &mut Json) {
    let Some((id, problem)) = &details.failed else {
        return json.null();
    };
    json.begin_object();
    json.key("generation").string(id.as_str());
    json.key("problem").string(problem);
    json.end_object();
}

fn write_ids<'a>(ids: impl Iterator<Item = &'a GenerationId>, json: &mut Json) {
    json.begin_array();
    ids.for_each(|id| json.string(id.as_str()));
    json.end_array();
}
