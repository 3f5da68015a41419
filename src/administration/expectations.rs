//! Permission tests as text: one expectation a line.
//!
//! ```text
//! # Nobody outside of HR reads the files of HR.
//! expect user:bo !read collection/hr/*
//! expect user:ann (group:hr, clearance=2) read collection/hr/salaries
//! expect user:bo !read collection/board/* at 2026-12-24T08:00:00Z for "support case" from 203.0.113.7
//! ```
//!
//! The same lines may stand in TOML: `expect = ["user:bo !read collection/hr/*"]`.

use std::{collections::BTreeSet, net::IpAddr};

use ringfence_indexes::{
    AttributeValue, CollectionId, DocumentId, Expectation, Principal, RequestContext, Supposed, Target,
};

use super::access::may_be_group;
use crate::acl_form::parse_time;

/// The longest text of permission tests in bytes.
pub const TESTS_BYTES_MAX: usize = 64 << 10;
/// The most expectations.
pub const TESTS_MAX: usize = 1_000;

/// One permission test: where it stands, how it reads, what it expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionTest {
    /// The line in the text, or the place in the list of TOML; from 1 on.
    pub line: usize,
    /// As it was written, without `expect`.
    pub text: String,
    /// What is expected.
    pub expectation: Expectation,
}

/// Why a text is no list of permission tests.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {detail}")]
pub struct ExpectationFault {
    /// Where, as for [`PermissionTest::line`].
    pub line: usize,
    /// What is wrong there.
    pub detail: String,
}

/// Reads a text of permission tests.
///
/// # Errors
/// [`ExpectationFault`] for the first line that is none.
pub fn parse(text: &str) -> Result<Vec<PermissionTest>, ExpectationFault> {
    let fault = |line: usize, detail: String| ExpectationFault { line, detail };
    if text.len() > TESTS_BYTES_MAX {
        return Err(fault(1, format!("the text is longer than {TESTS_BYTES_MAX} bytes")));
    }
    let lines = match in_toml(text) {
        Some(lines) => lines,
        None => text.lines().map(str::to_owned).collect(),
    };
    let mut tests = Vec::new();
    for (line, written) in (1..).zip(&lines) {
        let words = words(written).map_err(|detail| fault(line, detail.to_owned()))?;
        if words.is_empty() {
            continue;
        }
        let expectation = Reading(&words).expectation().map_err(|detail| fault(line, detail))?;
        let text = written.trim();
        let text = text.strip_prefix("expect").unwrap_or(text).trim().to_owned();
        tests.push(PermissionTest { line, text, expectation });
        if tests.len() > TESTS_MAX {
            return Err(fault(line, format!("there are more than {TESTS_MAX} expectations")));
        }
    }
    Ok(tests)
}

/// The lines of a TOML document `expect = ["…", …]`; `None` for what is none.
fn in_toml(text: &str) -> Option<Vec<String>> {
    let mut table: toml::Table = text.parse().ok()?;
    let lines = table.remove("expect")?;
    let lines = lines.as_array()?.iter().map(|line| line.as_str().map(str::to_owned)).collect::<Option<_>>()?;
    table.is_empty().then_some(lines)
}

/// A part of a line. What stood in quotes is a word, whatever it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Text(String),
    Open,
    Close,
    Comma,
}

/// Cuts a line into words; `#` before a word begins a comment. A quoted part joins what it touches, as in `user:"Bo Li"`.
fn words(line: &str) -> Result<Vec<Word>, &'static str> {
    let mut words = Vec::new();
    let mut current: Option<String> = None;
    let mut is_quoted = false;
    for character in line.chars() {
        if is_quoted {
            match character {
                '"' => is_quoted = false,
                _ => current.get_or_insert_default().push(character),
            }
            continue;
        }
        let sign = match character {
            '"' => {
                is_quoted = true;
                current.get_or_insert_default();
                continue;
            }
            '#' if current.is_none() => break,
            '(' => Some(Word::Open),
            ')' => Some(Word::Close),
            ',' => Some(Word::Comma),
            character if character.is_whitespace() => None,
            character => {
                current.get_or_insert_default().push(character);
                continue;
            }
        };
        words.extend(current.take().map(Word::Text));
        words.extend(sign);
    }
    if is_quoted {
        return Err("a quotation mark is not closed");
    }
    words.extend(current.map(Word::Text));
    Ok(words)
}

/// The words of a line that are still to be read.
struct Reading<'a>(&'a [Word]);

impl<'a> Reading<'a> {
    fn next(&mut self) -> Option<&'a Word> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn text(&mut self, expected: &str) -> Result<&'a str, String> {
        match self.next() {
            Some(Word::Text(text)) => Ok(text),
            _ => Err(format!("{expected} is missing")),
        }
    }

    fn expectation(mut self) -> Result<Expectation, String> {
        let mut name = self.text("a principal")?;
        if name == "expect" {
            name = self.text("a principal")?;
        }
        let name = Principal::new(name).map_err(|error| format!("the principal `{name}` {error}"))?;
        let context = RequestContext::default();
        let mut supposed = Supposed { name, groups: BTreeSet::new(), attributes: [].into(), context };
        if self.0.first() == Some(&Word::Open) {
            self.next();
            self.credential(&mut supposed)?;
        }
        let readable = match self.text("`read` or `!read`")? {
            "read" => true,
            "!read" => false,
            other => return Err(format!("`{other}` stands where `read` or `!read` is expected")),
        };
        let target = target(self.text("`collection/NAME`")?)?;
        let at = self.circumstances(&mut supposed.context)?;
        Ok(Expectation { supposed, at, readable, target })
    }

    /// `group:eng, clearance=2)`: what the credential would bring.
    fn credential(&mut self, supposed: &mut Supposed) -> Result<(), String> {
        loop {
            let item = self.text("a group or an attribute")?;
            match item.split_once('=') {
                Some((name, value)) if !name.is_empty() => {
                    supposed.attributes.insert(name.to_owned(), attribute(value));
                }
                _ => {
                    let group = Principal::new(item).map_err(|error| format!("the principal `{item}` {error}"))?;
                    if !may_be_group(&group) {
                        return Err(format!("`{item}` is neither a `group:` nor a `role:`, nor an attribute"));
                    }
                    supposed.groups.insert(group);
                }
            }
            match self.next() {
                Some(Word::Comma) => {}
                Some(Word::Close) => return Ok(()),
                _ => return Err("`)` is missing".to_owned()),
            }
        }
    }

    /// `at TIME`, `for PURPOSE` and `from ADDRESS`, each at most once.
    fn circumstances(&mut self, context: &mut RequestContext) -> Result<Option<ringfence_indexes::Timestamp>, String> {
        let mut at = None;
        while !self.0.is_empty() {
            match self.text("`at`, `for` or `from`")? {
                "at" if at.is_none() => {
                    let text = self.text("a time")?;
                    at = Some(parse_time(text).ok_or_else(|| format!("`{text}` is not an RFC 3339 time"))?);
                }
                "for" if context.purpose.is_none() => context.purpose = Some(self.text("a purpose")?.to_owned()),
                "from" if context.network.is_none() => {
                    let text = self.text("an address")?;
                    let network = text.parse::<IpAddr>().map_err(|_| format!("`{text}` is not an IP address"))?;
                    context.network = Some(network);
                }
                other => return Err(format!("`{other}` is not understood here")),
            }
        }
        Ok(at)
    }
}

fn attribute(value: &str) -> AttributeValue {
    match value {
        "true" => AttributeValue::Boolean(true),
        "false" => AttributeValue::Boolean(false),
        value => value.parse().map_or_else(|_| AttributeValue::Text(value.to_owned()), AttributeValue::Integer),
    }
}

/// `collection/NAME`, `collection/NAME/DOCUMENT`, or `collection/NAME/PREFIX*`.
fn target(text: &str) -> Result<Target, String> {
    let rest = text.strip_prefix("collection/").ok_or_else(|| format!("`{text}` does not begin with `collection/`"))?;
    let (collection, document) = match rest.split_once('/') {
        Some((collection, document)) => (collection, Some(document)),
        None => (rest, None),
    };
    let collection = CollectionId::new(collection).map_err(|error| format!("the collection `{collection}` {error}"))?;
    match document {
        None => Ok(Target::Collection(collection)),
        Some(document) => match document.strip_suffix('*') {
            Some(prefix) => Ok(Target::Documents(collection, prefix.to_owned())),
            None => {
                let id = DocumentId::new(document).map_err(|error| format!("the document `{document}` {error}"))?;
                Ok(Target::Document(collection, id))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use ringfence_indexes::Timestamp;

    use super::*;

    fn one(line: &str) -> Result<Expectation, String> {
        match parse(line) {
            Ok(tests) => Ok(tests.into_iter().next().expect("one test").expectation),
            Err(fault) => Err(fault.detail),
        }
    }

    #[test]
    fn the_example_of_the_documentation_is_read() {
        let text = "# why\n\nexpect user:bo !read collection/hr/* # all of it\nexpect user:ann (group:hr, clearance=2, staff=true, region=eu) read collection/hr/salaries\n";
        let tests = parse(text).unwrap();
        assert_eq!(tests.iter().map(|test| test.line).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(tests[0].text, "user:bo !read collection/hr/* # all of it");
        let first = &tests[0].expectation;
        assert!(!first.readable && first.at.is_none() && first.supposed.groups.is_empty());
        assert_eq!(first.target, Target::Documents(CollectionId::new("hr").unwrap(), String::new()));
        let second = &tests[1].expectation;
        assert_eq!(second.supposed.groups, [Principal::new("group:hr").unwrap()].into());
        assert_eq!(second.supposed.attributes["clearance"], AttributeValue::Integer(2));
        assert_eq!(second.supposed.attributes["staff"], AttributeValue::Boolean(true));
        assert_eq!(second.supposed.attributes["region"], AttributeValue::Text("eu".into()));
        assert!(second.readable);
    }

    #[test]
    fn circumstances_and_quotes_are_read() {
        let found =
            one("user:\"Bo Li\" read \"collection/hr/a b*\" at 1970-01-01T00:00:01Z for \"a case\" from ::1").unwrap();
        assert_eq!(found.supposed.name, Principal::new("user:Bo Li").unwrap());
        assert_eq!(found.target, Target::Documents(CollectionId::new("hr").unwrap(), "a b".into()));
        assert_eq!(found.at, Some(Timestamp(1_000_000)));
        assert_eq!(found.supposed.context.purpose.as_deref(), Some("a case"));
        assert_eq!(found.supposed.context.network, "::1".parse().ok());
        assert_eq!(
            one("user:bo read collection/hr").unwrap().target,
            Target::Collection(CollectionId::new("hr").unwrap())
        );
    }

    #[test]
    fn toml_holds_the_same_lines() {
        let found = parse("expect = [\n  \"user:bo !read collection/hr/*\", # so\n]\n").unwrap();
        assert_eq!(found[0].expectation, one("expect user:bo !read collection/hr/*").unwrap());
        assert_eq!(parse("").unwrap(), []);
        assert!(parse("expect = [1]").is_err() && parse("other = []").is_err());
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        for line in [
            "expect",
            "expect bo read collection/hr",
            "expect user:bo reads collection/hr",
            "expect user:bo read hr",
            "expect user:bo read collection/",
            "expect user:bo (user:x) read collection/hr",
            "expect user:bo (group:x read collection/hr",
            "expect user:bo () read collection/hr",
            "expect user:bo read collection/hr at noon",
            "expect user:bo read collection/hr from home",
            "expect user:bo read collection/hr for a for b",
            "expect user:bo read collection/hr and more",
            "expect user:\"bo read collection/hr",
            "allow user:bo read collection/hr",
        ] {
            let fault = parse(&format!("# first\n{line}")).unwrap_err();
            assert_eq!(fault.line, 2, "{line}");
        }
    }
}
