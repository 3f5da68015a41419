//! The fixed schema: what a tenant policy may look at.

use std::{collections::BTreeMap, sync::LazyLock};

use cedar_policy::{EntityId, EntityTypeName, EntityUid, Schema, Validator};

/// The schema in Cedar's own form, as it is served and documented.
pub const POLICY_SCHEMA: &str = include_str!("schema.cedarschema");

/// The kinds of entities that a policy may name; all others have names of our own making.
pub(super) const NAMEABLE: [&str; 6] = ["User", "Service", "Group", "Role", "Collection", "Action"];

/// Checks policies against the schema.
pub(super) static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    let (schema, _warnings) = Schema::from_cedarschema_str(POLICY_SCHEMA).expect("the schema is part of this program");
    Validator::new(schema)
});

pub(super) static READ: LazyLock<EntityUid> = LazyLock::new(|| uid("Action", "read"));

/// The one resource of an evaluation has this kind.
pub(super) const CLASS: &str = "Class";
pub(super) const COLLECTION: &str = "Collection";

/// The kinds of the schema as Cedar's names: read once, because every class of a question is an entity.
static KINDS: LazyLock<BTreeMap<&str, EntityTypeName>> = LazyLock::new(|| {
    let own = [CLASS, "Numbers", "Texts", "Flags", "Device"];
    let name = |kind: &'static str| (kind, kind.parse().expect("the kinds of the schema are names"));
    NAMEABLE.into_iter().chain(own).map(name).collect()
});

/// An entity of a kind of the schema.
pub(super) fn uid(kind: &str, id: &str) -> EntityUid {
    let kind = KINDS.get(kind).expect("a kind of the schema").clone();
    EntityUid::from_type_name_and_id(kind, EntityId::new(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_holds() {
        assert!(VALIDATOR.schema().entity_types().count() > 5);
        for kind in VALIDATOR.schema().entity_types() {
            assert_eq!(uid(&kind.to_string(), "x").type_name(), kind);
        }
        assert_eq!(READ.to_string(), "Action::\"read\"");
    }
}
