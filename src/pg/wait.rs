//! Waiting for sockets the PostgreSQL way: on the process latch, so that cancel, termination and the
//! postmaster's death are seen at once.
//!
//! One WaitEventSet is kept for the life of the backend and changed only when the sockets change: a lookup that
//! asks the same shard again costs one epoll_wait and nothing else.

use super::compat;
use pgrx::pg_sys;
use std::cell::RefCell;
use std::os::fd::RawFd;
use std::time::Instant;

/// What one socket is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Want {
    /// The socket.
    pub fd: RawFd,
    /// Never the same for two sockets of a backend's life: file descriptor numbers come again.
    pub serial: u64,
    /// Wait until it can be read.
    pub read: bool,
    /// Wait until it can be written.
    pub write: bool,
}

/// Why [`wait`] came back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wake {
    /// A socket is ready, or the latch was set: look again.
    Event,
    /// The deadline has passed.
    Deadline,
}

struct Set {
    raw: *mut pg_sys::WaitEventSet,
    wants: Vec<Want>,
}

thread_local! {
    static SET: RefCell<Option<Set>> = const { RefCell::new(None) };
}

/// Sleeps until one of `wants` is ready, the latch is set or `deadline` has passed, and then looks at
/// interrupts: a cancel or termination request is raised from here, unless interrupts are held.
///
/// The caller loops: do what can be done without blocking, then wait, then look again. Nothing borrowed may be
/// held across this call but what unwinding can release.
pub fn wait(wants: &[Want], deadline: Option<Instant>) -> Wake {
    pgrx::check_for_interrupts!();
    let timeout = match deadline {
        None => -1,
        Some(deadline) => {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Wake::Deadline;
            }
            // Rounded up, so that the deadline has passed when the wait ends by it.
            left.as_millis().min(i32::MAX as u128 - 1) as i64 + 1
        }
    };
    let set = prepare(wants);
    // SAFETY: the set is alive (backend lifetime); the event is plain data the call fills; MyLatch is set in
    // every backend and worker.
    let fired = unsafe {
        let mut event: pg_sys::WaitEvent = std::mem::zeroed();
        let fired =
            pg_sys::WaitEventSetWait(set, timeout as _, &raw mut event, 1, compat::wait_event());
        if fired > 0 && event.events & pg_sys::WL_LATCH_SET != 0 {
            pg_sys::ResetLatch(pg_sys::MyLatch);
        }
        fired
    };
    pgrx::check_for_interrupts!();
    if fired == 0 && deadline.is_some() { Wake::Deadline } else { Wake::Event }
}

/// Sleeps until one of `wants` is ready or `deadline` has passed; interrupts are neither looked at nor lost (the
/// latch is not touched, so whoever waits next sees them). For ending what an interrupt has broken off; calls no
/// PostgreSQL function, so nothing can be raised from here.
pub fn wait_quietly(wants: &[Want], deadline: Instant) -> Wake {
    let mut polled: Vec<libc::pollfd> = wants
        .iter()
        .map(|want| {
            let mut events = 0;
            if want.read || !want.write {
                events |= libc::POLLIN;
            }
            if want.write {
                events |= libc::POLLOUT;
            }
            libc::pollfd { fd: want.fd, events, revents: 0 }
        })
        .collect();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Wake::Deadline;
        }
        let milliseconds = i32::try_from(left.as_millis()).unwrap_or(i32::MAX).saturating_add(1);
        // SAFETY: the array is alive and its length is given. A signal handler may run meanwhile: poll then
        // ends with EINTR and is begun again.
        let ready =
            unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, milliseconds) };
        if ready > 0 {
            return Wake::Event;
        }
    }
}

/// Forgets the kept set. To be called when a socket is closed, so that its number can be given out again.
pub fn forget() {
    SET.with(|cell| {
        if let Ok(mut slot) = cell.try_borrow_mut()
            && let Some(set) = slot.take()
        {
            // SAFETY: the set was made by `prepare` and is used nowhere else.
            unsafe { pg_sys::FreeWaitEventSet(set.raw) };
        }
    });
}

/// The kept set, made to hold exactly `wants` besides the latch and the postmaster's death.
fn prepare(wants: &[Want]) -> *mut pg_sys::WaitEventSet {
    let reusable = SET.with(|cell| {
        let slot = cell.borrow();
        slot.as_ref().is_some_and(|set| {
            set.wants.len() == wants.len()
                && set.wants.iter().zip(wants).all(|(a, b)| a.fd == b.fd && a.serial == b.serial)
        })
    });
    if !reusable {
        forget();
        let raw = build(wants);
        SET.with(|cell| *cell.borrow_mut() = Some(Set { raw, wants: wants.to_vec() }));
        return raw;
    }
    SET.with(|cell| {
        let mut slot = cell.borrow_mut();
        let Some(set) = slot.as_mut() else { return std::ptr::null_mut() };
        for (position, (have, want)) in set.wants.iter_mut().zip(wants).enumerate() {
            if have != want {
                // SAFETY: positions 0 and 1 are the latch and the postmaster, sockets follow in order.
                unsafe {
                    pg_sys::ModifyWaitEvent(
                        set.raw,
                        position as i32 + 2,
                        events(want),
                        std::ptr::null_mut(),
                    );
                }
                *have = *want;
            }
        }
        set.raw
    })
}

fn build(wants: &[Want]) -> *mut pg_sys::WaitEventSet {
    // SAFETY: the set lives until `forget`; if adding an event raises, the half-made set is leaked, which an
    // ERROR on a broken file descriptor is worth.
    unsafe {
        let set = compat::create_wait_event_set(wants.len() as i32 + 2);
        let none = pg_sys::PGINVALID_SOCKET;
        let null = std::ptr::null_mut();
        pg_sys::AddWaitEventToSet(set, pg_sys::WL_LATCH_SET, none, pg_sys::MyLatch, null);
        pg_sys::AddWaitEventToSet(
            set,
            pg_sys::WL_EXIT_ON_PM_DEATH,
            none,
            std::ptr::null_mut(),
            null,
        );
        for want in wants {
            pg_sys::AddWaitEventToSet(set, events(want), want.fd, std::ptr::null_mut(), null);
        }
        set
    }
}

fn events(want: &Want) -> u32 {
    let mut events = 0;
    if want.read || !want.write {
        events |= pg_sys::WL_SOCKET_READABLE;
    }
    if want.write {
        events |= pg_sys::WL_SOCKET_WRITEABLE;
    }
    events
}
