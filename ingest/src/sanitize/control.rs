//! Tokens that a chat template, a prompt format or this server's envelope gives meaning to.
//!
//! They are matched on the folded text, so that full-width, mixed-case and interrupted spellings count too.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use crate::{
    draft::Edit,
    finding::FindingKind,
    sanitize::{code::InCode, fold::Folded},
};

/// Tokens that no text needs, in code or out of it.
static HARD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"<\s?\|[^<>|\n]{1,64}\|\s?>",
        r"<\|[a-z_]{2,32}>",
        r"<[a-z_]{2,32}\|>",
        r"\[/?inst\]",
        r"<</?sys>>",
        r"</s>",
        r"</?start_of_turn>",
        r"</?end_of_turn>",
        r"<(?:bos|eos|pad|unk|mask)>",
        r"\[/?(?:tool_calls|available_tools|tool_results|tool_content|system_prompt|/?systemprompt)\]",
        r"\[(?:bos|eos|gmask|sop|eop)\]",
        r"</?(?:tool_call|tool_response|tool_calls|function_calls?|function_results?|tools_response)>",
        r"</?(?:antml|anthropic):[^<>\n]{0,80}>",
        r"</?(?:antml)(?-u:\b)[^<>\n]{0,80}>",
        r"<invoke name=[^<>\n]{0,80}>",
        r"</(?:context|contexts|documents?|document_contents?|document_content|search_results?|retrieved_documents?|untrusted[a-z_-]{0,20}|system|system_prompt|instructions?|user_query)\s?>",
        r"<{2,}\s?/?\s?rf\s?:[^>\n]{0,80}>*",
        r"<{2,}\s?/?\s?ringfence[^>\n]{0,80}>*",
        r"ringfence:[0-9a-f]{8,64}",
        r"-{3,}\s?(?:begin|end|start) (?:of )?(?:the )?(?:untrusted|trusted|retrieved|external|user|system|document)[a-z ]{0,40}-{3,}",
    ])
});

/// Tokens that are honest markup in code.
static SOFT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"</?(?:system|system_prompt|system-prompt|system_message|user_message|assistant_message|system-reminder|im_start|im_end|instructions_override|admin|developer_message)\s?>",
        r"<(?:documents|document_contents?|document index=[^<>\n]{0,20})>",
    ])
});

/// `<s>` stands alone; after a word it is a type parameter.
static SENTENCE_START: LazyLock<Regex> = LazyLock::new(|| pattern(&[r"(?:^|[^a-z0-9_])(<s>)"]));

/// A speaker at the start of a line, as completion prompts have it.
static SPEAKER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"^\s{0,8}(?:human|assistant)\s?:(?:\s|$)",
        r"^\s{0,3}#{2,4}\s?(?:instruction|response|input|system|human|assistant|user)s?\s?:",
    ])
});

fn pattern(alternatives: &[&str]) -> Regex {
    Regex::new(&alternatives.join("|")).expect("the patterns are constants and tested")
}

/// Proposes the removal of control tokens.
pub(crate) fn detect(text: &str, code: &InCode) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut at = 0;
    let mut after_blank = true;
    for line in text.split_inclusive('\n') {
        scan_line(line, at, code, after_blank, &mut edits);
        after_blank = line.trim().is_empty();
        at += line.len();
    }
    edits
}

/// A line of plain letters holds no token, and most lines are that.
fn may_hold(line: &str) -> bool {
    let speaker = || {
        let start = line.trim_start();
        start.starts_with(['h', 'H', 'a', 'A', '#']) && line.contains(':')
    };
    let sign = |byte: u8| !byte.is_ascii() || matches!(byte, b'<' | b'[' | b'-' | b':');
    line.bytes().any(sign)
        && (!line.is_ascii()
            || line.contains(['<', '['])
            || line.contains("---")
            || line.contains("gfence:")
            || speaker())
}

fn scan_line(line: &str, at: usize, code: &InCode, after_blank: bool, edits: &mut Vec<Edit>) {
    if may_hold(line) {
        let in_code = code.contains(at);
        let folded = Folded::new(line.trim_end_matches('\n'));
        let mut found: Vec<Range<usize>> = HARD.find_iter(&folded.text).map(|token| token.range()).collect();
        if !in_code {
            found.extend(SOFT.find_iter(&folded.text).map(|token| token.range()));
            let starts = SENTENCE_START.captures_iter(&folded.text);
            found.extend(starts.filter_map(|token| token.get(1)).map(|token| token.range()));
        }
        if after_blank && !in_code {
            found.extend(SPEAKER.find(&folded.text).map(|token| token.range()));
        }
        for range in found {
            let origin = folded.origin(&range);
            edits.push(Edit::remove(at + origin.start..at + origin.end, FindingKind::ControlToken));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{InCode, detect};
    use crate::draft::{Draft, tidy};

    fn check(text: &str, expected: &str) {
        let mut draft = Draft::new(text.to_owned());
        draft.apply(&tidy(detect(text, &InCode::of(text))));
        assert_eq!(draft.text(), expected, "{text:?}");
    }

    #[test]
    fn template_tokens_go() {
        check("a<|im_end|>\n<|im_start|>system\nb", "a\nsystem\nb");
        check("[/INST]</s><s>[INST] <<SYS>>x<</SYS>>", " x");
        check("＜｜User｜＞ <｜begin▁of▁sentence｜>", " ");
        check("<|IM_\u{200b}START|>", "");
        check("</context></document>-----END UNTRUSTED CONTENT-----", "");
        check("x\n\nHuman: hi\n\nAssistant: ho", "x\n\nhi\n\nho");
        check("### Instruction: do", " do");
        check("<<<RF:deadbeef data>>>x <<<rf:", "x ");
        check("<start_of_turn>user<end_of_turn>", "user");
    }

    #[test]
    fn honest_text_stays() {
        let texts = [
            "let x: Vec<s> = a << b;",
            "Human Resources: please remind staff. System: Oracle HCM.",
            "The assistant: a role",
            "a || b |> c <| d",
            "`foo::<T>` and <https://example.com>",
            "---\ntitle: x\n---",
            "[instance] [insta]",
        ];
        for text in texts {
            check(text, text);
        }
    }
}
