//! A sentence transformer from a folder with `model.onnx` and `tokenizer.json`, computed here by rten.
//!
//! Token vectors are averaged over the tokens of the text (mean pooling) unless the model does so itself. The folder is the operator's and is trusted as the binary is.

use std::{fs, path::Path};

use ringfence_indexes::Vector;
use rten::{Model, NodeId, Value, ValueOrView};
use tokenizers::{Encoding, Tokenizer, TruncationParams};

use super::{EmbedFailure, EmbedderError};
use crate::config::RtenConfig;

/// Texts that are computed together.
const BATCH: usize = 16;
/// Tokens of one text that are read where neither the configuration nor the tokenizer says.
const TOKENS_MAX: usize = 512;
/// Outputs that are a vector for the whole text already.
const POOLED: [&str; 2] = ["sentence_embedding", "embedding"];
/// Files beside `model.onnx` in which some exporters keep the weights.
const WEIGHTS: [&str; 2] = ["model.onnx_data", "model.onnx.data"];

pub(super) struct Rten {
    model: Model,
    tokenizer: Tokenizer,
    inputs: Vec<(NodeId, Input)>,
    output: NodeId,
    /// Whether the output has one vector a text, rather than one a token.
    is_pooled: bool,
    tokens_max: usize,
    query_prefix: String,
    passage_prefix: String,
    dimensions: usize,
    fingerprint: String,
}

/// What a model takes of a tokenized text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Ids,
    Mask,
    Types,
    Positions,
}

impl Rten {
    pub(super) fn open(config: &RtenConfig, recipe: &[u8]) -> Result<Self, EmbedderError> {
        let fault = |what: String| EmbedderError::Folder { folder: config.folder.clone(), what };
        let read = |file: &str| fs::read(config.folder.join(file)).map_err(|error| fault(format!("`{file}`: {error}")));
        let (weights, words) = (read("model.onnx")?, read("tokenizer.json")?);
        let mut tokenizer =
            Tokenizer::from_bytes(&words).map_err(|error| fault(format!("`tokenizer.json`: {error}")))?;
        let own = tokenizer.get_truncation().map(|truncation| truncation.max_length);
        let tokens_max = config.tokens_max.or(own).unwrap_or(TOKENS_MAX);
        let truncation = TruncationParams { max_length: tokens_max, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(|error| fault(error.to_string()))?;
        tokenizer.with_padding(None);
        let fingerprint = fingerprint(config, tokens_max, &weights, &words, recipe);
        // Loaded by name, so that weights in a file of their own are found.
        let model = Model::load_file(config.folder.join("model.onnx"))
            .map_err(|error| fault(format!("`model.onnx`: {error}")))?;
        let inputs = inputs(&model).map_err(fault)?;
        let (output, is_pooled) = output(&model).ok_or_else(|| fault("`model.onnx` has no output".to_owned()))?;
        let mut embedder = Self {
            model,
            tokenizer,
            inputs,
            output,
            is_pooled,
            tokens_max,
            query_prefix: config.query_prefix.clone(),
            passage_prefix: config.passage_prefix.clone(),
            dimensions: 0,
            fingerprint,
        };
        let probe = embedder.compute(&["a"]).map_err(|failure| fault(failure.to_string()))?;
        embedder.dimensions =
            probe[0].as_ref().map(Vector::dimensions).ok_or_else(|| fault("the model places no text".to_owned()))?;
        Ok(embedder)
    }

    pub(super) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(super) const fn dimensions(&self) -> usize {
        self.dimensions
    }

    pub(super) fn embed_query(&self, text: &str) -> Result<Option<Vector>, EmbedFailure> {
        let text = format!("{}{text}", self.query_prefix);
        Ok(self.compute(&[&text])?.pop().flatten())
    }

    pub(super) fn embed_passages(&self, texts: &[String]) -> Result<Vec<Option<Vector>>, EmbedFailure> {
        let mut vectors = Vec::with_capacity(texts.len());
        for texts in texts.chunks(BATCH) {
            let texts: Vec<String> = texts.iter().map(|text| format!("{}{text}", self.passage_prefix)).collect();
            vectors.extend(self.compute(&texts.iter().map(String::as_str).collect::<Vec<_>>())?);
        }
        Ok(vectors)
    }

    /// One run of the model. A text without tokens gets no vector.
    fn compute(&self, texts: &[&str]) -> Result<Vec<Option<Vector>>, EmbedFailure> {
        let encode = |text: &&str| {
            let encoding = self.tokenizer.encode_fast(*text, true);
            encoding.map_err(|error| EmbedFailure::Model(error.to_string()))
        };
        let encodings = texts.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
        let width = encodings.iter().map(|encoding| encoding.get_ids().len()).max().unwrap_or(0);
        if width == 0 {
            return Ok(vec![None; texts.len()]);
        }
        debug_assert!(width <= self.tokens_max, "the tokenizer truncates");
        let shape = [texts.len(), width];
        let input = |(id, input): &(NodeId, Input)| {
            let values: Vec<i32> = encodings.iter().flat_map(|encoding| input.row(encoding, width)).collect();
            let value = Value::from_shape(shape, values).map_err(|error| EmbedFailure::Model(error.to_string()))?;
            Ok((*id, ValueOrView::from(value)))
        };
        let inputs = self.inputs.iter().map(input).collect::<Result<Vec<_>, EmbedFailure>>()?;
        let run = self.model.run_n(inputs, [self.output], None);
        let [output] = run.map_err(|error| EmbedFailure::Model(error.to_string()))?;
        self.pool(output, &encodings, width)
    }

    /// The vector of each text: as the model gives it, or the mean over the text's tokens.
    fn pool(&self, output: Value, encodings: &[Encoding], width: usize) -> Result<Vec<Option<Vector>>, EmbedFailure> {
        let unusable = |what: String| EmbedFailure::Model(format!("the model's output {what}"));
        let (rows, dimensions, values) = if self.is_pooled {
            let ([texts, dimensions], values) =
                output.into_shape_vec::<f32, 2>().map_err(|error| unusable(error.to_string()))?;
            (texts, dimensions, values)
        } else {
            let ([texts, tokens, dimensions], values) =
                output.into_shape_vec::<f32, 3>().map_err(|error| unusable(error.to_string()))?;
            (texts * tokens, dimensions, values)
        };
        let rows_of_text = if self.is_pooled { 1 } else { width };
        if rows != encodings.len() * rows_of_text || dimensions == 0 {
            return Err(unusable("has another shape than its input".to_owned()));
        }
        let vector = |(encoding, rows): (&Encoding, &[f32])| {
            let length = encoding.get_ids().len();
            if length == 0 {
                return Ok(None);
            }
            let tokens = &rows[..length.min(rows_of_text) * dimensions];
            Vector::new(sum(tokens, dimensions)).map(Some).map_err(|error| unusable(error.to_string()))
        };
        encodings.iter().zip(values.chunks_exact(rows_of_text * dimensions)).map(vector).collect()
    }
}

impl Input {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "input_ids" => Self::Ids,
            "attention_mask" => Self::Mask,
            "token_type_ids" => Self::Types,
            "position_ids" => Self::Positions,
            _ => return None,
        })
    }

    /// The values of one text, filled up with zeros.
    fn row(self, encoding: &Encoding, width: usize) -> Vec<i32> {
        let whole = |number: &u32| i32::try_from(*number).unwrap_or(i32::MAX);
        let length = encoding.get_ids().len();
        let mut row: Vec<i32> = match self {
            Self::Ids => encoding.get_ids().iter().map(whole).collect(),
            Self::Mask => vec![1; length],
            Self::Types => encoding.get_type_ids().iter().map(whole).collect(),
            Self::Positions => (0_i32..).take(length).collect(),
        };
        row.resize(width, 0);
        row
    }
}

fn inputs(model: &Model) -> Result<Vec<(NodeId, Input)>, String> {
    let input = |id: &NodeId| {
        let info = model.node_info(*id);
        let name = info.as_ref().and_then(|info| info.name()).unwrap_or_default();
        Input::of(name)
            .map(|input| (*id, input))
            .ok_or_else(|| format!("`model.onnx` takes `{name}`, which is not known here"))
    };
    let inputs: Vec<_> = model.input_ids().iter().map(input).collect::<Result<_, _>>()?;
    if inputs.iter().any(|(_, input)| *input == Input::Ids) {
        Ok(inputs)
    } else {
        Err("`model.onnx` takes no `input_ids`".to_owned())
    }
}

/// The output with one vector a text, if there is one; else the first. And whether it is of that kind.
fn output(model: &Model) -> Option<(NodeId, bool)> {
    let is_pooled = |id: &NodeId| {
        model.node_info(*id).is_some_and(|info| match info.shape() {
            Some(shape) => shape.len() == 2,
            None => info.name().is_some_and(|name| POOLED.contains(&name)),
        })
    };
    let outputs = model.output_ids();
    outputs.iter().find(|id| is_pooled(id)).map(|id| (*id, true)).or_else(|| Some((*outputs.first()?, false)))
}

/// The sum of rows. It has the direction of their mean, and nothing else of it is kept.
fn sum(rows: &[f32], dimensions: usize) -> Vec<f32> {
    let mut sums = vec![0.0_f32; dimensions];
    for row in rows.chunks_exact(dimensions) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    sums
}

fn fingerprint(config: &RtenConfig, tokens_max: usize, weights: &[u8], words: &[u8], recipe: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    };
    part(b"rten, mean of tokens");
    part(weights);
    part(words);
    for file in WEIGHTS {
        part(&fs::read(Path::new(&config.folder).join(file)).unwrap_or_default());
    }
    part(&(tokens_max as u64).to_le_bytes());
    part(config.query_prefix.as_bytes());
    part(config.passage_prefix.as_bytes());
    part(recipe);
    hasher.finalize().to_hex().to_string()
}
