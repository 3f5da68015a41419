//! Not landed yet.
