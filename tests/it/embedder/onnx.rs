//! A model in ONNX form, small enough to be written by a test: a row for each word.

use std::{fs, path::Path};

use serde_json::{Map, Value, json};

/// The words that the model knows, each with its direction.
pub(crate) const WORDS: [(&str, [f32; 4]); 8] = [
    ("[UNK]", [0.0, 0.0, 0.0, 0.1]),
    ("rotate", [1.0, 0.0, 0.0, 0.0]),
    ("replace", [0.9, 0.1, 0.0, 0.0]),
    ("keys", [0.0, 1.0, 0.0, 0.0]),
    ("secrets", [0.3, 0.9, 0.0, 0.0]),
    ("apple", [0.0, 0.0, 1.0, 0.0]),
    ("cake", [0.0, 0.1, 0.9, 0.0]),
    ("a", [0.0, 0.0, 0.0, 0.1]),
];

/// Writes `model.onnx` and `tokenizer.json`.
pub(crate) fn write(folder: &Path) {
    let vocabulary: Map<String, Value> =
        WORDS.iter().enumerate().map(|(id, (word, _))| ((*word).to_owned(), id.into())).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    });
    fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    fs::write(folder.join("model.onnx"), model()).unwrap();
}

/// `last_hidden_state = Gather(table, input_ids)`, in the protocol buffers of onnx.proto.
fn model() -> Vec<u8> {
    let table: Vec<u8> = WORDS.iter().flat_map(|(_, row)| row.iter().flat_map(|value| value.to_le_bytes())).collect();
    let table =
        [number(1, WORDS.len() as u64), number(1, 4), number(2, 1), bytes(8, b"table"), bytes(9, &table)].concat();
    let node =
        [bytes(1, b"table"), bytes(1, b"input_ids"), bytes(2, b"last_hidden_state"), bytes(4, b"Gather")].concat();
    let texts = [(2, "texts"), (2, "tokens")];
    let graph = [
        bytes(1, &node),
        bytes(2, b"graph"),
        bytes(5, &table),
        bytes(11, &value("input_ids", 7, &texts)),
        bytes(11, &value("attention_mask", 7, &texts)),
        bytes(12, &value("last_hidden_state", 1, &[(2, "texts"), (2, "tokens"), (1, "4")])),
    ]
    .concat();
    let operators = [bytes(1, b""), number(2, 13)].concat();
    [number(1, 8), bytes(8, &operators), bytes(7, &graph)].concat()
}

/// A named tensor of an element type, with named (2) and fixed (1) dimensions.
fn value(name: &str, element: u64, dimensions: &[(u64, &str)]) -> Vec<u8> {
    let dimension = |(kind, text): &(u64, &str)| match kind {
        1 => bytes(1, &number(1, text.parse().unwrap())),
        _ => bytes(1, &bytes(2, text.as_bytes())),
    };
    let shape: Vec<u8> = dimensions.iter().flat_map(dimension).collect();
    let tensor = [number(1, element), bytes(2, &shape)].concat();
    [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &tensor))].concat()
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [variable(field << 3), variable(value)].concat()
}

fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [variable(field << 3 | 2), variable(value.len() as u64), value.to_vec()].concat()
}

fn variable(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
    out
}
