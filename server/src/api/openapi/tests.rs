use std::collections::BTreeSet;

use super::{resource::parameter_of, *};
use crate::{
    api::route::{INFO, OF_SERVER, Route},
    resource,
};

/// Something that may be an id as well as a number.
const ANY: &str = "1";

/// Returns a path with something in the place of each parameter.
fn filled(path: &str, with: &str) -> String {
    let fill = |segment| match parameter_of(segment) {
        Some(_) => with,
        None => segment,
    };
    path.split('/').map(fill).collect::<Vec<_>>().join("/")
}

/// Returns the paths that a server has, with `{}` in the place of each parameter.
fn paths_of_server() -> BTreeSet<String> {
    let counted = resource::Resource::names().filter(|name| name.starts_with('/'));
    let info = INFO.iter().map(|(name, _)| format!("/v1/info/{name}"));
    let of_server = OF_SERVER.iter().map(|(name, _)| format!("/{name}"));
    let paths = counted.chain(info).chain(of_server);
    paths
        .filter(|path| Route::parse(&filled(path, ANY)).is_some())
        .map(|path| filled(&path, "{}"))
        .collect()
}

#[test]
fn the_document_has_the_paths_and_methods_of_the_server_and_no_others() {
    let document = compose().unwrap();
    let paths = document["paths"].as_object().unwrap();
    for (path, item) in paths {
        let target = filled(path, ANY);
        let route = Route::parse(&target).unwrap_or_else(|| panic!("{path}"));
        let methods: Vec<_> = item.as_object().unwrap().keys().collect();
        let expected = match route.methods() {
            "POST" => "post",
            _ => "get",
        };
        assert_eq!(methods, [expected], "{path}");
    }
    let described: BTreeSet<String> = paths.keys().map(|path| filled(path, "{}")).collect();
    assert_eq!(described.len(), paths.len());
    assert_eq!(described, paths_of_server());
}

/// Collects the places that the references of a part of a document name.
fn collect_references<'v>(value: &'v Value, found: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members
                .values()
                .for_each(|member| collect_references(member, found));
        }
        Value::Array(elements) => elements
            .iter()
            .for_each(|element| collect_references(element, found)),
        _ => {}
    }
}

#[test]
fn all_that_is_referred_to_is_there_and_each_schema_is_referred_to() {
    let document = compose().unwrap();
    let mut found = BTreeSet::new();
    collect_references(&document, &mut found);
    for place in &found {
        let pointer = place.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{place}");
    }
    for name in document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
    {
        let place = format!("#/components/schemas/{name}");
        assert!(found.contains(&*place), "{place}");
    }
}

#[test]
fn a_schema_is_described_by_one_file() {
    let base: Value = serde_json::from_str(BASE).unwrap();
    let of_base = base["components"]["schemas"].as_object().unwrap().keys();
    let mut known: BTreeSet<String> = of_base.cloned().collect();
    let others = OTHERS.iter().map(|(_, _, file)| *file);
    let of_parts = WITH_PARTS.into_iter().flat_map(|(dataset, ..)| {
        let parts = Part::ALL.into_iter().filter(|part| part.is_of(dataset));
        parts.map(move |part| file_of(part, dataset))
    });
    // Some files are of several paths.
    let files: BTreeSet<&str> = others.chain(of_parts).collect();
    for file in files {
        for name in Resource::parse(file).unwrap().shapes().keys() {
            assert!(known.insert(name.clone()), "{name}");
        }
    }
}

#[test]
fn what_a_parameter_is_taken_by_is_described() {
    assert!(describes("min_date") && describes("cursor"));
    assert!(!describes("colour") && !describes("path.store"));
}
