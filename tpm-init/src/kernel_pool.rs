//! The kernel's entropy pool: what it says to hold, and how bytes are given to it (random(4)).

use std::ffi::{c_int, c_void};
use std::fs::File;
use std::io::{self, Write};
use std::{fs, ptr};

use key_metadata::Advice;
use rustix::io::Errno;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};
use zeroize::Zeroize;

/// How many bytes are given at once.
pub const PORTION: usize = 512;

const DEVICE: &str = "/dev/random";
const ENTROPY: &str = "/proc/sys/kernel/random/entropy_avail";

/// What the kernel made of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// They are in the pool, with the credit that was asked for.
    Credited,
    /// They are in the pool without credit, which only a process with CAP_SYS_ADMIN can give.
    Uncredited,
}

/// Why the pool was not fed.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The kernel does not say what the pool holds.
    #[error("cannot read {ENTROPY}")]
    Entropy {
        /// Why not.
        source: io::Error,
    },
    /// The kernel takes no bytes.
    #[error("cannot give {PORTION} bytes to {DEVICE}")]
    Device {
        /// Why not.
        source: io::Error,
    },
}

impl Advice for PoolError {
    fn hint(&self) -> Option<String> {
        None
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// The entropy that the kernel says its pool holds, in bits.
pub fn entropy() -> Result<u32, PoolError> {
    let text = fs::read_to_string(ENTROPY).map_err(|source| PoolError::Entropy { source })?;
    text.trim().parse().map_err(|error| PoolError::Entropy {
        source: io::Error::new(io::ErrorKind::InvalidData, error),
    })
}

/// Mixes the bytes into the pool, and asks that they be credited with so many bits.
pub fn add(bytes: &[u8; PORTION], bits: u16) -> Result<Added, PoolError> {
    let failed = |source| PoolError::Device { source };
    let mut device = File::options().write(true).open(DEVICE).map_err(failed)?;
    let mut info = PoolInfo {
        entropy_count: c_int::from(bits),
        buf_size: PORTION as c_int,
        buf: *bytes,
    };
    #[expect(unsafe_code, reason = "an ioctl of one device, which no library has")]
    // SAFETY: the descriptor is open, and that of the device whose ioctl `AddEntropy` describes.
    let added = unsafe { ioctl(&device, AddEntropy(&mut info)) };
    match added {
        Ok(()) => Ok(Added::Credited),
        Err(Errno::PERM) => {
            device.write_all(bytes).map_err(failed)?;
            Ok(Added::Uncredited)
        }
        Err(error) => Err(failed(error.into())),
    }
}

/// `struct rand_pool_info` of linux/random.h, with room for its bytes.
#[repr(C)]
struct PoolInfo {
    /// The credit, in bits.
    entropy_count: c_int,
    /// The length of `buf`, in bytes.
    buf_size: c_int,
    buf: [u8; PORTION],
}

impl Drop for PoolInfo {
    fn drop(&mut self) {
        self.buf.zeroize();
    }
}

/// The ioctl RNDADDENTROPY.
struct AddEntropy<'a>(&'a mut PoolInfo);

#[expect(unsafe_code, reason = "an ioctl of one device, which no library has")]
// SAFETY: RNDADDENTROPY is _IOW('R', 0x03, int [2]) and reads a rand_pool_info with `buf_size` bytes behind it, which the pointer leads to
// for as long as the borrow lasts. It writes nothing.
unsafe impl Ioctl for AddEntropy<'_> {
    type Output = ();

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        opcode::write::<[c_int; 2]>(b'R', 0x03)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        ptr::from_mut(self.0).cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}
