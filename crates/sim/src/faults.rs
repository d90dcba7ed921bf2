// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faults: how often what goes wrong, as chances in ten thousand.

/// What goes wrong in a world. `Faults::none()` is a world in which nothing does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// A frame takes between one and so many milliseconds more than it must.
    pub(crate) delay_ms_max: u64,
    /// A frame breaks its connection instead of arriving.
    pub(crate) wire_breaks: u32,
    /// A request to a relay is lost, or its answer, and with it the link.
    pub(crate) relay_losses: u32,
    /// A dial finds nobody although somebody is there.
    pub(crate) dial_fails: u32,
    /// A node is killed after a step.
    pub(crate) kills: u32,
    /// A commit fails, half of the time after it reached the disk.
    pub(crate) commit_fails: u32,
    /// A disk is full for some seconds.
    pub(crate) disk_fills: u32,
    /// A relay is killed after a request.
    pub(crate) relay_kills: u32,
    /// A relay comes back from its death with an empty store.
    pub(crate) relay_forgets: u32,
}

impl Faults {
    /// Nothing goes wrong; frames take one to three milliseconds.
    pub(crate) fn none() -> Self {
        Self {
            delay_ms_max: 2,
            ..Self::default()
        }
    }
}
