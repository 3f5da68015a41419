//! Lists in pages: `limit` and `cursor` in, `next_cursor` out.
//!
//! A cursor is the sealed name of the last entry that the asker saw: it says nothing of entries in between, and equal lists give equal cursors.

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};

use super::{
    gate::Ask,
    problem::{Code, Problem},
};
use crate::seal::Sealer;

/// How many entries a page has where nothing is asked.
const LIMIT_DEFAULT: usize = 50;
/// The most entries of a page.
const LIMIT_MAX: usize = 500;

/// What a list was asked: how many, after what, and of which tenant where an operator may say so.
#[derive(Clone, Debug)]
pub(super) struct PageQuery {
    pub(super) limit: usize,
    cursor: Option<String>,
    pub(super) tenant: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for PageQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| Problem::invalid("#/query", "is not well-formed"))?;
        let mut page = Self { limit: LIMIT_DEFAULT, cursor: None, tenant: None };
        let mut seen = Vec::new();
        for (name, value) in pairs {
            let pointer = format!("#/query/{name}");
            if seen.contains(&name) {
                return Err(Problem::invalid(pointer, "is given more than once"));
            }
            match name.as_str() {
                "limit" => page.limit = limit(&value).ok_or_else(|| bad_limit(&pointer))?,
                "cursor" => page.cursor = Some(value),
                "tenant" => page.tenant = Some(value),
                _ => return Err(Problem::invalid(pointer, "unknown parameter")),
            }
            seen.push(name);
        }
        let most = parts.extensions.get::<Ask>().and_then(Ask::results_max);
        page.limit = page.limit.min(most.unwrap_or(usize::MAX));
        Ok(page)
    }
}

impl PageQuery {
    /// The entry after which the page starts.
    pub(super) fn after(&self, sealer: &Sealer, purpose: &str) -> Result<Option<String>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let position = sealer.open_cursor(purpose, cursor).and_then(|position| String::from_utf8(position).ok());
        let invalid = || Problem::new(Code::InvalidCursor, "use the `next_cursor` of the page before, unchanged");
        position.map(Some).ok_or_else(invalid)
    }

    /// The same where a list is asked for in a body.
    pub(super) fn in_body(limit: Option<usize>, cursor: Option<String>, ask: &Ask) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(bad_limit("/limit"));
        }
        Ok(Self { limit: limit.min(ask.results_max().unwrap_or(usize::MAX)), cursor, tenant: None })
    }

    /// Refuses a tenant where the credential says which one it is.
    pub(super) fn without_tenant(self) -> Result<Self, Problem> {
        match self.tenant {
            None => Ok(self),
            Some(_) => Err(Problem::invalid("#/query/tenant", "unknown parameter")),
        }
    }
}

/// The cursor to the page that follows, if one does.
pub(super) fn next_cursor(sealer: &Sealer, purpose: &str, has_more: bool, last: Option<&str>) -> Option<String> {
    last.filter(|_| has_more).map(|last| sealer.seal_cursor(purpose, last.as_bytes()))
}

fn limit(text: &str) -> Option<usize> {
    text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit))
}

fn bad_limit(pointer: &str) -> Problem {
    Problem::invalid(pointer, format!("must be from 1 to {LIMIT_MAX}"))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    async fn query(query: &str) -> Result<PageQuery, Problem> {
        let (mut parts, ()) = Request::get(format!("/v1/groups{query}")).body(()).unwrap().into_parts();
        PageQuery::from_request_parts(&mut parts, &()).await
    }

    #[tokio::test]
    async fn limits_are_bounded_and_unknown_parameters_refused() {
        assert_eq!(query("").await.unwrap().limit, LIMIT_DEFAULT);
        assert_eq!(query("?limit=500&cursor=x").await.unwrap().limit, 500);
        for bad in ["?limit=0", "?limit=501", "?limit=-1", "?limit=x", "?limit=1&limit=2", "?offset=1"] {
            assert_eq!(query(bad).await.unwrap_err().code, Code::InvalidFields, "{bad}");
        }
    }
}
