//! What the model that ships is made of: the committed data, texts made from the grammars, and the settings.

use std::collections::BTreeSet;

use crate::training::{
    corpus::{Payload, Row, honest, insert_all, payloads},
    grammar::Grammar,
    learn::{Settings, train},
};

/// The settings of the model that ships. The lines were chosen by the losses of honest texts that were held out; see the model card.
pub const SETTINGS: Settings = Settings {
    epochs: 4,
    rate: 0.1,
    shrink_grams: 1e-6,
    shrink_named: 1e-6,
    attack_weight: 0.3,
    lines: (-64, -320, -4096),
    seed: 7,
};

/// Every instruction of the data is put into so many honest texts.
const CARRIERS_EACH: usize = 2;
/// Honest texts that instructions are put into.
const CARRIERS: [&str; 4] = ["proddocs", "recipes", "rustdocs", "secdocs"];
/// Instructions made of each shape and language; in texts of their own language; honest texts of each kind; in other languages.
const MADE: [usize; 4] = [60, 10, 60, 30];

/// The data that the repository has.
#[derive(Clone, Debug)]
pub struct Data {
    /// Instructions of public collections.
    pub payloads: Vec<Payload>,
    /// Honest texts.
    pub honest: Vec<Row>,
    /// Templates.
    pub grammar: Grammar,
}

impl Data {
    /// Reads what is committed.
    ///
    /// # Panics
    /// If a committed file is damaged; a test reads them all.
    #[must_use]
    pub fn committed() -> Self {
        Self {
            payloads: payloads(include_str!("../../model/data/attacks.jsonl")).expect("the file is committed"),
            honest: honest(include_str!("../../model/data/honest.jsonl")).expect("the file is committed"),
            grammar: Grammar::read(&[
                include_str!("../../model/grammar/words.txt"),
                include_str!("../../model/grammar/attacks.txt"),
                include_str!("../../model/grammar/languages.txt"),
                include_str!("../../model/grammar/honest.txt"),
            ])
            .expect("the grammars are committed"),
        }
    }

    /// Honest texts that instructions are put into.
    #[must_use]
    pub fn carriers(&self) -> Vec<Row> {
        self.honest.iter().filter(|row| CARRIERS.contains(&row.source.as_str())).cloned().collect()
    }

    /// The families of the public collections.
    #[must_use]
    pub fn families(&self) -> BTreeSet<&str> {
        self.payloads.iter().map(|payload| payload.source.as_str()).collect()
    }

    /// The rows of one family.
    #[must_use]
    pub fn family(&self, name: &str) -> Vec<Row> {
        let own: Vec<Payload> = self.payloads.iter().filter(|payload| payload.source == name).cloned().collect();
        insert_all(&own, &self.carriers(), CARRIERS_EACH)
    }

    /// The rows to learn from, without those that are held out.
    #[must_use]
    pub fn rows(&self, keeps: impl Fn(&Row) -> bool) -> Vec<Row> {
        let carriers = self.carriers();
        let [attacks, at_home, honest, foreign] = MADE;
        let mut rows = insert_all(&self.payloads, &carriers, CARRIERS_EACH);
        rows.extend(insert_all(&self.grammar.attacks(attacks), &carriers, 1));
        rows.extend(self.grammar.at_home(at_home));
        rows.extend(self.honest.iter().cloned());
        rows.extend(self.grammar.honest(honest));
        rows.extend(self.grammar.foreign(&carriers, foreign));
        rows.retain(keeps);
        rows
    }
}

/// The file of the model that ships.
#[must_use]
pub fn train_shipped() -> Vec<u8> {
    train(&Data::committed().rows(|_| true), &SETTINGS)
}

#[cfg(test)]
mod tests {
    use super::train_shipped;

    /// The whole training, to the last byte: what ships is what the data give.
    #[test]
    fn the_model_that_ships_is_what_training_gives() {
        let shipped = include_bytes!("../../model/sanitizer.bin");
        assert!(train_shipped() == shipped, "run `cargo xtask train-sanitizer` and commit its file");
    }
}
