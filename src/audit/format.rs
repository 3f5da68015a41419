//! The lines of a log and of its checkpoints.
//!
//! A record is a JSON object whose last field is the hash of every byte before it, `prev` included; so a changed byte anywhere breaks the chain.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use data_encoding::HEXLOWER;
use ringfence_indexes::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::AuditEvent;

/// What the first record of a chain calls the hash before it.
pub(super) const GENESIS: [u8; 32] = [0; 32];
const HASH_FIELD: &str = ",\"hash\":\"";
const LINE_END: &str = "\"}";

#[derive(Serialize)]
struct Record<'a> {
    seq: u64,
    at: i64,
    actor: ActorLine<'a>,
    action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
    status: u16,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<QueryLine<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    documents: &'a [String],
    count: usize,
    prev: String,
}

#[derive(Serialize)]
struct ActorLine<'a> {
    credential: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acting_for: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'a str>,
}

#[derive(Serialize)]
struct QueryLine<'a> {
    hash: &'a str,
    length_bucket: usize,
}

/// The place of a record in its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Its number, from 1.
    pub(super) seq: u64,
    /// Its hash.
    pub(super) hash: [u8; 32],
}

impl Link {
    /// Where a chain starts.
    pub(super) const START: Self = Self { seq: 0, hash: GENESIS };
}

/// Writes the record that follows `previous`, line end included.
pub(super) fn write_record(event: &AuditEvent, previous: Link, at: Timestamp, out: &mut String) -> Link {
    let seq = previous.seq + 1;
    let record = Record {
        seq,
        at: at.0,
        actor: ActorLine {
            credential: &event.actor.credential,
            principal: event.actor.principal.as_deref(),
            acting_for: event.actor.acting_for.as_deref(),
            purpose: event.actor.purpose.as_deref(),
        },
        action: event.action.name(),
        resource: event.resource.as_deref(),
        status: event.status,
        request_id: &event.request_id,
        query: event.query.as_ref().map(|query| QueryLine { hash: &query.hash, length_bucket: query.length_bucket }),
        documents: &event.documents,
        count: event.count,
        prev: HEXLOWER.encode(&previous.hash),
    };
    let mut line = serde_json::to_string(&record).expect("a record of texts and numbers is JSON");
    line.pop();
    let hash = *blake3::hash(line.as_bytes()).as_bytes();
    out.push_str(&line);
    out.push_str(HASH_FIELD);
    out.push_str(&HEXLOWER.encode(&hash));
    out.push_str(LINE_END);
    out.push('\n');
    Link { seq, hash }
}

#[derive(Deserialize)]
struct ChainFields {
    seq: u64,
    prev: String,
}

/// Reads a line without its line end; `None` unless its hash is right. Gives its link and the hash before it.
pub(super) fn read_record(line: &[u8]) -> Option<(Link, [u8; 32])> {
    let line = std::str::from_utf8(line).ok()?;
    let (body, written) = line.strip_suffix(LINE_END)?.rsplit_once(HASH_FIELD)?;
    let hash = *blake3::hash(body.as_bytes()).as_bytes();
    if HEXLOWER.encode(&hash) != written {
        return None;
    }
    let fields: ChainFields = serde_json::from_str(line).ok()?;
    Some((Link { seq: fields.seq, hash }, read_hex(&fields.prev)?))
}

/// A signed head of a chain.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointLine {
    seq: u64,
    hash: String,
    prev: String,
    signature: String,
}

/// Writes a checkpoint after the one whose line hashes to `previous`; gives the hash of the new line.
pub(super) fn write_checkpoint(
    log: &str,
    head: Link,
    previous: [u8; 32],
    signer: &Ed25519KeyPair,
) -> (String, [u8; 32]) {
    let signature = signer.sign(&signed(log, head, &previous));
    let line = CheckpointLine {
        seq: head.seq,
        hash: HEXLOWER.encode(&head.hash),
        prev: HEXLOWER.encode(&previous),
        signature: HEXLOWER.encode(signature.as_ref()),
    };
    let mut line = serde_json::to_string(&line).expect("a checkpoint of texts and numbers is JSON");
    let hash = *blake3::hash(line.as_bytes()).as_bytes();
    line.push('\n');
    (line, hash)
}

/// Reads a checkpoint without its line end; `None` unless it is signed. Gives the head, the hash before it and its own.
pub(super) fn read_checkpoint(log: &str, line: &[u8], public: &[u8]) -> Option<(Link, [u8; 32], [u8; 32])> {
    let fields: CheckpointLine = serde_json::from_slice(line).ok()?;
    let head = Link { seq: fields.seq, hash: read_hex(&fields.hash)? };
    let previous = read_hex(&fields.prev)?;
    let signature = HEXLOWER.decode(fields.signature.as_bytes()).ok()?;
    UnparsedPublicKey::new(&ED25519, public).verify(&signed(log, head, &previous), &signature).ok()?;
    Some((head, previous, *blake3::hash(line).as_bytes()))
}

fn signed(log: &str, head: Link, previous: &[u8; 32]) -> Vec<u8> {
    let mut message = b"ringfence audit checkpoint\0".to_vec();
    message.extend_from_slice(log.as_bytes());
    message.push(0);
    message.extend_from_slice(&head.seq.to_le_bytes());
    message.extend_from_slice(&head.hash);
    message.extend_from_slice(previous);
    message
}

fn read_hex(text: &str) -> Option<[u8; 32]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}
