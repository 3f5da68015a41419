//! Tenants: made, listed and deleted by operators, who reach nothing inside them.

use std::sync::Arc;

use ringfence_indexes::TenantId;

use super::{Administration, AdministrationError, Page};
use crate::{audit::Action, authz::OperatorPermit, commit::Write, retrieval::answer::Answer, store::TenantRecord};

impl Administration {
    /// Makes a tenant.
    ///
    /// # Errors
    /// [`AdministrationError::TenantTaken`] where there is one of that name.
    pub async fn create_tenant(
        &self,
        permit: &OperatorPermit,
        id: TenantId,
        name: String,
        request_id: &str,
    ) -> Result<Answer<(Arc<TenantRecord>, String)>, AdministrationError> {
        let write = Write::CreateTenant { id: id.clone(), name };
        let committed = self.commit_operator(permit, write, 201, request_id).await?;
        // Deleted again by another operator meanwhile, it is gone for this one too.
        let record = self.catalog.tenant(&id).ok_or(AdministrationError::NotFound)?;
        Ok(Answer::new((record, committed.revision), committed.receipt))
    }

    /// One tenant.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where there is none.
    pub async fn tenant(
        &self,
        permit: &OperatorPermit,
        id: &TenantId,
        request_id: &str,
    ) -> Result<Answer<Arc<TenantRecord>>, AdministrationError> {
        self.check_operator(permit)?;
        let record = self.catalog.tenant(id).ok_or(AdministrationError::NotFound)?;
        let actor = permit.operator().actor();
        self.recorded_as(None, actor, Action::ListTenants, Some(id.to_string()), 1, record, request_id).await
    }

    /// The tenants after one of them.
    ///
    /// # Errors
    /// [`AdministrationError`] where the answer cannot be recorded.
    pub async fn tenants(
        &self,
        permit: &OperatorPermit,
        after: Option<&TenantId>,
        limit: usize,
        request_id: &str,
    ) -> Result<Answer<Page<Arc<TenantRecord>>>, AdministrationError> {
        self.check_operator(permit)?;
        let tenants = self.catalog.tenants().into_iter();
        let tenants = tenants.filter(|tenant| after.is_none_or(|after| tenant.id > *after));
        let page = Page::cut(tenants.take(limit + 1).collect(), limit);
        let actor = permit.operator().actor();
        self.recorded_as(None, actor, Action::ListTenants, None, page.entries.len(), page, request_id).await
    }

    /// Deletes a tenant with everything it has; gives the sealed revision.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where there is none.
    pub async fn delete_tenant(
        &self,
        permit: &OperatorPermit,
        id: TenantId,
        request_id: &str,
    ) -> Result<Answer<String>, AdministrationError> {
        let write = Write::DeleteTenant(id);
        let committed = self.commit_operator(permit, write, 204, request_id).await?;
        Ok(Answer::new(committed.revision, committed.receipt))
    }
}
