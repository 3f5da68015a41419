//! Text that an attacker may have written.
//!
//! From parsing to release, document text travels as [`UntrustedText`].
//! It cannot be printed, formatted or serialised by accident: it has neither `Display` nor `Serialize`, and its `Debug` shows a length.

/// Document text that has not been released.
///
/// ```compile_fail
/// let text = ringfence_ingest::UntrustedText::new("a passage".to_owned());
/// println!("{text}"); // no Display: untrusted text does not reach a log or a page by accident
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UntrustedText(Box<str>);

impl UntrustedText {
    /// Wraps text at the place where it enters.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text.into_boxed_str())
    }

    /// Opens the wrapper. Each caller takes responsibility for where the text goes next, and says so in an `#[expect]`.
    #[must_use]
    pub fn expose_untrusted(&self) -> &str {
        &self.0
    }

    /// The length in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no text.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for UntrustedText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "UntrustedText({} bytes)", self.0.len())
    }
}
