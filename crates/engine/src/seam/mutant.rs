// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mutants: mistakes made on purpose, in the build of the simulator only. Each breaks one invariant, and the simulator
//! must see it; a simulator that passes a mutant proves nothing.

/// Stands in every program whose engine can be told to make a mistake, so that whoever has the program can see it.
pub const MARK: &str = "comptoir: the engine of this program can be told to make mistakes";

/// A mistake in the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// I1: a send is answered and its history row is not written.
    AnswersWithoutRow,
    /// I2: an envelope that is known already is told of again.
    TellsTwice,
    /// I3: the send ratchet's row is not written, so a restart encrypts with a key that was used.
    ForgetsSendRatchet,
    /// I4: an envelope that waits for others is confirmed before it is stored.
    ConfirmsUnstored,
    /// I4: an item of a relay that waits for others is let go there before it is stored.
    DropsFetched,
    /// I4: a peer is told that one frame more is stored than came from it.
    ConfirmsAhead,
    /// I4: an item of a relay that opens is refused as if it were forged.
    RefusesHonest,
    /// I5: a hole among the messages of an author is not told.
    HidesGaps,
    /// An erasure by its author leaves the message of another as it is.
    KeepsErased,
    /// Among edits the one that came last stands, not the one said last.
    EditsByArrival,
    /// I8: an event's number is used without its row.
    LosesEventRows,
    /// I9: envelopes out of order are kept without a bound.
    HoldsWithoutBound,
    /// I11: a promotion that came without leave is shown like any other.
    ShowsWithoutLeave,
    /// What is held back is not kept.
    ForgetsHeldBack,
    /// I12: a row that cannot be read at opening is passed over.
    PassesOverDamage,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::AnswersWithoutRow,
        Self::TellsTwice,
        Self::ForgetsSendRatchet,
        Self::ConfirmsUnstored,
        Self::DropsFetched,
        Self::ConfirmsAhead,
        Self::RefusesHonest,
        Self::HidesGaps,
        Self::KeepsErased,
        Self::EditsByArrival,
        Self::LosesEventRows,
        Self::HoldsWithoutBound,
        Self::ShowsWithoutLeave,
        Self::ForgetsHeldBack,
        Self::PassesOverDamage,
    ];

    /// Whether this is the mistake to be made.
    pub(crate) fn is_made(self, asked: Option<Self>) -> bool {
        // A compiler that leaves out the mark would leave it out of programs that can make mistakes.
        !std::hint::black_box(MARK).is_empty() && asked == Some(self)
    }
}
