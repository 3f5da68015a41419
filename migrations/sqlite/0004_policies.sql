-- Every version of every tenant policy; a version without a text is its deletion. The newest version is the one that holds.
CREATE TABLE policies (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
    policy_name TEXT NOT NULL,
    version BIGINT NOT NULL,
    source TEXT,
    description TEXT NOT NULL,
    written_at BIGINT NOT NULL,
    written_by TEXT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (tenant_id, policy_name, version)
) WITHOUT ROWID;

-- What a tenant says of all its policies: one row, or none where nothing was said.
CREATE TABLE policy_settings (
    tenant_id TEXT NOT NULL PRIMARY KEY REFERENCES tenants (tenant_id),
    permit BIGINT NOT NULL,
    tests TEXT NOT NULL,
    written_at BIGINT NOT NULL,
    written_by TEXT NOT NULL,
    digest BLOB NOT NULL
) WITHOUT ROWID;
