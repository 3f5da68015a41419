-- The secret that a key had before it was rotated, for as long as both are taken.
ALTER TABLE keys ADD COLUMN previous_hash BLOB;
ALTER TABLE keys ADD COLUMN previous_until BIGINT;

-- Tokens that are refused although their issuer still stands by them.
CREATE TABLE revocations (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
    revocation_id TEXT NOT NULL, -- what is revoked, as a hash: revoking it again changes the row
    issuer TEXT, -- with jti: one token
    jti TEXT,
    subject TEXT, -- with issued_before: every token of this subject from before that moment
    issued_before BIGINT,
    expires_at BIGINT, -- forgotten after this moment; never where it is empty
    created_at BIGINT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (tenant_id, revocation_id)
) WITHOUT ROWID;
