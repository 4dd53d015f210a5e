//! Calls of the library that reads Parquet, which panics where damaged files surprise it.

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe, catch_unwind},
    sync::Once,
};

use parquet::errors::ParquetError;

thread_local! {
    /// Whether a panic of this thread becomes an error of one line, and is not told as well.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Calls the library; what is wrong with a file is an error, whatever the library does.
pub(super) fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    keep_quiet_of_guarded();
    let was_guarded = IS_GUARDED.replace(true);
    let read = catch_unwind(AssertUnwindSafe(read));
    IS_GUARDED.set(was_guarded);
    match read {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(error)) => Err(error.to_string().replace('\n', " ")),
        Err(_panic) => Err("its content contradicts itself".into()),
    }
}

/// Has panics of guarded calls told by nobody else; all others are told as before.
fn keep_quiet_of_guarded() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_GUARDED.get() {
                tell(info);
            }
        }));
    });
}
