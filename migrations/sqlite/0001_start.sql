-- Ids are TEXT, times BIGINT microseconds since the Unix epoch, digests and vectors BLOB.
-- Every row carries a digest of its own columns; a ledger sums up the digests of all rows of a tenant, so that a damaged, lost or foreign row is found when the tenant is read.

CREATE TABLE ledgers (
    tenant_id TEXT NOT NULL PRIMARY KEY, -- the empty name is the server itself: its tenants and operators' keys
    revision BIGINT NOT NULL,
    checksum BLOB NOT NULL,
    digest BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE tenants (
    tenant_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    digest BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE collections (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
    collection_id TEXT NOT NULL,
    description TEXT NOT NULL,
    default_acl TEXT,
    readers TEXT NOT NULL,
    writers TEXT NOT NULL,
    trust TEXT NOT NULL,
    sanitize TEXT NOT NULL,
    redact TEXT NOT NULL,
    retention_days BIGINT,
    accept TEXT NOT NULL,
    embedding TEXT NOT NULL,
    dimensions BIGINT NOT NULL,
    embedder TEXT, -- the fingerprint of the built-in embedder that made the vectors
    created_at BIGINT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (tenant_id, collection_id)
) WITHOUT ROWID;

CREATE TABLE documents (
    tenant_id TEXT NOT NULL,
    collection_id TEXT NOT NULL,
    document_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'quarantined')),
    acl TEXT NOT NULL,
    title TEXT,
    uri TEXT,
    metadata TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    ingested_at BIGINT NOT NULL,
    ingested_by TEXT NOT NULL,
    version BIGINT NOT NULL,
    findings TEXT NOT NULL,
    removed BIGINT NOT NULL,
    fingerprint BLOB NOT NULL, -- what an index that holds the document must give
    content_digest BLOB NOT NULL, -- of the row in `contents` or `quarantine`
    digest BLOB NOT NULL,
    PRIMARY KEY (tenant_id, collection_id, document_id),
    FOREIGN KEY (tenant_id, collection_id) REFERENCES collections (tenant_id, collection_id)
) WITHOUT ROWID;

CREATE INDEX documents_by_age ON documents (tenant_id, collection_id, ingested_at);

-- The passages of a document in one row: they are written, read and deleted together.
CREATE TABLE contents (
    tenant_id TEXT NOT NULL,
    collection_id TEXT NOT NULL,
    document_id TEXT NOT NULL,
    chunks BLOB NOT NULL, -- JSON: text, heading, span, ordinal, findings, masked
    vectors BLOB NOT NULL, -- little-endian f32, one vector after another
    PRIMARY KEY (tenant_id, collection_id, document_id),
    FOREIGN KEY (tenant_id, collection_id, document_id) REFERENCES documents (tenant_id, collection_id, document_id)
);

-- Sources that are held back, as they came, for review.
CREATE TABLE quarantine (
    tenant_id TEXT NOT NULL,
    collection_id TEXT NOT NULL,
    document_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    source BLOB NOT NULL,
    PRIMARY KEY (tenant_id, collection_id, document_id),
    FOREIGN KEY (tenant_id, collection_id, document_id) REFERENCES documents (tenant_id, collection_id, document_id)
);

CREATE TABLE groups (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
    group_name TEXT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (tenant_id, group_name)
) WITHOUT ROWID;

CREATE TABLE members (
    tenant_id TEXT NOT NULL,
    group_name TEXT NOT NULL,
    member TEXT NOT NULL,
    PRIMARY KEY (tenant_id, group_name, member),
    FOREIGN KEY (tenant_id, group_name) REFERENCES groups (tenant_id, group_name)
) WITHOUT ROWID;

CREATE TABLE keys (
    tenant_id TEXT NOT NULL, -- empty for an operator's key
    key_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    subject TEXT,
    scopes TEXT NOT NULL,
    collections TEXT,
    groups TEXT NOT NULL,
    attributes TEXT NOT NULL,
    networks TEXT,
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    secret_hash BLOB NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (tenant_id, key_id)
) WITHOUT ROWID;

-- When a key was last used: written now and then, and worth no digest.
CREATE TABLE key_uses (
    tenant_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    used_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, key_id)
) WITHOUT ROWID;
