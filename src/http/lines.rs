//! A body as lines of bounded length, without ever holding more than one of them and what the network just gave.

use axum::body::{Body, Bytes};

use super::{body::next_chunk, problem::Problem};

/// Cuts a body into lines.
pub(super) struct Lines {
    body: Body,
    chunk: Bytes,
    line_bytes_max: usize,
    ended: bool,
}

/// One line of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A whole line without its end; empty lines are not given.
    Whole(Vec<u8>),
    /// A line over the limit; it was skipped.
    TooLong,
}

impl Lines {
    pub(super) const fn new(body: Body, line_bytes_max: usize) -> Self {
        Self { body, chunk: Bytes::new(), line_bytes_max, ended: false }
    }

    /// The next line that is not empty, or `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Line>, Problem> {
        let (mut line, mut is_too_long) = (Vec::new(), false);
        while !self.ended {
            if self.chunk.is_empty() {
                match next_chunk(&mut self.body).await? {
                    Some(chunk) => self.chunk = chunk,
                    None => self.ended = true,
                }
                continue;
            }
            let end = self.chunk.iter().position(|byte| *byte == b'\n');
            let part = self.chunk.split_to(end.map_or(self.chunk.len(), |end| end + 1));
            let part = if end.is_some() { &part[..part.len() - 1] } else { &part[..] };
            if is_too_long || line.len() + part.len() > self.line_bytes_max {
                (line, is_too_long) = (Vec::new(), true);
            } else {
                line.extend_from_slice(part);
            }
            if end.is_some() && (is_too_long || !line.trim_ascii().is_empty()) {
                break;
            }
            if end.is_some() {
                line.clear();
            }
        }
        Ok(match (is_too_long, line.trim_ascii().is_empty()) {
            (true, _) => Some(Line::TooLong),
            (false, false) => Some(Line::Whole(line)),
            (false, true) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    async fn lines(parts: &[&'static str]) -> Vec<Line> {
        let parts: Vec<_> =
            parts.iter().map(|part| Ok::<_, std::io::Error>(Bytes::from_static(part.as_bytes()))).collect();
        let mut lines = Lines::new(Body::from_stream(stream::iter(parts)), 5);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(line);
        }
        found
    }

    fn whole(text: &str) -> Line {
        Line::Whole(text.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn lines_are_cut_wherever_the_network_cuts() {
        assert_eq!(lines(&["a\nbc\n"]).await, [whole("a"), whole("bc")]);
        assert_eq!(lines(&["a", "\nb", "c", "\n\n", "\r\n", "d"]).await, [whole("a"), whole("bc"), whole("d")]);
        assert_eq!(lines(&["", "\n"]).await, []);
        assert_eq!(
            lines(&["12345\n", "123456\n", "x\n", "1234", "567"]).await,
            [whole("12345"), Line::TooLong, whole("x"), Line::TooLong]
        );
    }
}
