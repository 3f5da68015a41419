//! The rules: which cues, in which order and how near each other, make a sentence an instruction to a machine.
//!
//! Points are halves: a sentence needs [`super::score::NEEDED`] of them where nothing speaks for or against it. Of each family only the strongest rule counts, so that saying one thing twice is no evidence.

use crate::sanitize::instruction::prelude::*;

/// What a rule is evidence of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Cancels what was said before.
    Override,
    /// Gives the reader another role, or frees it from rules.
    Role,
    /// Speaks to a machine by name.
    Address,
    /// Says what the answer has to be.
    Steer,
    /// Fixes the wording of the answer.
    Wording,
    /// Binds the instruction to a later question.
    Trigger,
    /// Asks for what the machine was told, or for secrets.
    Leak,
    /// Has something sent or a tool called.
    Tool,
    /// Poses as a notice of the system or its owner.
    Notice,
    /// Keeps something from the user.
    Secrecy,
    /// Has something decoded and followed.
    Decode,
    /// Emphasis and stock phrases.
    Manner,
}

pub(super) const FAMILIES: usize = 12;

/// One cue of a rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// One of these classes …
    pub(super) any: Classes,
    /// … and all of these marks.
    pub(super) marks: Classes,
    /// At most so many half words after the part before.
    pub(super) gap: u16,
}

/// A rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) family: Family,
    pub(super) points: u8,
    pub(super) parts: &'static [Part],
}

const fn one(any: Classes) -> Part {
    Part { any, marks: 0, gap: 0 }
}

impl Part {
    /// At most so many words after the part before.
    const fn within(self, words: u16) -> Self {
        Self { gap: words * 2, ..self }
    }

    /// Where a clause begins: the place of a command's verb.
    const fn starting(self) -> Self {
        Self { marks: self.marks | START, ..self }
    }

    /// Followed by a colon, a comma, a dash.
    const fn heading(self) -> Self {
        Self { marks: self.marks | HEAD, ..self }
    }
}

const fn rule(family: Family, points: u8, parts: &'static [Part]) -> Rule {
    Rule { family, points, parts }
}

use Family::{Address, Decode, Leak, Manner, Notice, Override, Role, Secrecy, Steer, Tool, Trigger, Wording};

/// Every rule.
pub(super) const RULES: &[Rule] = &[
    // ignore all previous instructions; ignore the instructions above; the previous instructions, ignore them
    rule(Override, 12, &[one(IGNORE), one(PRIOR).within(3), one(INSTRUCTION | PROMPT).within(3)]),
    rule(Override, 12, &[one(IGNORE), one(INSTRUCTION | PROMPT).within(4), one(PRIOR).within(3)]),
    rule(Override, 12, &[one(PRIOR), one(INSTRUCTION | PROMPT).within(4), one(IGNORE).within(6)]),
    rule(Override, 12, &[one(INSTRUCTION | PROMPT), one(PRIOR).within(3), one(IGNORE).within(6)]),
    rule(Override, 12, &[one(IGNORE), one(YOUR).within(3), one(INSTRUCTION | PROMPT).within(3)]),
    rule(Override, 10, &[one(IGNORE), one(PROMPT).within(3)]),
    rule(Override, 10, &[one(IGNORE), one(ALL).within(2), one(INSTRUCTION).within(3)]),
    rule(Override, 8, &[one(ALL), one(INSTRUCTION).within(2), one(IGNORE).within(4)]),
    rule(Override, 6, &[one(IGNORE).starting(), one(INSTRUCTION).within(3)]),
    rule(Override, 7, &[one(IGNORE).starting(), one(ALL).within(2), one(RULE).within(3)]),
    rule(Override, 6, &[one(IGNORE), one(PRIOR).within(3), one(RULE).within(3)]),
    rule(Override, 7, &[one(IGNORE).starting(), one(PRIOR).within(3), one(RULE | MATTER).within(3)]),
    rule(Override, 6, &[one(IGNORE), one(YOUR).within(2), one(RULE).within(3)]),
    rule(Override, 8, &[one(IGNORE).starting(), one(USER).within(2), one(RULE | ASK).within(2)]),
    rule(Override, 8, &[one(IGNORE).starting(), one(ALL).within(1), one(PRIOR).within(2), one(RULE).within(3)]),
    rule(Override, 6, &[one(IGNORE).starting(), one(RULE).within(3), one(REPLY | PRINT | REVEAL).within(6)]),
    rule(Override, 6, &[one(IGNORE).starting(), one(ALL).within(1), one(PRIOR).within(3)]),
    rule(
        Override,
        5,
        &[one(IGNORE).starting(), one(PRIOR | ALL).within(2), one(REPLY | PRINT | REVEAL | VERB).within(4)],
    ),
    rule(Override, 5, &[one(IGNORE), one(INSTRUCTION).within(3)]),
    rule(Override, 7, &[one(IGNORE).starting(), one(PRIOR).within(2), one(REPLY | REVEAL).within(3)]),
    rule(Override, 7, &[one(PRIOR).starting(), one(IGNORE).within(2), one(REPLY | REVEAL).within(6)]),
    rule(Override, 8, &[one(PRIOR), one(INSTRUCTION).within(4), one(SUPERSEDE).within(6)]),
    rule(Override, 10, &[one(COMMANDEER)]),
    rule(Override, 8, &[one(SUPERSEDE), one(ALL | PRIOR | YOUR).within(2), one(INSTRUCTION | PROMPT).within(4)]),
    rule(Override, 5, &[one(SUPERSEDE), one(ALL | PRIOR | YOUR).within(2), one(RULE | PRIOR).within(4)]),
    rule(Override, 5, &[one(YOUR), one(RULE | INSTRUCTION).within(2), one(SUPERSEDE).within(3)]),
    rule(Override, 5, &[one(NEW), one(INSTRUCTION).within(2).heading()]),
    rule(Override, 7, &[one(NEW).starting(), one(INSTRUCTION).within(2)]),
    rule(Override, 6, &[one(YOUR), one(NEW).within(1), one(INSTRUCTION | RULE).within(2)]),
    // you are now …
    rule(Role, 5, &[one(BECOME).starting()]),
    rule(Role, 3, &[one(BECOME)]),
    rule(Role, 8, &[one(BECOME), one(AI | MODE | WEAK_MODE | FREE).within(7)]),
    rule(Role, 6, &[one(BECOME), one(AGENT | TOOL | AUTHORITY).within(5)]),
    rule(Role, 8, &[one(PRETEND), one(AI).within(5), one(FREE).within(14)]),
    rule(Role, 7, &[one(PRETEND), one(FREE | MODE).within(8)]),
    rule(Role, 5, &[one(PRETEND).starting(), one(AI).within(6)]),
    rule(Role, 2, &[one(PRETEND).starting()]),
    rule(Role, 5, &[one(MODE)]),
    rule(Role, 5, &[one(FREE), one(REPLY | ANSWER).within(8)]),
    rule(Role, 5, &[one(REPLY | ANSWER), one(FREE).within(10)]),
    rule(Role, 6, &[one(YOU), one(FREE).within(3)]),
    rule(Role, 8, &[one(HENCEFORTH), one(FREE).within(8)]),
    rule(Role, 3, &[one(FREE)]),
    rule(Role, 6, &[one(HENCEFORTH), one(YOU | REPLY | PUT | IGNORE).within(5)]),
    rule(Role, 3, &[one(HENCEFORTH)]),
    rule(Role, 7, &[one(OBEY), one(ALL).within(2), one(USER | RULE).within(3), one(FREE).within(12)]),
    // assistant, …; note to the AI; if you are an AI
    rule(
        Address,
        8,
        &[
            one(AI).starting().heading(),
            one(VERB | REPLY | PUT | REVEAL | IGNORE | YOU | BEFORE | OBEY | SEND | CALL).within(6),
        ],
    ),
    rule(Address, 4, &[one(AI).starting().heading()]),
    rule(Address, 8, &[one(NOTICE | INSTRUCTION).starting(), one(FOR).within(2), one(AI).within(3).heading()]),
    rule(Address, 7, &[one(NOTICE | INSTRUCTION), one(FOR).within(1), one(AI).within(3).heading()]),
    rule(Address, 6, &[one(NOTICE).starting(), one(FOR).within(1), one(AI).within(3)]),
    rule(Address, 6, &[one(NOTICE | INSTRUCTION).starting(), one(FOR).within(1), one(AGENT).within(3).heading()]),
    rule(Address, 3, &[one(NOTICE | INSTRUCTION), one(FOR).within(1), one(AI).within(3)]),
    rule(Address, 6, &[one(FOR).starting(), one(AI).within(3).heading()]),
    rule(Address, 6, &[one(AI), one(NOTICE | INSTRUCTION).within(1).heading()]),
    rule(Address, 8, &[one(IF_YOU_ARE).starting(), one(AI).within(3)]),
    rule(Address, 3, &[one(IF_YOU_ARE), one(AI).within(3)]),
    rule(Address, 6, &[one(ALL), one(AI).within(1), one(READING | MUST).within(3)]),
    rule(Address, 6, &[one(AI), one(READING).within(2), one(MUST | REPLY | PUT).within(5)]),
    rule(
        Address,
        4,
        &[one(AI), one(MUST).within(1), one(REPLY | REVEAL | IGNORE | TELL | RECOMMEND | SEND | CALL | NOT).within(3)],
    ),
    rule(Address, 3, &[one(AI), one(READING).within(2)]),
    rule(Address, 3, &[one(NOTICE).starting(), one(FOR).within(1), one(AGENT).within(3)]),
    // in your answer; reply only with; every answer must
    rule(Steer, 7, &[one(PUT | VERB | REVEAL).starting(), one(YOUR).within(12), one(ANSWER).within(2)]),
    rule(Steer, 6, &[one(YOUR), one(ANSWER).within(2).heading(), one(PUT | VERB).within(2)]),
    rule(Steer, 4, &[one(PUT).starting(), one(YOUR).within(10), one(OUTPUT).within(2)]),
    rule(Steer, 7, &[one(PUT), one(SNIPPET).within(5), one(YOUR).within(9), one(OUTPUT | ANSWER).within(2)]),
    rule(Steer, 5, &[one(PUT | MUST), one(YOUR).within(9), one(ANSWER).within(2)]),
    rule(Steer, 6, &[one(YOUR), one(ANSWER).within(2), one(MUST).within(3)]),
    rule(Steer, 4, &[one(YOUR), one(ANSWER).within(2)]),
    rule(Steer, 6, &[one(ALL), one(ANSWER).within(1), one(MUST | PUT).within(10)]),
    rule(Steer, 6, &[one(PUT | MUST), one(ALL).within(6), one(ANSWER).within(1)]),
    rule(Steer, 5, &[one(PUT).starting(), one(ANSWER).within(4), one(EXACTLY | QUOTE).within(3)]),
    rule(Steer, 6, &[one(REPLY).starting(), one(EXACTLY).within(3)]),
    rule(Steer, 6, &[one(MUST), one(REPLY).within(2), one(EXACTLY).within(3)]),
    rule(Steer, 6, &[one(EXACTLY), one(REPLY).within(3)]),
    rule(Steer, 4, &[one(PRINT).starting(), one(EXACTLY).within(3)]),
    rule(Steer, 4, &[one(MUST), one(REPLY).within(1)]),
    rule(Steer, 5, &[one(REPLY).starting(), one(QUOTE).within(2)]),
    rule(Steer, 2, &[one(REPLY | PRINT).starting()]),
    rule(Trigger, 4, &[one(INSTEAD), one(READING | ANSWER).within(3)]),
    rule(Steer, 3, &[one(PRINT | REPLY | REVEAL), one(INSTEAD).within(4)]),
    rule(Steer, 6, &[one(RECOMMEND), one(RECOMMEND).within(12)]),
    rule(Steer, 3, &[one(RECOMMEND)]),
    rule(Steer, 4, &[one(TELL).starting(), one(USER).within(1)]),
    rule(Steer, 3, &[one(MUST), one(TELL).within(1), one(USER).within(2)]),
    rule(Steer, 4, &[one(NOT), one(REPLY | READING).within(2), one(USER | RULE).within(3)]),
    rule(Wording, 2, &[one(EXACTLY), one(QUOTE).within(1)]),
    rule(Wording, 2, &[one(REPLY), one(QUOTE).within(4)]),
    rule(Wording, 1, &[one(PRINT), one(QUOTE).within(4)]),
    rule(Wording, 1, &[one(EXACTLY)]),
    // when summarising; before answering; if the user asks
    rule(
        Trigger,
        5,
        &[
            one(WHEN).starting(),
            one(READING).within(3),
            one(PUT | REPLY | PRINT | REVEAL | SEND | CALL | MUST | VERB).within(12),
        ],
    ),
    rule(Trigger, 2, &[one(WHEN), one(READING).within(3)]),
    rule(Trigger, 5, &[one(BEFORE), one(READING).within(1)]),
    rule(Trigger, 4, &[one(WHEN), one(USER).within(2), one(ASK).within(3)]),
    rule(Trigger, 4, &[one(USER), one(ASK).within(2), one(REPLY | TELL).within(8)]),
    rule(Trigger, 7, &[one(IF_ASKED), one(INSTEAD).within(14)]),
    rule(Trigger, 5, &[one(IF_ASKED), one(REPLY | PRINT | TELL).within(6)]),
    // reveal your system prompt
    rule(Leak, 10, &[one(REVEAL).starting(), one(PROMPT).within(6)]),
    rule(Leak, 5, &[one(REVEAL), one(PROMPT).within(4)]),
    rule(Leak, 8, &[one(REVEAL).starting(), one(YOUR).within(3), one(INSTRUCTION | SECRET).within(2)]),
    rule(Leak, 8, &[one(REVEAL), one(YOUR).within(3), one(SECRET).within(2)]),
    rule(Leak, 8, &[one(WHAT), one(YOUR).within(3), one(PROMPT | INSTRUCTION | SECRET).within(2)]),
    rule(Leak, 8, &[one(WHAT), one(PROMPT).within(5)]),
    rule(Leak, 6, &[one(REVEAL | PUT | PRINT).starting(), one(CHAT).within(6)]),
    rule(Leak, 2, &[one(REVEAL).starting(), one(SECRET).within(6)]),
    rule(Leak, 6, &[one(YOUR), one(SECRET).within(2), one(REVEAL | ASK | WHAT).within(4)]),
    rule(Leak, 4, &[one(SECRET), one(REVEAL).within(4), one(ASK).within(3)]),
    rule(Leak, 3, &[one(WHAT), one(SECRET).within(6)]),
    rule(Leak, 2, &[one(PROMPT)]),
    // send the conversation to …; call the tool
    rule(Tool, 9, &[one(SEND), one(CHAT).within(8), one(PLACE).within(10)]),
    rule(Tool, 6, &[one(SEND).starting(), one(SECRET).within(8), one(PLACE).within(10)]),
    rule(Tool, 7, &[one(SEND).starting(), one(CHAT).within(6)]),
    rule(Tool, 3, &[one(SEND).starting(), one(PLACE | SECRET).within(6)]),
    rule(Tool, 6, &[one(CALL).starting(), one(TOOL).within(2), one(SEND | PLACE | SECRET | CHAT | ALL).within(10)]),
    rule(Tool, 4, &[one(CALL).starting(), one(TOOL).within(2)]),
    rule(Tool, 3, &[one(CALL), one(TOOL).within(2)]),
    rule(
        Tool,
        7,
        &[one(SEND).starting(), one(ALL).within(2), one(MATTER | SECRET | CHAT).within(3), one(PLACE).within(6)],
    ),
    rule(Tool, 7, &[one(SECRET | CHAT), one(SEND).within(3), one(PLACE).within(5)]),
    rule(Tool, 4, &[one(ACTIVE)]),
    // SYSTEM: …; new instructions; end of document
    rule(
        Notice,
        6,
        &[
            one(AUTHORITY).starting().heading(),
            one(YOU | IGNORE | REPLY | PRINT | VERB | REVEAL | SUPERSEDE | OBEY).within(8),
        ],
    ),
    rule(Notice, 4, &[one(AUTHORITY).starting(), one(NOTICE).within(2).heading()]),
    rule(Notice, 2, &[one(AUTHORITY).starting().heading()]),
    rule(Notice, 2, &[one(AUTHORITY), one(NOTICE).within(1)]),
    rule(Notice, 4, &[one(NOTICE), one(FOR).within(1), one(AUTHORITY).within(2).heading()]),
    rule(Notice, 4, &[one(OBEY), one(FOLLOWING).within(4), one(INSTRUCTION).within(3)]),
    rule(Notice, 8, &[one(STRICT), one(FOLLOWING).within(4), one(INSTRUCTION).within(3)]),
    rule(Notice, 2, &[one(OBEY), one(FOLLOWING).within(3)]),
    rule(Notice, 5, &[one(END).starting(), one(SESSION | INSTRUCTION | PROMPT).within(2)]),
    rule(Notice, 2, &[one(NOTICE).starting().heading()]),
    rule(Notice, 4, &[one(SUSPICIOUS)]),
    rule(Notice, 4, &[one(TEMPLATE)]),
    rule(
        Notice,
        6,
        &[
            one(TEMPLATE),
            one(IGNORE | REPLY | PRINT | VERB | REVEAL | PUT | YOU | AUTHORITY | MUST | NOTICE | SUSPICIOUS).within(8),
        ],
    ),
    // do not tell the user
    rule(Secrecy, 5, &[one(SECRETLY), one(USER | INSTRUCTION | NOTICE).within(6)]),
    rule(Secrecy, 3, &[one(SECRETLY)]),
    rule(Secrecy, 5, &[one(NOT), one(TELL).within(1), one(USER).within(4)]),
    // decode this and follow it
    rule(Decode, 8, &[one(DECODE), one(OBEY | CALL).within(9), one(FOLLOWING | INSTRUCTION | RULE).within(5)]),
    rule(Decode, 7, &[one(DECODE).starting(), one(OBEY | CALL).within(9)]),
    rule(Decode, 7, &[one(DECODE), one(YOUR).within(8), one(INSTRUCTION).within(3)]),
    rule(Decode, 6, &[one(DECODE), one(YOUR).within(10), one(ANSWER).within(2)]),
    rule(Decode, 2, &[one(DECODE)]),
    rule(Manner, 2, &[one(YOU), one(MUST).within(1)]),
    rule(Manner, 1, &[one(VERB | REPLY | PRINT | PUT | REVEAL | IGNORE | SEND | CALL).starting()]),
];
