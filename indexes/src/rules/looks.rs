//! What a policy looks at: so that it is evaluated as seldom as its answer can change.
//!
//! Read from the policy's own JSON form, in which every access names what it reaches. Where a form is not known, everything counts as looked at.

use serde_json::Value;

/// The parts of a question that a policy's answer depends on, beside the reader and the collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Looks {
    /// Time, purpose, network or device.
    pub(super) context: bool,
    /// Attributes of who reads.
    pub(super) attributes: bool,
    /// Who reads, by name.
    pub(super) name: bool,
    /// The principals that an ACL allows.
    pub(super) allow: bool,
    /// The principals that an ACL denies.
    pub(super) deny: bool,
    /// The attributes that an ACL asks for.
    pub(super) require: bool,
}

/// How large a policy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Size {
    /// How many values and operations it has: each is evaluated once at most.
    pub(super) nodes: usize,
    /// How deep they are nested.
    pub(super) depth: usize,
}

impl Looks {
    /// Whether the answer depends on the class, and not on its collection alone.
    pub(super) const fn at_acl(self) -> bool {
        self.allow || self.deny || self.require
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            context: self.context || other.context,
            attributes: self.attributes || other.attributes,
            name: self.name || other.name,
            allow: self.allow || other.allow,
            deny: self.deny || other.deny,
            require: self.require || other.require,
        }
    }
}

/// What a policy in its JSON form looks at, and how large it is.
pub(super) fn of(policy: &Value) -> (Looks, Size) {
    let (mut looks, mut size) = (Looks::default(), Size::default());
    visit(policy, 1, &mut looks, &mut size);
    (looks, size)
}

fn visit(value: &Value, depth: usize, looks: &mut Looks, size: &mut Size) {
    size.depth = size.depth.max(depth);
    size.nodes += 1;
    match value {
        Value::Array(values) => values.iter().for_each(|value| visit(value, depth + 1, looks, size)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("Var", Value::String(variable)) => looks.context |= variable == "context",
                    ("attr", Value::String(attribute)) => match attribute.as_str() {
                        "name" => looks.name = true,
                        "allow" => looks.allow = true,
                        "deny" => looks.deny = true,
                        "require" => looks.require = true,
                        "numbers" | "texts" | "flags" | "device" => looks.attributes = true,
                        _ => {}
                    },
                    // Of a class, a tag is what its ACL asks for; of the holders of attributes, it is the reader's.
                    ("getTag" | "hasTag", Value::Object(sides)) => looks.require |= !is_of_a_holder(sides.get("left")),
                    _ => {}
                }
                visit(value, depth + 1, looks, size);
            }
        }
        _ => {}
    }
}

/// Whether an expression is `….numbers`, `….texts`, `….flags` or `….device`.
fn is_of_a_holder(left: Option<&Value>) -> bool {
    let attribute = left.and_then(|left| left.get(".")?.get("attr")?.as_str());
    matches!(attribute, Some("numbers" | "texts" | "flags" | "device"))
}
