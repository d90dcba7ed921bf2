// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records of what ends: messages with a term, and deleted threads whose old keys are to go.

use crate::rows::record::record;

record! {
    /// Messages of one arrival that end at the time in the key. They lie where all messages lie.
    #[derive(Default)]
    pub struct Ending {
        /// The envelope that carries them to the other side, where they are this device's.
        0 pub envelope: Option<u64>,
    }
}

record! {
    /// A thread whose messages were deleted: what stays of it moves under new keys, then the old ones are destroyed.
    #[derive(Default)]
    pub struct Leaving {
        /// The last row that has moved; none at first.
        0 pub moved: Option<Vec<u8>>,
        /// The first envelope that was written under the new keys.
        1 pub envelopes: u64,
    }
}
