//! A file that takes its name once it is whole.
//!
//! Until then it has no name at all (`O_TMPFILE`), and nothing stays of a run that is killed. Where the system has no such
//! files, or no /proc to link them from, it has a temporary name beside the target, which the next run removes.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, Permissions, TryLockError};
use std::io::{self, ErrorKind, Seek};
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Once;

use rustix::fs::OFlags;

/// Temporary names of one target, for runs at the same time.
const NAMES: usize = 16;
/// Bytes of the target's name in a temporary one, which may have 255.
const MAX_NAME: usize = 200;

/// The file at a path, and when it was written; or that there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version(Option<[i64; 4]>);

impl Version {
    /// That of the file at `path`, through links. One that cannot be looked at counts as none.
    pub fn of(path: &Path) -> Version {
        Version(fs::metadata(path).ok().map(|m| [m.dev() as i64, m.ino() as i64, m.mtime(), m.mtime_nsec()]))
    }

    /// Whether there is another file at `path` now, which another program has written.
    pub fn is_replaced(self, path: &Path) -> bool {
        let now = Version::of(path);
        now.0.is_some() && now != self
    }
}

/// The name that a new file will take.
pub(crate) struct NewFile {
    target: PathBuf,
    /// The file of that name at first.
    before: Version,
    /// Those of the file that it replaces.
    permissions: Option<Permissions>,
    /// Its name until then, if it has one.
    temporary: Option<TemporaryName>,
}

/// A file's name that goes when it is dropped. The file is closed after that: as long as it has the name, its lock keeps
/// others from removing what they take for that of a killed run.
struct TemporaryName(PathBuf);

impl NewFile {
    /// Makes a file that [`commit`](NewFile::commit) can give the name `target`: what it does then is tried here.
    pub(crate) fn create(target: PathBuf) -> io::Result<(File, NewFile)> {
        if target.file_name().is_none() || target.as_os_str().as_bytes().ends_with(b"/") {
            return Err(ErrorKind::IsADirectory.into());
        }
        let replaced = match fs::symlink_metadata(&target) {
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            metadata => Some(metadata?),
        };
        // Its owner may write until it has its permissions.
        let mode = replaced.as_ref().map_or(0o666, |replaced| replaced.mode() & 0o666 | 0o600);
        let (file, temporary) = match nameless(&target, mode) {
            Ok(file) => (file, None),
            Err(_) => match named(&target, mode) {
                // A file that may be written in a folder that may not.
                Err(e) if e.kind() == ErrorKind::PermissionDenied && replaced.is_some() => {
                    File::options().write(true).open(&target).map_err(|_| e)?;
                    (elsewhere()?, None)
                }
                made => made.map(|(file, name)| (file, Some(name)))?,
            },
        };
        if let Some(replaced) = &replaced {
            let _ = fchown(&file, Some(replaced.uid()), Some(replaced.gid())); // where the system lets us
            check_replaceable(&target)?;
        }
        let permissions = replaced.map(|replaced| replaced.permissions());
        Ok((file, NewFile { before: Version::of(&target), target, permissions, temporary }))
    }

    /// Gives the file its name, once the disk has it. A file that another program has written there since is replaced too,
    /// which is told.
    pub(crate) fn commit(self, file: &File) -> io::Result<()> {
        if self.before.is_replaced(&self.target) {
            tell_replaced(&self.target);
        }
        if let Some(permissions) = self.permissions {
            let _ = file.set_permissions(permissions); // some file systems have none
        }
        sync(file)?;
        let temporary = self.temporary.map_or_else(|| link(file, &self.target), Ok);
        let renamed = temporary.and_then(|temporary| {
            fs::rename(&temporary.0, &self.target)?;
            mem::forget(temporary);
            Ok(())
        });
        renamed.or_else(|e| write_in_place(file, &self.target, e))?;
        let _ = File::open(folder(&self.target)).and_then(|folder| folder.sync_all()); // the file itself is safe
        Ok(())
    }
}

impl Drop for TemporaryName {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Says once that a file is replaced which another program has written meanwhile.
pub fn tell_replaced(path: &Path) {
    let message = "was written by another program since this one began, and is replaced; give each run its own name";
    static TOLD: Once = Once::new();
    TOLD.call_once(|| crate::tell(&format!("{} {message}", path.display())));
}

/// The folder that a path names a file in.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file without a name, after [`link`] has been tried on another: a name that is gone cannot be given anew.
#[cfg(target_os = "linux")]
fn nameless(target: &Path, mode: u32) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).mode(mode).custom_flags(OFlags::TMPFILE.bits() as i32);
    let open = || {
        let file = options.open(folder(target))?;
        let _ = file.try_lock(); // where there are locks
        Ok(file)
    };
    let tried = open()?;
    drop(link(&tried, target)?); // while its lock holds
    open()
}

/// A file without a name in the folder of temporary files.
#[cfg(target_os = "linux")]
fn elsewhere() -> io::Result<File> {
    let flags = OFlags::TMPFILE.bits() as i32;
    File::options().read(true).write(true).mode(0o600).custom_flags(flags).open(std::env::temp_dir())
}

/// Gives a file without a name a temporary one.
#[cfg(target_os = "linux")]
fn link(file: &File, target: &Path) -> io::Result<TemporaryName> {
    use std::os::fd::AsRawFd;

    use rustix::fs::{AtFlags, CWD, linkat};

    let open = format!("/proc/self/fd/{}", file.as_raw_fd());
    let link = |name: &Path| Ok(linkat(CWD, &open, CWD, name, AtFlags::SYMLINK_FOLLOW)?);
    with_name(target, link).map(|(_, name)| name)
}

#[cfg(not(target_os = "linux"))]
fn nameless(_: &Path, _: u32) -> io::Result<File> {
    Err(ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
fn elsewhere() -> io::Result<File> {
    Err(ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
fn link(_: &File, _: &Path) -> io::Result<TemporaryName> {
    Err(ErrorKind::Unsupported.into())
}

/// A file with a temporary name.
fn named(target: &Path, mode: u32) -> io::Result<(File, TemporaryName)> {
    with_name(target, |name| {
        let file = File::options().read(true).write(true).create_new(true).mode(mode).open(name)?;
        // Another run may have taken it for that of a killed one just before it was locked.
        let taken = matches!(file.try_lock(), Err(TryLockError::WouldBlock)) || !is_at(&file, name);
        if taken { Err(ErrorKind::AlreadyExists.into()) } else { Ok(file) }
    })
}

/// Makes something under the first free temporary name, after the files of killed runs are gone.
fn with_name<T>(target: &Path, make: impl Fn(&Path) -> io::Result<T>) -> io::Result<(T, TemporaryName)> {
    let name = target.file_name().unwrap_or_default().as_bytes();
    let name = &name[..name.len().min(MAX_NAME)];
    let temporary = |n| [b".", name, format!(".{n}.vae-tmp").as_bytes()].concat();
    let names: Vec<PathBuf> = (0..NAMES).map(|n| folder(target).join(OsStr::from_bytes(&temporary(n)))).collect();
    names.iter().for_each(|name| remove_stale(name));
    for name in names {
        match make(&name) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            made => return Ok((made?, TemporaryName(name))),
        }
    }
    Err(io::Error::other("too many runs write it at the same time"))
}

/// Removes the file of a run that was killed. That of a live run is locked.
fn remove_stale(name: &Path) {
    let mut options = File::options();
    options.read(true).write(true).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32);
    if let Ok(file) = options.open(name)
        && file.try_lock().is_ok()
        && is_at(&file, name)
    {
        let _ = fs::remove_file(name);
    }
}

/// Whether a path still leads to this file.
fn is_at(file: &File, path: &Path) -> bool {
    let id = |metadata: &Metadata| (metadata.dev(), metadata.ino());
    matches!((file.metadata(), fs::symlink_metadata(path)), (Ok(a), Ok(b)) if id(&a) == id(&b))
}

/// Checks that a file can be replaced by a rename, or else written in place.
fn check_replaceable(target: &Path) -> io::Result<()> {
    // The system checks for rmdir what it checks for the removal of the old file in a rename, and only then that it is no
    // folder. So nothing is removed.
    let refused = fs::remove_dir(target).err().map(|e| e.kind());
    let removable = matches!(refused, Some(ErrorKind::NotADirectory | ErrorKind::NotFound));
    if !removable || is_mount(target) {
        File::options().write(true).open(target)?;
    }
    Ok(())
}

/// Whether something is mounted there, such as a file of the host in a container.
#[cfg(target_os = "linux")]
fn is_mount(path: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

    let status = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty());
    status.is_ok_and(|status| status.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(not(target_os = "linux"))]
fn is_mount(_: &Path) -> bool {
    false
}

/// Copies a file into its target, which a rename cannot replace: a mount of its own, or another user's file in a sticky
/// folder.
fn write_in_place(mut file: &File, target: &Path, refused: io::Error) -> io::Result<()> {
    use ErrorKind::{CrossesDevices, PermissionDenied, ResourceBusy};

    let in_place = matches!(refused.kind(), ResourceBusy | CrossesDevices | PermissionDenied);
    let Some(mut old) = in_place.then(|| File::options().write(true).open(target).ok()).flatten() else {
        return Err(refused);
    };
    file.rewind()?;
    let bytes = io::copy(&mut file, &mut old)?;
    old.set_len(bytes)?;
    sync(&old)?;
    crate::tell(&format!("{} cannot be replaced ({refused}): it was written in place", target.display()));
    Ok(())
}

/// Waits until the disk has the file.
fn sync(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()), // nothing to wait for
        result => result,
    }
}
