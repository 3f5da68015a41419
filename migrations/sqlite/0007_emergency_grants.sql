-- Emergency grants: who was let in where, for how long and why. Those that are over stay for a time, to be accounted for.
CREATE TABLE emergency_grants (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
    grant_id TEXT NOT NULL, -- rises with the moment of the declaration
    holder TEXT NOT NULL, -- the bearer of a principal's name
    collection_id TEXT NOT NULL, -- a name: the collection need not exist
    documents TEXT NOT NULL, -- a pattern of document names
    reason TEXT NOT NULL,
    declared_at BIGINT NOT NULL,
    declared_by TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT, -- before its time
    ended_by TEXT,
    digest BLOB NOT NULL,
    PRIMARY KEY (tenant_id, grant_id)
) WITHOUT ROWID;
