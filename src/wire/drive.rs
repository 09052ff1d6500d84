//! Several log-ins at once, without threads: each is a future that says which socket it waits for and until when;
//! one loop waits for all of them.
//!
//! Nothing but [`Waiter::wait`] ever makes such a future pend, so no waker is needed.

use super::login::Refusal;
use crate::pg::wait::{self, Wake, Want};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// What a future waits for: written by the future, read by the loop.
#[derive(Default)]
pub(super) struct Waiter {
    wish: Cell<Option<(Want, Option<Instant>)>>,
    late: Cell<bool>,
}

impl Waiter {
    /// Until the socket is ready (or may be: look again), or refused when `deadline` has passed.
    pub(super) async fn wait(&self, want: Want, deadline: Option<Instant>) -> Result<(), Refusal> {
        self.wish.set(Some((want, deadline)));
        let mut asked = false;
        poll_fn(
            |_| if std::mem::replace(&mut asked, true) { Poll::Ready(()) } else { Poll::Pending },
        )
        .await;
        if self.late.take() { Err(Refusal::next("timeout expired")) } else { Ok(()) }
    }
}

/// A [`Waiter`] and the moment up to which it waits.
#[derive(Clone, Copy)]
pub(super) struct Pause<'a> {
    pub(super) waiter: &'a Waiter,
    pub(super) deadline: Option<Instant>,
}

impl Pause<'_> {
    /// See [`Waiter::wait`].
    pub(super) async fn until(self, want: Want) -> Result<(), Refusal> {
        self.waiter.wait(want, self.deadline).await
    }
}

struct Task<F> {
    index: usize,
    waiter: Rc<Waiter>,
    future: Pin<Box<F>>,
    due: bool,
}

impl<F: Future> Task<F> {
    fn poll(&mut self) -> Poll<F::Output> {
        self.due = false;
        self.future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    fn late(&self, now: Instant) -> bool {
        matches!(self.waiter.wish.get(), Some((_, Some(deadline))) if deadline <= now)
    }
}

/// Runs `count` futures to their ends, in turns. `done` gets each outcome as it comes; Break abandons those that are
/// not done. Interrupts raise, and that abandons all of them.
pub(super) fn run_all<F: Future>(
    count: usize,
    make: impl Fn(usize, Rc<Waiter>) -> F,
    mut done: impl FnMut(usize, F::Output) -> ControlFlow<()>,
) {
    let mut tasks: Vec<Task<F>> = (0..count)
        .map(|index| {
            let waiter = Rc::new(Waiter::default());
            let future = Box::pin(make(index, waiter.clone()));
            Task { index, waiter, future, due: true }
        })
        .collect();
    let mut wants = Vec::with_capacity(count);
    loop {
        let mut position = 0;
        while let Some(task) = tasks.get_mut(position) {
            match if task.due { task.poll() } else { Poll::Pending } {
                Poll::Pending => position += 1,
                Poll::Ready(output) => {
                    let index = task.index;
                    drop(tasks.remove(position));
                    if done(index, output).is_break() {
                        return;
                    }
                }
            }
        }
        if tasks.is_empty() {
            return;
        }
        let wishes = tasks.iter().filter_map(|task| task.waiter.wish.get());
        wants.clear();
        wants.extend(wishes.clone().map(|(want, _)| want));
        let deadline = wishes.filter_map(|(_, deadline)| deadline).min();
        let wake = wait::wait_all(&wants, deadline, |at| {
            if let Some(task) = tasks.get_mut(at) {
                task.due = true;
            }
        });
        if wake == Wake::Deadline {
            let now = Instant::now();
            for task in tasks.iter_mut().filter(|task| !task.due && task.late(now)) {
                task.waiter.late.set(true);
                task.due = true;
            }
        }
    }
}

/// Runs one future to its end. Interrupts are not raised (see [`wait::wait_quietly`]); each of its waits must have a
/// deadline.
pub(super) fn run_quietly<F: Future>(make: impl FnOnce(Rc<Waiter>) -> F) -> F::Output {
    let waiter = Rc::new(Waiter::default());
    let future = Box::pin(make(waiter.clone()));
    let mut task = Task { index: 0, waiter, future, due: true };
    loop {
        if let Poll::Ready(output) = task.poll() {
            return output;
        }
        if let Some((want, deadline)) = task.waiter.wish.get() {
            let wake = wait::wait_quietly(&[want], deadline.unwrap_or_else(Instant::now));
            task.waiter.late.set(wake == Wake::Deadline);
        }
    }
}
