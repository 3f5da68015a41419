-- Folders, whose ACL is that of what lies in them. `documents.acl` stays what holds for a document; it is worked out anew, in one transaction, when a folder above it changes.

CREATE TABLE folders (
    tenant_id TEXT NOT NULL,
    collection_id TEXT NOT NULL,
    folder_id TEXT NOT NULL,
    parent_id TEXT,
    acl TEXT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (tenant_id, collection_id, folder_id),
    FOREIGN KEY (tenant_id, collection_id) REFERENCES collections (tenant_id, collection_id),
    FOREIGN KEY (tenant_id, collection_id, parent_id) REFERENCES folders (tenant_id, collection_id, folder_id)
) WITHOUT ROWID;

CREATE INDEX folders_by_parent ON folders (tenant_id, collection_id, parent_id);

CREATE TABLE placements (
    tenant_id TEXT NOT NULL,
    collection_id TEXT NOT NULL,
    document_id TEXT NOT NULL,
    folder_id TEXT NOT NULL,
    acl TEXT, -- the document's own, if it has one
    digest BLOB NOT NULL,
    PRIMARY KEY (tenant_id, collection_id, document_id),
    FOREIGN KEY (tenant_id, collection_id, document_id) REFERENCES documents (tenant_id, collection_id, document_id)
        DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, collection_id, folder_id) REFERENCES folders (tenant_id, collection_id, folder_id)
) WITHOUT ROWID;

CREATE INDEX placements_by_folder ON placements (tenant_id, collection_id, folder_id);
