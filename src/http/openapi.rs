//! The API's description: made from the routes, completed with what all of them share, committed as `openapi.json`.

use std::sync::LazyLock;

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr, ResponseBuilder,
        SecurityRequirement,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{
    problem::{FieldError, ProblemDocument},
    routes, scim,
};

const SUMMARY: &str = "A secure retrieval server for RAG: permission first, ranked inside the permission, labelled on the way out.\n\nThe tenant comes from the credential, never from path, query or body. What a caller may not read is absent: the same 404, byte for byte. Every refusal is a problem document (RFC 9457).";

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let mut text = routes::description().to_pretty_json().expect("a description of texts and numbers is JSON");
    text.push('\n');
    text
});

/// This description
#[utoipa::path(
    get, path = "/openapi.json", tag = "server", operation_id = "openapi", security(()),
    responses((status = 200, description = "The description of the API", body = Object))
)]
pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

/// Joins the descriptions of the routes and completes them.
pub(super) fn describe(gated: OpenApi, open: OpenApi) -> OpenApi {
    let info = InfoBuilder::new()
        .title("Ringfence")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(SUMMARY))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    let mut description = OpenApiBuilder::new().info(info).build();
    let mut gated = gated;
    let described = gated.paths.paths.iter_mut();
    let described =
        described.flat_map(|(path, item)| operations(item).map(|operation| (scim::is_scim(path), operation)));
    for (is_scim, operation) in described {
        refusals(
            operation,
            is_scim,
            &[
                ("401", "No valid credential"),
                ("403", "The credential lacks a scope"),
                ("404", "Absent, or not for the caller to know of"),
                ("422", "Fields are invalid"),
                ("429", "Too many requests"),
                ("503", "The server cannot answer now"),
            ],
        );
    }
    description.merge(gated);
    description.merge(open);
    let components = description.components.get_or_insert_default();
    for (name, schema) in [
        (ProblemDocument::name(), ProblemDocument::schema()),
        (FieldError::name(), FieldError::schema()),
        (scim::Refusal::name(), scim::Refusal::schema()),
    ] {
        components.schemas.insert(name.into_owned(), schema);
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key `rf_…`, or a token of a configured issuer."))
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    description.security = Some(vec![SecurityRequirement::new("bearer", [] as [&str; 0])]);
    description
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
}

fn refusals(operation: &mut Operation, is_scim: bool, refusals: &[(&str, &str)]) {
    let (media_type, schema) =
        if is_scim { (scim::MEDIA_TYPE, "ScimRefusal") } else { ("application/problem+json", "Problem") };
    for (status, description) in refusals {
        // SCIM says 400 for what is wrong in a body.
        let status = if is_scim && *status == "422" { &"400" } else { status };
        let content = ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name(schema)))).build();
        let response = ResponseBuilder::new().description(*description).content(media_type, content).build();
        operation.responses.responses.entry((*status).to_owned()).or_insert_with(|| RefOr::T(response));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With `RINGFENCE_WRITE_OPENAPI=1` the file is written instead of compared.
    #[test]
    fn the_committed_description_is_the_present_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        if std::env::var_os("RINGFENCE_WRITE_OPENAPI").is_some() {
            std::fs::write(path, DOCUMENT.as_str()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(
            committed == *DOCUMENT,
            "openapi.json is not the present description: write it with RINGFENCE_WRITE_OPENAPI=1"
        );
    }

    #[test]
    fn every_answer_has_an_example() {
        let description: serde_json::Value = serde_json::from_str(&DOCUMENT).unwrap();
        let schemas = description["components"]["schemas"].as_object().unwrap();
        let mut without = Vec::new();
        for (path, item) in description["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let Some(schema) =
                    operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].as_str()
                else {
                    continue;
                };
                let name = schema.rsplit('/').next().unwrap();
                if schemas[name].get("example").is_none() {
                    without.push(format!("{method} {path}: {name}"));
                }
            }
        }
        assert!(without.is_empty(), "{without:?}");
    }
}
