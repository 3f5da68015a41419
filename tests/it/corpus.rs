//! Real sentences to fill servers with: the paragraphs of the demo's documents.

use std::{fs, path::Path, sync::OnceLock};

use crate::oracle::Dice;

/// Every paragraph of prose of the demo's Markdown and text files, in order of file name.
pub(crate) fn paragraphs() -> &'static [String] {
    static PARAGRAPHS: OnceLock<Vec<String>> = OnceLock::new();
    PARAGRAPHS.get_or_init(|| {
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo")];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let is_prose = path.extension().is_some_and(|extension| extension == "md" || extension == "txt");
                if path.is_dir() {
                    folders.push(path);
                } else if is_prose {
                    files.push(path);
                }
            }
        }
        files.sort();
        let texts: Vec<String> = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        let is_prose = |text: &&str| text.len() > 60 && text.starts_with(char::is_alphabetic);
        let paragraphs = texts.iter().flat_map(|text| text.lines().map(str::trim).filter(is_prose));
        let paragraphs: Vec<String> = paragraphs.map(str::to_owned).collect();
        assert!(paragraphs.len() > 150, "the demo has {} paragraphs", paragraphs.len());
        paragraphs
    })
}

/// One paragraph.
pub(crate) fn paragraph(dice: &mut Dice) -> &'static str {
    &paragraphs()[dice.roll(paragraphs().len())]
}

/// A few words that stand together somewhere in the corpus.
pub(crate) fn phrase(dice: &mut Dice) -> String {
    let words: Vec<&str> = paragraph(dice).split_whitespace().collect();
    let length = (1 + dice.roll(6)).min(words.len());
    let start = dice.roll(words.len() - length + 1);
    words[start..start + length].join(" ")
}
