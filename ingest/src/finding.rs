//! What the sanitiser saw: one vocabulary for every detector, the store, the API and the audit log.

use std::ops::Range;

/// What kind of thing was found. The wire names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// Zero-width, tag, variation-selector runs, other characters that a person does not see.
    InvisibleCharacters,
    /// Bidirectional overrides and isolates that reorder what is read.
    BidiControl,
    /// A token that a chat template or this server's envelope gives meaning to.
    ControlToken,
    /// Text that the source format hides: CSS, `hidden`, vanish, off-page.
    HiddenText,
    /// A comment of the source format.
    Comment,
    /// A link, image or reference definition that loads or exfiltrates.
    ExfiltrationMarkup,
    /// A sentence that overrides, replaces or cancels instructions.
    InstructionOverride,
    /// A sentence addressed to an AI, or steering its answer or tools.
    InstructionToAi,
    /// An instruction found only after decoding (base64, hex, look-alike letters …).
    EncodedInstruction,
    /// A credential, masked before indexing.
    Credential,
}

impl FindingKind {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 10] = [
        Self::InvisibleCharacters,
        Self::BidiControl,
        Self::ControlToken,
        Self::HiddenText,
        Self::Comment,
        Self::ExfiltrationMarkup,
        Self::InstructionOverride,
        Self::InstructionToAi,
        Self::EncodedInstruction,
        Self::Credential,
    ];

    /// The stable name on the wire and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvisibleCharacters => "invisible-characters",
            Self::BidiControl => "bidi-control",
            Self::ControlToken => "control-token",
            Self::HiddenText => "hidden-text",
            Self::Comment => "comment",
            Self::ExfiltrationMarkup => "exfiltration-markup",
            Self::InstructionOverride => "instruction-override",
            Self::InstructionToAi => "instruction-to-ai",
            Self::EncodedInstruction => "encoded-instruction",
            Self::Credential => "credential",
        }
    }

    /// The kind of a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What was done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Taken out of the text.
    Stripped,
    /// Left in place and reported.
    Flagged,
    /// The document is held back.
    Quarantined,
    /// Replaced by a placeholder.
    Masked,
}

impl Action {
    /// The stable name on the wire and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stripped => "stripped",
            Self::Flagged => "flagged",
            Self::Quarantined => "quarantined",
            Self::Masked => "masked",
        }
    }

    /// The action of a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Stripped, Self::Flagged, Self::Quarantined, Self::Masked]
            .into_iter()
            .find(|action| action.name() == name)
    }
}

/// One thing that the sanitiser saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// What was done.
    pub action: Action,
    /// Where, in bytes of the normalised source.
    /// What the source format hides is not part of the normalised source: such a finding has an empty range at the place where the hidden thing stood.
    pub range: Range<usize>,
}
