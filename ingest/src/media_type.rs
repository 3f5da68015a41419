//! The formats that have a parser, and their names.

/// A format with a parser. A further format is a further variant here, a row in the table below and an arm in [`crate::parse::parse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaType {
    Plain,
    Markdown,
    Html,
    Csv,
    Tsv,
    Json,
    Mail,
    Rtf,
    Pdf,
    Docx,
    Pptx,
    Xlsx,
    Odt,
}

/// What a file of a format is made of, as far as its first bytes show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    /// Decoded characters.
    Text,
    /// A ZIP archive of XML parts.
    Archive,
    /// Bytes with a signature of their own.
    Signed,
}

impl MediaType {
    const ALL: [Self; 13] = [
        Self::Plain,
        Self::Markdown,
        Self::Html,
        Self::Csv,
        Self::Tsv,
        Self::Json,
        Self::Mail,
        Self::Rtf,
        Self::Pdf,
        Self::Docx,
        Self::Pptx,
        Self::Xlsx,
        Self::Odt,
    ];

    /// The names of a format: first the canonical one, then what clients also say.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &["text/plain"],
            Self::Markdown => &["text/markdown", "text/x-markdown"],
            Self::Html => &["text/html", "application/xhtml+xml"],
            Self::Csv => &["text/csv", "application/csv"],
            Self::Tsv => &["text/tab-separated-values", "text/tsv"],
            Self::Json => &["application/json", "text/json"],
            Self::Mail => &["message/rfc822", "application/eml"],
            Self::Rtf => &["application/rtf", "text/rtf"],
            Self::Pdf => &["application/pdf", "application/x-pdf"],
            Self::Docx => &["application/vnd.openxmlformats-officedocument.wordprocessingml.document"],
            Self::Pptx => &["application/vnd.openxmlformats-officedocument.presentationml.presentation"],
            Self::Xlsx => &["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"],
            Self::Odt => &["application/vnd.oasis.opendocument.text"],
        }
    }

    /// The canonical name, which the store and the API show.
    pub(crate) const fn name(self) -> &'static str {
        self.names()[0]
    }

    /// The format of a name without parameters, in lower case.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|media_type| media_type.names().contains(&name))
    }

    pub(crate) const fn container(self) -> Container {
        match self {
            Self::Docx | Self::Pptx | Self::Xlsx | Self::Odt => Container::Archive,
            Self::Pdf | Self::Rtf => Container::Signed,
            _ => Container::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::MediaType;

    #[test]
    fn each_name_is_of_one_format() {
        for media_type in MediaType::ALL {
            for name in media_type.names() {
                assert_eq!(MediaType::from_name(name), Some(media_type), "{name}");
            }
        }
    }
}
