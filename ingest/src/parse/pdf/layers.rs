//! Optional content: layers that are switched off are not seen.

use std::collections::HashSet;

use lopdf::{Dictionary, Document, Object, ObjectId};

/// The layers that a document opens without.
pub(super) struct Layers {
    off: HashSet<ObjectId>,
}

impl Layers {
    pub(super) fn read(document: &Document) -> Self {
        Self { off: Self::find(document).unwrap_or_default() }
    }

    fn find(document: &Document) -> Option<HashSet<ObjectId>> {
        let properties = document.catalog().ok()?.get_deref(b"OCProperties", document).ok()?.as_dict().ok()?;
        let default = properties.get_deref(b"D", document).ok()?.as_dict().ok()?;
        let list = |own: &Dictionary, key: &[u8]| -> HashSet<ObjectId> {
            let array = own.get_deref(key, document).ok().and_then(|array| array.as_array().ok());
            array.into_iter().flatten().filter_map(|object| object.as_reference().ok()).collect()
        };
        let mut off = list(default, b"OFF");
        let base = default.get_deref(b"BaseState", document).ok().and_then(|state| state.as_name().ok());
        if base == Some(b"OFF") {
            off.extend(list(properties, b"OCGs"));
            let on = list(default, b"ON");
            off.retain(|layer| !on.contains(layer));
        }
        Some(off)
    }

    /// Whether what carries this mark is hidden.
    pub(super) fn hide(&self, document: &Document, mark: &Object) -> bool {
        if self.off.is_empty() {
            return false;
        }
        if let Ok(id) = mark.as_reference()
            && self.off.contains(&id)
        {
            return true;
        }
        // A membership is shown as long as one of its layers is.
        let members = document.dereference(mark).ok().and_then(|(_, own)| own.as_dict().ok()?.get(b"OCGs").ok());
        match members {
            Some(Object::Reference(id)) => self.off.contains(id),
            Some(Object::Array(layers)) => {
                let mut layers = layers.iter().filter_map(|layer| layer.as_reference().ok()).peekable();
                layers.peek().is_some() && layers.all(|layer| self.off.contains(&layer))
            }
            _ => false,
        }
    }
}
