//! XML parts, read as a flat stream of starts, texts and ends.
//!
//! Namespaces are resolved, because an element of a foreign namespace is not shown by the program that the file is for. Entities are not: an Office file has no document type, and one that brings it is refused.

use quick_xml::{
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
    name::ResolveResult,
    reader::NsReader,
};

use crate::{fault::Fault, prepare::PrepareError};

const DEPTH_MAX: usize = 256;
const ATTRIBUTES_MAX: usize = 512;

/// The namespaces that mean something here; strict and transitional ones are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    None,
    Word,
    Word14,
    Drawing,
    WordDrawing,
    SheetDrawing,
    Slides,
    Sheet,
    Diagram,
    Relations,
    Compatibility,
    PackageRelations,
    ContentTypes,
    OdfOffice,
    OdfText,
    OdfTable,
    OdfStyle,
    OdfFormat,
    Other,
}

const SPACES: &[(&str, Space)] = &[
    ("http://schemas.openxmlformats.org/wordprocessingml/2006/main", Space::Word),
    ("http://purl.oclc.org/ooxml/wordprocessingml/main", Space::Word),
    ("http://schemas.microsoft.com/office/word/2010/wordml", Space::Word14),
    ("http://schemas.openxmlformats.org/drawingml/2006/main", Space::Drawing),
    ("http://purl.oclc.org/ooxml/drawingml/main", Space::Drawing),
    ("http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing", Space::WordDrawing),
    ("http://purl.oclc.org/ooxml/drawingml/wordprocessingDrawing", Space::WordDrawing),
    ("http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing", Space::SheetDrawing),
    ("http://purl.oclc.org/ooxml/drawingml/spreadsheetDrawing", Space::SheetDrawing),
    ("http://schemas.openxmlformats.org/presentationml/2006/main", Space::Slides),
    ("http://purl.oclc.org/ooxml/presentationml/main", Space::Slides),
    ("http://schemas.openxmlformats.org/spreadsheetml/2006/main", Space::Sheet),
    ("http://purl.oclc.org/ooxml/spreadsheetml/main", Space::Sheet),
    ("http://schemas.openxmlformats.org/drawingml/2006/diagram", Space::Diagram),
    ("http://purl.oclc.org/ooxml/drawingml/diagram", Space::Diagram),
    ("http://schemas.openxmlformats.org/officeDocument/2006/relationships", Space::Relations),
    ("http://purl.oclc.org/ooxml/officeDocument/relationships", Space::Relations),
    ("http://schemas.openxmlformats.org/markup-compatibility/2006", Space::Compatibility),
    ("http://schemas.openxmlformats.org/package/2006/relationships", Space::PackageRelations),
    ("http://schemas.openxmlformats.org/package/2006/content-types", Space::ContentTypes),
    ("urn:oasis:names:tc:opendocument:xmlns:office:1.0", Space::OdfOffice),
    ("urn:oasis:names:tc:opendocument:xmlns:text:1.0", Space::OdfText),
    ("urn:oasis:names:tc:opendocument:xmlns:table:1.0", Space::OdfTable),
    ("urn:oasis:names:tc:opendocument:xmlns:style:1.0", Space::OdfStyle),
    ("urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0", Space::OdfFormat),
];

/// What comes next in a part.
#[derive(Debug)]
pub(crate) enum Piece {
    Start(Element),
    /// The end of the element that was opened last.
    End,
    Text(String),
}

/// An element that begins.
#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) space: Space,
    pub(crate) name: String,
    attributes: Vec<(Space, String, String)>,
}

impl Element {
    /// Whether it is the named element of a namespace.
    pub(crate) fn is(&self, space: Space, name: &str) -> bool {
        self.space == space && self.name == name
    }

    /// An attribute without a namespace, or with the element's own.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attribute_in(Space::None, name).or_else(|| self.attribute_in(self.space, name))
    }

    /// An attribute of a namespace.
    pub(crate) fn attribute_in(&self, space: Space, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(own, key, _)| *own == space && key == name);
        found.map(|(.., value)| value.as_str())
    }

    /// An attribute that is a number.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.attribute(name)?.trim().parse().ok()
    }

    /// Whether a switch of this attribute is on; without the attribute it is.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        !matches!(self.attribute(name), Some("0" | "false" | "off" | "none"))
    }
}

/// Reads a part.
pub(crate) struct Reader<'a> {
    inner: NsReader<&'a [u8]>,
    depth: usize,
}

const fn malformed() -> PrepareError {
    PrepareError::Unparseable(Fault::Xml)
}

/// The text of a part: UTF-8, or UTF-16 with its mark; other encodings have no place in an Office file.
pub(crate) fn decode(bytes: Vec<u8>) -> Result<String, PrepareError> {
    match encoding_rs::Encoding::for_bom(&bytes) {
        Some((encoding, mark)) if encoding != encoding_rs::UTF_8 => {
            let (text, is_malformed) = encoding.decode_without_bom_handling(&bytes[mark..]);
            if is_malformed { Err(malformed()) } else { Ok(text.into_owned()) }
        }
        Some((_, mark)) => String::from_utf8(bytes[mark..].to_vec()).map_err(|_| malformed()),
        None => String::from_utf8(bytes).map_err(|_| malformed()),
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut inner = NsReader::from_str(text);
        inner.config_mut().expand_empty_elements = true;
        Self { inner, depth: 0 }
    }

    /// How many elements are open.
    pub(crate) const fn depth(&self) -> usize {
        self.depth
    }

    /// The next piece; `None` at the end of a whole part.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>, PrepareError> {
        loop {
            let (space, event) = self.inner.read_resolved_event().map_err(|_| malformed())?;
            match event {
                Event::Start(start) => {
                    let space = self::space(&space);
                    self.depth += 1;
                    if self.depth > DEPTH_MAX {
                        return Err(PrepareError::Unparseable(Fault::TooDeep));
                    }
                    return self.element(space, &start).map(|element| Some(Piece::Start(element)));
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Some(Piece::End));
                }
                Event::Text(text) => return Ok(Some(Piece::Text(text.xml10_content().into_owned()))),
                Event::CData(text) => return Ok(Some(Piece::Text(text.xml10_content().into_owned()))),
                Event::GeneralRef(reference) => {
                    let name = reference.xml10_content();
                    return resolve(&name).map(|text| Some(Piece::Text(text))).ok_or_else(malformed);
                }
                Event::DocType(_) => return Err(PrepareError::Unparseable(Fault::Doctype)),
                Event::Eof if self.depth == 0 => return Ok(None),
                Event::Eof => return Err(malformed()),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }

    fn element(&self, space: Space, start: &BytesStart<'_>) -> Result<Element, PrepareError> {
        let mut attributes = Vec::new();
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.map_err(|_| malformed())?;
            if attributes.len() == ATTRIBUTES_MAX {
                return Err(PrepareError::Unparseable(Fault::Attributes));
            }
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let (resolved, local) = self.inner.resolver().resolve_attribute(attribute.key);
            let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(|_| malformed())?;
            attributes.push((self::space(&resolved), local.into_inner().to_owned(), value.into_owned()));
        }
        Ok(Element { space, name: start.local_name().into_inner().to_owned(), attributes })
    }
}

fn space(resolved: &ResolveResult<'_>) -> Space {
    match resolved {
        ResolveResult::Unbound => Space::None,
        ResolveResult::Bound(namespace) => {
            let name = namespace.into_inner();
            SPACES.iter().find(|(known, _)| *known == name).map_or(Space::Other, |(_, space)| *space)
        }
        ResolveResult::Unknown(_) => Space::Other,
    }
}

fn resolve(name: &str) -> Option<String> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix('x') {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).filter(|character| *character != '\0').map(String::from);
    }
    resolve_predefined_entity(name).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{Piece, Reader, decode};
    use crate::{fault::Fault, prepare::PrepareError};

    const WORD: &str = "xmlns:w='http://schemas.openxmlformats.org/wordprocessingml/2006/main'";

    fn read(xml: &str) -> Result<String, PrepareError> {
        let mut reader = Reader::new(xml);
        let mut seen = String::new();
        while let Some(piece) = reader.next()? {
            match piece {
                Piece::Start(element) => {
                    let value = element.attribute("val").unwrap_or_default();
                    seen.push_str(&format!("<{:?}:{} {value}>", element.space, element.name));
                }
                Piece::End => seen.push_str("</>"),
                Piece::Text(text) => seen.push_str(&text),
            }
        }
        Ok(seen)
    }

    #[test]
    fn names_are_resolved() {
        let xml = format!(
            "<?xml version='1.0'?><!-- c --><w:a {WORD} w:val='1' x:val='2' xmlns:x='urn:x'><w:b val='&lt;3'/>t&amp;&#x41;<![CDATA[<>]]><x:c/></w:a>"
        );
        assert_eq!(read(&xml).expect("reads"), "<Word:a 1><Word:b <3></>t&A<><Other:c ></></>");
        assert_eq!(Reader::new("<a>x<b>y</b></a>").next().map(|piece| piece.is_some()), Ok(true));
    }

    #[test]
    fn hostile_xml_is_refused() {
        let fault = |xml: &str| match read(xml) {
            Err(PrepareError::Unparseable(fault)) => Some(fault),
            other => panic!("{other:?}"),
        };
        assert_eq!(fault("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>"), Some(Fault::Doctype));
        assert_eq!(fault("<a>&x;</a>"), Some(Fault::Xml));
        assert_eq!(fault("<a v='&x;'/>"), Some(Fault::Xml));
        assert_eq!(fault("<a><b></a>"), Some(Fault::Xml));
        assert_eq!(fault("<a>"), Some(Fault::Xml));
        assert_eq!(fault(&"<a>".repeat(100_000)), Some(Fault::TooDeep));
        let many: String = (0..100_000).map(|number| format!(" a{number}='1'")).collect();
        assert_eq!(fault(&format!("<a{many}/>")), Some(Fault::Attributes));
        assert_eq!(decode(b"\xff\xfe<\0a\0/\0>\0".to_vec()), Ok("<a/>".to_owned()));
        assert!(decode(b"<a>\xff</a>".to_vec()).is_err());
    }
}
