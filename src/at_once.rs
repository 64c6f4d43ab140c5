use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

/// What a future gives when it is polled once, on the stack, or `None` if it has to wait: then it is dropped.
///
/// Where a store answers at once, whatever is built on it does too; so a request needs neither a box nor a place in
/// its handler's future for it.
#[inline]
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
