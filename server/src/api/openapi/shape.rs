//! Shapes: a short way to write down what an answer has, and the JSON Schema that it stands for.
//!
//! `"Name"` is what the schema of that name says, `"A|B"` either of two, and `"null"` nothing. `[shape]` is
//! an array whose elements have a shape. An object has the members that it names and no others, all of them
//! but those whose names end with a question mark.

use serde_json::{Map, Value, json};

/// Returns the schema of a shape.
pub(super) fn schema(shape: &Value) -> Value {
    match shape {
        Value::String(names) => any_of(names),
        Value::Array(elements) => {
            let items: Vec<Value> = elements.iter().map(schema).collect();
            json!({"type": "array", "items": items.first()})
        }
        Value::Object(members) => object(members),
        other => other.clone(),
    }
}

/// Returns the schema of one of some names.
fn any_of(names: &str) -> Value {
    let mut schemas: Vec<Value> = names.split('|').map(named).collect();
    match schemas.len() {
        1 => schemas.remove(0),
        _ => json!({"anyOf": schemas}),
    }
}

fn named(name: &str) -> Value {
    match name {
        "null" => json!({"type": "null"}),
        _ => reference("schemas", name),
    }
}

fn object(members: &Map<String, Value>) -> Value {
    let mut required = Vec::new();
    let mut properties = Map::new();
    for (name, shape) in members {
        let name = match name.strip_suffix('?') {
            Some(optional) => optional,
            None => {
                required.push(name);
                name.as_str()
            }
        };
        properties.insert(name.to_owned(), schema(shape));
    }
    json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

/// Returns a reference to a component of the document.
pub(super) fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_the_members_that_its_shape_names_and_no_others() {
        let shape = json!({"a": "Count", "b?": ["Date|null"], "c": {}});
        let nothing = json!({
            "type": "object", "required": [], "properties": {}, "additionalProperties": false
        });
        let date = json!({"anyOf": [{"$ref": "#/components/schemas/Date"}, {"type": "null"}]});
        let expected = json!({
            "type": "object",
            "required": ["a", "c"],
            "properties": {
                "a": {"$ref": "#/components/schemas/Count"},
                "b": {"type": "array", "items": date},
                "c": nothing,
            },
            "additionalProperties": false,
        });
        assert_eq!(schema(&shape), expected);
    }

    #[test]
    fn what_is_always_hidden_is_null() {
        assert_eq!(schema(&json!("null")), json!({"type": "null"}));
    }
}
