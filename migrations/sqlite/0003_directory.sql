-- The people of a tenant's directory, the names they bear, and what a tenant says of its directory.

CREATE TABLE users (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
    user_id TEXT NOT NULL, -- random
    user_name TEXT NOT NULL, -- the principal without `user:`, byte for byte
    folded_name TEXT NOT NULL, -- without differences of case: no two users have the same
    external_id TEXT,
    active BIGINT NOT NULL,
    resource TEXT NOT NULL, -- the SCIM resource as JSON
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
) WITHOUT ROWID;

CREATE UNIQUE INDEX users_by_name ON users (tenant_id, folded_name);
CREATE UNIQUE INDEX users_by_principal ON users (tenant_id, user_name);
CREATE INDEX users_by_external_id ON users (tenant_id, external_id);

-- Every name that a user bears or ever bore. It outlives its bearer, so that the next one of the name is told apart.
CREATE TABLE user_names (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
    user_name TEXT NOT NULL,
    generation BIGINT NOT NULL, -- how many others bore it before
    user_id TEXT, -- nobody bears it where there is none
    since BIGINT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (tenant_id, user_name)
) WITHOUT ROWID;

CREATE TABLE directory_settings (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
    setting TEXT NOT NULL,
    content TEXT NOT NULL, -- JSON
    digest BLOB NOT NULL,
    PRIMARY KEY (tenant_id, setting)
) WITHOUT ROWID;

-- A group from before has no id until the server starts and gives it one; its digest is of the old columns as long.
ALTER TABLE groups ADD COLUMN group_id TEXT;
ALTER TABLE groups ADD COLUMN external_id TEXT;
ALTER TABLE groups ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE groups ADD COLUMN changed_at BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX groups_by_id ON groups (tenant_id, group_id);
CREATE INDEX groups_by_external_id ON groups (tenant_id, external_id);
CREATE INDEX members_by_member ON members (tenant_id, member);
