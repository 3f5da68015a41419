//! Names in paths. A name that cannot exist is absent when it is read, and refused when it is to be made.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use ringfence_indexes::{CollectionId, DocumentId, InvalidName, Principal, TenantId};
use serde::de::DeserializeOwned;

use super::problem::{Code, Problem};
use crate::ingestion::service::Place;

/// The decoded parameters of a path.
pub(super) struct Names<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Names<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(names) = Path::<T>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::new(Code::MalformedRequest, "the path is not percent-encoded UTF-8"))?;
        Ok(Self(names))
    }
}

/// The name of something that is to be there.
pub(super) fn known<T>(name: Result<T, InvalidName>) -> Result<T, Problem> {
    name.map_err(|_| Problem::not_found())
}

/// The name of something that may be made.
pub(super) fn new<T>(name: Result<T, InvalidName>, parameter: &str) -> Result<T, Problem> {
    name.map_err(|error| Problem::invalid(format!("#/path/{parameter}"), error.to_string()))
}

/// A document that is to be there.
pub(super) fn known_place((collection, document): &(String, String)) -> Result<Place, Problem> {
    Ok(Place { collection: known(CollectionId::new(collection))?, document: known(DocumentId::new(document))? })
}

/// A document that may be made, in a collection that is to be there.
pub(super) fn new_place(collection: &str, document: &str) -> Result<Place, Problem> {
    let document = new(DocumentId::new(document), "document")?;
    Ok(Place { collection: known(CollectionId::new(collection))?, document })
}

/// The group of a name without its prefix.
pub(super) fn group(name: &str) -> Result<Principal, InvalidName> {
    // `group:group:eng` would be valid, and never what was meant.
    if name.starts_with("group:") { Err(InvalidName::Characters) } else { Principal::group(name) }
}

/// A tenant that is to be there.
pub(super) fn known_tenant(name: &str) -> Result<TenantId, Problem> {
    known(TenantId::new(name))
}
