//! The description of a resource that answers with data of a generation.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::shape::{reference, schema};

/// The parameters of all such resources beside their own.
const PARAMETERS: [&str; 4] = [
    "numbers",
    "generation",
    "header.if_none_match",
    "header.at_least",
];

/// The headers of their answers.
const HEADERS: [&str; 5] = [
    "ETag",
    "Nightshard-Generation",
    "Nightshard-Selection",
    "Nightshard-Age",
    "Nightshard-Behind",
];

/// What they answer beside data, by status.
const RESPONSES: [(&str, &str); 8] = [
    ("304", "NotModified"),
    ("400", "BadRequest"),
    ("401", "Unauthorized"),
    ("403", "Forbidden"),
    ("404", "NotFound"),
    ("410", "Gone"),
    ("503", "Unavailable"),
    ("default", "Problem"),
];

/// The file of a resource.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resource {
    /// What it answers, in a few words.
    summary: String,
    /// What else is to be known.
    description: String,
    /// The names of its own parameters.
    parameters: Vec<String>,
    /// Those of them that a request has to have.
    #[serde(default)]
    required: Vec<String>,
    /// The query of a request that there is an answer to.
    example: String,
    /// The name of the shape of its data.
    data: String,
    /// That of what is told of stores to who sees names alone.
    names: Option<String>,
    /// That of what is told of places and markets where answers are protected.
    protected: Option<String>,
    /// Shapes, by the names of the schemas that they become.
    shapes: BTreeMap<String, Value>,
}

impl Resource {
    /// Reads a file.
    ///
    /// # Errors
    /// Says what it lacks, and where it is no JSON.
    pub(super) fn parse(file: &str) -> serde_json::Result<Self> {
        serde_json::from_str(file)
    }

    /// Returns the shapes that only this file has.
    #[cfg(test)]
    pub(super) fn shapes(&self) -> &BTreeMap<String, Value> {
        &self.shapes
    }

    /// Adds the resource to a document, at a path.
    pub(super) fn describe(&self, path: &str, tag: &str, document: &mut Value) {
        let operation = json!({
            "tags": [tag],
            "operationId": operation_id(path),
            "summary": self.summary,
            "description": self.description,
            "parameters": self.parameters(path, document),
            "responses": self.responses(path),
            "x-example": self.example,
        });
        document["paths"][path] = json!({ "get": operation });
        for (name, shape) in &self.shapes {
            document["components"]["schemas"][name] = schema(shape);
        }
    }

    fn parameters(&self, path: &str, document: &Value) -> Vec<Value> {
        let in_path = path.split('/').filter_map(parameter_of);
        let in_path = in_path.map(|name| reference("parameters", &format!("path.{name}")));
        let own = self.parameters.iter().map(|name| {
            if !self.required.contains(name) {
                return reference("parameters", name);
            }
            let mut required = document["components"]["parameters"][name].clone();
            required["required"] = json!(true);
            required
        });
        let common = PARAMETERS.map(|name| reference("parameters", name));
        in_path.chain(own).chain(common).collect()
    }

    fn responses(&self, path: &str) -> Value {
        let headers = HEADERS.map(|name| (name.to_owned(), reference("headers", name)));
        let headers: Map<String, Value> = headers.into_iter().collect();
        let mut responses = json!({
            "200": {
                "description": "The answer.",
                "headers": headers,
                "content": { "application/json": { "schema": self.answer(path) } },
            },
        });
        for (status, name) in RESPONSES {
            responses[status] = reference("responses", name);
        }
        responses
    }

    /// Returns the schema of the whole answer at a path.
    fn answer(&self, path: &str) -> Value {
        let is_of_stores = path.starts_with("/v1/stores");
        let other = if is_of_stores {
            &self.names
        } else {
            &self.protected
        };
        let data = match other {
            None => self.data.clone(),
            Some(other) => format!("{}|{other}", self.data),
        };
        schema(&json!({ "generation": "GenerationId", "as_of": "Date", "data": data }))
    }
}

/// Returns the name of the parameter that a segment of a path stands for.
pub(super) fn parameter_of(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Returns the name by which clients that are generated call a path.
fn operation_id(path: &str) -> String {
    let segments = path.trim_start_matches("/v1").split('/');
    let names = segments.map(|segment| parameter_of(segment).unwrap_or(segment));
    format!("get{}", names.collect::<Vec<_>>().join("_"))
}
