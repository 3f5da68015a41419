//! What is read through an emergency grant, recorded as such: one record for each grant, before that of the reading.

use std::collections::BTreeMap;

use ringfence_indexes::{CollectionId, DocumentId, GrantId, Scope};

use crate::audit::{Action, AuditError, AuditEvent, AuditLog};

/// The documents that an answer owes to emergency grants, by grant.
#[derive(Clone, Debug, Default)]
pub struct GrantUses(BTreeMap<GrantId, Vec<String>>);

impl GrantUses {
    /// What a scope shows of these documents through grants alone.
    pub fn of<'a>(scope: &Scope, documents: impl IntoIterator<Item = (&'a CollectionId, &'a DocumentId)>) -> Self {
        let mut uses = Self::default();
        for (collection, document) in documents {
            for grant in scope.grants_needed(collection, document) {
                let name = format!("{collection}/{document}");
                let read = uses.0.entry(grant).or_default();
                if !read.contains(&name) {
                    read.push(name);
                }
            }
        }
        uses
    }

    /// The collections among these that a scope shows through grants alone.
    pub fn showing<'a>(scope: &Scope, collections: impl IntoIterator<Item = &'a CollectionId>) -> Self {
        let mut uses = Self::default();
        for collection in collections {
            for grant in scope.grants_showing(collection) {
                uses.0.entry(grant).or_default().push(collection.to_string());
            }
        }
        uses
    }

    /// Whether no grant is owed anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Records them beside the reading that `event` tells of, which gives the documents or collections that leave.
    ///
    /// # Errors
    /// [`AuditError`]: there must be no answer.
    pub fn record(&self, audit: &AuditLog, event: &AuditEvent) -> Result<(), AuditError> {
        for (grant, read) in &self.0 {
            let documents: Vec<String> = read.iter().filter(|name| event.documents.contains(name)).cloned().collect();
            if documents.is_empty() {
                continue;
            }
            tracing::warn!(
                grant.id = %grant, request.id = %event.request_id, count = documents.len(),
                "documents are read through an emergency grant"
            );
            let _receipt = audit.record(&AuditEvent {
                action: Action::UseGrant,
                resource: Some(grant.to_string()),
                query: None,
                count: documents.len(),
                documents,
                ..event.clone()
            })?;
        }
        Ok(())
    }
}
