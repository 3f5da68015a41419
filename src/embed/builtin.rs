//! The built-in model: static (a row a token, averaged), in the binary; nothing is downloaded.

use model2vec_rs::model::StaticModel;
use ringfence_indexes::Vector;

use super::EmbedderError;

const TOKENIZER: &[u8] = include_bytes!("../../assets/potion-base-8M-int8/tokenizer.json");
const WEIGHTS: &[u8] = include_bytes!("../../assets/potion-base-8M-int8/model.safetensors");
const CONFIG: &[u8] = include_bytes!("../../assets/potion-base-8M-int8/config.json");

/// Tokens of one text that are read. A chunk has far fewer; the bound is for what a client cuts by itself.
const TOKENS_MAX: usize = 2048;

pub(super) struct Builtin(StaticModel);

impl Builtin {
    pub(super) fn read() -> Result<Self, EmbedderError> {
        let model = StaticModel::from_bytes(TOKENIZER, WEIGHTS, CONFIG, Some(true));
        Ok(Self(model.map_err(|error| EmbedderError::Builtin(error.to_string()))?))
    }

    /// The model and how it is used, in one hash.
    pub(super) fn fingerprint(recipe: &[u8]) -> String {
        let mut hasher = blake3::Hasher::new();
        for part in [TOKENIZER, WEIGHTS, CONFIG] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        hasher.update(&(TOKENS_MAX as u64).to_le_bytes()).update(recipe);
        hasher.finalize().to_hex().to_string()
    }

    pub(super) fn dimensions(&self) -> usize {
        self.0.dim()
    }

    pub(super) fn embed(&self, text: &str) -> Option<Vector> {
        // One text a call: the result must not depend on what else is embedded at the same time.
        let values = self.0.encode_with_args(&[text.to_owned()], Some(TOKENS_MAX), 1).pop()?;
        Vector::new(values).ok()
    }
}
