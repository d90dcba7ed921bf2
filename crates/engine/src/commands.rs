// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands: from an input to the noun that carries it out, once for each idempotency key.

use comptoir_protocol::limits::NAME_BYTES_MAX;

use crate::personas::too_long;
use crate::rows::account::{Outcome, Persona, Repeated};
use crate::rows::key::{self, Key};
use crate::seam::answer::{Answer, Refusal};
use crate::seam::command::{Command, Setting};
use crate::seam::error::EngineError;
use crate::seam::event::Event;
use crate::seam::input::{CommandId, Idempotency};
use crate::turn::Turn;

impl Turn<'_> {
    pub(crate) fn on_command(
        &mut self,
        id: CommandId,
        persona: u16,
        command: &Command,
        idempotency: Option<&Idempotency>,
    ) -> Result<(), EngineError> {
        let kept =
            idempotency.map(|wanted| Key::of(key::IDEMPOTENCY).u16(persona).bytes(&wanted.key));
        if let (Some(row), Some(wanted)) = (kept.clone(), idempotency)
            && let Some(repeated) = self.load::<Repeated>(row)?
            && repeated.expires_ms > self.now.wall_ms
        {
            self.memory.counters.commands_repeated += 1;
            let answer = match repeated.outcome {
                _ if repeated.body_hash != wanted.body_hash => Err(Refusal::OtherBody),
                Outcome::Done { answer } => Ok(answer),
                Outcome::Refused { refusal } => Err(refusal),
            };
            self.step.answers.push((id, answer));
            return Ok(());
        }
        let answer = self.do_command(persona, command)?;
        if let (Some(row), Some(wanted)) = (kept, idempotency) {
            let outcome = match answer.clone() {
                Ok(answer) => Outcome::Done { answer },
                Err(refusal) => Outcome::Refused { refusal },
            };
            self.put(
                row,
                &Repeated {
                    body_hash: wanted.body_hash,
                    expires_ms: wanted.expires_ms,
                    outcome,
                },
            );
        }
        self.step.answers.push((id, answer));
        Ok(())
    }

    fn do_command(
        &mut self,
        persona: u16,
        command: &Command,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        if let Command::CreatePersona { phrase, name } = command {
            return self.on_create_persona(phrase, name);
        }
        if self
            .load::<Persona>(Key::of(key::PERSONA).u16(persona))?
            .is_none()
        {
            return Ok(Err(Refusal::NoSuchPersona));
        }
        match command {
            Command::CreatePersona { .. } => Ok(Ok(Answer::Done)),
            Command::Invite {
                expires_s,
                uses,
                as_ref,
            } => self.on_invite(persona, *expires_s, *uses, *as_ref),
            Command::RevokeInvite { invite } => self.on_revoke_invite(persona, *invite),
            Command::Add { link, reason } => self.on_add(persona, link, reason),
            Command::Accept { request } => self.on_accept(persona, *request),
            Command::Decline { request, block } => self.on_decline(persona, *request, *block),
            Command::Send {
                thread,
                lane,
                messages,
            } => self.on_send(persona, *thread, *lane, messages),
            Command::Edit { message, text } => self.on_edit(persona, *message, text),
            Command::Erase { message, only_here } => self.on_erase(persona, *message, *only_here),
            Command::MarkRead { thread, up_to } => self.on_mark_read(persona, *thread, *up_to),
            Command::Rename { contact, name } => self.on_rename(persona, *contact, name.as_deref()),
            Command::Mute { contact, muted } => self.on_mute(persona, *contact, *muted),
            Command::Verify { contact, verified } => self.on_verify(persona, *contact, *verified),
            Command::Block { contact } => self.on_block(persona, *contact),
            Command::Unblock { contact } => self.on_unblock(persona, *contact),
            Command::AllowPromotions { contact, terms } => {
                self.on_allow_promotions(persona, *contact, terms.as_ref())
            }
            Command::ShowHeldBack { thread, message } => {
                self.on_show_held_back(persona, *thread, *message)
            }
            Command::DeleteThread { thread } => self.on_delete_thread(persona, *thread),
            Command::AddRelay { relay, ticket } => {
                self.on_add_relay(persona, relay, ticket.as_ref())
            }
            Command::RemoveRelay { relay } => self.on_remove_relay(persona, *relay),
            Command::MoveRelay { to, .. } if self.uses_relay(persona, to.key)? => {
                Ok(Err(Refusal::AlreadyRelay))
            }
            Command::MoveRelay { from, to, ticket } => {
                // The old one goes first: a card names two relays, and a move must not need a third place.
                match self.on_remove_relay(persona, *from)? {
                    Ok(_) => self.on_add_relay(persona, to, ticket.as_ref()),
                    Err(refusal) => Ok(Err(refusal)),
                }
            }
            Command::Set(setting) => self.on_set(persona, setting),
        }
    }

    fn on_set(
        &mut self,
        persona: u16,
        setting: &Setting,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        let mut row = self.persona(persona)?;
        match setting {
            Setting::Name(name) if name.len() > NAME_BYTES_MAX => {
                return Ok(Err(too_long("a name", name.len(), NAME_BYTES_MAX)));
            }
            Setting::Name(name) => {
                row.name.clone_from(name);
                self.put_persona(persona, &row);
                self.state_setting(persona, "name", Some(name))?;
                self.tell_all(persona)?;
            }
            Setting::ReadReceipts(tell) => {
                row.read_receipts = *tell;
                self.put_persona(persona, &row);
                self.state_setting(
                    persona,
                    "read_receipts",
                    Some(if *tell { "yes" } else { "no" }),
                )?;
            }
        }
        self.event(Event::SettingsChanged { persona });
        Ok(Ok(Answer::Done))
    }
}
