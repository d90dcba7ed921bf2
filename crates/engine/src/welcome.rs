// SPDX-License-Identifier: MIT OR Apache-2.0
//! The Welcome: the answer to a hello of ours, and the thread it opens.

use comptoir_crypto::mls::{KeyPackageSecret, MlsThread, ThreadKind};
use comptoir_protocol::deposit::Parcel;
use comptoir_protocol::envelope::Envelope;
use comptoir_protocol::frame::RefusalReason;

use crate::memory::Source;
use crate::rows::contact::{AskStage, Asking, Standing};
use crate::seam::error::EngineError;
use crate::seam::event::Event;
use crate::turn::Turn;

impl Turn<'_> {
    /// A Welcome came: it is for one of the key packages we gave away, or for nothing.
    pub(crate) fn on_welcome(
        &mut self,
        parcel: &Parcel,
        envelope: &Envelope,
        source: Source,
    ) -> Result<(), EngineError> {
        if let Some(number) = self.memory.threads.get(&envelope.thread).copied() {
            let mut loaded = self.take_thread(number)?;
            if !Self::is_way_to(&loaded.thread, source) {
                self.put_thread(loaded);
                self.memory.counters.envelopes_refused += 1;
                self.refuse(source, RefusalReason::Denied);
                return Ok(());
            }
            self.memory.counters.duplicates += 1;
            self.owe_acknowledgement(&mut loaded);
            self.put_thread(loaded);
            self.confirm(source);
            return Ok(());
        }
        let references = MlsThread::welcome_references(&envelope.bytes);
        let waiting: Vec<u32> = self
            .memory
            .asking
            .iter()
            .map(|(contact, ())| *contact)
            .collect();
        for number in waiting {
            let elsewhere = matches!(source, Source::Box { contact, .. } if contact != number);
            if elsewhere || !Self::may_come_to(self.contact(number)?.persona, source) {
                continue;
            }
            let Some(Asking {
                stage: AskStage::Asking { packages, .. },
                ..
            }) = self.asking(number)?
            else {
                continue;
            };
            let mut secrets = packages
                .iter()
                .filter_map(|package| KeyPackageSecret::from_bytes(package).ok());
            if let Some(secret) = secrets.find(|secret| references.contains(&secret.reference())) {
                return self.join(number, parcel, envelope, &secret, source);
            }
        }
        self.memory.counters.envelopes_refused += 1;
        self.refuse(source, RefusalReason::Denied);
        Ok(())
    }

    pub(crate) fn join(
        &mut self,
        number: u32,
        parcel: &Parcel,
        envelope: &Envelope,
        secret: &KeyPackageSecret,
        source: Source,
    ) -> Result<(), EngineError> {
        let mut contact = self.contact(number)?;
        let persona = self.persona(contact.persona)?;
        let expected = MlsThread::join(&envelope.bytes, secret)
            .ok()
            .filter(|joined| {
                let context = joined.thread.context();
                // Exactly the two of us: whoever was asked must not bring a third into the room.
                joined.inviter.account == contact.account
                    && joined.inviter.device == parcel.author
                    && context.thread == envelope.thread
                    && context.incarnation == envelope.incarnation
                    && context.kind == ThreadKind::Pair
                    && joined.thread.members().iter().all(|member| {
                        member.account == contact.account || member.account == persona.account
                    })
            });
        let expected = match expected {
            Some(joined) if self.leaf_is_known(joined.inviter.leaf_key)? => None,
            other => other,
        };
        let Some(joined) = expected else {
            self.memory.counters.envelopes_refused += 1;
            self.refuse(source, RefusalReason::Malformed);
            return Ok(());
        };
        let thread = self.next_number(|meta| &mut meta.thread)?;
        let mut loaded = self.new_thread(
            thread,
            contact.persona,
            Some(number),
            persona.device,
            joined.thread,
        );
        self.owe_acknowledgement(&mut loaded);
        let id = loaded.thread.id;
        self.put_thread(loaded);
        contact.standing = Standing::Talking;
        contact.thread = Some(thread);
        self.put_contact(number, &contact);
        self.stop_asking(number);
        self.state_contact(number, &contact)?;
        self.state_thread(contact.persona, thread, id, Some(contact.account), false)?;
        self.event(Event::ContactAdded {
            persona: contact.persona,
            contact: number,
            thread,
        });
        self.confirm(source);
        self.tell(number)?;
        self.release_held(thread, id)
    }
}
