//! From scores to verdicts: what the document is about, and what goes along with an instruction.

use std::ops::Range;

use crate::sanitize::instruction::{
    cue::{self, Cue},
    disguise, encoded,
    fold::fold_into,
    foreign::{Tongue, is_english, tongue},
    memory::{Memory, Seen},
    model::{
        Margins, Model,
        context::{self, Glance},
        features::{self, Sink},
    },
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
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
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
    /// Has words in disguise, whatever they say.
    masked: bool,
    /// Letters beyond ASCII.
    accents: usize,
    /// In another language than the document.
    foreign: bool,
    /// Says enough for the model to judge it by itself.
    says_enough: bool,
    /// The model takes it for an instruction.
    likely: bool,
    /// The model takes it for one beside an instruction.
    likely_beside: bool,
    /// The model is sure that it is none.
    unlikely: bool,
}

/// Who judges: the rules, a model, or both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judges<'a> {
    pub(crate) rules: bool,
    pub(crate) model: Option<&'a Model>,
}

/// Judges every sentence of a text, by the same judges as when it was remembered.
pub(super) fn judge(text: &str, sentences: &[Sentence], judges: Judges<'_>, memory: &mut Memory) -> Vec<Verdict> {
    let (mut looks, margins) = match judges.model {
        Some(model) => {
            let mut margins = Margins::new(model);
            let looks = observe(text, sentences, &mut margins, memory);
            (looks, margins.finish())
        }
        None => (observe(text, sentences, &mut (), memory), Vec::new()),
    };
    if let Some(model) = judges.model {
        for (look, margin) in looks.iter_mut().zip(margins) {
            look.likely = look.says_enough && margin >= model.lines.seed;
            look.likely_beside = look.says_enough && margin >= model.lines.beside;
            look.unlikely = margin < model.lines.veto;
        }
    }
    let needed = needed(sentences, &looks);
    let verdict = |(look, sentence): (&Look, &Sentence)| verdict(look, judges.rules && is_seed(look, sentence, needed));
    let mut verdicts: Vec<Verdict> = looks.iter().zip(sentences).map(verdict).collect();
    for run in encoded::decoded(text).iter().filter(|run| instructs(&run.text)) {
        mark(sentences, &run.range, &looks, &mut verdicts);
    }
    if verdicts.iter().any(|verdict| *verdict != Verdict::Stays) {
        grow(sentences, &looks, &mut verdicts);
        fill_gaps(sentences, &mut verdicts);
    }
    verdicts
}

/// Shows a sink everything that a model sees of a text, and returns what the rules see. What is remembered of a sentence is shown as a sum.
pub(super) fn observe<S: Sink>(text: &str, sentences: &[Sentence], sink: &mut S, memory: &mut Memory) -> Vec<Look> {
    let known = memory.known(sentences);
    let mut hashes = Vec::new();
    let mut now = look(text, sentences, sink, memory, &known, &mut hashes);
    let mut looks: Vec<Look> = now.iter().map(|seen| seen.look).collect();
    add_foreign(text, sentences, &mut now, &mut looks);
    if S::SEES {
        let mut last = None;
        for ((seen, look), sentence) in now.iter_mut().zip(&looks).zip(sentences) {
            seen.goes_on = last.replace(sentence.paragraph) == Some(sentence.paragraph);
            seen.glance = Glance {
                points: look.score.points,
                begins: look.begins,
                speaks: look.union & (YOU | YOUR) != 0,
                about: look.score.about,
                foreign: look.foreign,
                in_code: sentence.in_code,
                asks: text[sentence.range.clone()].ends_with(['?', '？', '؟']),
                paragraph: sentence.paragraph,
                english: seen.english,
                words: (place(seen.words.start), place(seen.words.end)),
            };
        }
        let contexts = memory.contexts(&known, &now);
        let glances: Vec<Glance> = now.iter().map(|seen| seen.glance).collect();
        context::add(&glances, &hashes, &contexts, sink);
        for (index, seen) in now.iter_mut().enumerate() {
            seen.context = sink.margin(index) - seen.margin;
        }
    }
    memory.replace(now, hashes);
    looks
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn verdict(look: &Look, by_rule: bool) -> Verdict {
    if !(by_rule && !look.unlikely || look.likely) {
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
    looks_at(decoded).iter().any(|seen| seen.look.score.points >= NEEDED - 2)
}

/// Whether a text that nobody is shown has an instruction in it.
pub(in crate::sanitize) fn is_instruction(text: &str) -> bool {
    looks_at(text).iter().any(|seen| seen.look.score.points >= NEEDED)
}

fn looks_at(text: &str) -> Vec<Seen> {
    let sentences = super::sentence::sentences(text, &crate::sanitize::code::InCode::new(Vec::new()));
    let (memory, known) = (Memory::default(), vec![None; sentences.len()]);
    look(text, &sentences, &mut (), &memory, &known, &mut Vec::new())
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

/// Looks at every sentence by itself, but for those that are remembered.
fn look<S: Sink>(
    text: &str,
    sentences: &[Sentence],
    sink: &mut S,
    memory: &Memory,
    known: &[Option<usize>],
    hashes: &mut Vec<u32>,
) -> Vec<Seen> {
    let mut folded = String::new();
    let mut cues: Vec<Cue> = Vec::new();
    let mut now: Vec<Seen> = Vec::with_capacity(sentences.len());
    for (number, (sentence, known)) in sentences.iter().zip(known).enumerate() {
        let start = hashes.len();
        let (range, in_code) = (sentence.range.clone(), sentence.in_code);
        if let Some(seen) = known.map(|known| &memory.seen[known]) {
            hashes.extend_from_slice(&memory.hashes[seen.words.clone()]);
            sink.recall(seen.margin);
            now.push(Seen { range, number, words: start..hashes.len(), ..seen.clone() });
            continue;
        }
        let own = &text[range.clone()];
        fold_into(own, &mut folded);
        let mut look = look_at(own, &folded, &mut cues);
        let mut english = 0;
        if S::SEES {
            english = features::grams(&folded, sink, hashes);
            features::cues(&cues, look.union, &look.score, sink);
            let count = hashes.len() - start;
            look.says_enough = features::shape(own, count, in_code, sink) && features::is_a_sentence(own, count);
            sink.end_sentence();
        }
        if look.score.points < NEEDED {
            read_on(own, &folded, &mut look, &mut cues);
            look.masked = disguise::is_masked(own, &folded);
        }
        let margin = sink.margin(number);
        let words = start..hashes.len();
        let glance = Glance::default();
        now.push(Seen {
            range,
            in_code,
            number,
            look,
            margin,
            context: 0,
            words,
            english,
            tongue: None,
            glance,
            goes_on: false,
        });
    }
    now
}

/// Looks at what a sentence may have been meant to say.
fn read_on(own: &str, folded: &str, look: &mut Look, cues: &mut Vec<Cue>) {
    for reading in disguise::readings(own, folded, look.union & DISGUISED != 0) {
        let meant = look_at(own, &reading, cues);
        if meant.score.points >= NEEDED - 1 && meant.score.points > look.score.points {
            *look = Look { disguised: true, says_enough: look.says_enough, ..meant };
        }
    }
    if look.disguised {
        look.score.points = look.score.points.max(NEEDED * 2);
    }
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
    Look { score: score(cues, union), union, begins, commands: begins || speaks, opens, accents, ..Look::default() }
}

/// Gives points to sentences in another language than their document that may be requests.
fn add_foreign(text: &str, sentences: &[Sentence], now: &mut [Seen], looks: &mut [Look]) {
    const REQUESTS: [Classes; 8] =
        [YOU | YOUR, ASK | VERB, WHAT, SECRET, REPLY | REVEAL | PRINT, IGNORE, PRETEND, USER];
    let requests = |look: &Look| REQUESTS.iter().filter(|classes| look.union & **classes != 0).count();
    let may_ask = |look: &Look| look.accents >= 2 && (requests(look) >= 1 || look.score.points >= 3);
    if !looks.iter().any(|look| look.accents >= 2) {
        return;
    }
    let mut folded = String::new();
    let tongues: Vec<(Tongue, usize)> = now
        .iter_mut()
        .map(|seen| {
            *seen.tongue.get_or_insert_with(|| {
                let own = &text[seen.range.clone()];
                fold_into(own, &mut folded);
                let letters = own.chars().filter(|character| character.is_alphabetic()).count();
                (tongue(&folded, seen.look.accents), letters)
            })
        })
        .collect();
    let prose =
        tongues.iter().zip(sentences).map(|((tongue, letters), sentence)| (*tongue, *letters, sentence.in_code));
    if !is_english(prose) {
        return;
    }
    for (look, (tongue, _)) in looks.iter_mut().zip(tongues) {
        look.foreign = matches!(tongue, Tongue::Latin | Tongue::Script);
        if look.foreign && may_ask(look) {
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
        let in_disguise = |beside: usize| looks[index].disguised && looks[beside].masked;
        let mut last = index;
        for next in index + 1..sentences.len().min(index + 1 + FOLLOWERS) {
            let near = sentences[next].paragraph == sentences[last].paragraph
                || (looks[last].opens && sentences[next].paragraph == sentences[last].paragraph + 1);
            let belongs = looks[next].score.points >= NEEDED_BESIDE
                || looks[next].likely_beside
                || looks[last].opens
                || sentences[last].goes_on
                || in_disguise(next)
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
                0 => {
                    points > NEEDED_BESIDE
                        || looks[before].likely_beside
                        || short_command
                        || in_disguise(before)
                        || sentences[before].goes_on
                }
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
