// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a folder is opened.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::space::Floor;

/// The engine that keeps a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EngineKind {
    /// sled 0.34: cheap single commits, slow to open after a hard stop, never gives space back while open.
    Sled,
    /// redb: dearer single commits, opens at once, gives space back.
    Redb,
    /// In memory, for simulations. Cannot be opened from a folder.
    Memory,
}

impl EngineKind {
    /// The engines that keep a folder.
    pub const ON_DISK: [Self; 2] = [Self::Sled, Self::Redb];

    /// The name used on the command line and as the ending of a data folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sled => "sled",
            Self::Redb => "redb",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for EngineKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ON_DISK
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("no engine is called {name:?}: sled or redb"))
    }
}

/// How a folder is opened. [`Options::new`] gives the defaults.
#[derive(Clone)]
pub struct Options {
    /// Where the files live. Made, for its owner alone, when it is missing.
    pub folder: PathBuf,
    /// The engine of a folder that has none yet. A folder that has one keeps it until [`crate::rebuild`].
    pub engine: EngineKind,
    /// The key of the watermark's MAC. All zero, the default, tells accidents; a secret one also tells tampering.
    pub watermark_key: [u8; 32],
    /// What must stay free on the disk.
    pub floor: Floor,
    /// Bytes of pages an engine may keep in memory. Defaults to 64 MiB; sled's own default is a gigabyte.
    pub cache_bytes: u64,
    /// Opens although commits were lost, and takes what is left as the truth from now on.
    pub accept_loss: bool,
}

impl Options {
    /// The defaults, for `folder` and `engine`.
    pub fn new(folder: impl Into<PathBuf>, engine: EngineKind) -> Self {
        Self {
            folder: folder.into(),
            engine,
            watermark_key: [0; 32],
            floor: Floor::default(),
            cache_bytes: 64 << 20,
            accept_loss: false,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            folder,
            engine,
            watermark_key: _,
            floor,
            cache_bytes,
            accept_loss,
        } = self;
        formatter
            .debug_struct("Options")
            .field("folder", folder)
            .field("engine", engine)
            .field("floor", floor)
            .field("cache_bytes", cache_bytes)
            .field("accept_loss", accept_loss)
            .finish_non_exhaustive()
    }
}
