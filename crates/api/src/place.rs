// SPDX-License-Identifier: MIT OR Apache-2.0
//! The places of the API on disk: where the daemon leaves socket, token and port, and the CLI finds them.
//!
//! In the home lies `run`, a 0700 folder with `api.token` (0600), `api.socket` (the socket's path, as text) and
//! `api.port`. All of them go when the daemon ends.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// `sun_path` has 108 bytes on Linux and 104 on other systems; 100 leaves room on both.
pub const SOCKET_PATH_BYTES_MAX: usize = 100;
const PRIVATE_DIR: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;

/// The folder of the files below.
#[must_use]
pub fn run_dir(home: &Path) -> PathBuf {
    home.join("run")
}

/// The file with the CLI's own token.
#[must_use]
pub fn token_file(home: &Path) -> PathBuf {
    run_dir(home).join("api.token")
}

/// The file that names the unix socket.
#[must_use]
pub fn socket_file(home: &Path) -> PathBuf {
    run_dir(home).join("api.socket")
}

/// The file that names the TCP port on loopback.
#[must_use]
pub fn port_file(home: &Path) -> PathBuf {
    run_dir(home).join("api.port")
}

/// Where a socket may lie.
#[derive(Clone, Debug)]
pub struct SocketChoice<'a> {
    /// The node's home.
    pub home: &'a Path,
    /// `XDG_RUNTIME_DIR`, when the system gives one.
    pub runtime_dir: Option<&'a Path>,
    /// The system's folder for temporary files; the last resort.
    pub temp_dir: &'a Path,
    /// Random bytes for a name in `temp_dir` that nobody can have taken before.
    pub random: [u8; 8],
}

impl SocketChoice<'_> {
    /// Chooses the path of the unix socket and makes its folder, 0700 and ours.
    ///
    /// The usual one is `$XDG_RUNTIME_DIR/comptoir/HASH.sock`, HASH being of the home, since one user may run several
    /// nodes. Where that is missing, not ours or above 100 bytes: `run/api.sock` in the home; where that is too long
    /// as well: a folder with a random name in `temp_dir`, the one of the last start if it is still there and ours.
    pub fn decide(&self) -> io::Result<PathBuf> {
        let usual = self.runtime_dir.map(|dir| {
            (
                dir.join("comptoir"),
                format!("{}.sock", home_hash(self.home)),
            )
        });
        let in_home = Some((run_dir(self.home), "api.sock".to_owned()));
        for (dir, name) in [usual, in_home].into_iter().flatten() {
            let path = dir.join(name);
            if path.as_os_str().as_bytes().len() <= SOCKET_PATH_BYTES_MAX
                && private_dir(&dir).is_ok()
            {
                return Ok(path);
            }
        }
        if let Some(path) = self.previous() {
            return Ok(path);
        }
        self.fresh()
    }

    fn previous(&self) -> Option<PathBuf> {
        let path = read_socket(self.home)?;
        let dir = path.parent()?;
        let named_by_us = dir
            .file_name()
            .is_some_and(|name| name.as_bytes().starts_with(b"cptr-"));
        let still_ours = dir.parent() == Some(self.temp_dir) && named_by_us && is_private_dir(dir);
        still_ours.then_some(path)
    }

    /// Makes a new folder. `mkdir` fails on a name that exists, so whoever can write to `temp_dir` can neither lay a
    /// link there nor own the folder we then trust.
    fn fresh(&self) -> io::Result<PathBuf> {
        let dir = self
            .temp_dir
            .join(format!("cptr-{}", HEXLOWER.encode(&self.random)));
        let path = dir.join("api.sock");
        if path.as_os_str().as_bytes().len() > SOCKET_PATH_BYTES_MAX {
            let text = format!(
                "{} is too long for a socket; set TMPDIR or XDG_RUNTIME_DIR to a short path",
                path.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidFilename, text));
        }
        DirBuilder::new().mode(PRIVATE_DIR).create(&dir)?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(PRIVATE_DIR))?;
        Ok(path)
    }
}

fn home_hash(home: &Path) -> String {
    let whole = fs::canonicalize(home).unwrap_or_else(|_| home.to_owned());
    HEXLOWER.encode(&Sha256::digest(whole.as_os_str().as_bytes())[..6])
}

/// Makes a folder that only we can enter, or sees to it that it is one. A folder of somebody else's, or a link, is
/// refused.
pub fn private_dir(dir: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(PRIVATE_DIR).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(dir)?;
    if !found.is_dir() || found.uid() != our_uid() {
        let text = format!(
            "{} is not a folder of this user's; remove it",
            dir.display()
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    if found.mode() & 0o777 != PRIVATE_DIR {
        fs::set_permissions(dir, fs::Permissions::from_mode(PRIVATE_DIR))?;
    }
    Ok(())
}

fn is_private_dir(dir: &Path) -> bool {
    fs::symlink_metadata(dir).is_ok_and(|found| {
        found.is_dir() && found.uid() == our_uid() && found.mode() & 0o777 == PRIVATE_DIR
    })
}

fn our_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Writes a file that only we can read, whole or not at all. Its mode is set when it is made: a file made readable
/// and closed afterwards can be opened in between.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE_FILE)
        .open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(fs::Permissions::from_mode(PRIVATE_FILE))?;
    fs::rename(&draft, path)
}

/// Reads where the daemon of a home listens; `None` when none does.
#[must_use]
pub fn read_socket(home: &Path) -> Option<PathBuf> {
    read_line(&socket_file(home)).map(PathBuf::from)
}

/// Reads the CLI's own token; `None` when no daemon runs or it is not ours to read.
#[must_use]
pub fn read_token(home: &Path) -> Option<String> {
    read_line(&token_file(home))
}

/// Reads the TCP port of the daemon of a home.
#[must_use]
pub fn read_port(home: &Path) -> Option<u16> {
    read_line(&port_file(home))?.parse().ok()
}

fn read_line(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.trim_end_matches('\n');
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests;
