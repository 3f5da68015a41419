//! Colour spaces, as far as they tell whether letters can be read.

use lopdf::{Dictionary, Document, Object};

use crate::parse::color::Rgb;

/// What the operands of a colour mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    Gray,
    Rgb,
    Cmyk,
    /// Inks of their own: none of them is paper.
    Inks,
    /// Not worked out; nothing is hidden by such a colour.
    Unknown,
}

impl Space {
    /// The space of a name, looked up in the resources where it is not a device's.
    pub(super) fn read(document: &Document, resources: Option<&Dictionary>, name: &[u8]) -> Self {
        if let Some(space) = Self::from_name(name) {
            return space;
        }
        let spaces = resources.and_then(|own| own.get_deref(b"ColorSpace", document).ok()?.as_dict().ok());
        let object = spaces.and_then(|spaces| spaces.get_deref(name, document).ok());
        object.map_or(Self::Unknown, |object| Self::from_object(document, object))
    }

    fn from_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"DeviceGray" | b"G" | b"CalGray" => Self::Gray,
            b"DeviceRGB" | b"RGB" | b"CalRGB" => Self::Rgb,
            b"DeviceCMYK" | b"CMYK" => Self::Cmyk,
            b"Separation" | b"DeviceN" => Self::Inks,
            b"Pattern" | b"Indexed" | b"Lab" => Self::Unknown,
            _ => return None,
        })
    }

    fn from_object(document: &Document, object: &Object) -> Self {
        if let Ok(name) = object.as_name() {
            return Self::from_name(name).unwrap_or(Self::Unknown);
        }
        let Ok(array) = object.as_array() else { return Self::Unknown };
        let Some(kind) = array.first().and_then(|kind| kind.as_name().ok()) else { return Self::Unknown };
        if kind != b"ICCBased" {
            return Self::from_name(kind).unwrap_or(Self::Unknown);
        }
        let profile = array.get(1).and_then(|profile| document.dereference(profile).ok());
        let components = profile.and_then(|(_, profile)| profile.as_stream().ok()?.dict.get(b"N").ok()?.as_i64().ok());
        match components {
            Some(1) => Self::Gray,
            Some(3) => Self::Rgb,
            Some(4) => Self::Cmyk,
            _ => Self::Unknown,
        }
    }

    /// The colour of operands.
    pub(super) fn color(self, parts: &[f64]) -> Option<Rgb> {
        #[expect(clippy::cast_possible_truncation, reason = "parts of one")]
        let part = |index: usize| parts.get(index).map(|part| *part as f32);
        match self {
            Self::Gray => part(0).map(|gray| Rgb::from_unit(gray, gray, gray)),
            Self::Rgb => Some(Rgb::from_unit(part(0)?, part(1)?, part(2)?)),
            Self::Cmyk => {
                let black = 1.0 - part(3)?;
                Some(Rgb::from_unit((1.0 - part(0)?) * black, (1.0 - part(1)?) * black, (1.0 - part(2)?) * black))
            }
            Self::Inks if !parts.is_empty() && parts.iter().all(|ink| *ink < 0.05) => Some(Rgb::WHITE),
            Self::Inks | Self::Unknown => None,
        }
    }
}
