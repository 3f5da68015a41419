//! A document between parser and sanitiser, and its form on the way out of the cage.
//!
//! The parser runs in a process that may have been taken over by what it parsed. So what comes back is not believed: it is bounded, it has a closed vocabulary, and places that lie outside the text are refused.

use std::{io, ops::Range};

use serde::{Deserialize, Serialize};

use crate::{
    fault::Fault,
    finding::{Action, Finding, FindingKind},
    media_type::MediaType,
    parse::{self, TEXT_BYTES_MAX},
    prepare::PrepareError,
    source::{self, check_accepted, known_name},
};

/// What a parser may report about a document at most.
const FINDINGS_MAX: usize = 100_000;
/// A title longer than this is no title.
const TITLE_BYTES_MAX: usize = 4096;
/// An answer of the worker is no longer than this.
pub const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A parsed document that has not been sanitised: what a person would see, and what was hidden from that person.
///
/// ```compile_fail
/// fn show(parsed: &ringfence_ingest::ParsedDocument) -> &str { &parsed.text } // private: it goes to `prepare_parsed` and nowhere else
/// ```
#[derive(Clone)]
pub struct ParsedDocument {
    pub(crate) title: Option<String>,
    pub(crate) media_type: MediaType,
    pub(crate) text: String,
    pub(crate) findings: Vec<Finding>,
}

impl std::fmt::Debug for ParsedDocument {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ParsedDocument({}, {} bytes)", self.media_type.name(), self.text.len())
    }
}

/// Whether a file needs a parser, which runs in the cage. Plain text and Markdown are only decoded; what is not declared is looked at in the cage.
#[must_use]
pub fn needs_parser(media_type: Option<&str>) -> bool {
    let declared = media_type.map(source::essence);
    let format = declared.as_deref().and_then(MediaType::from_name);
    !matches!(format, Some(MediaType::Plain | MediaType::Markdown))
}

/// Refuses what can be refused by its declared type alone, before any parser is started.
///
/// # Errors
/// [`PrepareError::UnsupportedMediaType`] where no parser takes it, or the collection does not.
pub fn check_declared(media_type: Option<&str>, accept: &[String]) -> Result<(), PrepareError> {
    match media_type.and_then(source::declared_name) {
        Some(name) => check_accepted(source::known_format(&name)?, accept),
        None => Ok(()),
    }
}

/// Decides what a file is and parses it.
///
/// # Errors
/// [`PrepareError`] where it is refused.
pub fn parse_document(
    bytes: &[u8],
    media_type: Option<&str>,
    accept: &[String],
) -> Result<ParsedDocument, PrepareError> {
    let opened = source::open(bytes, media_type)?;
    check_accepted(opened.media_type, accept)?;
    let media_type = opened.media_type;
    let parsed = parse::parse(opened)?;
    let title = parsed.title.filter(|title| title.len() <= TITLE_BYTES_MAX);
    Ok(ParsedDocument { title, media_type, text: parsed.text, findings: parsed.findings })
}

/// The worker's answer.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Answer {
    Parsed(ParsedForm),
    Unparseable(String),
    /// The name that was detected; the server knows what was declared.
    Disguised(String),
    /// The detected name; `None` is what was declared.
    Unsupported(Option<String>),
    Empty,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ParsedForm {
    title: Option<String>,
    media_type: String,
    findings: Vec<(String, usize, usize)>,
    text: String,
}

/// Writes the outcome of [`parse_document`] for [`read_answer`].
///
/// # Errors
/// Those of the writer.
pub fn write_answer(outcome: Result<ParsedDocument, PrepareError>, out: impl io::Write) -> io::Result<()> {
    let answer = match outcome {
        Ok(parsed) => Answer::Parsed(ParsedForm {
            title: parsed.title,
            media_type: parsed.media_type.name().to_owned(),
            findings: parsed.findings.iter().map(place).collect(),
            text: parsed.text,
        }),
        Err(PrepareError::Unparseable(fault)) => Answer::Unparseable(fault.name().to_owned()),
        Err(PrepareError::DisguisedMediaType { detected, .. }) => Answer::Disguised(detected.to_owned()),
        Err(PrepareError::UnsupportedMediaType(name)) => {
            Answer::Unsupported(known_name(&name).is_some().then_some(name))
        }
        Err(PrepareError::Empty) => Answer::Empty,
    };
    serde_json::to_writer(out, &answer).map_err(io::Error::from)
}

fn place(finding: &Finding) -> (String, usize, usize) {
    (finding.kind.name().to_owned(), finding.range.start, finding.range.end)
}

/// Reads a worker's answer about a file that was declared as `media_type` to a collection that takes `accept`.
///
/// # Errors
/// What the worker refused; [`Fault::Crashed`] where its answer is none.
pub fn read_answer(answer: &[u8], media_type: Option<&str>, accept: &[String]) -> Result<ParsedDocument, PrepareError> {
    let broken = PrepareError::Unparseable(Fault::Crashed);
    let declared = || source::shorten(&media_type.map(source::essence).unwrap_or_default());
    match serde_json::from_slice(answer) {
        Ok(Answer::Parsed(form)) => {
            let parsed = form.check().ok_or(broken)?;
            check_accepted(parsed.media_type, accept)?;
            Ok(parsed)
        }
        Ok(Answer::Unparseable(name)) => Err(Fault::from_name(&name).map_or(broken, PrepareError::Unparseable)),
        Ok(Answer::Disguised(name)) => Err(match known_name(&name) {
            Some(detected) => PrepareError::DisguisedMediaType { declared: declared(), detected },
            None => broken,
        }),
        Ok(Answer::Unsupported(None)) => Err(PrepareError::UnsupportedMediaType(declared())),
        Ok(Answer::Unsupported(Some(name))) => Err(match known_name(&name) {
            Some(name) => PrepareError::UnsupportedMediaType(name.to_owned()),
            None => broken,
        }),
        Ok(Answer::Empty) => Err(PrepareError::Empty),
        Err(_) => Err(broken),
    }
}

impl ParsedForm {
    fn check(self) -> Option<ParsedDocument> {
        let title_fits = self.title.as_ref().is_none_or(|title| title.len() <= TITLE_BYTES_MAX);
        if !title_fits || self.text.len() > TEXT_BYTES_MAX || self.findings.len() > FINDINGS_MAX {
            return None;
        }
        let finding = |(name, start, end): &(String, usize, usize)| finding(name, *start..*end, &self.text);
        let findings = self.findings.iter().map(finding).collect::<Option<Vec<_>>>()?;
        let media_type = MediaType::from_name(&self.media_type)?;
        Some(ParsedDocument { title: self.title, media_type, text: self.text, findings })
    }
}

/// A parser leaves out what is hidden, and nothing else: its findings have no other action.
fn finding(name: &str, range: Range<usize>, text: &str) -> Option<Finding> {
    let kind = FindingKind::from_name(name)?;
    let is_place = range.start <= range.end && text.is_char_boundary(range.start) && text.is_char_boundary(range.end);
    is_place.then_some(Finding { kind, action: Action::Stripped, range })
}

#[cfg(test)]
mod tests {
    use super::{ParsedDocument, check_declared, needs_parser, parse_document, read_answer, write_answer};
    use crate::{fault::Fault, prepare::PrepareError};

    const PAGE: &[u8] = b"<title>T</title><p>shown</p><p hidden>not</p>";

    fn through_the_border(
        bytes: &[u8],
        declared: Option<&str>,
        accept: &[String],
    ) -> (Result<ParsedDocument, PrepareError>, Result<ParsedDocument, PrepareError>) {
        let mut answer = Vec::new();
        write_answer(parse_document(bytes, declared, accept), &mut answer).expect("writes");
        (parse_document(bytes, declared, accept), read_answer(&answer, declared, accept))
    }

    #[test]
    fn an_outcome_crosses_the_border_unchanged() {
        let (before, after) = through_the_border(PAGE, Some("text/html"), &[]);
        let (before, after) = (before.expect("parses"), after.expect("crosses"));
        assert_eq!((before.title, before.media_type, before.text), (after.title, after.media_type, after.text));
        assert_eq!((before.findings.len(), before.findings), (1, after.findings));
        let only_plain = ["text/plain".to_owned()];
        for (bytes, declared, accept) in [
            (b"".as_slice(), Some("text/html"), &[][..]),
            (b"%PDF-1.7", Some("Text/Html; charset=x"), &[]),
            (b"\x7fELF\x02", None, &[]),
            (b"x", Some("application/x-strange"), &[]),
            (b"{", Some("application/json"), &[]),
            (b"<p>x", Some("text/html"), &only_plain),
        ] {
            let (before, after) = through_the_border(bytes, declared, accept);
            assert_eq!(before.expect_err("is refused"), after.expect_err("is refused"), "{declared:?}");
        }
    }

    #[test]
    fn what_is_too_long_for_a_title_is_none() {
        let page = format!("<title>{}</title><p>shown</p>", "t".repeat(super::TITLE_BYTES_MAX + 1));
        let (before, after) = through_the_border(page.as_bytes(), Some("text/html"), &[]);
        assert_eq!((before.expect("parses").title, after.expect("crosses").title), (None, None));
    }

    #[test]
    fn what_a_taken_over_worker_says_is_not_believed() {
        let answers = [
            "",
            "{}",
            "null",
            r#"{"unparseable":"<b>my own words</b>"}"#,
            r#"{"disguised":"application/my-own-words"}"#,
            r#"{"parsed":{"title":null,"media_type":"text/html","findings":[],"text":"x","more":1}}"#,
            r#"{"parsed":{"title":null,"media_type":"my/own","findings":[],"text":"x"}}"#,
            r#"{"parsed":{"title":null,"media_type":"text/html","findings":[["hidden-text",0,2]],"text":"x"}}"#,
            r#"{"parsed":{"title":null,"media_type":"text/html","findings":[["hidden-text",1,0]],"text":"x"}}"#,
            r#"{"parsed":{"title":null,"media_type":"text/html","findings":[["hidden-text",1,1]],"text":"é"}}"#,
            r#"{"parsed":{"title":null,"media_type":"text/html","findings":[["other",0,0]],"text":"x"}}"#,
        ];
        for answer in answers {
            let refused = read_answer(answer.as_bytes(), Some("text/html"), &[]).expect_err(answer);
            assert_eq!(refused, PrepareError::Unparseable(Fault::Crashed), "{answer}");
        }
        let other = r#"{"parsed":{"title":null,"media_type":"text/plain","findings":[],"text":"x"}}"#;
        let only_html = ["text/html".to_owned()];
        let refused = read_answer(other.as_bytes(), Some("text/html"), &only_html).expect_err("is not accepted");
        assert_eq!(refused, PrepareError::UnsupportedMediaType("text/plain".to_owned()));
    }

    #[test]
    fn a_declared_type_is_refused_before_anything_is_parsed() {
        let check = |media_type, accept: &[&str]| {
            let accept: Vec<String> = accept.iter().map(|entry| (*entry).to_owned()).collect();
            check_declared(media_type, &accept).is_ok()
        };
        assert!(check(None, &["text/html"]) && check(Some("application/octet-stream"), &["text/html"]));
        assert!(check(Some("text/html; charset=x"), &["text/html"]) && check(Some("application/pdf"), &[]));
        assert!(!check(Some("application/pdf"), &["text/html"]) && !check(Some("image/png"), &[]));
    }

    #[test]
    fn only_what_is_declared_to_be_text_needs_no_parser() {
        assert!(!needs_parser(Some("text/plain; charset=utf-8")) && !needs_parser(Some("Text/Markdown")));
        assert!(needs_parser(None) && needs_parser(Some("text/html")) && needs_parser(Some("")));
    }
}
