//! Who comes after whom in a batch: two lines of one document are put in their order, whatever goes on side by side.

use std::collections::{HashMap, VecDeque};

use tokio::sync::oneshot;

/// Who comes after whom.
pub(super) struct Turns {
    /// The last line of each document, by its number.
    last: HashMap<String, (u64, oneshot::Receiver<()>)>,
    /// The lines that may still be on their way, oldest first.
    recent: VecDeque<(u64, String)>,
    count: u64,
    in_flight_max: usize,
}

/// A line's turn: it waits for the line before it, and the one after it waits until this is dropped.
pub(super) struct Turn {
    before: Option<oneshot::Receiver<()>>,
    mine: Option<oneshot::Sender<()>>,
}

impl Turns {
    /// Turns among lines of which at most so many are on their way.
    pub(super) fn new(in_flight_max: usize) -> Self {
        Self { last: HashMap::new(), recent: VecDeque::new(), count: 0, in_flight_max }
    }

    /// The turn of the next line, which writes the document of this name.
    pub(super) fn join(&mut self, id: Option<&str>) -> Turn {
        let Some(id) = id else { return Turn { before: None, mine: None } };
        self.count += 1;
        let (mine, finished) = oneshot::channel();
        let before = self.last.insert(id.to_owned(), (self.count, finished)).map(|(_, finished)| finished);
        self.recent.push_back((self.count, id.to_owned()));
        // Fewer are in flight at a time, so what falls out here is done.
        if self.recent.len() > 2 * self.in_flight_max
            && let Some((number, id)) = self.recent.pop_front()
            && self.last.get(&id).is_some_and(|(last, _)| *last == number)
        {
            self.last.remove(&id);
        }
        Turn { before, mine: Some(mine) }
    }
}

impl Turn {
    /// Waits for the line before; what is given back ends this line's turn when it is dropped.
    pub(super) async fn wait(self) -> Option<oneshot::Sender<()>> {
        if let Some(before) = self.before {
            // It says nothing: it is dropped when it is done.
            let _done = before.await;
        }
        self.mine
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn lines_of_one_document_wait_for_each_other_and_others_do_not() {
        let mut turns = Turns::new(256);
        let first = turns.join(Some("a")).wait().await;
        let mut second = Box::pin(turns.join(Some("a")).wait());
        assert!(poll!(&mut second).is_pending());
        assert!(poll!(Box::pin(turns.join(Some("b")).wait())).is_ready());
        assert!(poll!(Box::pin(turns.join(None).wait())).is_ready());
        drop(first);
        assert!(poll!(&mut second).is_ready());
        for number in 0..10_000 {
            drop(turns.join(Some(&number.to_string())));
        }
        assert!(turns.last.len() <= 2 * 256, "what is done is forgotten");
    }
}
