-- The names of groups that were given up: another group of the name is told apart from those that bore it before.
CREATE TABLE group_names (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
    group_name TEXT NOT NULL, -- the principal
    generation BIGINT NOT NULL, -- how many groups bore it before the next one
    since BIGINT NOT NULL, -- when it was given up last
    digest BLOB NOT NULL,
    PRIMARY KEY (tenant_id, group_name)
) WITHOUT ROWID;
