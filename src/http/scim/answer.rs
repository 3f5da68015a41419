//! Answers of SCIM on their way out.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::MEDIA_TYPE;
use crate::{
    administration::scim_resource::{ResourcePage, SeenResource, WrittenResource},
    audit::Receipt,
    http::reply::{reply, reply_written},
};

/// An answer that is no resource of the directory.
pub(super) fn plain<T: Serialize>(body: &T, receipt: Receipt) -> Response {
    typed(reply(StatusCode::OK, body, receipt))
}

/// A resource.
pub(super) fn seen(resource: &SeenResource, receipt: Receipt) -> Response {
    tagged(plain(&resource.body, receipt), resource)
}

/// A resource that was written.
pub(super) fn written(status: StatusCode, written: &WrittenResource, receipt: Receipt) -> Response {
    let response = reply_written(status, &written.seen.body, &written.revision, receipt);
    let mut response = tagged(typed(response), &written.seen);
    if status == StatusCode::CREATED
        && let Ok(location) = HeaderValue::from_str(&written.seen.location)
    {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// A page of resources, or of what describes them.
pub(super) fn list(total: usize, start_index: usize, resources: &[Value]) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": total,
        "startIndex": start_index, "itemsPerPage": resources.len(), "Resources": resources,
    })
}

/// A page of users or groups.
pub(super) fn page(page: ResourcePage, receipt: Receipt) -> Response {
    let resources: Vec<Value> = page.resources.into_iter().map(Value::from).collect();
    plain(&list(page.total, page.start_index, &resources), receipt)
}

fn tagged(mut response: Response, resource: &SeenResource) -> Response {
    if let Ok(version) = HeaderValue::from_str(&resource.version) {
        response.headers_mut().insert(header::ETAG, version);
    }
    response
}

fn typed(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response
}
