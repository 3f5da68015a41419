//! The store.

mod records;

pub use records::{CollectionRecord, TenantRecord, Trust};
