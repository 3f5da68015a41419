//! The signed envelope of an answer: that this server gave it, to this tenant, for this query, and that nothing of it was changed, added, taken out or moved.
//!
//! It has two layers, so that it can be checked with the whole answer or carried on without it: the signature covers the envelope, and the envelope holds digests of the query, of the whole answer, and of each result and its text, in their order.
//!
//! - Signed are the bytes `ringfence-envelope-1`, a line feed, and the canonical form of the envelope without `signature`.
//! - `answer_digest` is over the canonical form of the answer without `envelope`; `digest` of a result over the canonical form of that result; `text_digest` and `query_digest` over the UTF-8 of the text and the query. All are SHA-256, written `sha256:` and hexadecimal.
//! - The canonical form is RFC 8785: see [`canonical`].
//! - `key_id` is the key's thumbprint (RFC 7638); the public keys are a JWK Set (RFC 8037, OKP).

mod canonical;
mod keys;

use std::fmt;

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{Ed25519KeyPair, KeyPair},
};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ringfence_indexes::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::{
    canonical::canonical,
    keys::{InvalidKeys, PublicKeys},
};
use crate::{
    acl_form::{format_time, parse_time},
    authn::strict_json,
    seal::MasterKey,
};

/// The name of this form of envelope, and what is signed before it.
const VERSION: &str = "ringfence-envelope-1";
const ALGORITHM: &str = "Ed25519";
/// How long an envelope holds: an answer is for the moment, not for the archive.
pub const LIFETIME_SECONDS: i64 = 300;
/// How far the clocks of server and verifier may be apart.
const LEEWAY_MICROS: i64 = 60 * 1_000_000;
const SECOND_MICROS: i64 = 1_000_000;

/// The envelope of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "version": "ringfence-envelope-1", "algorithm": "Ed25519", "key_id": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "audience": "acme",
    "issued_at": "2026-11-03T09:12:44.018Z", "expires_at": "2026-11-03T09:17:44.018Z",
    "query_digest": "sha256:9f2c…", "answer_digest": "sha256:1b0e…",
    "results": [{"chunk_id": "4b1c9e0f7a2d4c6e8f90123456789abc", "text_digest": "sha256:77aa…", "digest": "sha256:03d1…"}], "signature": "…"
}))]
pub struct Envelope {
    /// The form of the envelope: `ringfence-envelope-1`.
    pub version: String,
    /// `Ed25519`.
    pub algorithm: String,
    /// Which of the server's keys signed: its thumbprint (RFC 7638).
    pub key_id: String,
    /// The tenant that asked.
    pub audience: String,
    /// When it was signed.
    pub issued_at: String,
    /// Until when it holds.
    pub expires_at: String,
    /// The SHA-256 of the query's text.
    pub query_digest: String,
    /// The SHA-256 of the canonical form of the whole answer without `envelope`.
    pub answer_digest: String,
    /// The results in their order.
    pub results: Vec<ResultDigest>,
    /// The signature, in base64url.
    pub signature: String,
}

/// One result of an answer, for who passes it on without the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"chunk_id": "4b1c9e0f7a2d4c6e8f90123456789abc", "text_digest": "sha256:77aa…", "digest": "sha256:03d1…"}))]
pub struct ResultDigest {
    /// The passage's name.
    pub chunk_id: String,
    /// The SHA-256 of its text.
    pub text_digest: String,
    /// The SHA-256 of the canonical form of the whole result: text, labels, scores and place.
    pub digest: String,
}

/// What an answer is expected to be.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// The query that was asked.
    pub query: &'a str,
    /// The tenant that asked, where that is known.
    pub audience: Option<&'a str>,
    /// The present.
    pub now: Timestamp,
}

/// Why an answer is not what its envelope says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not an answer of this server's form.
    #[error("this is not an answer with an envelope: {0}")]
    Malformed(&'static str),
    /// No public key of that name.
    #[error("the key `{0}` is not among the public keys")]
    UnknownKey(String),
    /// The envelope was changed, or somebody else signed it.
    #[error("the signature is not right")]
    Signature,
    /// Something of the answer was changed, added, taken out or moved.
    #[error("the answer is not the one that was signed")]
    Answer,
    /// It answers another query.
    #[error("the answer is to another query")]
    OtherQuery,
    /// It was given to another tenant.
    #[error("the answer was given to another tenant")]
    OtherAudience,
    /// It does not hold any more.
    #[error("the envelope ran out at {0}")]
    Expired(String),
    /// It is dated after the present.
    #[error("the envelope is of the future: {0}")]
    Future(String),
}

/// Signs answers with a key that derives from the master key.
pub struct AnswerSigner {
    pair: Ed25519KeyPair,
    key_id: String,
}

impl AnswerSigner {
    /// The signer of a server; the same for the same master key.
    ///
    /// # Panics
    /// Never: 32 bytes are a seed.
    #[must_use]
    pub fn derive(master: &MasterKey) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&master.derive("answer envelope")).expect("32 bytes are a seed");
        let key_id = keys::thumbprint(pair.public_key().as_ref());
        Self { pair, key_id }
    }

    /// The public half, for those who verify.
    #[must_use]
    pub fn public_keys(&self) -> PublicKeys {
        PublicKeys::of(self.pair.public_key().as_ref())
    }

    /// The envelope of an answer, which is JSON without one.
    ///
    /// # Errors
    /// [`EnvelopeError::Malformed`] for what is no answer.
    pub fn sign(
        &self,
        answer: &[u8],
        query: &str,
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<Envelope, EnvelopeError> {
        let answer = strict_json::parse(answer).map_err(|_| EnvelopeError::Malformed("it is not JSON"))?;
        let mut envelope = Envelope {
            version: VERSION.to_owned(),
            algorithm: ALGORITHM.to_owned(),
            key_id: self.key_id.clone(),
            audience: tenant.as_str().to_owned(),
            issued_at: format_time(now),
            expires_at: format_time(Timestamp(now.0.saturating_add(LIFETIME_SECONDS * SECOND_MICROS))),
            query_digest: sha256(query.as_bytes()),
            answer_digest: sha256(canonical(&answer).as_bytes()),
            results: digests(&answer)?,
            signature: String::new(),
        };
        envelope.signature = BASE64URL_NOPAD.encode(self.pair.sign(&signed(&envelope)?).as_ref());
        Ok(envelope)
    }
}

/// Checks an answer against its envelope.
///
/// # Errors
/// [`EnvelopeError`] says what does not hold.
pub fn verify(answer: &[u8], keys: &PublicKeys, demand: &Demand<'_>) -> Result<Envelope, EnvelopeError> {
    // A second member of a name would be read by one program and overlooked by another.
    let mut answer =
        strict_json::parse(answer).map_err(|_| EnvelopeError::Malformed("it is not JSON, or has a member twice"))?;
    let envelope = answer.as_object_mut().and_then(|members| members.remove("envelope"));
    let envelope = envelope.ok_or(EnvelopeError::Malformed("it has no `envelope`"))?;
    let envelope: Envelope =
        serde_json::from_value(envelope).map_err(|_| EnvelopeError::Malformed("its `envelope` has another form"))?;
    if envelope.version != VERSION || envelope.algorithm != ALGORITHM {
        return Err(EnvelopeError::Malformed("its `envelope` is of another version"));
    }
    let signature = BASE64URL_NOPAD.decode(envelope.signature.as_bytes()).map_err(|_| EnvelopeError::Signature)?;
    keys.verify(&envelope.key_id, &signed(&envelope)?, &signature)?;
    let is_whole = envelope.answer_digest == sha256(canonical(&answer).as_bytes());
    if !is_whole || envelope.results != digests(&answer)? {
        return Err(EnvelopeError::Answer);
    }
    if envelope.query_digest != sha256(demand.query.as_bytes()) {
        return Err(EnvelopeError::OtherQuery);
    }
    if demand.audience.is_some_and(|audience| audience != envelope.audience) {
        return Err(EnvelopeError::OtherAudience);
    }
    let time = |text: &str| parse_time(text).ok_or(EnvelopeError::Malformed("a time of its `envelope` is none"));
    if time(&envelope.expires_at)? <= demand.now {
        return Err(EnvelopeError::Expired(envelope.expires_at));
    }
    if time(&envelope.issued_at)?.0 > demand.now.0.saturating_add(LEEWAY_MICROS) {
        return Err(EnvelopeError::Future(envelope.issued_at));
    }
    Ok(envelope)
}

/// What is signed of an envelope.
fn signed(envelope: &Envelope) -> Result<Vec<u8>, EnvelopeError> {
    let mut value =
        serde_json::to_value(envelope).map_err(|_| EnvelopeError::Malformed("its `envelope` has another form"))?;
    if let Some(members) = value.as_object_mut() {
        members.remove("signature");
    }
    Ok(format!("{VERSION}\n{}", canonical(&value)).into_bytes())
}

fn digests(answer: &Value) -> Result<Vec<ResultDigest>, EnvelopeError> {
    let malformed = || EnvelopeError::Malformed("its `results` have another form");
    let results = answer["results"].as_array().ok_or_else(malformed)?;
    let digest_of = |result: &Value| {
        Some(ResultDigest {
            chunk_id: result["chunk_id"].as_str()?.to_owned(),
            text_digest: sha256(result["text"].as_str()?.as_bytes()),
            digest: sha256(canonical(result).as_bytes()),
        })
    };
    results.iter().map(digest_of).collect::<Option<_>>().ok_or_else(malformed)
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", HEXLOWER.encode(digest(&SHA256, bytes).as_ref()))
}

impl fmt::Debug for AnswerSigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AnswerSigner").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
