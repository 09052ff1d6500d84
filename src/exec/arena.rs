//! Where the by-reference values of one batch of rows lie: bump allocation from a few large chunks, given back
//! all at once.

use crate::pg::memory;
use pgrx::pg_sys;

/// The first chunk; what most look-ups of a few rows need.
const SMALLEST: usize = 8 * 1024;
/// Chunks grow up to this.
const LARGEST: usize = 512 * 1024;

/// Memory for one batch. It belongs to the memory context it was made in and dies with that one.
pub struct Arena {
    /// Holds `home`, which survives resets.
    owner: pg_sys::MemoryContext,
    /// Emptied by a reset: further chunks, big values, and what input functions allocate.
    batch: pg_sys::MemoryContext,
    home: *mut u8,
    home_size: usize,
    /// The chunk in use: next free byte and what is left of it.
    next: *mut u8,
    left: usize,
    /// Whether the home chunk has not been enough for this batch.
    overflowed: bool,
}

impl Arena {
    /// # Safety
    /// `owner` is a live memory context; it outlives every use of the result and of what is allocated.
    pub unsafe fn new(owner: pg_sys::MemoryContext) -> Arena {
        // SAFETY: the caller vouches for `owner`.
        unsafe {
            let batch = memory::create_child(owner, c"shard_fdw batch of rows");
            let home = pg_sys::MemoryContextAlloc(owner, SMALLEST).cast::<u8>();
            Arena {
                owner,
                batch,
                home,
                home_size: SMALLEST,
                next: home,
                left: SMALLEST,
                overflowed: false,
            }
        }
    }

    /// The context that a reset empties: to be current while PostgreSQL functions make values of this batch.
    pub fn context(&self) -> pg_sys::MemoryContext {
        self.batch
    }

    /// `size` bytes, MAXALIGNed, valid until the next reset. Raises when there is no memory, or for more than
    /// 1 GB.
    ///
    /// # Safety
    /// The owner context is alive.
    #[inline]
    pub unsafe fn alloc(&mut self, size: usize) -> *mut u8 {
        let rounded = size.wrapping_add(7) & !7;
        if rounded <= self.left && rounded >= size {
            let place = self.next;
            // SAFETY: `left` bytes are there.
            self.next = unsafe { place.add(rounded) };
            self.left -= rounded;
            return place;
        }
        // SAFETY: as the caller vouches.
        unsafe { self.alloc_slowly(size) }
    }

    #[cold]
    unsafe fn alloc_slowly(&mut self, size: usize) -> *mut u8 {
        self.overflowed = true;
        let chunk = (self.home_size * 2).min(LARGEST);
        // SAFETY: the batch context is alive with its owner; chunks are MAXALIGNed as everything palloc'd.
        unsafe {
            if size > chunk / 4 {
                return pg_sys::MemoryContextAlloc(self.batch, size).cast();
            }
            self.next = pg_sys::MemoryContextAlloc(self.batch, chunk).cast();
            self.left = chunk;
            self.alloc(size)
        }
    }

    /// Frees everything allocated since the last reset.
    ///
    /// # Safety
    /// The owner context is alive, and nobody uses what was allocated.
    pub unsafe fn reset(&mut self) {
        // SAFETY: as the caller vouches; `home` was allocated in `owner`.
        unsafe {
            pg_sys::MemoryContextReset(self.batch);
            if self.overflowed && self.home_size < LARGEST {
                let size = (self.home_size * 4).min(LARGEST);
                let home = pg_sys::MemoryContextAlloc(self.owner, size).cast::<u8>();
                pg_sys::pfree(self.home.cast());
                self.home = home;
                self.home_size = size;
            }
        }
        self.overflowed = false;
        self.next = self.home;
        self.left = self.home_size;
    }
}
