//! A bound on what all answers together take while their clients have not read them.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies with more room to spare than this give it back.
const ROOM_BYTES_MAX: usize = 64 << 10;

/// The bytes that may still wait to be written.
#[derive(Debug)]
pub(crate) struct Waiting(Arc<Semaphore>);

impl Waiting {
    /// Makes a bound of so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// Returns the body for as long as it takes to be written, or `None` if there is no room.
    pub(crate) fn admit(&self, mut body: Vec<u8>) -> Option<Bytes> {
        if body.is_empty() {
            return Some(Bytes::new());
        }
        if body.capacity() - body.len() > ROOM_BYTES_MAX {
            body.shrink_to_fit();
        }
        let bytes = u32::try_from(body.capacity()).ok()?;
        let permit = Arc::clone(&self.0).try_acquire_many_owned(bytes).ok()?;
        Some(Bytes::from_owner(Body {
            body,
            _permit: permit,
        }))
    }
}

/// A body that counts until it is dropped, which is when its last byte was written.
struct Body {
    body: Vec<u8>,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_until_the_last_holder_of_a_body_lets_go() {
        let waiting = Waiting::new(10);
        let first = waiting.admit(vec![1; 6]).unwrap();
        let tail = first.slice(5..);
        drop(first);
        assert!(waiting.admit(vec![2; 5]).is_none());
        assert_eq!(waiting.admit(Vec::new()).unwrap(), Bytes::new());
        assert_eq!(waiting.admit(vec![3; 4]).unwrap(), &[3; 4][..]);
        drop(tail);
        assert!(waiting.admit(vec![4; 10]).is_some());
    }
}
