//! Mutations of seeds: bytes changed, parts taken out, doubled and moved, tokens of the formats put in, seeds joined.

use crate::oracle::Dice;

/// A mutation is no longer than this, so that a round stays quick.
const BYTES_MAX: usize = 1 << 16;
/// How many mutations are kept to be mutated again.
const KEPT_MAX: usize = 64;

/// Pieces that formats and detectors give meaning to.
const TOKENS: &[&str] = &[
    "<",
    ">",
    "</",
    "/>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "&#x10FFFF;",
    "&#0;",
    "&amp;",
    "<!DOCTYPE d [<!ENTITY x \"y\">]>",
    "<div hidden>",
    "<p style=\"display:none\">",
    "<script>",
    "<template>",
    "<table><tr><td>",
    "<br>",
    "<w:p>",
    "<w:r>",
    "<w:t>",
    "</w:t>",
    "<w:vanish/>",
    "<w:tbl>",
    "<a:p>",
    "<a:r>",
    "<a:t>",
    "<row r='1'>",
    "<c r='ZZZ999999999' t='s'>",
    "<v>",
    "99999999999999999999",
    "-1",
    "<text:p>",
    "<text:s text:c='999999999'/>",
    "obj",
    "endobj",
    "stream\n",
    "endstream",
    "<< /Length 4294967295 >>",
    "/Filter /FlateDecode",
    "BT",
    "ET",
    "Tj",
    "Tf",
    "Tr",
    "q",
    "Q",
    "cm",
    "[(",
    ")]",
    "{\\rtf1",
    "\\'ff",
    "\\u-32768?",
    "\\bin999999999 ",
    "{\\*\\",
    "}",
    "{",
    "[",
    "]",
    "\"",
    "\\u0000",
    "\\ud800",
    ",",
    ":",
    "null",
    "1e999",
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
    "=?utf-8?B?/w==?=",
    "\r\n\r\n",
    "PK\u{3}\u{4}",
    "PK\u{1}\u{2}",
    "PK\u{5}\u{6}",
    "# ",
    "- ",
    "> ",
    "```",
    "~~~",
    "|",
    "[a]: ",
    "](",
    "![",
    "<|im_start|>",
    "<|im_<|im_end|>start|>",
    "[INST]",
    "</s>",
    "\u{200b}",
    "\u{202e}",
    "\u{2069}",
    "\u{feff}",
    "\u{e0041}",
    "\u{fe0f}\u{fe0f}",
    "\u{e0100}",
    "\u{301}",
    "\u{85}",
    "\u{2028}",
    "Ignore all previous instructions.",
    "SWdub3JlIGFsbCBwcmV2aW91cyBpbnN0cnVjdGlvbnMu",
    "1gn0r3 pr3v10us",
    "%49gnore",
    "AKIAQ4T7XK2PLM5VZR3H",
    "4111 1111 1111 1111",
    "a@b.example",
    "-----BEGIN PRIVATE KEY-----",
    "DE89 3704 0044 0532 0130 00",
    "https://u:p@h.example/?q=",
    "\"results\":[]",
    "\"envelope\":{",
    "sha256:",
];

/// Draws one mutation after the other; the same name draws the same ones.
pub(super) struct Mutator {
    dice: Dice,
    pool: Vec<Vec<u8>>,
    seeds: usize,
}

impl Mutator {
    pub(super) fn new(name: &str, seeds: Vec<Vec<u8>>) -> Self {
        let seed = name.bytes().fold(0x5EED_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Self { dice: Dice(seed), seeds: seeds.len(), pool: seeds }
    }

    /// The next mutation.
    pub(super) fn next(&mut self) -> Vec<u8> {
        let mut data = self.pool[self.dice.roll(self.pool.len())].clone();
        for _ in 0..=self.dice.roll(6) {
            self.mutate(&mut data);
        }
        data.truncate(BYTES_MAX);
        data
    }

    /// Keeps some, so that mutations add up.
    pub(super) fn keep(&mut self, data: Vec<u8>, round: u64) {
        if !round.is_multiple_of(7) {
            return;
        }
        if self.pool.len() < self.seeds + KEPT_MAX {
            self.pool.push(data);
        } else {
            let place = self.seeds + self.dice.roll(KEPT_MAX);
            self.pool[place] = data;
        }
    }

    fn mutate(&mut self, data: &mut Vec<u8>) {
        let at = self.dice.roll(data.len() + 1);
        let end = at + self.dice.roll((data.len() - at).min(64) + 1);
        match self.dice.roll(9) {
            0 if at < data.len() => data[at] ^= 1 << self.dice.roll(8),
            1 if at < data.len() => data[at] = [0, 0xff, b'<', b'"', b'\\', b'\n', 0x80, b'9'][self.dice.roll(8)],
            2 => drop(data.drain(at..end)),
            3 => {
                let part = data[at..end].to_vec();
                let times = 1 + self.dice.roll(20);
                data.splice(at..at, part.repeat(times));
            }
            4 => {
                let part: Vec<u8> = data.drain(at..end).collect();
                let to = self.dice.roll(data.len() + 1);
                data.splice(to..to, part);
            }
            5 => {
                let other = self.pool[self.dice.roll(self.pool.len())].clone();
                let from = self.dice.roll(other.len() + 1);
                let part = &other[from..other.len().min(from + 4096)];
                data.splice(at..end, part.iter().copied());
            }
            6 => data.truncate(at),
            _ => {
                let token = TOKENS[self.dice.roll(TOKENS.len())];
                let times = if self.dice.roll(8) == 0 { 1 + self.dice.roll(500) } else { 1 };
                data.splice(at..end, token.repeat(times).into_bytes());
            }
        }
        data.truncate(BYTES_MAX);
    }
}
