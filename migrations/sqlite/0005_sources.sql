-- Originals are kept beside what is served, compressed and sealed under a key of the tenant, and the version of the sanitiser is recorded.
-- Rows of before have NULL in the new columns; what `quarantine.source` held in the clear is moved into `sources` at the next start.

ALTER TABLE documents ADD COLUMN sanitizer TEXT; -- the version of rules and model that made the passages
ALTER TABLE documents ADD COLUMN source_digest BLOB; -- of the row in `sources`, where there is one
ALTER TABLE documents ADD COLUMN decision TEXT; -- what a reviewer released it as: `strip` or `flag`

CREATE TABLE sources (
    tenant_id TEXT NOT NULL,
    collection_id TEXT NOT NULL,
    document_id TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (tenant_id, collection_id, document_id),
    FOREIGN KEY (tenant_id, collection_id, document_id) REFERENCES documents (tenant_id, collection_id, document_id)
);
