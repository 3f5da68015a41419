//! What users and groups consist of, as it is served at `/Schemas` and as bodies are read.
//!
//! Of the attributes that RFC 7643 knows, only those are kept that say who somebody is; telephone numbers, addresses, photos and passwords are taken and dropped.

use std::borrow::Cow;

use ringfence_indexes::{AttributeSource, AttributeType, Declarations};
use serde_json::{Value, json};

/// The core schema of a user.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The core schema of a group.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The extension for employees.
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The extension with the attributes that the tenant declares to come from its directory.
pub const ATTRIBUTES: &str = "urn:ringfence:params:scim:schemas:extension:attributes:2.0:User";
/// The schema of schemas.
pub const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// Attributes of RFC 7643 that are taken and dropped: they have no part in a decision.
const DROPPED: &[&str] = &[
    "nickName",
    "profileUrl",
    "password",
    "phoneNumbers",
    "ims",
    "photos",
    "addresses",
    "entitlements",
    "roles",
    "x509Certificates",
    "groups",
];

/// What values an attribute has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    String,
    /// True or false.
    Boolean,
    /// A whole number.
    Integer,
    /// An RFC 3339 time.
    DateTime,
    /// The address of another resource.
    Reference,
    /// An object of sub-attributes.
    Complex,
}

/// One attribute.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its name, as it is spelt in answers. The case does not matter in requests.
    pub name: Cow<'static, str>,
    /// What values it has.
    pub kind: Kind,
    /// Whether it has several.
    pub multi_valued: bool,
    /// Whether a resource must have it.
    pub required: bool,
    /// Whether only the server changes it.
    pub read_only: bool,
    /// Whether the case of its values matters.
    pub case_exact: bool,
    /// Whether no two resources of the tenant have the same.
    pub is_unique: bool,
    /// What it is part of a complex attribute's value, or what it consists of.
    pub parts: Vec<Attribute>,
    /// Values that are usual.
    pub usual: &'static [&'static str],
    /// The types that a reference may lead to.
    pub leads_to: &'static [&'static str],
    /// What it is.
    pub description: &'static str,
}

impl Attribute {
    fn new(name: impl Into<Cow<'static, str>>, kind: Kind, description: &'static str) -> Self {
        Self {
            name: name.into(),
            kind,
            multi_valued: false,
            required: false,
            read_only: false,
            case_exact: false,
            is_unique: false,
            parts: Vec::new(),
            usual: &[],
            leads_to: &[],
            description,
        }
    }

    fn text(name: impl Into<Cow<'static, str>>, description: &'static str) -> Self {
        Self::new(name, Kind::String, description)
    }

    fn complex(name: &'static str, description: &'static str, parts: Vec<Self>) -> Self {
        Self { parts, ..Self::new(name, Kind::Complex, description) }
    }

    fn several(self) -> Self {
        Self { multi_valued: true, ..self }
    }

    fn exact(self) -> Self {
        Self { case_exact: true, ..self }
    }

    fn required(self) -> Self {
        Self { required: true, is_unique: true, ..self }
    }

    fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    /// The part of this name.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&Self> {
        find(&self.parts, name)
    }

    fn describe(&self) -> Value {
        let kind = match self.kind {
            Kind::String => "string",
            Kind::Boolean => "boolean",
            Kind::Integer => "integer",
            Kind::DateTime => "dateTime",
            Kind::Reference => "reference",
            Kind::Complex => "complex",
        };
        let mut described = json!({
            "name": self.name, "type": kind, "multiValued": self.multi_valued, "description": self.description,
            "required": self.required, "caseExact": self.case_exact,
            "mutability": if self.read_only { "readOnly" } else { "readWrite" },
            "returned": "default", "uniqueness": if self.is_unique { "server" } else { "none" },
        });
        if !self.parts.is_empty() {
            described["subAttributes"] = self.parts.iter().map(Self::describe).collect();
        }
        if !self.usual.is_empty() {
            described["canonicalValues"] = json!(self.usual);
        }
        if self.kind == Kind::Reference {
            described["referenceTypes"] = json!(self.leads_to);
        }
        described
    }
}

fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// A named set of attributes.
#[derive(Clone, Debug)]
pub struct Schema {
    /// Its URN.
    pub id: &'static str,
    name: &'static str,
    description: &'static str,
    /// What it consists of.
    pub attributes: Vec<Attribute>,
}

impl Schema {
    /// The attribute of this name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        find(&self.attributes, name)
    }

    /// The schema as it is served.
    #[must_use]
    pub fn describe(&self) -> Value {
        json!({
            "schemas": [SCHEMA], "id": self.id, "name": self.name, "description": self.description,
            "attributes": self.attributes.iter().map(Attribute::describe).collect::<Vec<_>>(),
            "meta": {"resourceType": "Schema", "location": format!("/scim/v2/Schemas/{}", self.id)},
        })
    }
}

/// What a resource consists of.
#[derive(Clone, Debug)]
pub struct ResourceType {
    /// Its name.
    pub name: &'static str,
    /// Where it is served.
    pub endpoint: &'static str,
    /// Its core schema.
    pub core: Schema,
    /// Its extensions, none of them required.
    pub extensions: Vec<Schema>,
    common: Vec<Attribute>,
}

impl ResourceType {
    /// The attribute that every resource has under this name: `id`, `externalId`, `meta`, `schemas`.
    pub(super) fn common(&self, name: &str) -> Option<&Attribute> {
        find(&self.common, name)
    }

    /// The extension of this URN.
    pub(super) fn extension(&self, urn: &str) -> Option<&Schema> {
        self.extensions.iter().find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }

    /// Whether an attribute of this name is known, and dropped.
    pub(super) fn drops(&self, name: &str) -> bool {
        DROPPED.iter().any(|dropped| dropped.eq_ignore_ascii_case(name)) && self.core.attribute(name).is_none()
    }

    /// The type as it is served.
    #[must_use]
    pub fn describe(&self) -> Value {
        let extensions: Vec<_> =
            self.extensions.iter().map(|schema| json!({"schema": schema.id, "required": false})).collect();
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"], "id": self.name, "name": self.name,
            "endpoint": self.endpoint, "description": self.core.description, "schema": self.core.id,
            "schemaExtensions": extensions,
            "meta": {"resourceType": "ResourceType", "location": format!("/scim/v2/ResourceTypes/{}", self.name)},
        })
    }
}

fn common() -> Vec<Attribute> {
    vec![
        Attribute::text("id", "The resource's name, given by the server").exact().read_only(),
        Attribute::text("externalId", "The resource's name at the client").exact(),
        Attribute::text("schemas", "The schemas of the resource").several().exact().read_only(),
        Attribute::complex(
            "meta",
            "What is known of the resource itself",
            vec![
                Attribute::text("resourceType", "Its type").exact().read_only(),
                Attribute::new("created", Kind::DateTime, "When it was made").read_only(),
                Attribute::new("lastModified", Kind::DateTime, "When it was changed last").read_only(),
                Attribute::text("location", "Where it is").exact().read_only(),
                Attribute::text("version", "What its present form is recognised by").exact().read_only(),
            ],
        )
        .read_only(),
    ]
}

/// A user of a tenant with these declarations.
#[must_use]
pub fn user(declarations: &Declarations) -> ResourceType {
    let name = vec![
        Attribute::text("formatted", "The whole name"),
        Attribute::text("familyName", "The family name"),
        Attribute::text("givenName", "The given name"),
        Attribute::text("middleName", "Middle names"),
        Attribute::text("honorificPrefix", "A title before the name"),
        Attribute::text("honorificSuffix", "What follows the name"),
    ];
    let email = vec![
        Attribute::text("value", "The address"),
        Attribute::text("display", "The address as it is shown"),
        Attribute { usual: &["work", "home", "other"], ..Attribute::text("type", "What it is for") },
        Attribute::new("primary", Kind::Boolean, "Whether it is the preferred one"),
    ];
    let core = Schema {
        id: USER,
        name: "User",
        description: "Somebody who may ask",
        attributes: vec![
            Attribute::text("userName", "The name that ACLs grant to, without the prefix `user:`").required(),
            Attribute::complex("name", "The parts of the person's name", name),
            Attribute::text("displayName", "The name for people"),
            Attribute::text("title", "The title of the person's position"),
            Attribute::text("userType", "How the person belongs to the organisation"),
            Attribute::text("preferredLanguage", "The language the person prefers"),
            Attribute::text("locale", "Where the person lives, for formats"),
            Attribute::text("timezone", "The person's time zone"),
            Attribute::new(
                "active",
                Kind::Boolean,
                "Whether the person may ask; `false` refuses every credential at once",
            ),
            Attribute::complex("emails", "The person's addresses", email).several(),
        ],
    };
    let mut extensions = vec![enterprise()];
    let declared: Vec<_> = declarations
        .0
        .iter()
        .filter(|(name, _)| declarations.is_from(name, AttributeSource::Directory))
        .map(|(name, declaration)| declared(name, declaration.kind))
        .collect();
    if !declared.is_empty() {
        extensions.push(Schema {
            id: ATTRIBUTES,
            name: "Attributes",
            description: "The attributes that the tenant declares, for `require` in ACLs",
            attributes: declared,
        });
    }
    ResourceType { name: "User", endpoint: "/Users", core, extensions, common: common() }
}

fn declared(name: &str, kind: AttributeType) -> Attribute {
    let of = |kind| Attribute::new(name.to_owned(), kind, "Declared by the tenant");
    match kind {
        AttributeType::String => of(Kind::String).exact(),
        AttributeType::Integer => of(Kind::Integer),
        AttributeType::Boolean => of(Kind::Boolean),
        AttributeType::Strings => of(Kind::String).exact().several(),
    }
}

fn enterprise() -> Schema {
    let manager = vec![
        Attribute::text("value", "The manager's `id`").exact(),
        Attribute::text("displayName", "The manager's name"),
    ];
    Schema {
        id: ENTERPRISE,
        name: "EnterpriseUser",
        description: "What an organisation says of its people",
        attributes: vec![
            Attribute::text("employeeNumber", "The number of the person").exact(),
            Attribute::text("costCenter", "The cost centre").exact(),
            Attribute::text("organization", "The organisation").exact(),
            Attribute::text("division", "The division").exact(),
            Attribute::text("department", "The department").exact(),
            Attribute::complex("manager", "The person's manager", manager),
        ],
    }
}

/// A group.
#[must_use]
pub fn group() -> ResourceType {
    let member = vec![
        Attribute::text("value", "The member's `id`, or the principal of one that has none").exact(),
        Attribute {
            leads_to: &["User", "Group"],
            ..Attribute::new("$ref", Kind::Reference, "Where the member is").exact()
        },
        Attribute { usual: &["User", "Group"], ..Attribute::text("type", "What the member is") },
    ];
    let core = Schema {
        id: GROUP,
        name: "Group",
        description: "A group that ACLs grant to",
        attributes: vec![
            Attribute::text("displayName", "The name that ACLs grant to, without the prefix `group:`").required(),
            Attribute::complex("members", "Who belongs to it, groups among them", member).several(),
        ],
    };
    ResourceType { name: "Group", endpoint: "/Groups", core, extensions: Vec::new(), common: common() }
}

/// The schemas of the descriptions themselves, which clients ask for.
#[must_use]
pub fn of_descriptions() -> Vec<Schema> {
    let flag = |name| Attribute::new(name, Kind::Boolean, "Whether it is supported").read_only();
    let number = |name| Attribute::new(name, Kind::Integer, "The most of them").read_only();
    let text = |name: &'static str| Attribute::text(name, "As RFC 7643 says").exact().read_only();
    let feature = |name, mut parts: Vec<Attribute>| {
        parts.insert(0, flag("supported"));
        Attribute::complex(name, "A feature", parts).read_only()
    };
    let schemes = vec![text("type"), text("name"), text("description"), text("specUri"), text("documentationUri")];
    let provider = vec![
        text("documentationUri"),
        feature("patch", vec![]),
        feature("bulk", vec![number("maxOperations"), number("maxPayloadSize")]),
        feature("filter", vec![number("maxResults")]),
        feature("changePassword", vec![]),
        feature("sort", vec![]),
        feature("etag", vec![]),
        Attribute::complex("authenticationSchemes", "How clients say who they are", schemes).several().read_only(),
    ];
    let extensions = vec![text("schema"), flag("required")];
    let kinds = vec![
        text("id"),
        text("name"),
        text("description"),
        text("endpoint"),
        text("schema"),
        Attribute::complex("schemaExtensions", "Its extensions", extensions).several().read_only(),
    ];
    let parts = || {
        vec![
            text("name"),
            text("type"),
            flag("multiValued"),
            text("description"),
            flag("required"),
            text("canonicalValues").several(),
            flag("caseExact"),
            text("mutability"),
            text("returned"),
            text("uniqueness"),
            text("referenceTypes").several(),
        ]
    };
    let mut attributes = parts();
    attributes.push(Attribute::complex("subAttributes", "What it consists of", parts()).several().read_only());
    let schemas = vec![
        text("id"),
        text("name"),
        text("description"),
        Attribute::complex("attributes", "What it consists of", attributes).several().read_only(),
    ];
    let schema = |id, name, attributes| Schema { id, name, description: "As RFC 7643 says", attributes };
    vec![
        schema("urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig", "ServiceProviderConfig", provider),
        schema("urn:ietf:params:scim:schemas:core:2.0:ResourceType", "ResourceType", kinds),
        schema(SCHEMA, "Schema", schemas),
    ]
}
