//! Sparkey: a log of records and a hash table over it, both mapped, values not compressed.

use std::{ffi::CString, os::unix::ffi::OsStrExt, path::Path, ptr, slice};

use anyhow::{Result, ensure};
use sparkey_sys as ffi;

use super::{Opening, Rival};
use crate::{
    dataset::{self, Dataset, Key},
    files,
};

pub(crate) struct Sparkey {
    reader: *mut ffi::hashreader,
    log: *mut ffi::logreader,
    iterator: *mut ffi::logiter,
    index_bytes: u64,
}

fn check(code: ffi::returncode) -> Result<()> {
    ensure!(
        matches!(code, ffi::returncode::SUCCESS),
        "sparkey: {code:?}"
    );
    Ok(())
}

/// The names of the table and the log.
fn names(folder: &Path) -> Result<[CString; 2]> {
    let name = |name| CString::new(folder.join(name).as_os_str().as_bytes());
    Ok([name("sparkey.spi")?, name("sparkey.spl")?])
}

impl Rival for Sparkey {
    fn build(dataset: Dataset, folder: &Path) -> Result<()> {
        let [table, log] = names(folder)?;
        let (mut writer, mut value) = (ptr::null_mut(), Vec::new());
        let none = ffi::compression_type::COMPRESSION_NONE;
        // SAFETY: names end with a zero, and the writer is what was just created until it closes.
        unsafe {
            check(ffi::logwriter_create(&mut writer, log.as_ptr(), none, 0))?;
            for number in 0..dataset.keys {
                dataset.put_value(number, &mut value);
                let key = dataset::key(number);
                let (key_len, value_len) = (key.len() as u64, value.len() as u64);
                check(ffi::logwriter_put(
                    writer,
                    key_len,
                    key.as_ptr(),
                    value_len,
                    value.as_ptr(),
                ))?;
            }
            check(ffi::logwriter_close(&mut writer))?;
            // 0: hashes as wide as the number of keys asks for.
            check(ffi::hash_write(table.as_ptr(), log.as_ptr(), 0))?;
        }
        files::sync(folder)
    }

    fn open(_opening: Opening, folder: &Path) -> Result<Self> {
        let [table, log] = names(folder)?;
        let (mut reader, mut iterator) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: names end with a zero; the log belongs to the reader, which is never closed.
        unsafe {
            check(ffi::hash_open(&mut reader, table.as_ptr(), log.as_ptr()))?;
            let log = ffi::hash_getreader(reader);
            check(ffi::logiter_create(&mut iterator, log))?;
            let index_bytes = folder.join("sparkey.spi").metadata()?.len();
            Ok(Self {
                reader,
                log,
                iterator,
                index_bytes,
            })
        }
    }

    fn warm(&self) -> Result<()> {
        let mut iterator = ptr::null_mut();
        // SAFETY: the reader is open; a value read stays until the iterator goes on.
        unsafe {
            check(ffi::logiter_create(&mut iterator, self.log))?;
            loop {
                check(ffi::logiter_hashnext(iterator, self.reader))?;
                if !matches!(ffi::logiter_state(iterator), ffi::iter_state::ITER_ACTIVE) {
                    break;
                }
                files::touch(self.value(iterator));
            }
            ffi::logiter_close(&mut iterator);
        }
        Ok(())
    }

    #[inline]
    fn get<T>(&self, key: &Key, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        // SAFETY: as in `warm`; nobody else uses the iterator.
        unsafe {
            let found = ffi::hash_get(self.reader, key.as_ptr(), key.len() as u64, self.iterator);
            check(found).expect("the files are whole");
            let active = matches!(
                ffi::logiter_state(self.iterator),
                ffi::iter_state::ITER_ACTIVE
            );
            active.then(|| read(self.value(self.iterator)))
        }
    }

    fn index_bytes(&self) -> Option<u64> {
        Some(self.index_bytes)
    }
}

impl Sparkey {
    /// Returns the value that an active iterator is at, where it is in the map.
    ///
    /// # Safety
    /// The iterator is active and not moved while the value is used.
    unsafe fn value(&self, iterator: *mut ffi::logiter) -> &[u8] {
        let (mut bytes, mut len) = (ptr::null_mut(), 0);
        // SAFETY: the caller's word; without compression, a value is one chunk.
        unsafe {
            let read = ffi::logiter_valuechunk(iterator, self.log, u64::MAX, &mut bytes, &mut len);
            check(read).expect("the files are whole");
            slice::from_raw_parts(bytes, len as usize)
        }
    }
}
