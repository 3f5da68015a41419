//! SCIM 2.0 (RFC 7643, RFC 7644) without its server: schemas, resources, paths, filters, patches.
//!
//! Everything here is a function of its input: JSON in, JSON out. A resource is a JSON object that [`resource`] has brought into the one form that the [`schema`] describes: names spelt as declared, types checked, nothing unknown. The services keep and audit it, the routes speak HTTP.

pub mod filter;
mod lexer;
pub mod patch;
mod path;
pub mod project;
pub mod resource;
pub mod schema;
pub mod sort;

use std::fmt;

pub use self::{filter::Filter, path::AttributePath};

/// A resource in the form that its schema describes.
pub type Resource = serde_json::Map<String, serde_json::Value>;

/// Why a request is refused (RFC 7644, 3.12).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ScimError {
    /// What kind of fault it is.
    pub kind: Fault,
    /// What is wrong, for a person. It names attributes and never quotes values.
    pub detail: String,
}

/// The kinds of faults that a body, a path or a filter can have; each is 400 but one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The filter is not well-formed, or compares what cannot be compared.
    InvalidFilter,
    /// More results or operations than the server takes.
    TooMany,
    /// The body has another structure.
    InvalidSyntax,
    /// A path that names no attribute.
    InvalidPath,
    /// A path that matches no value.
    NoTarget,
    /// A value is missing or of another type.
    InvalidValue,
    /// An attribute that only the server changes.
    Mutability,
    /// 409: another resource has the value.
    Uniqueness,
}

impl Fault {
    /// The `scimType`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::Mutability => "mutability",
            Self::Uniqueness => "uniqueness",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        if matches!(self, Self::Uniqueness) { 409 } else { 400 }
    }
}

impl ScimError {
    /// A fault with its explanation.
    pub fn new(kind: Fault, detail: impl fmt::Display) -> Self {
        Self { kind, detail: detail.to_string() }
    }

    /// A value that is missing or of another type.
    pub fn value(detail: impl fmt::Display) -> Self {
        Self::new(Fault::InvalidValue, detail)
    }
}

/// A text without the differences of case, for attributes that are not `caseExact`.
#[must_use]
pub fn folded(text: &str) -> String {
    // Upper case first: `ß` and `ss`, `ſ` and `s` are one then.
    text.to_uppercase().to_lowercase()
}

#[cfg(test)]
mod tests;
