//! Texts made from templates: instructions in many shapes and languages, and honest texts that look like them.
//!
//! A grammar is a file of sections, `== name`, and their alternatives, one a line. `{name}` stands for one alternative of a section, `\n` for a line end; `⟦…⟧` marks the instruction where the rest of a line is harmless.

use std::collections::BTreeMap;

use crate::training::{
    corpus::{Payload, Row, insert},
    random::{Random, digest},
};

/// Templates go so deep into each other at most.
const DEPTH_MAX: usize = 8;

/// Sections and their alternatives.
#[derive(Clone, Debug, Default)]
pub struct Grammar {
    sections: BTreeMap<String, Vec<String>>,
}

impl Grammar {
    /// Reads grammars that use each other's sections.
    ///
    /// # Errors
    /// The line that belongs to no section, or a template that names a section with nothing in it.
    pub fn read(files: &[&str]) -> Result<Self, String> {
        let mut grammar = Self::default();
        for file in files {
            let mut name = None;
            for line in file.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")) {
                if let Some(opened) = line.strip_prefix("== ") {
                    name = Some(opened.to_owned());
                } else {
                    let name = name.clone().ok_or_else(|| format!("`{line}` belongs to no section"))?;
                    grammar.sections.entry(name).or_default().push(line.replace("\\n", "\n"));
                }
            }
        }
        Ok(grammar)
    }

    /// The names that follow a word: `attack` gives the shapes of attacks.
    fn names(&self, word: &str) -> Vec<&str> {
        let own = |name: &'_ str| name.strip_prefix(word).and_then(|rest| rest.strip_prefix(' ')).is_some();
        self.sections.keys().map(String::as_str).filter(|name| own(name)).collect()
    }

    /// One text of a section.
    fn text(&self, section: &str, random: &mut Random) -> String {
        let template = random.choose(&self.sections[section]);
        self.expand(template, random, 0)
    }

    fn expand(&self, template: &str, random: &mut Random, depth: usize) -> String {
        let mut text = String::new();
        let mut rest = template;
        while let Some(at) = rest.find('{') {
            text.push_str(&rest[..at]);
            let inner = &rest[at + 1..];
            let section = inner.find('}').map(|end| &inner[..end]).filter(|name| self.sections.contains_key(*name));
            match section {
                Some(name) if depth < DEPTH_MAX => {
                    let alternative = random.choose(&self.sections[name]).clone();
                    text.push_str(&self.expand(&alternative, random, depth + 1));
                    rest = &inner[name.len() + 1..];
                }
                _ => {
                    text.push('{');
                    rest = inner;
                }
            }
        }
        text.push_str(rest);
        text
    }

    /// Instructions of every shape, so many each.
    #[must_use]
    pub fn attacks(&self, each: usize) -> Vec<Payload> {
        let mut made = Vec::new();
        for section in self.names("attack") {
            let shape = section.trim_start_matches("attack ");
            let is_language = shape.len() == 2;
            let mut random = Random::new(digest(section));
            for _ in 0..each {
                let text = self.text(section, &mut random);
                let text = if is_language { text } else { with_capitals(&text, &mut random) };
                let source = if is_language { "made-languages".to_owned() } else { format!("made-{shape}") };
                made.push(Payload { source, language: is_language.then(|| shape.to_owned()), text });
            }
        }
        made.sort_by(|left, right| (&left.source, &left.text).cmp(&(&right.source, &right.text)));
        made.dedup();
        made
    }

    /// Honest texts of every kind, so many each.
    #[must_use]
    pub fn honest(&self, each: usize) -> Vec<Row> {
        let kinds: Vec<&str> = self.sections.keys().map(String::as_str).filter(|name| HONEST.contains(name)).collect();
        let mut made = Vec::new();
        for kind in kinds {
            let mut random = Random::new(digest(kind));
            for _ in 0..each {
                let parts = 1 + random.below(4);
                let texts: Vec<String> = (0..parts).map(|_| self.text(kind, &mut random)).collect();
                made.push(honest_row(&format!("made-{kind}"), texts.join("\n\n")));
            }
        }
        made
    }

    /// Honest texts in other languages, and honest sentences of other languages in the given texts.
    #[must_use]
    pub fn foreign(&self, carriers: &[Row], each: usize) -> Vec<Row> {
        let mut made = Vec::new();
        for section in self.names("honest") {
            let mut random = Random::new(digest(section));
            for turn in 0..each {
                let count = if turn % 2 == 0 { 3 + random.below(4) } else { 1 + random.below(2) };
                let sentences: Vec<String> = (0..count).map(|_| self.text(section, &mut random)).collect();
                let text = sentences.join(if random.percent(50) { "\n" } else { " " });
                if turn % 2 == 0 {
                    made.push(honest_row("made-foreign", text));
                } else {
                    let payload = Payload { source: "made-foreign".to_owned(), language: None, text };
                    let row = insert(&payload, &random.choose(carriers).text, &mut random);
                    made.push(Row { spans: Vec::new(), ..row });
                }
            }
        }
        made
    }

    /// Instructions of other languages in honest texts of the same language.
    #[must_use]
    pub fn at_home(&self, each: usize) -> Vec<Row> {
        let mut made = Vec::new();
        for section in self.names("honest") {
            let language = section.trim_start_matches("honest ");
            let attack = format!("attack {language}");
            if !self.sections.contains_key(&attack) {
                continue;
            }
            let mut random = Random::new(digest(&attack));
            for _ in 0..each {
                let count = 3 + random.below(4);
                let sentences: Vec<String> = (0..count).map(|_| self.text(section, &mut random)).collect();
                let payload = Payload {
                    source: "made-languages".to_owned(),
                    language: Some(language.to_owned()),
                    text: self.text(&attack, &mut random),
                };
                made.push(insert(&payload, &sentences.join(if random.percent(50) { "\n" } else { " " }), &mut random));
            }
        }
        made
    }
}

/// The kinds of honest texts, among the sections that they are made of.
const HONEST: [&str; 13] = [
    "runbook",
    "letter",
    "recipe",
    "security-writing",
    "prompt-writing",
    "support",
    "quiz",
    "legal",
    "agent-docs",
    "agentdoc",
    "promptexample",
    "people",
    "thread",
];

fn honest_row(source: &str, text: String) -> Row {
    Row { source: source.to_owned(), language: None, text, spans: Vec::new() }
}

/// Sentences mostly begin with a capital.
fn with_capitals(text: &str, random: &mut Random) -> String {
    let often = random.percent(85);
    let mut capital = true;
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if capital && often && character.is_ascii_lowercase() {
            out.push(character.to_ascii_uppercase());
        } else {
            out.push(character);
        }
        if !character.is_whitespace() && !matches!(character, '⟦') {
            capital = false;
        }
        if out.ends_with(". ") || out.ends_with("! ") || out.ends_with("? ") {
            capital = true;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Grammar;
    use crate::training::Random;

    #[test]
    fn templates_are_filled_in() {
        let grammar = Grammar::read(&["# c\n== a\nx {b}{c}\\n\n== b\n1\n2"]).expect("it is a grammar");
        let text = grammar.text("a", &mut Random::new(1));
        assert!(text == "x 1{c}\n" || text == "x 2{c}\n", "{text:?}");
        assert!(Grammar::read(&["lost"]).is_err());
    }
}
