//! Why a parser refuses a document.
//!
//! A closed set with fixed wording: the reason crosses the border of the cage, and nothing that a document wrote may travel with it.

/// Why a parser refuses a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Bytes that are no text in the encoding that they announce.
    MalformedText,
    /// A character set that is not safe to decode.
    UnsafeCharset,
    /// A tag with too many attributes.
    Attributes,
    /// An archive that is damaged, or that two readers would read differently.
    Archive,
    /// A part of the format that must be there is not.
    MissingPart,
    /// More text, or more unpacked bytes, than a document may have.
    TooLarge,
    /// Nested too deep.
    TooDeep,
    /// More work than a document may cost.
    TooComplex,
    /// XML that is not well formed.
    Xml,
    /// XML with a document type: entities have no place in an Office file.
    Doctype,
    /// A password is needed.
    Encrypted,
    /// JSON that is not well formed.
    Json,
    /// A PDF that cannot be read.
    Pdf,
    /// A message that cannot be read.
    Mail,
    /// An RTF that cannot be read.
    Rtf,
    /// The parser broke off.
    Crashed,
    /// The parser took too long.
    TimedOut,
}

impl Fault {
    const ALL: [Self; 17] = [
        Self::MalformedText,
        Self::UnsafeCharset,
        Self::Attributes,
        Self::Archive,
        Self::MissingPart,
        Self::TooLarge,
        Self::TooDeep,
        Self::TooComplex,
        Self::Xml,
        Self::Doctype,
        Self::Encrypted,
        Self::Json,
        Self::Pdf,
        Self::Mail,
        Self::Rtf,
        Self::Crashed,
        Self::TimedOut,
    ];

    /// The name between worker and server.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::MalformedText => "malformed-text",
            Self::UnsafeCharset => "unsafe-charset",
            Self::Attributes => "attributes",
            Self::Archive => "archive",
            Self::MissingPart => "missing-part",
            Self::TooLarge => "too-large",
            Self::TooDeep => "too-deep",
            Self::TooComplex => "too-complex",
            Self::Xml => "xml",
            Self::Doctype => "doctype",
            Self::Encrypted => "encrypted",
            Self::Json => "json",
            Self::Pdf => "pdf",
            Self::Mail => "mail",
            Self::Rtf => "rtf",
            Self::Crashed => "crashed",
            Self::TimedOut => "timed-out",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::MalformedText => "its bytes are no text in the encoding that they announce",
            Self::UnsafeCharset => "a character set that is not safe to decode",
            Self::Attributes => "a tag with too many attributes",
            Self::Archive => "the archive is damaged or ambiguous",
            Self::MissingPart => "a part of the format is missing",
            Self::TooLarge => "more text or unpacked bytes than a document may have",
            Self::TooDeep => "nested too deep",
            Self::TooComplex => "more work than a document may cost",
            Self::Xml => "its XML is not well formed",
            Self::Doctype => "its XML has a document type",
            Self::Encrypted => "a password is needed",
            Self::Json => "its JSON is not well formed",
            Self::Pdf => "the PDF cannot be read",
            Self::Mail => "the message cannot be read",
            Self::Rtf => "the RTF cannot be read",
            Self::Crashed => "the parser broke off",
            Self::TimedOut => "the parser took too long",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Fault;

    #[test]
    fn names_come_back() {
        for fault in Fault::ALL {
            assert_eq!(Fault::from_name(fault.name()), Some(fault));
        }
        assert_eq!(Fault::from_name("other"), None);
    }
}
