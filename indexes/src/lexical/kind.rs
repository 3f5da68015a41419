//! The analyzers that a collection may choose from.

use tantivy::tokenizer::Language;

/// How the texts of a collection, and the queries asked of it, become terms.
///
/// All of them cut at everything but letters and digits, fold widths and case, and pair the characters of scripts without spaces.
/// They differ in what they take for the same word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnalyzerKind {
    /// English stems: `rotates`, `rotating` and `rotation` are one word.
    #[default]
    English,
    /// Words as they stand: for names, codes and languages without stems here.
    Plain,
    /// Words as they stand, and single characters beside the pairs, so that one character alone is found within a run.
    Cjk,
    /// Arabic stems.
    Arabic,
    /// Danish stems.
    Danish,
    /// Dutch stems.
    Dutch,
    /// Finnish stems.
    Finnish,
    /// French stems.
    French,
    /// German stems.
    German,
    /// Greek stems.
    Greek,
    /// Hungarian stems.
    Hungarian,
    /// Italian stems.
    Italian,
    /// Norwegian stems.
    Norwegian,
    /// Portuguese stems.
    Portuguese,
    /// Romanian stems.
    Romanian,
    /// Russian stems.
    Russian,
    /// Spanish stems.
    Spanish,
    /// Swedish stems.
    Swedish,
    /// Tamil stems.
    Tamil,
    /// Turkish stems.
    Turkish,
}

impl AnalyzerKind {
    /// Every kind there is.
    pub const ALL: [Self; 20] = [
        Self::English,
        Self::Plain,
        Self::Cjk,
        Self::Arabic,
        Self::Danish,
        Self::Dutch,
        Self::Finnish,
        Self::French,
        Self::German,
        Self::Greek,
        Self::Hungarian,
        Self::Italian,
        Self::Norwegian,
        Self::Portuguese,
        Self::Romanian,
        Self::Russian,
        Self::Spanish,
        Self::Swedish,
        Self::Tamil,
        Self::Turkish,
    ];

    /// The name in settings and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::English => "english",
            Self::Plain => "plain",
            Self::Cjk => "cjk",
            Self::Arabic => "arabic",
            Self::Danish => "danish",
            Self::Dutch => "dutch",
            Self::Finnish => "finnish",
            Self::French => "french",
            Self::German => "german",
            Self::Greek => "greek",
            Self::Hungarian => "hungarian",
            Self::Italian => "italian",
            Self::Norwegian => "norwegian",
            Self::Portuguese => "portuguese",
            Self::Romanian => "romanian",
            Self::Russian => "russian",
            Self::Spanish => "spanish",
            Self::Swedish => "swedish",
            Self::Tamil => "tamil",
            Self::Turkish => "turkish",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The language whose stems it takes, if any.
    pub(crate) const fn language(self) -> Option<Language> {
        Some(match self {
            Self::Plain | Self::Cjk => return None,
            Self::English => Language::English,
            Self::Arabic => Language::Arabic,
            Self::Danish => Language::Danish,
            Self::Dutch => Language::Dutch,
            Self::Finnish => Language::Finnish,
            Self::French => Language::French,
            Self::German => Language::German,
            Self::Greek => Language::Greek,
            Self::Hungarian => Language::Hungarian,
            Self::Italian => Language::Italian,
            Self::Norwegian => Language::Norwegian,
            Self::Portuguese => Language::Portuguese,
            Self::Romanian => Language::Romanian,
            Self::Russian => Language::Russian,
            Self::Spanish => Language::Spanish,
            Self::Swedish => Language::Swedish,
            Self::Tamil => Language::Tamil,
            Self::Turkish => Language::Turkish,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_come_back() {
        for kind in AnalyzerKind::ALL {
            assert_eq!(AnalyzerKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(AnalyzerKind::from_name("English"), None);
    }
}
