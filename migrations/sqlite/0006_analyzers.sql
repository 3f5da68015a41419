-- How a collection's texts are cut into terms. Its digest counts only where it is not the default, so that older rows stay whole.
ALTER TABLE collections ADD COLUMN analyzer TEXT NOT NULL DEFAULT 'english';
