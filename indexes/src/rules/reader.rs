//! The reader of a question as Cedar sees them: a principal with those groups that a policy names, and its attributes.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use cedar_policy::{Entity, EntityUid, RestrictedExpression};

use super::schema::uid;
use crate::principal::{AttributeValue, Principal, PrincipalKind};

/// What a credential says of the device stands in attributes of this prefix.
const DEVICE_PREFIX: &str = "device.";
/// The names of the holders of attributes: there is one reader in a question.
const HOLDER: &str = "reader";

/// Somebody who reads.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// Their users and services; of somebody with several, each is asked about.
    pub(super) names: Vec<EntityUid>,
    /// Their names and groups, as far as a policy names them.
    named: HashSet<EntityUid>,
    /// Whether somebody else bore the name before: what a policy permits by name was not meant for them.
    pub(super) is_namesake: bool,
    /// Those of their groups that a policy names and whose name another group bore before: what a policy permits to it was not meant for them either.
    namesakes: HashSet<EntityUid>,
    pub(super) entities: Vec<Entity>,
}

impl Reader {
    /// A reader of these principals, groups included, of whom the policies name `mentioned`. `None` where an attribute cannot be represented.
    pub(super) fn new(
        principals: &BTreeSet<Principal>,
        attributes: &BTreeMap<String, AttributeValue>,
        mentioned: &[(Principal, EntityUid)],
    ) -> Option<Self> {
        // A name is forbidden whoever bears it, as in the `deny` of an ACL.
        let borne_anew: BTreeSet<Principal> =
            principals.iter().filter(|principal| principal.has_generation()).map(Principal::name).collect();
        let is_namesake = borne_anew.iter().any(|name| name.kind() == PrincipalKind::User);
        let (mut named, mut namesakes) = (HashSet::new(), HashSet::new());
        for (principal, entity) in mentioned {
            if borne_anew.contains(principal) {
                namesakes.insert(entity.clone());
            }
            if principals.contains(principal) || borne_anew.contains(principal) {
                named.insert(entity.clone());
            }
        }
        let groups: Vec<EntityUid> = named.iter().filter(|entity| is_group(entity)).cloned().collect();
        let own = principals.iter().filter_map(|principal| name_of(&principal.name()));
        let mut own: BTreeSet<EntityUid> = own.collect();
        if own.is_empty() {
            // Somebody of groups alone has no name of their own, and is asked about under one that nobody has.
            own.insert(uid("User", ""));
        }
        named.extend(own.iter().cloned());
        let mut entities = holders(attributes)?;
        for entity in &own {
            let holder = |kind| RestrictedExpression::new_entity_uid(uid(kind, HOLDER));
            let fields = [
                ("name".to_owned(), RestrictedExpression::new_string(entity.id().unescaped().to_owned())),
                ("numbers".to_owned(), holder("Numbers")),
                ("texts".to_owned(), holder("Texts")),
                ("flags".to_owned(), holder("Flags")),
            ];
            entities.push(Entity::new_with_tags(entity.clone(), fields, groups.clone(), []).ok()?);
        }
        Some(Self { names: own.into_iter().collect(), named, is_namesake, namesakes, entities })
    }

    /// Whether another group bore the name of one of their groups before, of which a policy speaks.
    pub(super) fn has_namesake(&self, entity: &EntityUid) -> bool {
        self.namesakes.contains(entity)
    }

    /// Whether they are, or are in, what a policy names.
    pub(super) fn is_named(&self, entity: &EntityUid) -> bool {
        self.named.contains(entity)
    }
}

/// The principal that an entity of a policy stands for; `None` for a name that no principal can have.
pub(super) fn principal_of(entity: &EntityUid) -> Option<Principal> {
    let prefix = match entity.type_name().basename() {
        "User" => "user",
        "Service" => "service",
        "Group" => "group",
        "Role" => "role",
        _ => return None,
    };
    Principal::new(&format!("{prefix}:{}", entity.id().unescaped())).ok()
}

fn is_group(entity: &EntityUid) -> bool {
    matches!(entity.type_name().basename(), "Group" | "Role")
}

fn name_of(principal: &Principal) -> Option<EntityUid> {
    match principal.kind() {
        PrincipalKind::User => Some(uid("User", bare(principal))),
        PrincipalKind::Service => Some(uid("Service", bare(principal))),
        PrincipalKind::Group | PrincipalKind::Role | PrincipalKind::Everyone => None,
    }
}

fn bare(principal: &Principal) -> &str {
    principal.as_str().split_once(':').map_or("", |(_, name)| name)
}

/// The attributes by their types: an attribute of another type than a policy expects is missing there.
fn holders(attributes: &BTreeMap<String, AttributeValue>) -> Option<Vec<Entity>> {
    let (mut numbers, mut texts, mut flags, mut device) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (name, value) in attributes {
        if let (Some(name), Some(text)) = (name.strip_prefix(DEVICE_PREFIX), written(value)) {
            device.push((name.to_owned(), RestrictedExpression::new_string(text)));
        }
        let name = name.clone();
        match value {
            AttributeValue::Integer(number) => numbers.push((name, RestrictedExpression::new_long(*number))),
            AttributeValue::Text(text) => texts.push((name, set([text]))),
            AttributeValue::Texts(several) => texts.push((name, set(several))),
            AttributeValue::Boolean(flag) => flags.push((name, RestrictedExpression::new_bool(*flag))),
        }
    }
    let holders = [
        ("Numbers", HOLDER, numbers),
        ("Texts", HOLDER, texts),
        ("Flags", HOLDER, flags),
        ("Device", "device", device),
    ];
    let holders = holders.into_iter().map(|(kind, id, tags)| Entity::new_with_tags(uid(kind, id), [], [], tags).ok());
    holders.collect()
}

/// One value as a text; of several there is none.
fn written(value: &AttributeValue) -> Option<String> {
    match value {
        AttributeValue::Integer(number) => Some(number.to_string()),
        AttributeValue::Text(text) => Some(text.clone()),
        AttributeValue::Boolean(flag) => Some(flag.to_string()),
        AttributeValue::Texts(_) => None,
    }
}

pub(super) fn set<'text>(texts: impl IntoIterator<Item = &'text String>) -> RestrictedExpression {
    RestrictedExpression::new_set(texts.into_iter().map(|text| RestrictedExpression::new_string(text.clone())))
}
