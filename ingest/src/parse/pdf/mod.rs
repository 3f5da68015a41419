//! PDF: the strings of each page in the order of the file, joined to lines by where they stand, under a heading with the page's number.
//!
//! The objects are read by lopdf, within limits; what a page shows is worked out here, because that is the question: text that is not painted (as behind a scanned page), too small, transparent, off the page, clipped away, painted over, in the colour of its ground or on a layer that is switched off becomes a finding.

mod cmap;
mod color;
mod content;
mod font;
mod geometry;
mod glyphs;
mod layers;
mod lexer;
mod lines;
mod operand;
mod paint;
mod state;

use lopdf::{Dictionary, Document, LoadOptions, Object, Stream};

use self::{
    content::{Fonts, Interpreter},
    geometry::{Matrix, Rectangle},
    layers::Layers,
    lines::join,
    operand::{matrix_of, rectangle_of},
    paint::Canvas,
};
use crate::{
    fault::Fault,
    finding::FindingKind,
    parse::{Parsed, TEXT_BYTES_MAX, writer::Writer},
    prepare::PrepareError,
};

/// One stream, unpacked.
const STREAM_BYTES_MAX: usize = 32 << 20;
/// All streams that are run.
const UNPACKED_BYTES_MAX: usize = 192 << 20;
const OPERATORS_MAX: usize = 20_000_000;
const PAGES_MAX: usize = 10_000;
/// Steps from a page to the root of the tree.
const TREE_DEPTH_MAX: usize = 64;
/// US Letter, where a page does not say how large it is.
const USUAL_PAGE: Rectangle = Rectangle { left: 0.0, bottom: 0.0, right: 612.0, top: 792.0 };

/// Parses a document.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, PrepareError> {
    let options = LoadOptions { max_decompressed_size: Some(STREAM_BYTES_MAX), ..LoadOptions::default() };
    let document =
        Document::load_mem_with_options(bytes, options).map_err(|_| PrepareError::Unparseable(Fault::Pdf))?;
    if document.is_encrypted() {
        return Err(PrepareError::Unparseable(Fault::Encrypted));
    }
    let layers = Layers::read(&document);
    let mut fonts = Fonts::new();
    let mut budget = Budget::default();
    let mut writer = Writer::new();
    for (index, page) in document.page_iter().enumerate() {
        if index == PAGES_MAX {
            return Err(PrepareError::Unparseable(Fault::TooComplex));
        }
        let Ok(dictionary) = document.get_dictionary(page) else { continue };
        let mut canvas = Canvas::new(visible_part(&document, dictionary));
        let mut interpreter = Interpreter::new(&document, &layers, &mut fonts, &mut budget, &mut canvas);
        run_page(&document, dictionary, &mut interpreter)?;
        let (pieces, hides) = canvas.finish();
        let text = join(&pieces);
        if !text.trim().is_empty() {
            writer.heading(1, &format!("Page {}", index + 1));
            writer.paragraph(&text);
        }
        if hides {
            writer.report(FindingKind::HiddenText);
        }
        report_remarks(&document, dictionary, &mut writer);
        if writer.is_full() {
            break;
        }
    }
    let title = properties(&document, &mut writer);
    writer.finish(title)
}

/// What a document may cost in all.
#[derive(Default)]
struct Budget {
    operators: usize,
    unpacked: usize,
    shown: usize,
}

impl Budget {
    fn operator(&mut self) -> Result<(), PrepareError> {
        self.operators += 1;
        if self.operators > OPERATORS_MAX { Err(PrepareError::Unparseable(Fault::TooComplex)) } else { Ok(()) }
    }

    fn text(&mut self, length: usize) -> Result<(), PrepareError> {
        self.shown += length;
        if self.shown > 2 * TEXT_BYTES_MAX { Err(PrepareError::Unparseable(Fault::TooLarge)) } else { Ok(()) }
    }

    fn unpack(&mut self, stream: &Stream) -> Result<Vec<u8>, PrepareError> {
        let content =
            stream.get_plain_content_with_limit(STREAM_BYTES_MAX).map_err(|_| PrepareError::Unparseable(Fault::Pdf))?;
        // A form costs something even if there is nothing in it.
        self.unpacked += content.len() + 1024;
        if self.unpacked > UNPACKED_BYTES_MAX { Err(PrepareError::Unparseable(Fault::TooLarge)) } else { Ok(content) }
    }
}

fn run_page<'a>(
    document: &'a Document,
    page: &'a Dictionary,
    interpreter: &mut Interpreter<'a>,
) -> Result<(), PrepareError> {
    let resources = inherited(document, page, b"Resources").and_then(|own| own.as_dict().ok());
    let mut content = Vec::new();
    if let Ok(contents) = page.get_deref(b"Contents", document) {
        let streams: Vec<&Object> = match contents {
            Object::Array(parts) => parts.iter().take(PAGES_MAX).collect(),
            one => vec![one],
        };
        for stream in streams {
            let Ok((_, Object::Stream(stream))) = document.dereference(stream) else { continue };
            let part = interpreter.unpack(stream)?;
            if content.len() + part.len() > STREAM_BYTES_MAX {
                return Err(PrepareError::Unparseable(Fault::TooLarge));
            }
            content.extend(part);
            content.push(b'\n');
        }
    }
    interpreter.run_under(Matrix::IDENTITY, &content, resources)?;
    drop(content);
    run_annotations(document, page, interpreter)
}

/// Fields that are filled in and texts that are written onto the page are part of what is seen.
fn run_annotations<'a>(
    document: &'a Document,
    page: &'a Dictionary,
    interpreter: &mut Interpreter<'a>,
) -> Result<(), PrepareError> {
    for annotation in annotations(document, page) {
        let name = |key: &[u8]| annotation.get_deref(key, document).ok().and_then(|name| name.as_name().ok());
        let flags = annotation.get_deref(b"F", document).ok().and_then(|flags| flags.as_i64().ok()).unwrap_or(0);
        // Hidden, or not for the screen.
        if !matches!(name(b"Subtype"), Some(b"Widget" | b"FreeText" | b"Stamp")) || flags & (2 | 32) != 0 {
            continue;
        }
        let Some(stream) = appearance(document, annotation, name(b"AS")) else { continue };
        let place = annotation.get_deref(b"Rect", document).ok().and_then(|own| rectangle_of(document, own));
        let bounds = stream.dict.get_deref(b"BBox", document).ok().and_then(|own| rectangle_of(document, own));
        let (Some(place), Some(bounds)) = (place, bounds) else { continue };
        let own = stream.dict.get_deref(b"Matrix", document).ok().and_then(|own| matrix_of(document, own));
        let own = own.unwrap_or(Matrix::IDENTITY);
        let drawn = bounds.mapped(own);
        let onto = Matrix::translation(place.left - drawn.left, place.bottom - drawn.bottom);
        let content = interpreter.unpack(stream)?;
        let resources = stream.dict.get_deref(b"Resources", document).ok().and_then(|own| own.as_dict().ok());
        interpreter.run_under(own.then(onto), &content, resources)?;
    }
    Ok(())
}

fn annotations<'a>(document: &'a Document, page: &'a Dictionary) -> impl Iterator<Item = &'a Dictionary> {
    let list = page.get_deref(b"Annots", document).ok().and_then(|list| list.as_array().ok());
    list.into_iter().flatten().take(PAGES_MAX).filter_map(|own| document.dereference(own).ok()?.1.as_dict().ok())
}

/// The stream that draws an annotation in its present state.
fn appearance<'a>(document: &'a Document, annotation: &'a Dictionary, state: Option<&[u8]>) -> Option<&'a Stream> {
    let appearances = annotation.get_deref(b"AP", document).ok()?.as_dict().ok()?;
    match appearances.get_deref(b"N", document).ok()? {
        Object::Stream(stream) => Some(stream),
        Object::Dictionary(states) => states.get_deref(state?, document).ok()?.as_stream().ok(),
        _ => None,
    }
}

/// Remarks are comments: a person sees a mark and opens it, or does not.
fn report_remarks(document: &Document, page: &Dictionary, writer: &mut Writer) {
    for annotation in annotations(document, page) {
        let kind = annotation.get_deref(b"Subtype", document).ok().and_then(|name| name.as_name().ok());
        let contents = annotation.get_deref(b"Contents", document).ok().and_then(|text| text.as_str().ok());
        let has_text = contents.is_some_and(|text| text.iter().any(|byte| byte.is_ascii_alphanumeric()));
        if has_text && !matches!(kind, Some(b"FreeText" | b"Widget" | b"Link")) {
            writer.report(FindingKind::Comment);
        }
    }
}

/// Yields the title and reports other properties that hold prose.
fn properties(document: &Document, writer: &mut Writer) -> Option<String> {
    let information = document.trailer.get_deref(b"Info", document).ok()?.as_dict().ok()?;
    let text = |key: &[u8]| {
        let object = information.get_deref(key, document).ok()?;
        lopdf::decode_text_string(object).ok()
    };
    for key in [&b"Subject"[..], b"Keywords", b"Author"] {
        writer.report_prose(&text(key).unwrap_or_default());
    }
    text(b"Title").filter(|title| !title.starts_with("Microsoft Word - ") && !title.starts_with("untitled"))
}

/// The part of a page that is shown.
fn visible_part(document: &Document, page: &Dictionary) -> Rectangle {
    let part = |key: &[u8]| inherited(document, page, key).and_then(|own| rectangle_of(document, own));
    let media = part(b"MediaBox").unwrap_or(USUAL_PAGE);
    part(b"CropBox").map_or(media, |crop| crop.common(&media))
}

/// A property of a page or of the nearest branch above it.
fn inherited<'a>(document: &'a Document, page: &'a Dictionary, key: &[u8]) -> Option<&'a Object> {
    let mut node = page;
    for _ in 0..TREE_DEPTH_MAX {
        if let Ok(found) = node.get_deref(key, document) {
            return Some(found);
        }
        node = node.get_deref(b"Parent", document).ok()?.as_dict().ok()?;
    }
    None
}

#[cfg(test)]
mod tests;
