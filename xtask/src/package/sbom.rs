//! What is in the library, as machines read it: CycloneDX 1.5.

use serde_json::{Value, json};

use super::contents::VERSION;
use super::target::Target;
use crate::notices;

/// The document for a target.
pub fn of(target: Target) -> Result<String, String> {
    let known = notices::known()?;
    let component = |name: &str, version: &str, licence: &str| {
        json!({
            "type": "library",
            "name": name,
            "version": version,
            "purl": format!("pkg:cargo/{name}@{version}"),
            "licenses": [{ "expression": licence.replace('/', " OR ") }],
        })
    };
    let linked = notices::linked_for(target.triple)?;
    let components: Vec<Value> = linked
        .iter()
        .filter_map(|id| Some((id, known.get(id)?)))
        .map(|((name, version), package)| component(name, version, &package.licence))
        .collect();
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "name": "oe-process",
                "version": VERSION,
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
            },
        },
        "components": components,
    });
    let text = serde_json::to_string_pretty(&document).map_err(|why| why.to_string())?;
    Ok(text + "\n")
}
