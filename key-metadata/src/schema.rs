//! The JSON Schemas of the site's files, kept in `key-metadata/schema/`.

use schemars::{Schema, schema_for};

use crate::intentions::Intentions;
use crate::observations::Observations;
use crate::policy::Policy;
use crate::release::ZoneState;
use crate::site::Site;
use crate::tpm_identity::TpmIdentity;
use crate::zone_keys::ZoneKeys;

/// The schemas, by the name of their file.
pub fn all() -> [(&'static str, Schema); 7] {
    [
        ("site.json", schema_for!(Site)),
        ("keys.json", schema_for!(ZoneKeys)),
        ("observations.json", schema_for!(Observations)),
        ("policy.json", schema_for!(Policy)),
        ("identity.json", schema_for!(TpmIdentity)),
        ("rollovers.json", schema_for!(Intentions)),
        ("zone-state.json", schema_for!(ZoneState)),
    ]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Rewrites the files when `SCHEMAS=overwrite` is set, and fails when they differ otherwise.
    #[test]
    fn the_schemas_in_the_tree_are_those_of_the_types() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
        for (name, schema) in super::all() {
            let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
            let path = folder.join(name);
            if std::env::var_os("SCHEMAS").is_some_and(|value| value == "overwrite") {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, &text).unwrap();
            }
            assert_eq!(
                std::fs::read_to_string(&path).unwrap(),
                text,
                "{name}: run `make schema`"
            );
        }
    }
}
