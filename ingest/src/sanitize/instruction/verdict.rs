//! From scores to verdicts: what the document is about, and what goes along with an instruction.

use std::ops::Range;

use crate::sanitize::instruction::{
    cue::{self, Cue},
    disguise, encoded,
    fold::fold_into,
    foreign::{Tongue, is_english, tongue},
    prelude::{
        ASK, CALL, Classes, DECODE, DISGUISED, EXACTLY, IGNORE, PRETEND, PRINT, PUT, REPLY, REVEAL, SECRET, SEND,
        START, USER, VERB, WHAT, YOU, YOUR,
    },
    score::{NEEDED, NEEDED_BESIDE, Score, score},
    sentence::Sentence,
};

/// A gap between two instructions is filled if it has at most so many sentences and bytes.
const GAP_SENTENCES: usize = 3;
const GAP_BYTES: usize = 400;
/// An announcement takes at most so many of the following sentences along.
const FOLLOWERS: usize = 6;
/// A command that is not longer goes with the instruction behind it: "Translate nothing."
const SHORT_COMMAND_BYTES: usize = 48;
/// Points for being in another language than the document, if the words could be a request.
const FOREIGN_POINTS: u16 = 5;

/// What is to become of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Stays,
    Overrides,
    Instructs,
    Encoded,
}

/// What is known of a sentence.
#[derive(Clone, Copy, Default)]
struct Look {
    score: Score,
    union: Classes,
    /// Begins as a command does.
    begins: bool,
    /// Begins as a command does, or speaks to someone.
    commands: bool,
    /// Ends with a colon: what follows belongs to it.
    opens: bool,
    /// Says it only in disguise.
    disguised: bool,
    /// Letters beyond ASCII.
    accents: usize,
}

/// Judges every sentence of a text.
pub(super) fn judge(text: &str, sentences: &[Sentence]) -> Vec<Verdict> {
    let mut looks = look(text, sentences);
    add_foreign(text, sentences, &mut looks);
    let needed = needed(sentences, &looks);
    let mut verdicts: Vec<Verdict> =
        looks.iter().zip(sentences).map(|(look, sentence)| verdict(look, sentence, needed)).collect();
    for run in encoded::decoded(text).iter().filter(|run| instructs(&run.text)) {
        mark(sentences, &run.range, &looks, &mut verdicts);
    }
    if verdicts.iter().any(|verdict| *verdict != Verdict::Stays) {
        grow(sentences, &looks, &mut verdicts);
        fill_gaps(sentences, &mut verdicts);
    }
    verdicts
}

fn verdict(look: &Look, sentence: &Sentence, needed: u16) -> Verdict {
    if !is_seed(look, sentence, needed) {
        Verdict::Stays
    } else if look.disguised {
        Verdict::Encoded
    } else if look.score.overrides {
        Verdict::Overrides
    } else {
        Verdict::Instructs
    }
}

/// Whether a sentence is an instruction by itself.
fn is_seed(look: &Look, sentence: &Sentence, needed: u16) -> bool {
    look.score.points >= if sentence.in_code { needed + 2 } else { needed }
}

/// Whether a decoded text has an instruction in it.
fn instructs(decoded: &str) -> bool {
    let sentences = super::sentence::sentences(decoded, &crate::sanitize::code::InCode::new(Vec::new()));
    look(decoded, &sentences).iter().any(|look| look.score.points >= NEEDED - 2)
}

/// Marks what an encoded instruction stands in, and the sentence before it that has it decoded.
fn mark(sentences: &[Sentence], run: &Range<usize>, looks: &[Look], verdicts: &mut [Verdict]) {
    let first = sentences.partition_point(|sentence| sentence.range.end <= run.start);
    let count = sentences[first..].iter().take_while(|sentence| sentence.range.start < run.end).count();
    verdicts[first..first + count].fill(Verdict::Encoded);
    let mut before = first;
    while before > 0
        && looks[before - 1].union & DECODE != 0
        && sentences[before - 1].paragraph + 1 >= sentences[first].paragraph
    {
        before -= 1;
        verdicts[before] = Verdict::Encoded;
    }
}

fn look(text: &str, sentences: &[Sentence]) -> Vec<Look> {
    let mut folded = String::new();
    let mut cues: Vec<Cue> = Vec::new();
    let look = |sentence: &Sentence| {
        let own = &text[sentence.range.clone()];
        fold_into(own, &mut folded);
        let mut look = look_at(own, &folded, &mut cues);
        if look.score.points < NEEDED {
            for reading in disguise::readings(own, &folded, look.union & DISGUISED != 0) {
                let meant = look_at(own, &reading, &mut cues);
                if meant.score.points >= NEEDED - 1 && meant.score.points > look.score.points {
                    look = Look { disguised: true, ..meant };
                }
            }
            if look.disguised {
                look.score.points = look.score.points.max(NEEDED * 2);
            }
        }
        look
    };
    sentences.iter().map(look).collect()
}

fn look_at(own: &str, folded: &str, cues: &mut Vec<Cue>) -> Look {
    let union = cue::cues(folded, cues);
    let opens = own.ends_with(':');
    let accents = if own.is_ascii() {
        0
    } else {
        own.chars().filter(|letter| !letter.is_ascii() && letter.is_alphabetic()).count()
    };
    if cues.is_empty() {
        return Look { opens, accents, ..Look::default() };
    }
    let begins = cues.first().is_some_and(|first| {
        first.classes & START != 0
            && first.from == 0
            && first.classes & (VERB | REPLY | PRINT | REVEAL | PUT | SEND | CALL) != 0
    });
    let speaks = union & (YOU | YOUR | ASK | EXACTLY) != 0;
    Look { score: score(cues, union), union, begins, commands: begins || speaks, opens, disguised: false, accents }
}

/// Gives points to sentences in another language than their document that may be requests.
fn add_foreign(text: &str, sentences: &[Sentence], looks: &mut [Look]) {
    const REQUESTS: [Classes; 8] =
        [YOU | YOUR, ASK | VERB, WHAT, SECRET, REPLY | REVEAL | PRINT, IGNORE, PRETEND, USER];
    let requests = |look: &Look| REQUESTS.iter().filter(|classes| look.union & **classes != 0).count();
    let may_ask = |look: &Look| look.accents >= 2 && (requests(look) >= 1 || look.score.points >= 3);
    if !looks.iter().any(may_ask) {
        return;
    }
    let mut folded = String::new();
    let tongues: Vec<Tongue> = sentences
        .iter()
        .zip(looks.iter())
        .map(|(sentence, look)| {
            fold_into(&text[sentence.range.clone()], &mut folded);
            tongue(&folded, look.accents)
        })
        .collect();
    let prose = tongues.iter().zip(sentences).map(|(tongue, sentence)| {
        let letters = text[sentence.range.clone()].chars().filter(|character| character.is_alphabetic()).count();
        (*tongue, letters, sentence.in_code)
    });
    if !is_english(prose) {
        return;
    }
    for (look, tongue) in looks.iter_mut().zip(tongues) {
        if matches!(tongue, Tongue::Latin | Tongue::Script) && may_ask(look) {
            let signs = u16::try_from(requests(look)).unwrap_or(u16::MAX);
            look.score.points += FOREIGN_POINTS + signs;
        }
    }
}

/// How many points an instruction needs here: more in a document that is about models and prompts.
fn needed(sentences: &[Sentence], looks: &[Look]) -> u16 {
    let about = looks.iter().filter(|look| look.score.points < NEEDED && look.score.about).count();
    match about * 100 / sentences.len().max(1) {
        _ if about < 2 => NEEDED,
        0..10 => NEEDED + 1,
        10..25 => NEEDED + 4,
        _ => NEEDED + 7,
    }
}

/// Takes along what follows an announcement, and what stands beside an instruction and looks like a part of it.
fn grow(sentences: &[Sentence], looks: &[Look], verdicts: &mut [Verdict]) {
    for index in 0..sentences.len() {
        if verdicts[index] == Verdict::Stays {
            continue;
        }
        let verdict = verdicts[index];
        let mut open = looks[index].opens || looks[index].score.announces;
        let mut last = index;
        for next in index + 1..sentences.len().min(index + 1 + FOLLOWERS) {
            let near = sentences[next].paragraph == sentences[last].paragraph
                || (looks[last].opens && sentences[next].paragraph == sentences[last].paragraph + 1);
            let belongs = looks[next].score.points >= NEEDED_BESIDE
                || looks[last].opens
                || sentences[last].goes_on
                || (open && looks[next].commands);
            if near && looks[last].opens && sentences[next].in_code && !sentences[last].in_code {
                take_block(sentences, next, verdict, verdicts);
                break;
            }
            if !near || !belongs || verdicts[next] != Verdict::Stays {
                break;
            }
            verdicts[next] = verdict;
            open |= looks[next].opens;
            last = next;
        }
        let mut first = index;
        while let Some(before) = first.checked_sub(1).filter(|before| verdicts[*before] == Verdict::Stays) {
            let apart = sentences[first].paragraph - sentences[before].paragraph;
            let points = looks[before].score.points;
            let short_command = looks[before].begins && sentences[before].range.len() <= SHORT_COMMAND_BYTES;
            let leads = match apart {
                0 => points > NEEDED_BESIDE || short_command || sentences[before].goes_on,
                1 => points > NEEDED_BESIDE + 1,
                _ => false,
            };
            if !leads {
                break;
            }
            verdicts[before] = verdict;
            first = before;
        }
    }
}

/// Takes a whole block of code along.
fn take_block(sentences: &[Sentence], first: usize, verdict: Verdict, verdicts: &mut [Verdict]) {
    let block = sentences[first].paragraph;
    let count = sentences[first..].iter().take_while(|sentence| sentence.paragraph == block).count();
    verdicts[first..first + count].fill(verdict);
}

/// What stands between two instructions is a part of them.
fn fill_gaps(sentences: &[Sentence], verdicts: &mut [Verdict]) {
    let mut last: Option<usize> = None;
    for index in 0..sentences.len() {
        if verdicts[index] == Verdict::Stays {
            continue;
        }
        if let Some(last) = last {
            let bytes = sentences[index].range.start - sentences[last].range.end;
            let apart = sentences[index].paragraph - sentences[last].paragraph;
            if index - last - 1 <= GAP_SENTENCES && bytes <= GAP_BYTES && apart <= 1 {
                let verdict = verdicts[last];
                verdicts[last + 1..index].fill(verdict);
            }
        }
        last = Some(index);
    }
}
