//! The parameters that the OpenAPI document describes, beside those that the server takes.

use serde_json::Value;

use super::Guarded;
use crate::client::Reply;

/// What stands in the place of the parameters of paths.
const PLACES: [(&str, &str); 7] = [
    ("{store}", "a"),
    ("{region}", "leeds"),
    ("{category}", "food"),
    ("{market}", "all"),
    ("{lat}", "8348"),
    ("{lon}", "53978"),
    ("{merchant}", "m"),
];

/// Returns a path in which something stands for each parameter.
fn filled(path: &str) -> String {
    let replace = |path: String, (from, to): (&str, &str)| path.replace(from, to);
    let path = PLACES.into_iter().fold(path.to_owned(), replace);
    // What it names is looked for after parameters are: it need not be there.
    let any = |segment| match segment {
        "{pseudonym}" | "{dataset}" | "{key}" => "1",
        _ => segment,
    };
    path.split('/').map(any).collect::<Vec<_>>().join("/")
}

/// Returns what a reference names; anything else is itself.
fn resolved<'v>(document: &'v Value, value: &'v Value) -> &'v Value {
    match value["$ref"].as_str() {
        None => value,
        Some(place) => document.pointer(place.strip_prefix('#').unwrap()).unwrap(),
    }
}

/// Returns the names of those of some parameters that stand in queries.
fn names_of<'v>(
    document: &'v Value,
    parameters: impl IntoIterator<Item = &'v Value>,
) -> Vec<&'v str> {
    let parameters = parameters.into_iter().map(|it| resolved(document, it));
    let of_queries = parameters.filter(|it| it["in"] == "query");
    of_queries.filter_map(|it| it["name"].as_str()).collect()
}

/// Returns the query of an operation's example, in which a parameter has a value.
fn query_with(operation: &Value, name: &str, value: &str) -> String {
    let example = operation["x-example"].as_str().unwrap();
    let others = example.split('&').filter(|pair| {
        let known = pair.split('=').next();
        !pair.is_empty() && known != Some(name)
    });
    let own = format!("{name}={value}");
    others.chain([&*own]).collect::<Vec<_>>().join("&")
}

fn is_unknown(reply: &Reply) -> bool {
    reply.status == 400 && reply.json()["detail"] == "this resource has no such parameter"
}

#[test]
fn a_parameter_is_described_where_it_is_taken_and_nowhere_else() {
    let guarded = Guarded::start(1);
    let document = guarded.get("analyst", "/openapi.json").json();
    // Cursors are looked at before it is known whether a resource takes them: this is one of a list.
    let list = guarded.get("analyst", "/v1/stores?limit=1").data();
    let cursor = list["next"].as_str().unwrap();
    let parameters = document["components"]["parameters"].as_object().unwrap();
    let names = names_of(&document, parameters.values());
    assert!(names.contains(&"min_date") && names.contains(&"cursor"));
    for (path, item) in document["paths"].as_object().unwrap() {
        let scope = if path.starts_with("/v1/customers") {
            "customer"
        } else {
            "analyst"
        };
        for (method, operation) in item.as_object().unwrap() {
            let own = operation["parameters"].as_array().into_iter().flatten();
            let described = names_of(&document, own);
            let (method, body) = match &**method {
                "post" => ("POST", &br#"{"lookups": []}"#[..]),
                _ => ("GET", &b""[..]),
            };
            for name in &names {
                let value = if *name == "cursor" { cursor } else { "x" };
                let query = query_with(operation, name, value);
                let target = format!("{}?{query}", filled(path));
                let reply = guarded.ask(scope, method, &target, &[], body);
                assert_eq!(!is_unknown(&reply), described.contains(name), "{target}");
            }
        }
    }
}

#[test]
fn what_the_interface_is_everybody_is_told() {
    let guarded = Guarded::start(10);
    let mut client = guarded.harness.connect();
    for path in ["/openapi.json", "/docs"] {
        let open = client.get(path);
        assert_eq!(open.status, 200, "{path}");
        let wrong = [("authorization", "Bearer x")];
        assert_eq!(client.request("GET", path, &wrong, b"").body, open.body);
        for scope in ["store:a", "app", "customer", "admin"] {
            assert_eq!(guarded.get(scope, path).body, open.body, "{scope} {path}");
        }
        let unknown = client.get(&format!("{path}?x=1"));
        assert_eq!(unknown.problem(), (400, Some("x".to_owned())));
    }
}
