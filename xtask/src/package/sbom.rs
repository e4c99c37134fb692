//! What is in the library, as machines read it: CycloneDX 1.5.

use serde_json::{Value, json};

use super::contents::VERSION;
use super::target::{Target, Variant};
use crate::generated::root;
use crate::notices;

/// Our own licence.
const OURS: &str = "MIT OR Apache-2.0";

/// The document for a target.
pub fn of(target: Target, variant: Variant) -> Result<String, String> {
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
    let mut components: Vec<Value> = linked
        .iter()
        .filter_map(|id| Some((id, known.get(id)?)))
        .map(|((name, version), package)| component(name, version, &package.licence))
        .collect();
    if variant == Variant::Full {
        components.extend(engine()?);
    }
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "name": variant.stem(),
                "version": VERSION,
                "licenses": [{ "expression": OURS }],
            },
        },
        "components": components,
    });
    let text = serde_json::to_string_pretty(&document).map_err(|why| why.to_string())?;
    Ok(text + "\n")
}

/// The engine, and the model that it looks with.
fn engine() -> Result<[Value; 2], String> {
    let path = root().join("engine/model/oe-vision.model");
    let file = std::fs::read(&path).map_err(|why| format!("{}: {why}", path.display()))?;
    let engine = oe_engine::Engine::with_model(file).map_err(|why| why.to_string())?;
    let (name, version) = engine
        .name()
        .rsplit_once(' ')
        .ok_or("a model without a version")?;
    Ok([
        json!({
            "type": "library",
            "name": "oe-process-engine",
            "version": VERSION,
            "licenses": [{ "expression": OURS }],
        }),
        json!({
            "type": "machine-learning-model",
            "name": name,
            "version": version,
            "description": format!("The embedded engine's model, checksum {}; NOTICE says what it was trained on.", engine.checksum()),
            "licenses": [{ "expression": OURS }],
        }),
    ])
}
