//! The built-in embedder: text in, a direction of 256 dimensions out.
//!
//! The model is static (a row a token, averaged), so that an embedding is a function of the text alone: no corpus statistic enters it and nothing is learned from what is indexed.
//! It lies in the binary; nothing is downloaded. Computing is for the blocking pool: call [`Embedder::embed`] there.
//! Every index remembers [`Embedder::fingerprint`] and refuses vectors of another model.

use model2vec_rs::model::StaticModel;
use ringfence_indexes::Vector;
use ringfence_ingest::{PreparedChunk, UntrustedText};

const TOKENIZER: &[u8] = include_bytes!("../../assets/potion-base-8M-int8/tokenizer.json");
const WEIGHTS: &[u8] = include_bytes!("../../assets/potion-base-8M-int8/model.safetensors");
const CONFIG: &[u8] = include_bytes!("../../assets/potion-base-8M-int8/config.json");

/// Tokens of one text that are read. A chunk has far fewer; the bound is for what a client cuts by itself.
const TOKENS_MAX: usize = 2048;
/// What of a passage is embedded, as part of the fingerprint: another recipe gives other vectors.
const RECIPE: &[u8] = b"title, headings, text";

/// Turns texts into unit vectors.
pub struct Embedder {
    model: StaticModel,
    fingerprint: String,
}

/// The built-in model cannot be read: the binary was built from damaged assets.
#[derive(Debug, thiserror::Error)]
#[error("the built-in embedding model cannot be read: {0}")]
pub struct EmbedderError(String);

impl Embedder {
    /// Reads the model from the binary.
    ///
    /// # Errors
    /// [`EmbedderError`] where the embedded files are damaged.
    pub fn builtin() -> Result<Self, EmbedderError> {
        let model = StaticModel::from_bytes(TOKENIZER, WEIGHTS, CONFIG, Some(true))
            .map_err(|error| EmbedderError(error.to_string()))?;
        let mut hasher = blake3::Hasher::new();
        for part in [TOKENIZER, WEIGHTS, CONFIG] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        hasher.update(&(TOKENS_MAX as u64).to_le_bytes()).update(RECIPE);
        Ok(Self { model, fingerprint: hasher.finalize().to_hex().to_string() })
    }

    /// Embeds each text by itself. A text without a known token has no direction and gets none.
    #[must_use]
    pub fn embed(&self, texts: &[&str]) -> Vec<Option<Vector>> {
        texts.iter().map(|text| self.embed_one(text)).collect()
    }

    /// Embeds a passage with its document's title and the headings above it: a passage from the middle of a text seldom names what it is about.
    /// The one recipe, for ingest and for a later change of the model.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the text becomes numbers")]
    pub fn embed_passage(&self, title: Option<&UntrustedText>, passage: &PreparedChunk) -> Option<Vector> {
        let title = title.map_or("", UntrustedText::expose_untrusted);
        self.embed_one(&format!("{title}\n{}\n{}", passage.heading(), passage.text().expose_untrusted()))
    }

    /// How long each vector is.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.model.dim()
    }

    /// Names the model, its tokenizer and how they are used.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn embed_one(&self, text: &str) -> Option<Vector> {
        // One text a call: the result must not depend on what else is embedded at the same time.
        let values = self.model.encode_with_args(&[text.to_owned()], Some(TOKENS_MAX), 1).pop()?;
        Vector::new(values).ok()
    }
}

impl std::fmt::Debug for Embedder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Embedder({} dimensions, {})", self.dimensions(), self.fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(left: &[f32], right: &[f32]) -> f32 {
        left.iter().zip(right).map(|(left, right)| left * right).sum()
    }

    #[test]
    fn places_related_texts_nearer_than_unrelated_ones() {
        let embedder = Embedder::builtin().unwrap();
        let texts = ["how to rotate signing keys", "replacing cryptographic keys regularly", "a recipe for apple cake"];
        let vectors =
            embedder.embed(&texts).into_iter().map(|vector| vector.unwrap().values().to_vec()).collect::<Vec<_>>();
        assert_eq!(vectors[0].len(), embedder.dimensions());
        assert!((cosine(&vectors[0], &vectors[0]) - 1.0).abs() < 1e-4, "unit length");
        assert!(cosine(&vectors[0], &vectors[1]) > cosine(&vectors[0], &vectors[2]) + 0.1);
    }

    #[test]
    fn depends_on_nothing_but_the_text() {
        let embedder = Embedder::builtin().unwrap();
        let alone = embedder.embed(&["audit log"]);
        let among = embedder.embed(&["other words", "audit log", "", "more"]);
        assert_eq!(alone[0], among[1]);
        assert_eq!(embedder.fingerprint(), Embedder::builtin().unwrap().fingerprint());
    }

    #[test]
    fn gives_no_direction_to_a_text_without_tokens() {
        let embedder = Embedder::builtin().unwrap();
        assert_eq!(embedder.embed(&["", "   \n\t"]), [None, None]);
    }
}
