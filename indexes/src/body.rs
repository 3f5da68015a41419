//! What of a document is needed only once it was found: its passages and what travels beside them, as bytes.
//!
//! The form lives as long as the process and is read by nothing else, so it has no version.

use std::{ops::Range, sync::Arc};

use ringfence_ingest::{Action, Finding, FindingKind, PreparedChunk, RedactionCount, RedactionKind, UntrustedText};
use serde_json::{Map, Value};

use crate::{acl::Timestamp, document::DocumentInfo, error::EngineError};

/// What travels beside a document, but for its metadata and version, which are held where they can be asked quickly.
#[expect(clippy::disallowed_methods, reason = "the labels are set aside by this process for itself")]
pub(crate) fn write_info(info: &DocumentInfo) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in [&info.title, &info.uri] {
        number(&mut bytes, usize::from(label.is_some()));
        text(&mut bytes, label.as_ref().map_or("", UntrustedText::expose_untrusted));
    }
    text(&mut bytes, &info.content_hash);
    bytes.extend_from_slice(&info.ingested_at.0.to_le_bytes());
    text(&mut bytes, &info.ingested_by);
    number(&mut bytes, info.removed);
    findings(&mut bytes, &info.findings);
    number(&mut bytes, usize::from(info.sanitizer.is_some()));
    text(&mut bytes, info.sanitizer.as_deref().unwrap_or_default());
    bytes
}

/// What [`write_info`] wrote.
pub(crate) fn read_info(
    bytes: &[u8],
    metadata: Option<&Arc<Map<String, Value>>>,
    version: u32,
) -> Result<DocumentInfo, EngineError> {
    let mut bytes = Reader(bytes);
    let mut label = || -> Result<Option<UntrustedText>, EngineError> {
        let is_there = bytes.number()? == 1;
        let text = bytes.text()?;
        Ok(is_there.then(|| UntrustedText::new(text)))
    };
    let (title, uri) = (label()?, label()?);
    Ok(DocumentInfo {
        title,
        uri,
        metadata: metadata.map(|metadata| Map::clone(metadata)).unwrap_or_default(),
        content_hash: bytes.text()?,
        ingested_at: Timestamp(i64::from_le_bytes(bytes.array()?)),
        ingested_by: bytes.text()?,
        version,
        removed: bytes.number()?,
        findings: bytes.findings()?,
        sanitizer: (bytes.number()? == 1).then_some(bytes.text()?),
    })
}

/// A passage.
#[expect(clippy::disallowed_methods, reason = "the passage is set aside by this process for itself")]
pub(crate) fn write_chunk(chunk: &PreparedChunk) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(chunk.text().len() + chunk.heading().len() + 48);
    text(&mut bytes, chunk.text().expose_untrusted());
    text(&mut bytes, chunk.heading());
    range(&mut bytes, &chunk.span());
    number(&mut bytes, chunk.ordinal() as usize);
    findings(&mut bytes, chunk.findings());
    number(&mut bytes, chunk.masked().len());
    for masked in chunk.masked() {
        text(&mut bytes, masked.kind.name());
        number(&mut bytes, masked.count as usize);
    }
    bytes
}

/// What [`write_chunk`] wrote.
#[expect(clippy::disallowed_methods, reason = "this process gives back what it was given; the checksum says so")]
pub(crate) fn read_chunk(bytes: &[u8]) -> Result<PreparedChunk, EngineError> {
    let mut bytes = Reader(bytes);
    let text = UntrustedText::new(bytes.text()?);
    let heading = bytes.text()?;
    let span = bytes.range()?;
    let ordinal = bytes.small()?;
    let findings = bytes.findings()?;
    let count = bytes.number()?;
    let masked = (0..count).map(|_| {
        let kind = RedactionKind::from_name(&bytes.text()?).ok_or(EngineError::Damaged)?;
        Ok(RedactionCount { kind, count: bytes.small()? })
    });
    let masked = masked.collect::<Result<_, EngineError>>()?;
    Ok(PreparedChunk::assert_prepared(text, heading, span, ordinal, findings, masked))
}

fn number(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend_from_slice(&(number as u64).to_le_bytes());
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    number(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

fn range(bytes: &mut Vec<u8>, range: &Range<usize>) {
    number(bytes, range.start);
    number(bytes, range.end);
}

fn findings(bytes: &mut Vec<u8>, findings: &[Finding]) {
    number(bytes, findings.len());
    for finding in findings {
        text(bytes, finding.kind.name());
        text(bytes, finding.action.name());
        range(bytes, &finding.range);
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], EngineError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(EngineError::Damaged)?;
        self.0 = rest;
        Ok(*array)
    }

    fn number(&mut self) -> Result<usize, EngineError> {
        usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|_| EngineError::Damaged)
    }

    fn small(&mut self) -> Result<u32, EngineError> {
        u32::try_from(self.number()?).map_err(|_| EngineError::Damaged)
    }

    fn text(&mut self) -> Result<String, EngineError> {
        let length = self.number()?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(EngineError::Damaged)?;
        self.0 = rest;
        Ok(std::str::from_utf8(text).map_err(|_| EngineError::Damaged)?.to_owned())
    }

    fn range(&mut self) -> Result<Range<usize>, EngineError> {
        Ok(self.number()?..self.number()?)
    }

    fn findings(&mut self) -> Result<Vec<Finding>, EngineError> {
        let count = self.number()?;
        let finding = |_| {
            let kind = FindingKind::from_name(&self.text()?).ok_or(EngineError::Damaged)?;
            let action = Action::from_name(&self.text()?).ok_or(EngineError::Damaged)?;
            Ok(Finding { kind, action, range: self.range()? })
        };
        (0..count).map(finding).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_comes_back_whole_and_a_cut_one_is_refused() {
        let finding = Finding { kind: FindingKind::Comment, action: Action::Stripped, range: 3..9 };
        let info = DocumentInfo {
            title: Some(UntrustedText::new("a title".into())),
            uri: None,
            metadata: Map::new(),
            content_hash: "blake3:00".into(),
            ingested_at: Timestamp(-5),
            ingested_by: "service:sync".into(),
            version: 3,
            findings: vec![finding.clone(), finding.clone()],
            removed: 2,
            sanitizer: Some("rules-1".into()),
        };
        let bytes = write_info(&info);
        assert_eq!(read_info(&bytes, None, 3).unwrap(), info);
        #[expect(clippy::disallowed_methods, reason = "a test prepares its own passage")]
        let chunk = PreparedChunk::assert_prepared(
            UntrustedText::new("the text, späť".into()),
            "one › two".into(),
            4..19,
            7,
            vec![finding],
            vec![RedactionCount { kind: RedactionKind::Jwt, count: 2 }],
        );
        let passage = write_chunk(&chunk);
        assert_eq!(read_chunk(&passage).unwrap(), chunk);
        for cut in 0..passage.len() {
            assert!(read_chunk(&passage[..cut]).is_err(), "{cut}");
        }
        for cut in 0..bytes.len() {
            assert!(read_info(&bytes[..cut], None, 3).is_err(), "{cut}");
        }
    }
}
