//! A value that others wait for, woken in the order in which they came. (A watch channel wakes them in an order
//! drawn at random, and no run would be the same twice.)

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Clones are the same value.
#[derive(Clone, Debug)]
pub struct Signal<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    value: Mutex<T>,
    changed: Notify,
}

impl<T: Copy + PartialEq> Signal<T> {
    pub fn new(value: T) -> Self {
        Signal(Arc::new(Inner { value: Mutex::new(value), changed: Notify::new() }))
    }

    pub fn get(&self) -> T {
        *self.0.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set(&self, value: T) {
        *self.0.value.lock().unwrap_or_else(PoisonError::into_inner) = value;
        self.0.changed.notify_waiters();
    }

    /// Goes on when it is this value.
    pub async fn is(&self, value: T) {
        while self.get() != value {
            let mut changed = std::pin::pin!(self.0.changed.notified());
            changed.as_mut().enable();
            changed.await;
        }
    }
}
