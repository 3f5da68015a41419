//! What users and groups have in common as SCIM resources: versions, pages, and the answer to a request.

use std::cmp::Ordering;

use ringfence_indexes::{TenantId, Timestamp};
use serde_json::{Value, json};

use super::{Administration, AdministrationError};
use crate::{
    acl_form::format_time,
    commit::CommitError,
    scim::{Fault, Filter, Resource, ScimError, project::Projection, schema::ResourceType, sort::Order},
    seal::TenantKeys,
};

/// How often a patch is made again because what it changes was changed meanwhile.
pub(super) const ATTEMPTS_MAX: usize = 8;
/// How many resources a page has where nothing is asked.
const COUNT_DEFAULT: usize = 100;
/// The most resources of a page.
pub const COUNT_MAX: usize = 500;

/// A resource as it is answered.
#[derive(Clone, Debug)]
pub struct SeenResource {
    /// The part that was asked for.
    pub body: Resource,
    /// Where it is.
    pub location: String,
    /// What its present form is recognised by: an entity tag.
    pub version: String,
}

/// A resource that was written.
#[derive(Clone, Debug)]
pub struct WrittenResource {
    /// The resource as it is now.
    pub seen: SeenResource,
    /// The sealed revision.
    pub revision: String,
}

/// A page of resources.
#[derive(Clone, Debug)]
pub struct ResourcePage {
    /// How many fulfil the filter.
    pub total: usize,
    /// Where the page starts, from 1.
    pub start_index: usize,
    /// The resources of the page.
    pub resources: Vec<Resource>,
}

/// Which versions of a resource a write is meant for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IfMatch {
    /// Whichever there is.
    #[default]
    Any,
    /// One of these entity tags.
    OneOf(Vec<String>),
}

impl IfMatch {
    pub(super) fn check(&self, version: &str) -> Result<(), AdministrationError> {
        match self {
            Self::Any => Ok(()),
            Self::OneOf(versions) if versions.iter().any(|own| own == version) => Ok(()),
            Self::OneOf(_) => Err(AdministrationError::Stale),
        }
    }
}

/// Which part of the resources is asked for, as it was sent.
#[derive(Clone, Debug, Default)]
pub struct AskedParts {
    /// `attributes`.
    pub attributes: Option<String>,
    /// `excludedAttributes`.
    pub excluded: Option<String>,
}

impl AskedParts {
    pub(super) fn projection(&self, of: &ResourceType) -> Result<Projection, ScimError> {
        Projection::parse(self.attributes.as_deref(), self.excluded.as_deref(), of)
    }
}

/// What a list is asked for, as it was sent.
#[derive(Clone, Debug, Default)]
pub struct AskedList {
    /// `filter`.
    pub filter: Option<String>,
    /// `startIndex`, from 1.
    pub start_index: Option<i64>,
    /// `count`.
    pub count: Option<i64>,
    /// `sortBy`.
    pub sort_by: Option<String>,
    /// `sortOrder`.
    pub sort_order: Option<String>,
    /// Which part of each resource.
    pub parts: AskedParts,
}

/// A list being made.
pub(super) struct Listing {
    pub(super) filter: Option<Filter>,
    pub(super) projection: Projection,
    order: Option<Order>,
    start_index: usize,
    count: usize,
    total: usize,
    found: Vec<Resource>,
}

impl Listing {
    pub(super) fn new(asked: &AskedList, of: &ResourceType) -> Result<Self, ScimError> {
        let count = asked.count.map_or(COUNT_DEFAULT, |count| usize::try_from(count.max(0)).unwrap_or(COUNT_MAX));
        Ok(Self {
            filter: asked.filter.as_deref().map(|filter| Filter::parse(filter, of)).transpose()?,
            projection: asked.parts.projection(of)?,
            order: Order::parse(asked.sort_by.as_deref(), asked.sort_order.as_deref(), of)?,
            start_index: usize::try_from(asked.start_index.unwrap_or(1).max(1)).unwrap_or(usize::MAX),
            count: count.min(COUNT_MAX),
            total: 0,
            found: Vec::new(),
        })
    }

    /// What an attribute must equal.
    pub(super) fn demands(&self, attribute: &str) -> Option<&str> {
        self.filter.as_ref().and_then(|filter| filter.demands(attribute))
    }

    /// Whether an attribute has to be there for the list to be made.
    pub(super) fn needs(&self, attribute: &str) -> bool {
        self.projection.wants(attribute) || self.filter.as_ref().is_some_and(|filter| filter.mentions(attribute))
    }

    /// Takes a resource in where it fulfils the filter; they come in the server's own order.
    pub(super) fn see(&mut self, resource: Resource) {
        if self.filter.as_ref().is_some_and(|filter| !filter.matches(&resource)) {
            return;
        }
        self.total += 1;
        let is_on_page = self.total >= self.start_index && self.total - self.start_index < self.count;
        if self.order.is_some() || is_on_page {
            self.found.push(resource);
        }
    }

    pub(super) fn finish(mut self) -> ResourcePage {
        if let Some(order) = &self.order {
            self.found.sort_by(|left, right| order.compare(left, right).then_with(|| by_id(left, right)));
            self.found = self.found.into_iter().skip(self.start_index - 1).take(self.count).collect();
        }
        let resources = self.found.into_iter().map(|resource| self.projection.of(resource)).collect();
        ResourcePage { total: self.total, start_index: self.start_index, resources }
    }
}

fn by_id(left: &Resource, right: &Resource) -> Ordering {
    let id = |resource: &Resource| resource.get("id").and_then(Value::as_str).map(str::to_owned);
    id(left).cmp(&id(right))
}

/// What a resource's own attributes do not say: `schemas`, `id`, `meta`.
pub(super) struct Frame<'a> {
    pub(super) of: &'a ResourceType,
    pub(super) id: &'a str,
    pub(super) created_at: Timestamp,
    pub(super) changed_at: Timestamp,
    pub(super) version: String,
}

impl Frame<'_> {
    pub(super) fn location(&self) -> String {
        format!("/scim/v2{}/{}", self.of.endpoint, self.id)
    }

    /// The whole resource.
    pub(super) fn around(&self, attributes: Resource) -> Resource {
        let extensions = attributes.keys().filter(|name| name.starts_with("urn:")).cloned();
        let schemas: Vec<String> = std::iter::once(self.of.core.id.to_owned()).chain(extensions).collect();
        let mut resource = Resource::new();
        resource.insert("schemas".to_owned(), schemas.into());
        resource.insert("id".to_owned(), self.id.into());
        resource.extend(attributes);
        let meta = json!({
            "resourceType": self.of.name, "created": format_time(self.created_at),
            "lastModified": format_time(self.changed_at), "location": self.location(), "version": self.version,
        });
        resource.insert("meta".to_owned(), meta);
        resource
    }
}

impl Administration {
    /// The entity tag of a row: keyed, so that nobody can test a guess of its content.
    pub(super) fn entity_tag(&self, tenant: &TenantId, digest: &[u8; 32]) -> String {
        let key = TenantKeys::derive(&self.master, tenant).content_key();
        let key = blake3::derive_key("ringfence 2026 tenant resource version", &key);
        let hash = blake3::keyed_hash(&key, digest);
        format!("W/\"{}\"", data_encoding::HEXLOWER.encode(&hash.as_bytes()[..16]))
    }
}

/// What a refused write is told as.
pub(super) fn refused(error: AdministrationError) -> AdministrationError {
    match error {
        AdministrationError::Commit(CommitError::UserExists) => taken("userName"),
        AdministrationError::Commit(CommitError::GroupExists) => taken("displayName"),
        AdministrationError::Commit(CommitError::Stale) => AdministrationError::Stale,
        other => other,
    }
}

fn taken(attribute: &str) -> AdministrationError {
    let detail = format_args!("the `{attribute}` is taken; names that differ by case alone are one");
    ScimError::new(Fault::Uniqueness, detail).into()
}
