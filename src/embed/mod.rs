//! The server's embedder: text in, a direction out. Built in, or one that the operator configured.
//!
//! The built-in model lies in the binary; nothing is downloaded. An embedding is a function of the text, or of one document's passages together: no corpus statistic enters it and nothing is learned from what is indexed.
//! Computing is for the blocking pool; asking a remote service is not, so that nobody who waits for it holds a place that computes.
//! Every collection remembers [`Embedder::fingerprint`] and refuses vectors of another model.

mod breaker;
mod builtin;
mod openai;
mod rten;

use std::path::PathBuf;

use ringfence_indexes::Vector;
use ringfence_ingest::{PreparedChunk, UntrustedText};

use self::{builtin::Builtin, openai::Openai, rten::Rten};
use crate::config::EmbedderConfig;

/// What of a passage is embedded, as part of the fingerprint: another recipe gives other vectors.
const RECIPE: &[u8] = b"title, headings, text";

/// Turns texts into unit vectors.
pub struct Embedder {
    model: Model,
    fingerprint: String,
}

enum Model {
    Builtin(Box<Builtin>),
    Rten(Box<Rten>),
    Openai(Box<Openai>),
}

/// Why there is no embedder.
#[derive(Debug, thiserror::Error)]
pub enum EmbedderError {
    /// The binary was built from damaged assets.
    #[error("the built-in embedding model cannot be read: {0}")]
    Builtin(String),
    /// The folder does not hold a model that can be used.
    #[error("the embedding model in `{}` cannot be used: {what}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        what: String,
    },
    /// The remote embedder is not configured so that it can be used.
    #[error("the embedder at `{url}` cannot be used: {what}")]
    Remote {
        /// Its address.
        url: String,
        /// Why.
        what: String,
    },
    /// Passages that another model placed cannot be placed anew.
    #[error(
        "the embedder has changed and stored passages cannot be placed anew: {0}; start again when it answers, or set `[embedder]` back to what it was"
    )]
    Reembedding(#[source] EmbedFailure),
}

/// Why a text has no vector now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmbedFailure {
    /// It failed often, and is left alone for a while.
    #[error("the embedder failed repeatedly and is left alone for some seconds")]
    LeftAlone,
    /// It took too long.
    #[error("the embedder did not answer in time")]
    Silent,
    /// The connection failed.
    #[error("the embedder {0}")]
    Broken(&'static str),
    /// It answered with an error.
    #[error("the embedder answered {0}")]
    Refused(u16),
    /// It answered what cannot be used.
    #[error("the embedder's answer {0}")]
    Unusable(&'static str),
    /// The local model failed.
    #[error("the embedding model failed: {0}")]
    Model(String),
}

/// A query's place in the embedder's space.
#[derive(Clone, Debug)]
pub enum PlacedQuery {
    /// It was asked for, or is not needed; a text without direction has none.
    Known(Option<Vector>),
    /// It is to be computed here, on the blocking pool.
    Here,
}

impl Embedder {
    /// The model in the binary.
    ///
    /// # Errors
    /// [`EmbedderError`] where the embedded files are damaged.
    pub fn builtin() -> Result<Self, EmbedderError> {
        Self::open(&EmbedderConfig::default())
    }

    /// The configured embedder. It reads files and computes: for the blocking pool.
    ///
    /// # Errors
    /// [`EmbedderError`] says what cannot be used.
    pub fn open(config: &EmbedderConfig) -> Result<Self, EmbedderError> {
        let model = match config {
            EmbedderConfig::Builtin {} => Model::Builtin(Box::new(Builtin::read()?)),
            EmbedderConfig::Rten(config) => Model::Rten(Box::new(Rten::open(config, RECIPE)?)),
            EmbedderConfig::Openai(config) => Model::Openai(Box::new(Openai::open(config, RECIPE)?)),
        };
        let fingerprint = match &model {
            Model::Builtin(_) => Builtin::fingerprint(RECIPE),
            Model::Rten(rten) => rten.fingerprint().to_owned(),
            Model::Openai(openai) => openai.fingerprint().to_owned(),
        };
        Ok(Self { model, fingerprint })
    }

    /// Whether texts leave this server to be embedded.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        matches!(self.model, Model::Openai(_))
    }

    /// Asks for a query's place where that is asked for, and leaves it to [`Self::embed_query`] where it is computed.
    ///
    /// # Errors
    /// [`EmbedFailure`] where a remote embedder gives none.
    pub async fn ask_query(&self, text: &str) -> Result<PlacedQuery, EmbedFailure> {
        match &self.model {
            Model::Openai(openai) => Ok(PlacedQuery::Known(openai.embed_query(text).await?)),
            Model::Builtin(_) | Model::Rten(_) => Ok(PlacedQuery::Here),
        }
    }

    /// Computes a query's place; a text without a known token has none.
    ///
    /// # Errors
    /// [`EmbedFailure`] where the model fails, or is remote and has to be asked.
    pub fn embed_query(&self, text: &str) -> Result<Option<Vector>, EmbedFailure> {
        match &self.model {
            Model::Builtin(builtin) => Ok(builtin.embed(text)),
            Model::Rten(rten) => rten.embed_query(text),
            Model::Openai(_) => Err(EmbedFailure::Silent),
        }
    }

    /// Computes the places of a document's passages, each with the title and the headings above it: a passage from the middle of a text seldom names what it is about.
    /// The one recipe, for ingest and for a later change of the model. `None` where they have to be asked for.
    ///
    /// # Errors
    /// [`EmbedFailure`] where the model fails.
    pub fn embed_passages<'a>(
        &self,
        title: Option<&UntrustedText>,
        passages: impl Iterator<Item = &'a PreparedChunk>,
    ) -> Result<Option<Vec<Option<Vector>>>, EmbedFailure> {
        match &self.model {
            Model::Builtin(builtin) => {
                Ok(Some(passages.map(|passage| builtin.embed(&whole(title, passage))).collect()))
            }
            Model::Rten(rten) => {
                let texts: Vec<String> = passages.map(|passage| whole(title, passage)).collect();
                rten.embed_passages(&texts).map(Some)
            }
            Model::Openai(_) => Ok(None),
        }
    }

    /// Asks for the places of passages where they are asked for, by the same recipe. `None` where they are computed.
    ///
    /// # Errors
    /// [`EmbedFailure`] where a remote embedder gives none.
    pub async fn ask_passages<'a>(
        &self,
        title: Option<&UntrustedText>,
        passages: impl Iterator<Item = &'a PreparedChunk>,
    ) -> Result<Option<Vec<Option<Vector>>>, EmbedFailure> {
        let Model::Openai(openai) = &self.model else { return Ok(None) };
        let texts: Vec<String> = passages.map(|passage| whole(title, passage)).collect();
        openai.embed_passages(&texts).await.map(Some)
    }

    /// How long each vector is.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        match &self.model {
            Model::Builtin(builtin) => builtin.dimensions(),
            Model::Rten(rten) => rten.dimensions(),
            Model::Openai(openai) => openai.dimensions(),
        }
    }

    /// Names the model, its tokenizer and how they are used.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the text becomes numbers; what leaves for a remote embedder is masked there"
)]
fn whole(title: Option<&UntrustedText>, passage: &PreparedChunk) -> String {
    let title = title.map_or("", UntrustedText::expose_untrusted);
    format!("{title}\n{}\n{}", passage.heading(), passage.text().expose_untrusted())
}

impl std::fmt::Debug for Embedder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.model {
            Model::Builtin(_) => "builtin",
            Model::Rten(_) => "rten",
            Model::Openai(_) => "openai",
        };
        write!(formatter, "Embedder({kind}, {} dimensions, {})", self.dimensions(), self.fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embed(embedder: &Embedder, text: &str) -> Option<Vector> {
        embedder.embed_query(text).unwrap()
    }

    fn cosine(left: &Vector, right: &Vector) -> f32 {
        left.values().iter().zip(right.values()).map(|(left, right)| left * right).sum()
    }

    #[test]
    fn places_related_texts_nearer_than_unrelated_ones() {
        let embedder = Embedder::builtin().unwrap();
        let texts = ["how to rotate signing keys", "replacing cryptographic keys regularly", "a recipe for apple cake"];
        let vectors = texts.map(|text| embed(&embedder, text).unwrap());
        assert_eq!(vectors[0].dimensions(), embedder.dimensions());
        assert!((cosine(&vectors[0], &vectors[0]) - 1.0).abs() < 1e-4, "unit length");
        assert!(cosine(&vectors[0], &vectors[1]) > cosine(&vectors[0], &vectors[2]) + 0.1);
    }

    #[test]
    fn depends_on_nothing_but_the_text() {
        let embedder = Embedder::builtin().unwrap();
        assert_eq!(embed(&embedder, "audit log"), embed(&embedder, "audit log"));
        assert_eq!(embedder.fingerprint(), Embedder::builtin().unwrap().fingerprint());
        assert_eq!((embed(&embedder, ""), embed(&embedder, "   \n\t")), (None, None));
    }
}
