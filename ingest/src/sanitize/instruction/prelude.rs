//! The classes of cues, for the files that are made of them: the lexicon and the rules.

/// A set of classes, one bit each.
pub(super) type Classes = u128;

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident)*) => { classes!(@ 0; $($(#[$doc])* $name)*); };
    (@ $at:expr; $(#[$doc:meta])* $name:ident $($rest:tt)*) => {
        $(#[$doc])* pub(super) const $name: Classes = 1 << ($at);
        classes!(@ $at + 1; $($rest)*);
    };
    (@ $at:expr;) => {};
}

classes! {
    /// Names of a machine that reads: assistant, AI, language model.
    AI
    /// Weaker names: agent, model, bot, system.
    AGENT
    /// The reader addressed: you.
    YOU
    /// What is the reader's: your.
    YOUR
    /// Leave out of account: ignore, disregard, forget.
    IGNORE
    /// What came before: previous, above, earlier.
    PRIOR
    /// Everything: all, any, every.
    ALL
    /// Instructions, guidelines, directives.
    INSTRUCTION
    /// Weaker: rules, commands, context, request, task, question.
    RULE
    /// The system prompt and its names.
    PROMPT
    /// Reveal, show, print, repeat, tell.
    REVEAL
    /// Reply, respond, answer, say (verbs of speech).
    REPLY
    /// Print, output, write, return (verbs that programs have too).
    PRINT
    /// Output, code, message, solution: an answer in some texts, a program's in most.
    OUTPUT
    /// Text, data, content: what is read.
    MATTER
    /// Conversation, customer list, context: what only an attacker has sent elsewhere.
    CHAT
    /// Answer, response, reply, summary (nouns).
    ANSWER
    /// Nothing else, only, exactly, verbatim.
    EXACTLY
    /// The user, reader, customer.
    USER
    /// Tell, inform, mention, disclose.
    TELL
    /// Do not, never.
    NOT
    /// When, whenever, if.
    WHEN
    /// Before, prior to.
    BEFORE
    /// Instead of, rather than.
    INSTEAD
    /// Summarising, answering, processing this (what a machine does with a text).
    READING
    /// Include, append, begin, end, add.
    PUT
    /// Send, forward, upload, post.
    SEND
    /// What a thief wants: keys, passwords, conversation, customer list.
    SECRET
    /// Where it is to go: an address.
    PLACE
    /// Call, invoke, execute, run.
    CALL
    /// Tool, function, an identifier with underscores.
    TOOL
    /// Developer mode, DAN, jailbreak.
    MODE
    /// Modes that honest software has too.
    WEAK_MODE
    /// Without restrictions, unfiltered.
    FREE
    /// You are now; from now on you.
    BECOME
    /// From now on.
    HENCEFORTH
    /// Act as, pretend to be.
    PRETEND
    /// System, administrator, developer: who claims to speak.
    AUTHORITY
    /// Note, notice, message, update, override.
    NOTICE
    /// Follow, obey, adhere, comply.
    OBEY
    /// The following, these, below.
    FOLLOWING
    /// Must, should, always.
    MUST
    /// New, updated, real.
    NEW
    /// End of, start of.
    END
    /// Decode, base64, rot13.
    DECODE
    /// Secretly, without telling.
    SECRETLY
    /// To, for.
    FOR
    /// Supersedes, replaces, takes precedence.
    SUPERSEDE
    /// If you are.
    IF_YOU_ARE
    /// Phrases that are an instruction to a machine by themselves.
    COMMANDEER
    /// Phrases that go far towards one.
    SUSPICIOUS
    /// Words of documents about models and prompts.
    ABOUT
    /// Words of a sentence that talks about attacks rather than making one.
    MENTION
    /// Markup or script that carries data out or runs.
    ACTIVE
    /// The first words of a command: translate, list, write.
    VERB
    /// Obey, adhere strictly.
    STRICT
    /// If asked, when questioned.
    IF_ASKED
    /// A code block, snippet.
    SNIPPET
    /// Asks for, requests.
    ASK
    /// What is, which are.
    WHAT
    /// Recommend, rate, rank, approve.
    RECOMMEND
    /// A token of a chat template, or a tag that poses as one.
    TEMPLATE
    /// A word of instructions in rot13 or backwards.
    DISGUISED
    /// A string in quotes opens here.
    QUOTE
    /// Given above: `session`, `document`, `conversation`.
    SESSION
    /// Set on a cue that begins a clause: where a command has its verb.
    START
    /// Set on a cue that is followed by a colon, comma or dash: a vocative or the head of a notice.
    HEAD
}
