//! Revocations of tokens as rows.

use ringfence_indexes::{Principal, TenantId, Timestamp};
use sqlx::{FromRow, SqliteConnection};

use super::{
    StoreError,
    digest::{RowDigest, digest_of},
    error::damaged,
};
use crate::authn::{Revocation, RevocationTarget};

#[derive(FromRow)]
struct RevocationRow {
    tenant_id: String,
    revocation_id: String,
    issuer: Option<String>,
    jti: Option<String>,
    subject: Option<String>,
    issued_before: Option<i64>,
    expires_at: Option<i64>,
    created_at: i64,
    digest: Vec<u8>,
}

impl RevocationRow {
    fn new(revocation: &Revocation) -> Self {
        let (issuer, jti, subject, issued_before) = match &revocation.target {
            RevocationTarget::Token { issuer, jti } => (Some(issuer.clone()), Some(jti.clone()), None, None),
            RevocationTarget::Subject { subject, issued_before } => {
                (None, None, Some(subject.as_str().to_owned()), Some(issued_before.0))
            }
        };
        let mut row = Self {
            tenant_id: revocation.tenant.as_str().to_owned(),
            revocation_id: revocation.id(),
            issuer,
            jti,
            subject,
            issued_before,
            expires_at: revocation.expires_at.map(|time| time.0),
            created_at: revocation.created_at.0,
            digest: Vec::new(),
        };
        row.digest = row.compute_digest().to_vec();
        row
    }

    fn compute_digest(&self) -> [u8; 32] {
        RowDigest::of("revocations")
            .text(&self.tenant_id)
            .text(&self.revocation_id)
            .maybe_text(self.issuer.as_deref())
            .maybe_text(self.jti.as_deref())
            .maybe_text(self.subject.as_deref())
            .maybe_int(self.issued_before)
            .maybe_int(self.expires_at)
            .int(self.created_at)
            .finish()
    }

    fn read(self) -> Result<(Revocation, [u8; 32]), StoreError> {
        let digest = digest_of(&self.digest)?;
        let fault = || damaged(format!("revocation `{}` of `{}`", self.revocation_id, self.tenant_id));
        if digest != self.compute_digest() {
            return Err(fault());
        }
        let target = match (&self.issuer, &self.jti, &self.subject, self.issued_before) {
            (Some(issuer), Some(jti), None, None) => {
                RevocationTarget::Token { issuer: issuer.clone(), jti: jti.clone() }
            }
            (None, None, Some(subject), Some(issued_before)) => RevocationTarget::Subject {
                subject: Principal::new(subject).map_err(|_| fault())?,
                issued_before: Timestamp(issued_before),
            },
            _ => return Err(fault()),
        };
        let revocation = Revocation {
            tenant: TenantId::new(&self.tenant_id).map_err(|_| fault())?,
            target,
            expires_at: self.expires_at.map(Timestamp),
            created_at: Timestamp(self.created_at),
        };
        Ok((revocation, digest))
    }
}

/// Every revocation of a tenant with its digest.
pub(super) async fn all(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
) -> Result<Vec<(Revocation, [u8; 32])>, StoreError> {
    let rows: Vec<RevocationRow> = sqlx::query_as(
        "SELECT tenant_id, revocation_id, issuer, jti, subject, issued_before, expires_at, created_at, digest \
         FROM revocations WHERE tenant_id = $1 ORDER BY revocation_id",
    )
    .bind(tenant.as_str())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(RevocationRow::read).collect()
}

/// The digest of the row that holds a revocation.
pub(super) fn digest(revocation: &Revocation) -> [u8; 32] {
    RevocationRow::new(revocation).compute_digest()
}

/// Writes a revocation and gives back its digest.
pub(super) async fn put(connection: &mut SqliteConnection, revocation: &Revocation) -> Result<[u8; 32], StoreError> {
    let row = RevocationRow::new(revocation);
    let digest = digest_of(&row.digest)?;
    sqlx::query(
        "INSERT INTO revocations (tenant_id, revocation_id, issuer, jti, subject, issued_before, expires_at, \
         created_at, digest) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (tenant_id, revocation_id) DO UPDATE SET issuer = excluded.issuer, jti = excluded.jti, \
         subject = excluded.subject, issued_before = excluded.issued_before, expires_at = excluded.expires_at, \
         created_at = excluded.created_at, digest = excluded.digest",
    )
    .bind(row.tenant_id)
    .bind(row.revocation_id)
    .bind(row.issuer)
    .bind(row.jti)
    .bind(row.subject)
    .bind(row.issued_before)
    .bind(row.expires_at)
    .bind(row.created_at)
    .bind(row.digest)
    .execute(connection)
    .await?;
    Ok(digest)
}

/// Deletes a revocation.
pub(super) async fn delete(connection: &mut SqliteConnection, tenant: &TenantId, id: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM revocations WHERE tenant_id = $1 AND revocation_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}
