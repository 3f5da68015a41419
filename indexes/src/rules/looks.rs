//! What a policy looks at: so that it is evaluated as seldom as its answer can change.
//!
//! Read from the policy's own JSON form, in which every access names what it reaches. Where a form is not known, everything counts as looked at.

use std::collections::BTreeSet;

use serde_json::Value;

/// The parts of a question that a policy's answer depends on.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Looks {
    /// What a request brings.
    pub(super) context: ContextLooks,
    /// Attributes of who reads.
    pub(super) attributes: bool,
    /// Who reads, by name.
    pub(super) name: bool,
    /// What is read.
    pub(super) class: ClassLooks,
}

/// What is looked at of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each field of the schema")]
pub(super) struct ContextLooks {
    pub(super) now: bool,
    pub(super) hour: bool,
    pub(super) weekday: bool,
    pub(super) purpose: bool,
    pub(super) network: bool,
    pub(super) device: bool,
}

/// What is looked at of a class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct ClassLooks {
    /// Which collection it is.
    pub(super) collection: bool,
    /// How far its collection is trusted.
    pub(super) trust: bool,
    /// The principals that its ACL allows.
    pub(super) allow: Sight,
    /// The principals that its ACL denies.
    pub(super) deny: Sight,
    /// The attributes that its ACL asks for, and how much of each.
    pub(super) require: Sight,
}

/// How much of a list is looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Sight {
    /// Whether these are in it; where there are none, nothing of it.
    Names(BTreeSet<String>),
    /// All of it.
    All,
}

/// How large a policy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Size {
    /// How many values and operations it has: each is evaluated once at most.
    pub(super) nodes: usize,
    /// How deep they are nested.
    pub(super) depth: usize,
}

impl ContextLooks {
    const EVERYTHING: Self = Self { now: true, hour: true, weekday: true, purpose: true, network: true, device: true };

    /// Whether the answer depends on the request.
    pub(super) fn any(self) -> bool {
        self != Self::default()
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            now: self.now || other.now,
            hour: self.hour || other.hour,
            weekday: self.weekday || other.weekday,
            purpose: self.purpose || other.purpose,
            network: self.network || other.network,
            device: self.device || other.device,
        }
    }

    fn note(&mut self, field: Option<&str>) {
        match field {
            Some("now") => self.now = true,
            Some("hour") => self.hour = true,
            Some("weekday") => self.weekday = true,
            Some("purpose") => self.purpose = true,
            Some("network") => self.network = true,
            Some("device") => self.device = true,
            _ => *self = Self::EVERYTHING,
        }
    }
}

impl ClassLooks {
    /// Whether the answer depends on the class, and not on its collection alone.
    pub(super) fn at_acl(&self) -> bool {
        ![&self.allow, &self.deny, &self.require].into_iter().all(Sight::is_blind)
    }
}

impl Sight {
    fn is_blind(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it is seen that this name is in the list.
    pub(super) fn sees(&self, name: &str) -> bool {
        match self {
            Self::Names(names) => names.contains(name),
            Self::All => true,
        }
    }

    fn and(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Names(own), Self::Names(names)) => Self::Names(&own | names),
            _ => Self::All,
        }
    }

    /// Names that are looked for; `None` where it is not known which.
    fn note(&mut self, names: Option<BTreeSet<String>>) {
        let seen = std::mem::take(self);
        *self = names.map_or(Self::All, |names| seen.and(&Self::Names(names)));
    }
}

impl Default for Sight {
    fn default() -> Self {
        Self::Names(BTreeSet::new())
    }
}

impl Looks {
    /// Looks at all there is.
    pub(super) fn everything() -> Self {
        let class =
            ClassLooks { collection: true, trust: true, allow: Sight::All, deny: Sight::All, require: Sight::All };
        Self { context: ContextLooks::EVERYTHING, attributes: true, name: true, class }
    }

    /// The list of an ACL that an attribute of a class stands for.
    fn list(&mut self, attribute: &str) -> Option<&mut Sight> {
        match attribute {
            "allow" => Some(&mut self.class.allow),
            "deny" => Some(&mut self.class.deny),
            "require" => Some(&mut self.class.require),
            _ => None,
        }
    }

    /// Adds what an expression looks at.
    fn look(&mut self, value: &Value) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.look(value)),
            Value::Object(fields) => {
                for (operation, value) in fields {
                    if !self.look_in_a_known_way(operation, value) {
                        self.look(value);
                    }
                }
            }
            _ => {}
        }
    }

    /// Whether an operation is of a form in which it is known what it looks at; then that is added, and its parts need no look of their own.
    fn look_in_a_known_way(&mut self, operation: &str, value: &Value) -> bool {
        let (left, right) = (value.get("left"), value.get("right"));
        let is = |part: Option<&Value>, variable: &str| part.is_some_and(|part| is_variable(part, variable));
        match operation {
            // Fields of a record may have any name; what stands there is no text but an expression.
            "Var" | "type" if !value.is_string() => false,
            "attr" if value.is_object() => false,
            "Var" => {
                if value.as_str() == Some("context") {
                    self.context.note(None);
                }
                true
            }
            "." | "has" if is(left, "context") => {
                let field = value.get("attr").and_then(Value::as_str);
                self.context.note(field);
                self.attributes |= field.is_none_or(|field| field == "device");
                true
            }
            "contains" | "containsAny" | "containsAll" => {
                let names = right.and_then(texts);
                let list = left.and_then(attribute_of_class).and_then(|attribute| self.list(attribute));
                match (list, names) {
                    (Some(list), Some(names)) => {
                        list.note(Some(names));
                        true
                    }
                    _ => false,
                }
            }
            // Of a class, a tag is how much its ACL asks for; of the holders of attributes, it is the reader's.
            "getTag" | "hasTag" if is(left, "resource") => {
                self.class.require.note(right.and_then(texts));
                right.is_some_and(|right| text(right).is_some())
            }
            "getTag" | "hasTag" => {
                if !is_of_a_holder(left) {
                    self.class.require.note(None);
                }
                false
            }
            "attr" => {
                self.look_at_attribute(value.as_str());
                true
            }
            // An entity: one that is named may be a collection.
            "type" => {
                self.class.collection |= value.as_str().is_some_and(|kind| kind.ends_with("Collection"));
                true
            }
            _ => false,
        }
    }

    /// An attribute of whatever it may be.
    fn look_at_attribute(&mut self, attribute: Option<&str>) {
        match attribute {
            Some("name") => self.name = true,
            Some("collection") => self.class.collection = true,
            Some("trust") => self.class.trust = true,
            Some("numbers" | "texts" | "flags" | "device") => self.attributes = true,
            Some(attribute) => {
                if let Some(list) = self.list(attribute) {
                    list.note(None);
                }
            }
            None => *self = Self::everything(),
        }
    }
}

/// What a policy in its JSON form looks at, and how large it is.
pub(super) fn of(policy: &Value) -> (Looks, Size) {
    let (mut looks, mut size) = (Looks::default(), Size::default());
    looks.look(policy);
    measure(policy, 1, &mut size);
    (looks, size)
}

fn measure(value: &Value, depth: usize, size: &mut Size) {
    size.depth = size.depth.max(depth);
    size.nodes += 1;
    match value {
        Value::Array(values) => values.iter().for_each(|value| measure(value, depth + 1, size)),
        Value::Object(fields) => fields.values().for_each(|value| measure(value, depth + 1, size)),
        _ => {}
    }
}

fn is_variable(expression: &Value, variable: &str) -> bool {
    expression.get("Var").and_then(Value::as_str) == Some(variable)
}

/// The attribute of an expression `resource.attribute`.
fn attribute_of_class(expression: &Value) -> Option<&str> {
    let access = expression.get(".")?;
    access.get("left").filter(|left| is_variable(left, "resource"))?;
    access.get("attr")?.as_str()
}

/// The text of an expression that is one as it stands.
fn text(expression: &Value) -> Option<String> {
    Some(expression.get("Value")?.as_str()?.to_owned())
}

/// The same of one, or of a set of them.
fn texts(expression: &Value) -> Option<BTreeSet<String>> {
    match expression.get("Set") {
        Some(set) => set.as_array()?.iter().map(text).collect(),
        None => text(expression).map(|text| BTreeSet::from([text])),
    }
}

/// Whether an expression is `….numbers`, `….texts`, `….flags` or `….device`.
fn is_of_a_holder(left: Option<&Value>) -> bool {
    let attribute = left.and_then(|left| left.get(".")?.get("attr")?.as_str());
    matches!(attribute, Some("numbers" | "texts" | "flags" | "device"))
}

#[cfg(test)]
mod tests {
    use cedar_policy::Policy;

    use super::*;

    fn looks(condition: &str) -> Looks {
        let text = format!("forbid (principal, action, resource) when {{ {condition} }};");
        of(&Policy::parse(None, text).unwrap().to_json().unwrap()).0
    }

    fn names(names: &[&str]) -> Sight {
        Sight::Names(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn names_that_are_looked_for_are_all_that_is_seen() {
        for (condition, seen) in [
            ("resource.allow.contains(\"group:a\")", names(&["group:a"])),
            (
                "!(resource.allow.contains(\"a\") || resource.allow.containsAny([\"b\", \"c\"]))",
                names(&["a", "b", "c"]),
            ),
            ("resource.allow.containsAll([\"a\"])", names(&["a"])),
            ("[\"a\"].containsAll(resource.allow)", Sight::All),
            ("[\"a\"].containsAny(resource.allow)", Sight::All),
            ("resource.allow.contains(principal.name)", Sight::All),
            ("resource.allow.containsAny([\"a\", principal.name])", Sight::All),
            ("resource.allow == [\"a\"]", Sight::All),
            ("resource.allow.isEmpty()", Sight::All),
            ("resource has allow", Sight::All),
            ("(if resource.trust == \"x\" then resource.allow else [\"b\"]).contains(\"a\")", Sight::All),
            ("(if resource.trust == \"x\" then resource else resource).allow.contains(\"a\")", Sight::All),
            ("resource.allow.contains(\"a\") && resource.allow == resource.deny", Sight::All),
            ("{\"x\": resource.allow}.x.contains(\"a\")", Sight::All),
            ("resource.deny.contains(\"a\")", names(&[])),
        ] {
            assert_eq!(looks(condition).class.allow, seen, "{condition}");
        }
        assert_eq!(looks("resource.deny.contains(\"a\")").class.deny, names(&["a"]));
        let tag = "resource.hasTag(\"a\") && resource.getTag(\"a\") > 1 && resource.require.contains(\"b\")";
        assert_eq!(looks(tag).class.require, names(&["a", "b"]));
        assert_eq!(looks("resource.hasTag(principal.name)").class.require, Sight::All);
        let chosen = "(if principal.name == \"x\" then resource else resource).hasTag(\"a\")";
        assert_eq!(looks(chosen).class.require, Sight::All);
        assert!(looks("principal.numbers.hasTag(\"a\")").attributes);
        assert_eq!(looks("principal.numbers.hasTag(\"a\")").class, ClassLooks::default());
    }

    #[test]
    fn of_a_request_only_the_fields_that_are_named_are_seen() {
        let hour = ContextLooks { hour: true, ..ContextLooks::default() };
        assert_eq!(looks("context.hour > 6").context, hour);
        assert_eq!(looks("context.hour > 6 && principal is User").context, hour);
        let purpose = ContextLooks { purpose: true, ..ContextLooks::default() };
        assert_eq!(looks("context has purpose && context.purpose == \"x\"").context, purpose);
        let device = looks("context.device.hasTag(\"a\")");
        assert_eq!(device.context, ContextLooks { device: true, ..ContextLooks::default() });
        assert!(device.attributes && !device.class.at_acl());
        for condition in
            ["[context].contains(context)", "(if true then context else context).hour > 6", "context has device.x"]
        {
            assert_eq!(looks(condition).context, ContextLooks::EVERYTHING, "{condition}");
        }
        assert_eq!(looks("principal is User").context, ContextLooks::default());
    }

    /// A field of a record may be called like what this module reads.
    #[test]
    fn nothing_hides_in_a_record() {
        for field in
            ["Var", "attr", "type", "left", "right", ".", "has", "contains", "getTag", "hasTag", "Value", "Set"]
        {
            let condition = format!("{{\"{field}\": context.hour}}[\"{field}\"] > 6");
            assert!(looks(&condition).context.hour, "{field}");
            let condition = format!("{{\"{field}\": resource.allow}}[\"{field}\"].contains(\"a\")");
            assert_eq!(looks(&condition).class.allow, Sight::All, "{field}");
        }
    }

    #[test]
    fn a_collection_is_seen_by_its_name_or_as_an_entity() {
        for (condition, collection, trust) in [
            ("resource.collection like \"a*\"", true, false),
            ("resource in Collection::\"a\"", true, false),
            ("resource in [Collection::\"a\"]", true, false),
            ("resource is Class in Collection::\"a\"", true, false),
            ("resource.trust == \"x\"", false, true),
            ("principal in Group::\"g\" && principal == User::\"u\"", false, false),
        ] {
            let class = looks(condition).class;
            assert_eq!((class.collection, class.trust), (collection, trust), "{condition}");
        }
        for scope in ["resource in Collection::\"a\"", "resource is Class in Collection::\"a\""] {
            let policy = Policy::parse(None, format!("forbid (principal, action, {scope});")).unwrap();
            assert!(of(&policy.to_json().unwrap()).0.class.collection, "{scope}");
        }
    }
}
