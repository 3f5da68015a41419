//! What a tenant says of its directory: which attributes there are, and whether others than its users may ask.

use ringfence_indexes::Declarations;

use super::{Administration, AdministrationError};
use crate::{
    audit::Action,
    authz::{ManageDirectory, Permit},
    commit::Write,
    retrieval::answer::Answer,
    store::Setting,
};

/// The most attributes that a tenant declares.
pub const DECLARATIONS_MAX: usize = 100;

impl Administration {
    /// The declared attributes.
    ///
    /// # Errors
    /// [`AdministrationError`] where they cannot be recorded.
    pub async fn declarations(
        &self,
        permit: &Permit<ManageDirectory>,
        request_id: &str,
    ) -> Result<Answer<Declarations>, AdministrationError> {
        let names = self.engine.names(permit.tenant()).ok_or(AdministrationError::CredentialGone)?;
        let declarations = names.declarations();
        let (resource, count) = (Some("attributes".to_owned()), declarations.0.len());
        self.recorded(permit.caller(), Action::ReadDirectory, resource, count, declarations, request_id).await
    }

    /// Whether only users that the directory knows may ask.
    ///
    /// # Errors
    /// [`AdministrationError`] where it cannot be recorded.
    pub async fn known_users_only(
        &self,
        permit: &Permit<ManageDirectory>,
        request_id: &str,
    ) -> Result<Answer<bool>, AdministrationError> {
        let names = self.engine.names(permit.tenant()).ok_or(AdministrationError::CredentialGone)?;
        let resource = Some("directory".to_owned());
        let body = names.known_users_only();
        self.recorded(permit.caller(), Action::ReadDirectory, resource, 1, body, request_id).await
    }

    /// Says something of the directory; gives the sealed revision.
    ///
    /// # Errors
    /// [`AdministrationError`] where it cannot be written.
    pub async fn put_setting(
        &self,
        permit: &Permit<ManageDirectory>,
        setting: Setting,
        request_id: &str,
    ) -> Result<Answer<String>, AdministrationError> {
        let write = Write::PutSetting(permit.tenant().clone(), setting);
        let committed = self.commit(permit.caller(), write, 200, request_id).await?;
        Ok(Answer::new(committed.revision, committed.receipt))
    }

    /// Records that the schemas of the directory are told.
    ///
    /// # Errors
    /// [`AdministrationError`] where it cannot be recorded.
    pub async fn described<T>(
        &self,
        permit: &Permit<ManageDirectory>,
        body: T,
        request_id: &str,
    ) -> Result<Answer<T>, AdministrationError> {
        let resource = Some("schemas".to_owned());
        self.recorded(permit.caller(), Action::ReadDirectory, resource, 1, body, request_id).await
    }
}
