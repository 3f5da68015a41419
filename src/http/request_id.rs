//! The id of a request: random, of constant length, so that it tells nothing but which request it was.

use data_encoding::HEXLOWER;

use crate::entropy::Entropy;

/// The id of one request, in answers, audit records and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// A new id of 128 random bits.
    #[must_use]
    pub fn random() -> Self {
        Self(HEXLOWER.encode(&Entropy::System.bytes::<16>()))
    }

    /// The id of a request that has one already.
    #[must_use]
    pub(super) fn known(id: &str) -> Self {
        Self(id.to_owned())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_length_and_differ() {
        let (one, other) = (RequestId::random(), RequestId::random());
        assert_eq!((one.as_str().len(), other.as_str().len()), (32, 32));
        assert_ne!(one, other);
    }
}
