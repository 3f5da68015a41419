//! Maps from the codes of a font to characters.

use std::collections::HashMap;

use super::lexer::{Lexer, Token};

/// A font has no more characters than this.
const ENTRIES_MAX: usize = 100_000;

/// A map from codes to text.
#[derive(Debug, Default)]
pub(super) struct CMap {
    /// How long codes are, by their range.
    spaces: Vec<(u32, u32, usize)>,
    characters: HashMap<(usize, u32), String>,
    /// Sorted by their first code.
    ranges: Vec<Range>,
}

#[derive(Debug)]
struct Range {
    length: usize,
    first: u32,
    last: u32,
    text: Vec<u16>,
}

impl CMap {
    /// Reads a map. What is malformed is left out: the text then lacks a character, as the page does in other readers.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut map = Self::default();
        let mut operands: Vec<Operand> = Vec::new();
        let mut array: Option<Vec<Vec<u8>>> = None;
        for token in Lexer::new(bytes) {
            match token {
                Token::String(string) => match &mut array {
                    Some(array) => array.push(string),
                    None => operands.push(Operand::String(string)),
                },
                Token::ArrayOpen => array = Some(Vec::new()),
                Token::ArrayClose => operands.extend(array.take().map(Operand::Array)),
                Token::Operator(word) => {
                    match word.as_slice() {
                        b"endcodespacerange" => map.take_spaces(&operands),
                        b"endbfchar" => map.take_characters(&operands),
                        b"endbfrange" => map.take_ranges(operands.split_off(0)),
                        _ => {}
                    }
                    operands.clear();
                }
                _ => {}
            }
            if map.characters.len() + map.ranges.len() > ENTRIES_MAX || operands.len() > 3 * ENTRIES_MAX {
                break;
            }
        }
        map.ranges.sort_by_key(|range| (range.length, range.first));
        map
    }

    fn take_spaces(&mut self, operands: &[Operand]) {
        for pair in operands.chunks_exact(2) {
            if let [Operand::String(first), Operand::String(last)] = pair
                && self.spaces.len() < 256
                && (1..=4).contains(&first.len())
            {
                self.spaces.push((code(first), code(last), first.len()));
            }
        }
    }

    fn take_characters(&mut self, operands: &[Operand]) {
        for pair in operands.chunks_exact(2) {
            if let [Operand::String(from), Operand::String(to)] = pair {
                self.characters.insert((from.len(), code(from)), decode(&units(to)));
            }
        }
    }

    fn take_ranges(&mut self, operands: Vec<Operand>) {
        let mut operands = operands.into_iter();
        while let (Some(Operand::String(first)), Some(Operand::String(last)), Some(to)) =
            (operands.next(), operands.next(), operands.next())
        {
            let (length, first, last) = (first.len(), code(&first), code(&last));
            match to {
                Operand::String(to) => self.ranges.push(Range { length, first, last, text: units(&to) }),
                Operand::Array(texts) => {
                    let codes = first..=last;
                    let entries = codes.zip(texts).map(|(code, text)| ((length, code), decode(&units(&text))));
                    self.characters.extend(entries.take(ENTRIES_MAX));
                }
            }
        }
    }

    /// The text of a code of so many bytes.
    pub(super) fn get(&self, length: usize, code: u32) -> Option<String> {
        if let Some(text) = self.characters.get(&(length, code)) {
            return Some(text.clone());
        }
        let after = self.ranges.partition_point(|range| (range.length, range.first) <= (length, code));
        let range = self.ranges[..after].last().filter(|range| range.length == length && code <= range.last)?;
        let mut text = range.text.clone();
        let offset = u16::try_from(code - range.first).ok()?;
        let last = text.last_mut()?;
        *last = last.checked_add(offset)?;
        Some(decode(&text))
    }

    /// The length of the code that bytes begin with.
    pub(super) fn code_length(&self, bytes: &[u8]) -> Option<usize> {
        (1..=bytes.len().min(4)).find(|length| {
            let code = code(&bytes[..*length]);
            self.spaces.iter().any(|(first, last, own)| own == length && (*first..=*last).contains(&code))
        })
    }
}

enum Operand {
    String(Vec<u8>),
    Array(Vec<Vec<u8>>),
}

/// A code as a number, the highest byte first.
pub(super) fn code(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |code, byte| code << 8 | u32::from(*byte))
}

fn units(bytes: &[u8]) -> Vec<u16> {
    match bytes {
        [one] => vec![u16::from(*one)],
        _ => bytes.chunks_exact(2).take(64).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect(),
    }
}

fn decode(units: &[u16]) -> String {
    char::decode_utf16(units.iter().copied()).filter_map(Result::ok).filter(|character| *character != '\0').collect()
}

#[cfg(test)]
mod tests {
    use super::CMap;

    #[test]
    fn characters_and_ranges() {
        let map = CMap::read(
            b"1 begincodespacerange <0000> <FFFF> endcodespacerange 2 beginbfchar <0003> <0020> <0004> <00660066> endbfchar 2 beginbfrange <0010> <0012> <0041> <0020> <0021> [<D83DDE00> <0078>] endbfrange",
        );
        let get = |code| map.get(2, code);
        assert_eq!((get(3).as_deref(), get(4).as_deref()), (Some(" "), Some("ff")));
        assert_eq!((get(0x10).as_deref(), get(0x12).as_deref(), get(0x13)), (Some("A"), Some("C"), None));
        assert_eq!((get(0x20).as_deref(), get(0x21).as_deref()), (Some("😀"), Some("x")));
        assert_eq!((map.code_length(b"\0\x10x"), map.get(1, 3)), (Some(2), None));
    }

    #[test]
    fn broken_maps_are_read_as_far_as_they_go() {
        for bytes in
            [&b"endbfrange endbfchar"[..], b"<00> <01> endbfrange", b"[<00>", b"<00> <FFFFFFFF> [<41>] endbfrange"]
        {
            CMap::read(bytes);
        }
        let map = CMap::read(b"<00> <FF> <FFFF> endbfrange");
        assert_eq!(map.get(1, 9), None);
    }
}
