//! From what a service could not do to what the client is told. Internal causes are logged here, once, and go no further.

use super::problem::{Code, FieldError, Problem};
use crate::{
    acl_form::AclFormError,
    administration::AdministrationError,
    audit::AuditError,
    authn::Unauthenticated,
    authz::Denied,
    commit::CommitError,
    embed::EmbedFailure,
    ingestion::{draft::DraftError, service::IngestError},
    retrieval::{documents::ReadError, searcher::SearchError},
    scim::{Fault, ScimError},
};
use ringfence_ingest::PrepareError;

impl From<Unauthenticated> for Problem {
    fn from(refused: Unauthenticated) -> Self {
        match refused {
            Unauthenticated::Invalid => Self::unauthenticated(),
            Unauthenticated::GroupsUnresolved => Self::new(Code::GroupsUnresolved, refused.to_string()),
            Unauthenticated::MalformedActing => Self::new(Code::MalformedHeader, refused.to_string()),
            Unauthenticated::MissingScope(_) => Self::new(Code::MissingScope, refused.to_string()),
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let code = match denied {
            Denied::MissingScope(_) => Code::MissingScope,
            Denied::SubjectRequired => Code::SubjectRequired,
            Denied::OperatorOnly => Code::OperatorOnly,
            Denied::NoContentForOperator => Code::NoContentForOperator,
        };
        Self::new(code, denied.to_string())
    }
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "an answer was withheld: it could not be recorded");
        Self {
            retry_after_seconds: Some(1),
            ..Self::new(Code::AuditUnavailable, "the answer could not be recorded, so there is none")
        }
    }
}

impl From<EmbedFailure> for Problem {
    fn from(failure: EmbedFailure) -> Self {
        tracing::error!(error = &failure as &dyn std::error::Error, "the embedder gave no vectors");
        let detail = "the embedder does not answer now; `\"mode\": \"keyword\"` does without it";
        Self { retry_after_seconds: Some(5), ..Self::new(Code::EmbedderUnavailable, detail) }
    }
}

impl From<SearchError> for Problem {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::CredentialGone => Self::unauthenticated(),
            SearchError::Audit(error) => error.into(),
            SearchError::Embedder(failure) => failure.into(),
            SearchError::VectorLength { .. } => Self::invalid("/vector", error.to_string()),
            SearchError::Unsettled | SearchError::Busy | SearchError::Stopping => Self::unavailable(error.to_string()),
            SearchError::Engine(ref engine) => {
                tracing::error!(error = engine as &dyn std::error::Error, "a search failed");
                Self::unavailable("the index does not answer now")
            }
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotFound => Self::not_found(),
            ReadError::CredentialGone => Self::unauthenticated(),
            ReadError::Audit(error) => error.into(),
            ReadError::Engine(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "what was asked for cannot be read");
                Self::unavailable("the index cannot answer")
            }
            ReadError::Unsettled | ReadError::Stopping => Self::unavailable(error.to_string()),
        }
    }
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::NotFound => Self::not_found(),
            IngestError::CredentialGone => Self::unauthenticated(),
            IngestError::AclRequired => {
                Self::new(Code::AclRequired, "send an `acl`, or give the collection a `default_acl`")
            }
            IngestError::Draft(error) => error.into(),
            IngestError::Embedder(failure) => failure.into(),
            IngestError::Commit(error) => error.into(),
            IngestError::Audit(error) => error.into(),
            IngestError::Cage(cause) => {
                tracing::error!(error = %cause, cause = ?std::error::Error::source(&cause), "a document could not be parsed");
                Self::unavailable(cause.to_string())
            }
            IngestError::Stopping => Self::unavailable(error.to_string()),
            IngestError::Store(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the store does not answer");
                Self::unavailable("the store does not answer now")
            }
            IngestError::Unreadable(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "an original cannot be read");
                Self::internal()
            }
            IngestError::OnBehalf => Self::new(Code::OwnNameRequired, error.to_string()),
            IngestError::Unreleasable => Self::new(Code::Unreleasable, error.to_string()),
        }
    }
}

impl From<DraftError> for Problem {
    fn from(error: DraftError) -> Self {
        match error {
            DraftError::Label(label) => Self::invalid(label.pointer.clone(), label.to_string()),
            DraftError::Prepare(error) => error.into(),
            DraftError::Embedder(failure) => failure.into(),
            DraftError::VectorMissing(index) | DraftError::VectorUnexpected(index) => {
                Self::invalid(format!("/chunks/{index}/vector"), error.to_string())
            }
            DraftError::Vector { index, ref reason } => {
                Self::invalid(format!("/chunks/{index}/vector"), reason.to_string())
            }
        }
    }
}

impl From<PrepareError> for Problem {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::UnsupportedMediaType(_) | PrepareError::DisguisedMediaType { .. } => {
                Self::new(Code::UnsupportedMediaType, error.to_string())
            }
            PrepareError::Unparseable(_) => Self::new(Code::Unparseable, error.to_string()),
            PrepareError::Empty => Self::invalid("", error.to_string()),
        }
    }
}

impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::VectorsDoNotFit => Self::invalid("/chunks", error.to_string()),
            CommitError::StorageFull => {
                Self { retry_after_seconds: Some(60), ..Self::new(Code::StorageFull, error.to_string()) }
            }
            CommitError::Unavailable => Self::unavailable(error.to_string()),
            CommitError::NoTenant
            | CommitError::NoCollection
            | CommitError::NoDocument
            | CommitError::NoFolder
            | CommitError::NoGroup
            | CommitError::NoPolicy
            | CommitError::NoUser
            | CommitError::NoGrant
            | CommitError::NoKey => Self::not_found(),
            CommitError::NoParent | CommitError::TooDeep => Self::invalid("/parent", error.to_string()),
            CommitError::AclTooLong => Self::invalid("/acl", error.to_string()),
            CommitError::FolderInUse => Self::new(Code::Conflict, error.to_string()),
            CommitError::Moved => Self::new(Code::ContentChanged, error.to_string()),
            CommitError::TooManyGrants => Self::invalid("", error.to_string()),
            CommitError::NoBearer => Self::invalid("/subject", error.to_string()),
            CommitError::TenantExists
            | CommitError::KeyExists
            | CommitError::LastOperatorKey
            | CommitError::GroupExists
            | CommitError::UserExists
            | CommitError::Stale => Self::new(Code::Conflict, error.to_string()),
        }
    }
}

impl From<ScimError> for Problem {
    fn from(error: ScimError) -> Self {
        let code = if error.kind == Fault::Uniqueness { Code::Conflict } else { Code::InvalidScim };
        Self { scim_type: Some(error.kind.name()), ..Self::new(code, error.detail) }
    }
}

impl From<AdministrationError> for Problem {
    fn from(error: AdministrationError) -> Self {
        match error {
            AdministrationError::NotFound => Self::not_found(),
            AdministrationError::CredentialGone => Self::unauthenticated(),
            AdministrationError::TenantTaken => Self::new(Code::Conflict, error.to_string()),
            AdministrationError::LastOperatorKey => Self::new(Code::LastOperatorKey, error.to_string()),
            AdministrationError::Wider(detail) => Self::new(Code::WiderThanYourself, detail),
            AdministrationError::Field { pointer, detail } => Self::invalid(pointer, detail),
            AdministrationError::Fields(faults) => Self::invalid_fields(field_errors(faults)),
            AdministrationError::TestsFail(failures) => Self {
                errors: field_errors(failures),
                ..Self::new(Code::TestsFail, "nothing was changed; see `errors` for the tests that would fail")
            },
            AdministrationError::Scim(error) => error.into(),
            AdministrationError::Stale => Self::new(Code::OtherVersion, error.to_string()),
            AdministrationError::Commit(error) => error.into(),
            AdministrationError::Store(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the store does not answer");
                Self::unavailable("the store does not answer now")
            }
            AdministrationError::Audit(error) => error.into(),
        }
    }
}

fn field_errors(faults: Vec<(String, String)>) -> Vec<FieldError> {
    faults.into_iter().map(|(pointer, detail)| FieldError { pointer, detail }).collect()
}

/// The refusal of an ACL that stands at `pointer` of the body.
pub(super) fn invalid_acl(pointer: &str, error: &AclFormError) -> Problem {
    Problem::invalid(format!("{pointer}{}", error.pointer), error.to_string())
}
