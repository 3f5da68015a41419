//! Fonts: which characters the codes of a string stand for, and how far they reach.

use lopdf::{Dictionary, Document, Object};

use super::{
    STREAM_BYTES_MAX,
    cmap::{CMap, code},
    glyphs::{base_table, from_name, standard_width},
};

/// A glyph whose width nobody gives, in thousandths of the size.
const USUAL_WIDTH: f64 = 500.0;
const WIDTHS_MAX: usize = 70_000;

/// A font as far as its text is concerned.
pub(super) struct Font {
    kind: Kind,
    unicode: Option<CMap>,
    widths: Widths,
    /// Whether text runs from top to bottom.
    pub(super) is_vertical: bool,
}

enum Kind {
    /// One byte a character.
    Simple(Vec<String>),
    /// Codes of a composite font.
    Composite,
    /// A composite font whose codes are characters already.
    Encoded(&'static encoding_rs::Encoding),
}

enum Widths {
    Simple { first: u32, widths: Vec<f64>, missing: f64 },
    Composite { ranges: Vec<(u32, u32, f64)>, usual: f64 },
}

/// A character of a shown string.
pub(super) struct Shown {
    pub(super) text: String,
    /// In parts of the size.
    pub(super) width: f64,
    /// Word spacing applies to the one-byte code of the blank.
    pub(super) is_blank: bool,
}

impl Font {
    pub(super) fn read(document: &Document, font: &Dictionary) -> Self {
        let get = |key: &[u8]| font.get_deref(key, document).ok();
        let unicode = get(b"ToUnicode").and_then(|object| object.as_stream().ok()).and_then(|stream| {
            stream.get_plain_content_with_limit(STREAM_BYTES_MAX).ok().map(|bytes| CMap::read(&bytes))
        });
        if get(b"Subtype").and_then(|name| name.as_name().ok()) == Some(b"Type0") {
            return Self::composite(document, font, unicode);
        }
        let base = get(b"BaseFont").and_then(|name| name.as_name().ok()).unwrap_or_default();
        let table = simple_table(document, get(b"Encoding"), base);
        Self { kind: Kind::Simple(table), unicode, widths: simple_widths(document, font, base), is_vertical: false }
    }

    fn composite(document: &Document, font: &Dictionary, unicode: Option<CMap>) -> Self {
        let encoding = font.get_deref(b"Encoding", document).ok();
        let name = encoding.and_then(|encoding| encoding.as_name().ok()).unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        let descendant = font.get_deref(b"DescendantFonts", document).ok().and_then(|fonts| {
            let first = fonts.as_array().ok()?.first()?;
            document.dereference(first).ok()?.1.as_dict().ok()
        });
        let kind = if unicode.is_none() { encoded(&name) } else { Kind::Composite };
        Self { kind, unicode, widths: composite_widths(document, descendant), is_vertical: name.ends_with("-V") }
    }

    /// The characters of a string.
    pub(super) fn decode(&self, bytes: &[u8]) -> Vec<Shown> {
        match &self.kind {
            Kind::Simple(table) => bytes.iter().map(|byte| self.simple(*byte, table)).collect(),
            Kind::Encoded(encoding) => {
                let text = encoding.decode_without_bom_handling(bytes).0;
                let shown = |character: char| Shown { text: character.to_string(), width: 1.0, is_blank: false };
                text.chars().map(shown).collect()
            }
            Kind::Composite => self.codes(bytes),
        }
    }

    fn simple(&self, byte: u8, table: &[String]) -> Shown {
        let mapped = self.unicode.as_ref().and_then(|map| map.get(1, u32::from(byte))).filter(|text| !text.is_empty());
        let text = mapped.unwrap_or_else(|| table[usize::from(byte)].clone());
        Shown { text, width: self.widths.get(u32::from(byte)) / 1000.0, is_blank: byte == b' ' }
    }

    fn codes(&self, bytes: &[u8]) -> Vec<Shown> {
        let mut shown = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let known = self.unicode.as_ref().and_then(|map| map.code_length(rest));
            let length = known.unwrap_or(2).min(rest.len());
            let code = code(&rest[..length]);
            let text = self.unicode.as_ref().and_then(|map| map.get(length, code)).unwrap_or_default();
            let is_blank = length == 1 && code == 32;
            shown.push(Shown { text, width: self.widths.get(code) / 1000.0, is_blank });
            rest = &rest[length..];
        }
        shown
    }
}

/// Codes that are characters of a known set, by the name of the predefined map.
fn encoded(name: &str) -> Kind {
    let label = match name {
        _ if name.contains("UCS2") || name.contains("UTF16") => "utf-16be",
        _ if name.contains("UTF8") => "utf-8",
        _ if name.starts_with("GBK") || name.starts_with("GB-EUC") => "gbk",
        _ if name.contains("RKSJ") => "shift_jis",
        _ if name.starts_with("EUC") => "euc-jp",
        _ if name.starts_with("KSC") => "euc-kr",
        _ if name.contains("B5") => "big5",
        _ => return Kind::Composite,
    };
    encoding_rs::Encoding::for_label(label.as_bytes()).map_or(Kind::Composite, Kind::Encoded)
}

fn simple_table(document: &Document, encoding: Option<&Object>, base: &[u8]) -> Vec<String> {
    let dictionary = encoding.and_then(|encoding| encoding.as_dict().ok());
    let named = match dictionary {
        Some(dictionary) => dictionary.get_deref(b"BaseEncoding", document).ok(),
        None => encoding,
    };
    let mut table = base_table(named.and_then(|name| name.as_name().ok()), base);
    let differences = dictionary.and_then(|own| own.get_deref(b"Differences", document).ok()?.as_array().ok());
    let mut at = 0_usize;
    for difference in differences.into_iter().flatten().take(1024) {
        match document.dereference(difference) {
            Ok((_, Object::Integer(code))) => at = usize::try_from(*code).unwrap_or(usize::MAX),
            Ok((_, Object::Name(name))) => {
                if let Some(entry) = table.get_mut(at) {
                    *entry = from_name(name);
                }
                at = at.saturating_add(1);
            }
            _ => {}
        }
    }
    table
}

fn simple_widths(document: &Document, font: &Dictionary, base: &[u8]) -> Widths {
    let number = |key: &[u8]| font.get_deref(key, document).ok().and_then(number);
    // The glyphs of a Type 3 font are drawn in a space of their own.
    let matrix = font.get_deref(b"FontMatrix", document).ok().and_then(|matrix| matrix.as_array().ok());
    let scale = matrix.and_then(|matrix| matrix.first()).and_then(self::number).map_or(1.0, |part| part * 1000.0);
    let given = font.get_deref(b"Widths", document).ok().and_then(|widths| widths.as_array().ok());
    let missing = font
        .get_deref(b"FontDescriptor", document)
        .ok()
        .and_then(|descriptor| number_in(document, descriptor.as_dict().ok()?, b"MissingWidth"));
    match given {
        Some(given) => {
            let width = |object| document.dereference(object).ok().and_then(|(_, object)| self::number(object));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
            let first = number(b"FirstChar").unwrap_or(0.0).clamp(0.0, 255.0) as u32;
            let widths = given.iter().take(256).map(|object| width(object).unwrap_or(USUAL_WIDTH) * scale).collect();
            Widths::Simple { first, widths, missing: missing.unwrap_or(USUAL_WIDTH) * scale }
        }
        None => Widths::Simple {
            first: 0,
            widths: (0..=255).map(|byte| standard_width(base, byte)).collect(),
            missing: USUAL_WIDTH,
        },
    }
}

fn composite_widths(document: &Document, descendant: Option<&Dictionary>) -> Widths {
    let usual = descendant.and_then(|font| number_in(document, font, b"DW")).unwrap_or(1000.0);
    let array = descendant.and_then(|font| font.get_deref(b"W", document).ok()?.as_array().ok());
    let mut ranges = Vec::new();
    let mut objects =
        array.into_iter().flatten().filter_map(|object| document.dereference(object).ok()).map(|(_, object)| object);
    while let (Some(first), Some(second)) = (objects.next().and_then(as_code), objects.next()) {
        match second {
            Object::Array(widths) => {
                for (offset, width) in (0..).zip(widths.iter().take(WIDTHS_MAX)) {
                    let at = first.saturating_add(offset);
                    ranges.extend(number(width).map(|width| (at, at, width)));
                }
            }
            other => {
                let width = objects.next().and_then(number);
                ranges.extend(as_code(other).zip(width).map(|(last, width)| (first, last, width)));
            }
        }
        if ranges.len() > WIDTHS_MAX {
            break;
        }
    }
    ranges.sort_by_key(|(first, ..)| *first);
    Widths::Composite { ranges, usual }
}

impl Widths {
    fn get(&self, code: u32) -> f64 {
        let width = match self {
            Self::Simple { first, widths, missing } => {
                let index = code.checked_sub(*first).and_then(|index| usize::try_from(index).ok());
                index.and_then(|index| widths.get(index)).copied().unwrap_or(*missing)
            }
            Self::Composite { ranges, usual } => {
                let after = ranges.partition_point(|(first, ..)| *first <= code);
                ranges[..after].last().filter(|(_, last, _)| code <= *last).map_or(*usual, |(.., width)| *width)
            }
        };
        if width.is_finite() { width } else { USUAL_WIDTH }
    }
}

fn as_code(object: &Object) -> Option<u32> {
    number(object).filter(|number| (0.0..=65_535.0).contains(number)).map(|number| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just above")]
        let code = number as u32;
        code
    })
}

fn number_in(document: &Document, dictionary: &Dictionary, key: &[u8]) -> Option<f64> {
    dictionary.get_deref(key, document).ok().and_then(number)
}

/// A number object.
pub(super) fn number(object: &Object) -> Option<f64> {
    object.as_float().ok().map(f64::from)
}
