//! `/openapi.json` and `/docs`: the API's description and a vendored viewer of it, with nothing fetched from elsewhere.

use axum::{
    Router,
    http::{HeaderName, header},
    response::{IntoResponse, Redirect},
    routing::get,
};

/// Only this origin's own files; the viewer's icons are data URLs and its styles partly inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Ringfence API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
"#;

const START: &str = r##"SwaggerUIBundle({ url: "/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
"##;

/// The routes of the viewer.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let bundle = include_str!("../../assets/swagger-ui/swagger-ui-bundle.js");
    let style = include_str!("../../assets/swagger-ui/swagger-ui.css");
    let license = include_str!("../../assets/swagger-ui/LICENSE");
    Router::new()
        .route("/docs", get(async || file("text/html; charset=utf-8", PAGE)))
        .route("/docs/", get(async || Redirect::permanent("/docs")))
        .route("/docs/start.js", get(async || file("text/javascript; charset=utf-8", START)))
        .route("/docs/swagger-ui-bundle.js", get(async move || file("text/javascript; charset=utf-8", bundle)))
        .route("/docs/swagger-ui.css", get(async move || file("text/css; charset=utf-8", style)))
        .route("/docs/LICENSE", get(async move || file("text/plain; charset=utf-8", license)))
}

fn file(media_type: &'static str, text: &'static str) -> impl IntoResponse {
    const NOSNIFF: HeaderName = header::X_CONTENT_TYPE_OPTIONS;
    (
        [
            (header::CONTENT_TYPE, media_type),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (NOSNIFF, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::CACHE_CONTROL, "max-age=3600"),
        ],
        text,
    )
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn the_viewer_names_no_other_origin() {
        for path in ["/docs", "/docs/start.js", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = routes::<()>().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 200, "{path}");
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("http"), "{path}");
        }
        assert!(!PAGE.contains("http") && !START.contains("http"));
    }
}
