//! HTML: what a browser would show, as Markdown-like text, and what it would hide, as findings.
//!
//! Only the tokenizer of html5ever is used. Its tree builder and every recursion over a tree are open to deep nesting; an own stack of open elements is enough to know what is visible.

mod hide;
mod render;

use std::cell::RefCell;

use html5ever::{
    tendril::StrTendril,
    tokenizer::{BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts, states::RawKind},
};

use crate::{
    fault::Fault,
    parse::{Parsed, html::hide::Rules, html::render::Renderer},
    prepare::PrepareError,
};

pub(crate) use self::hide::style_hides;

/// The input is fed in pieces of this size, so that a bad tag is noticed before it is finished.
const PIECE_BYTES: usize = 4096;
/// The tokenizer compares each attribute with those before it; a tag may have so many separators and no more.
const TAG_SEPARATORS_MAX: usize = 16_384;
/// Comparisons of attributes in a whole document.
const ATTRIBUTE_WORK_MAX: usize = 500_000_000;

/// Parses a page.
pub(crate) fn parse(text: &str) -> Result<Parsed, PrepareError> {
    let styles = if text.to_ascii_lowercase().contains("<style") {
        feed(text, StyleCollector::default())?
    } else {
        StyleCollector::default()
    };
    let rules = Rules::new(&styles.css.into_inner());
    let page = feed(text, Page { renderer: RefCell::new(Renderer::new(rules)), progress: RefCell::default() })?;
    Ok(page.renderer.into_inner().finish())
}

/// What the feeder must know about a sink.
trait Watched: TokenSink<Handle = ()> {
    fn progress(&self) -> &RefCell<Progress>;
}

/// Tokens seen and attribute work done.
#[derive(Default)]
struct Progress {
    tokens: usize,
    attribute_work: usize,
}

impl Progress {
    fn note(&mut self, token: &Token) {
        if let Token::ParseError(_) = token {
            return;
        }
        self.tokens += 1;
        if let Token::TagToken(tag) = token {
            self.attribute_work += tag.attrs.len() * tag.attrs.len();
        }
    }
}

fn feed<S: Watched>(text: &str, sink: S) -> Result<S, PrepareError> {
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let queue = BufferQueue::default();
    let (mut at, mut seen, mut separators) = (0, 0, 0);
    while at < text.len() {
        let end = text.floor_char_boundary(at + PIECE_BYTES);
        let piece = &text[at..end];
        queue.push_back(StrTendril::from_slice(piece));
        // The sink never asks for a script to be run, so the tokenizer always takes everything.
        while !queue.is_empty() {
            let _ = tokenizer.feed(&queue);
        }
        let progress = tokenizer.sink.progress().borrow();
        separators = if progress.tokens > seen { 0 } else { separators };
        separators += piece.bytes().filter(|byte| byte.is_ascii_whitespace() || b"/\"'".contains(byte)).count();
        if separators > TAG_SEPARATORS_MAX || progress.attribute_work > ATTRIBUTE_WORK_MAX {
            return Err(PrepareError::Unparseable(Fault::Attributes));
        }
        seen = progress.tokens;
        at = end;
    }
    tokenizer.end();
    Ok(tokenizer.sink)
}

/// How the text inside an element is read, where it is not markup.
fn raw_kind(name: &str) -> Option<RawKind> {
    match name {
        "script" => Some(RawKind::ScriptData),
        "style" | "xmp" | "iframe" | "noembed" | "noframes" => Some(RawKind::Rawtext),
        "title" | "textarea" => Some(RawKind::Rcdata),
        _ => None,
    }
}

fn next_state(token: &Token) -> TokenSinkResult<()> {
    match token {
        Token::TagToken(tag) if tag.kind == TagKind::StartTag && &*tag.name == "plaintext" => {
            TokenSinkResult::Plaintext
        }
        Token::TagToken(tag) if tag.kind == TagKind::StartTag => {
            raw_kind(&tag.name).map_or(TokenSinkResult::Continue, TokenSinkResult::RawData)
        }
        _ => TokenSinkResult::Continue,
    }
}

/// First pass: the style sheets of the page, wherever they stand.
#[derive(Default)]
struct StyleCollector {
    css: RefCell<String>,
    in_style: RefCell<bool>,
    progress: RefCell<Progress>,
}

impl Watched for StyleCollector {
    fn progress(&self) -> &RefCell<Progress> {
        &self.progress
    }
}

impl TokenSink for StyleCollector {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        self.progress.borrow_mut().note(&token);
        match &token {
            Token::TagToken(tag) => {
                self.in_style.replace(tag.kind == TagKind::StartTag && &*tag.name == "style");
            }
            Token::CharacterTokens(text) if *self.in_style.borrow() => self.css.borrow_mut().push_str(text),
            _ => {}
        }
        next_state(&token)
    }
}

/// Second pass: the visible text.
struct Page {
    renderer: RefCell<Renderer>,
    progress: RefCell<Progress>,
}

impl Watched for Page {
    fn progress(&self) -> &RefCell<Progress> {
        &self.progress
    }
}

impl TokenSink for Page {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        self.progress.borrow_mut().note(&token);
        let mut renderer = self.renderer.borrow_mut();
        match &token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => renderer.start(tag),
            Token::TagToken(tag) => renderer.end(&tag.name),
            Token::CharacterTokens(text) => renderer.text(text),
            Token::CommentToken(comment) => renderer.comment(comment),
            _ => {}
        }
        next_state(&token)
    }
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::finding::FindingKind;

    fn check(html: &str, expected: &str) {
        assert_eq!(parse(html).expect("parses").text, expected, "{html}");
    }

    #[test]
    fn visible_text_becomes_markdown() {
        check("<h1>A <b>title</b></h1><p>one\n two<br>three</p>", "# A title\n\none two\nthree");
        check("<ul><li>a<li>b<ul><li>c</ul></ul>end", "- a\n- b\n  - c\n\nend");
        check("<table><tr><th>a<th>b<tr><td>1<td>2</table>", "a | b\n1 | 2");
        check("<pre>x  y\n z</pre>after", "```\nx  y\n z\n```\n\nafter");
        check("a&amp;b &lt;p&gt; <a href='http://x.example/?q=1'>link</a>", "a&b <p> link");
        let titled = parse("<title>T &amp; U</title><h1>H</h1>").expect("parses");
        assert_eq!(titled.title.as_deref(), Some("T & U"));
    }

    #[test]
    fn hidden_text_is_reported_and_left_out() {
        let hidden = [
            "<div style='display:none'>X</div>",
            "<div hidden><p>X</div>",
            "<span style='font-size:0'>X</span>",
            "<span style='FONT-SIZE: 0.5px !important'>X</span>",
            "<p style='color:#fff;background:#ffffff'>X</p>",
            "<p style='color:white'>X</p>",
            "<p style='position:absolute;left:-9999px'>X</p>",
            "<p style='text-indent:-1000em'>X</p>",
            "<p style='opacity:0.0'>X</p>",
            "<p style='visibility:collapse'>X</p>",
            "<p style='height:0;overflow:hidden'>X</p>",
            "<p style='clip:rect(0,0,0,0)'>X</p>",
            "<p style='color:transparent'>X</p>",
            "<p style='display:/* */none'>X</p>",
            "<script>X</script>",
            "<noscript>X</noscript>",
            "<template>X</template>",
            "<svg><desc>X</desc></svg>",
            "<style>.q{display:none}</style><p class='a q'>X</p>",
            "<p id=z>X</p><style>#z , b {visibility:hidden}</style>",
            "<style>@media screen { p.w { opacity: 0 } }</style><p class=w>X</p>",
            "<iframe>X</iframe>",
        ];
        for html in hidden {
            let parsed = parse(&format!("<p>visible</p>{html}<p>after</p>")).expect("parses");
            assert_eq!(parsed.text, "visible\n\nafter", "{html}");
            assert!(parsed.findings.iter().any(|finding| finding.kind == FindingKind::HiddenText), "{html}");
        }
        let parsed = parse("a<!-- X --><img alt='X is hidden' src='//e.example/?q'>b").expect("parses");
        assert_eq!(parsed.text, "ab");
        assert_eq!(parsed.findings[0].kind, FindingKind::Comment);
    }

    #[test]
    fn ordinary_styles_hide_nothing() {
        check("<p style='color:#333;background:#fff;opacity:.9;font-size:10px'>X</p>", "X");
        check("<div style='background:navy'><p style='color:white'>X</p></div>", "X");
        check("<p hidden>a<p>b", "b");
        check("<style>@media print { p { display:none } } p:hover { display: none }</style><p>X</p>", "X");
    }

    #[test]
    fn hostile_pages_are_linear() {
        parse(&"<div>".repeat(100_000)).expect("parses");
        parse(&"<table><tr><td>".repeat(30_000)).expect("parses");
        parse(&format!("{}{}", "<div>".repeat(50_000), "</p>".repeat(50_000))).expect("parses");
        parse(&format!("<a {}=\"1\">", "x".repeat(1_000_000))).expect("parses");
        parse(&"&#x10FFFF;&#0;&#xD800;&notanentity;".repeat(5000)).expect("parses");
        let attributes: String = (0..200_000).map(|number| format!(" a{number}")).collect();
        assert!(parse(&format!("<a{attributes}>")).is_err());
    }
}
