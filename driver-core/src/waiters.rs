//! Who waits for the same thing. Any number of futures may, each with a key of its own that it takes back when it is
//! dropped; and one caller of a `poll_` function, the last one to call.

use std::task::Waker;

/// The futures that wait for one thing.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    futures: Vec<(Key, Waker)>,
    poller: Option<Waker>,
    last: u64,
}

/// A place among the waiters. Never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Key(u64);

impl Waiters {
    /// Keeps `waker` in the place of `key`, or in a new one. Gives back the waker that it replaces.
    pub(crate) fn wait(&mut self, key: &mut Option<Key>, waker: &Waker) -> Option<Waker> {
        let known = key.and_then(|key| self.futures.iter_mut().find(|(other, _)| *other == key));
        if let Some((_, kept)) = known {
            return replace(kept, waker);
        }
        self.last += 1;
        self.futures.push((Key(self.last), waker.clone()));
        *key = Some(Key(self.last));
        None
    }

    /// Keeps `waker` for the one caller of a `poll_` function. Gives back the waker that it replaces.
    pub(crate) fn wait_polling(&mut self, waker: &Waker) -> Option<Waker> {
        match &mut self.poller {
            Some(kept) => replace(kept, waker),
            none => {
                *none = Some(waker.clone());
                None
            }
        }
    }

    /// Forgets the place of `key`. Gives back its waker.
    pub(crate) fn forget(&mut self, key: Key) -> Option<Waker> {
        let index = self.futures.iter().position(|(other, _)| *other == key)?;
        Some(self.futures.swap_remove(index).1)
    }

    /// Takes all out, to be woken.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Waker> + '_ {
        self.futures.drain(..).map(|(_, waker)| waker).chain(self.poller.take())
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.futures.len() + usize::from(self.poller.is_some())
    }
}

fn replace(kept: &mut Waker, waker: &Waker) -> Option<Waker> {
    if kept.will_wake(waker) {
        return None;
    }
    Some(std::mem::replace(kept, waker.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_future_has_one_place_and_takes_it_back() {
        let mut waiters = Waiters::default();
        let (mut one, mut two) = (None, None);
        for _ in 0..3 {
            waiters.wait(&mut one, Waker::noop());
            waiters.wait(&mut two, Waker::noop());
            waiters.wait_polling(Waker::noop());
        }
        assert_eq!(waiters.len(), 3);
        assert!(waiters.forget(one.unwrap()).is_some());
        assert!(waiters.forget(one.unwrap()).is_none());
        assert_eq!(waiters.take().count(), 2);
        assert_eq!(waiters.len(), 0);
    }

    #[test]
    fn one_that_was_woken_waits_again_in_a_new_place() {
        let mut waiters = Waiters::default();
        let mut key = None;
        waiters.wait(&mut key, Waker::noop());
        let first = key;
        assert_eq!(waiters.take().count(), 1);
        waiters.wait(&mut key, Waker::noop());
        assert_ne!(key, first);
        assert_eq!(waiters.len(), 1);
    }
}
