//! Waiting for sockets the PostgreSQL way: on the process latch, so that cancel, termination and the
//! postmaster's death are seen at once.
//!
//! WaitEventSets are kept for the life of the backend, one for each group of sockets that was waited for lately: a
//! look-up that asks a shard again costs one epoll_wait and nothing else. A set that holds more sockets does as well, as long
//! as the others keep silent: while many shards answer one by one, those that are left are waited for by the set of all.

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

impl Want {
    /// Whether both are of one socket.
    fn is_of(&self, other: &Want) -> bool {
        self.fd == other.fd && self.serial == other.serial
    }
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

/// So many sets are kept: enough for one per shard of a large cluster that is asked at random.
const MAX_SETS: usize = 40;

thread_local! {
    /// The one used last stands first.
    static SETS: RefCell<Vec<Set>> = const { RefCell::new(Vec::new()) };
}

/// Sleeps until one of `wants` is ready, the latch is set or `deadline` has passed, and then looks at
/// interrupts: a cancel or termination request is raised from here, unless interrupts are held.
///
/// The caller loops: do what can be done without blocking, then wait, then look again. Nothing borrowed may be
/// held across this call but what unwinding can release.
pub fn wait(wants: &[Want], deadline: Option<Instant>) -> Wake {
    wait_for(wants, deadline, 1, |_| {})
}

/// [`wait`], and gives `ready` the places in `wants` of all the sockets that are ready.
pub fn wait_all(wants: &[Want], deadline: Option<Instant>, ready: impl FnMut(usize)) -> Wake {
    wait_for(wants, deadline, wants.len() + 1, ready)
}

/// Gives `ready` the places in `wants` of all the sockets that are ready now, and looks at interrupts. False when not all
/// of them could be looked at.
pub fn look(wants: &[Want], mut ready: impl FnMut(usize)) -> bool {
    // The latch goes before sockets.
    let looked = match fire(wants, true, 0, wants.len() + 1, &mut ready) {
        Fired::Latch | Fired::Others => false,
        Fired::Sockets(count) => count < MOST,
    };
    pgrx::check_for_interrupts!();
    looked
}

fn wait_for(
    wants: &[Want],
    deadline: Option<Instant>,
    room: usize,
    mut ready: impl FnMut(usize),
) -> Wake {
    pgrx::check_for_interrupts!();
    let mut exactly = false;
    let fired = loop {
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
        match fire(wants, exactly, timeout, room, &mut ready) {
            // They would not go away.
            Fired::Others if !exactly => exactly = true,
            fired => break fired,
        }
    };
    pgrx::check_for_interrupts!();
    match fired {
        Fired::Sockets(0) if deadline.is_some() => Wake::Deadline,
        _ => Wake::Event,
    }
}

/// What a wait has ended by.
enum Fired {
    /// The latch, perhaps sockets too.
    Latch,
    /// So many sockets.
    Sockets(usize),
    /// Nothing but sockets that nobody has asked for.
    Others,
}

/// So many events are taken at once.
const MOST: usize = 64;

/// Waits up to `timeout` milliseconds, forever if that is negative, for at most `room` events. Unless `exactly`, sockets
/// that nobody has asked for may end it.
fn fire(
    wants: &[Want],
    exactly: bool,
    timeout: i64,
    room: usize,
    ready: &mut impl FnMut(usize),
) -> Fired {
    let (set, is_larger) = prepare(wants, exactly);
    let (mut latch, mut own, mut others) = (false, 0, 0);
    // SAFETY: the set is alive (backend lifetime); the events are plain data the call fills, as many as it says;
    // MyLatch is set in every backend and worker.
    unsafe {
        let mut events = [const { std::mem::MaybeUninit::<pg_sys::WaitEvent>::uninit() }; MOST];
        let count = pg_sys::WaitEventSetWait(
            set,
            timeout as _,
            events.as_mut_ptr().cast(),
            room.min(MOST) as i32,
            compat::wait_event(),
        );
        for event in events.iter().take(count.max(0) as usize) {
            let event = event.assume_init_ref();
            if event.events & pg_sys::WL_LATCH_SET != 0 {
                pg_sys::ResetLatch(pg_sys::MyLatch);
                latch = true;
                continue;
            }
            let place = if is_larger {
                wants.iter().position(|want| want.fd == event.fd)
            } else {
                usize::try_from(event.pos - SOCKETS).ok()
            };
            match place {
                Some(place) => {
                    ready(place);
                    own += 1;
                }
                None => others += 1,
            }
        }
    }
    match (latch, own, others) {
        (true, ..) => Fired::Latch,
        (_, 0, 1..) => Fired::Others,
        _ => Fired::Sockets(own),
    }
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

/// Forgets the kept sets. To be called when a socket is closed, so that its number can be given out again.
pub fn forget() {
    SETS.with(|cell| {
        if let Ok(mut sets) = cell.try_borrow_mut() {
            sets.drain(..).for_each(free);
        }
    });
}

fn free(set: Set) {
    // SAFETY: the set was made by `build` and is used nowhere else.
    unsafe { pg_sys::FreeWaitEventSet(set.raw) };
}

/// A kept set, made to wait for `wants` besides the latch and the postmaster's death; and whether it holds other sockets,
/// too, which it never does with `exactly`.
fn prepare(wants: &[Want], exactly: bool) -> (*mut pg_sys::WaitEventSet, bool) {
    let known = SETS.with(|cell| {
        let mut sets = cell.borrow_mut();
        let same = |set: &Set| set.wants.len() == wants.len() && holds(&set.wants, wants);
        let place = sets.iter().position(same).or_else(|| {
            let larger = |set: &Set| set.wants.len() > wants.len() && holds(&set.wants, wants);
            if exactly { None } else { sets.iter().position(larger) }
        })?;
        let mut set = sets.remove(place);
        let mut places = SOCKETS..;
        let mut have = set.wants.iter_mut();
        for want in wants {
            let Some((position, have)) =
                places.by_ref().zip(have.by_ref()).find(|(_, have)| have.is_of(want))
            else {
                break;
            };
            if have != want {
                // SAFETY: the socket is in the set, at this position.
                unsafe {
                    let null = std::ptr::null_mut();
                    pg_sys::ModifyWaitEvent(set.raw, position, events(want), null);
                }
                *have = *want;
            }
        }
        let found = (set.raw, set.wants.len() > wants.len());
        sets.insert(0, set);
        Some(found)
    });
    known.unwrap_or_else(|| {
        let raw = build(wants);
        SETS.with(|cell| {
            let mut sets = cell.borrow_mut();
            if sets.len() >= MAX_SETS {
                sets.drain(MAX_SETS - 1..).for_each(free);
            }
            sets.insert(0, Set { raw, wants: wants.to_vec() });
        });
        (raw, false)
    })
}

/// Whether the sockets of `wants` are among those of a set, in the same order.
fn holds(set: &[Want], wants: &[Want]) -> bool {
    let mut set = set.iter();
    wants.iter().all(|want| set.any(|have| have.is_of(want)))
}

/// The position of the first socket in a set: 0 and 1 are the latch and the postmaster.
const SOCKETS: i32 = 2;

fn build(wants: &[Want]) -> *mut pg_sys::WaitEventSet {
    // SAFETY: the set lives until it is forgotten; if adding an event raises, the half-made set is leaked, which an
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
