// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys: where each row lies.
//!
//! All rows of one box lie side by side under its local number, so that a deposit (item, mid, usage, box row) touches
//! one or two pages of a B-tree whatever the number of boxes:
//!
//! ```text
//! 01 name                     relay-wide counters
//! 02 sid | 03 rid | 04 owner  → number of the box
//! 05 ticket serial            what the ticket has admitted
//! 06 reader key               boot number of a device
//! 07 blob id, box             what is known of a blob      08 blob id, box, offset   its bytes
//! 09 box                      work left for the sweeper
//! 10 box 00                   the box                      10 box 01 key        a reader and its cursor
//! 10 box 02 capability        terms and usage              10 box 03 mid        hash of a deposit, until it expires
//! 10 box 04 sequence          an item                      10 box 05 token      uses of an invite token
//! 10 box 06 number            a package without an end     10 box 07 capability items of a purge in progress
//! 10 box 08 blob id           a blob paid for by the box   10 box 09 sequence   the body of a large item
//! 10 box 0a number            a key package and its end
//! ```

use comptoir_protocol::id::{BlobId, CapabilityId, Mid, PublicKey, Rid, Sid};

/// Local number of a box on this relay. Never leaves it.
pub(crate) type BoxNumber = u64;

const META: u8 = 0x01;
const SENDER: u8 = 0x02;
const READER: u8 = 0x03;
const OWNER: u8 = 0x04;
const TICKET: u8 = 0x05;
const BOOT: u8 = 0x06;
const BLOB: u8 = 0x07;
const BLOB_BYTES: u8 = 0x08;
const WORK: u8 = 0x09;
const BOX: u8 = 0x10;

/// What a row of a box is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Part {
    Head = 0,
    Reader = 1,
    Capability = 2,
    Mid = 3,
    Item = 4,
    Token = 5,
    Package = 6,
    Purge = 7,
    Blob = 8,
    Body = 9,
    Pooled = 10,
}

fn join(space: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.push(space);
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

pub(crate) fn meta(name: &str) -> Vec<u8> {
    join(META, &[name.as_bytes()])
}

pub(crate) fn by_sender(sid: &Sid) -> Vec<u8> {
    join(SENDER, &[&sid.0])
}

pub(crate) fn by_reader(rid: &Rid) -> Vec<u8> {
    join(READER, &[&rid.0])
}

pub(crate) fn by_owner(owner: &PublicKey) -> Vec<u8> {
    join(OWNER, &[&owner.0])
}

pub(crate) fn ticket(serial: &[u8]) -> Vec<u8> {
    join(TICKET, &[serial])
}

pub(crate) fn boot(reader: &PublicKey) -> Vec<u8> {
    join(BOOT, &[&reader.0])
}

/// All boxes' copies of one blob. Each box that stores it pays for its own, so none depends on another's goodwill.
pub(crate) fn blobs(blob: &BlobId) -> Vec<u8> {
    join(BLOB, &[&blob.0])
}

pub(crate) fn blob(blob: &BlobId, number: BoxNumber) -> Vec<u8> {
    join(BLOB, &[&blob.0, &number.to_be_bytes()])
}

/// The box in the key of a blob.
pub(crate) fn number_of_blob(key: &[u8]) -> Option<BoxNumber> {
    Some(u64::from_be_bytes(key.get(33..)?.try_into().ok()?))
}

pub(crate) fn blob_bytes(blob: &BlobId, number: BoxNumber, offset: u64) -> Vec<u8> {
    join(
        BLOB_BYTES,
        &[&blob.0, &number.to_be_bytes(), &offset.to_be_bytes()],
    )
}

pub(crate) fn all_blob_bytes(blob: &BlobId, number: BoxNumber) -> Vec<u8> {
    join(BLOB_BYTES, &[&blob.0, &number.to_be_bytes()])
}

pub(crate) fn work(number: BoxNumber) -> Vec<u8> {
    join(WORK, &[&number.to_be_bytes()])
}

pub(crate) fn all_work() -> Vec<u8> {
    vec![WORK]
}

pub(crate) fn all_boxes() -> Vec<u8> {
    vec![BOX]
}

/// All rows of a box; also where a scan over boxes finds the first one numbered `number` or above.
pub(crate) fn rows_of(number: BoxNumber) -> Vec<u8> {
    join(BOX, &[&number.to_be_bytes()])
}

/// The number in the key of any row of a box, or of a piece of work.
pub(crate) fn number_in(key: &[u8]) -> Option<BoxNumber> {
    Some(u64::from_be_bytes(key.get(1..9)?.try_into().ok()?))
}

pub(crate) fn part(number: BoxNumber, part: Part, rest: &[u8]) -> Vec<u8> {
    join(BOX, &[&number.to_be_bytes(), &[part as u8], rest])
}

pub(crate) fn head(number: BoxNumber) -> Vec<u8> {
    part(number, Part::Head, &[])
}

pub(crate) fn reader(number: BoxNumber, key: &PublicKey) -> Vec<u8> {
    part(number, Part::Reader, &key.0)
}

pub(crate) fn capability(number: BoxNumber, id: &CapabilityId) -> Vec<u8> {
    part(number, Part::Capability, &id.0)
}

pub(crate) fn mid(number: BoxNumber, mid: &Mid) -> Vec<u8> {
    part(number, Part::Mid, &mid.0)
}

pub(crate) fn item(number: BoxNumber, sequence: u64) -> Vec<u8> {
    part(number, Part::Item, &sequence.to_be_bytes())
}

pub(crate) fn body(number: BoxNumber, sequence: u64) -> Vec<u8> {
    part(number, Part::Body, &sequence.to_be_bytes())
}

pub(crate) fn package(number: BoxNumber, place: u64) -> Vec<u8> {
    part(number, Part::Pooled, &place.to_be_bytes())
}

pub(crate) fn purge(number: BoxNumber, id: &CapabilityId) -> Vec<u8> {
    part(number, Part::Purge, &id.0)
}

pub(crate) fn box_blob(number: BoxNumber, blob: &BlobId) -> Vec<u8> {
    part(number, Part::Blob, &blob.0)
}

/// What kind of row of a box a key names.
pub(crate) fn part_in(key: &[u8]) -> Option<Part> {
    const PARTS: [Part; 11] = [
        Part::Head,
        Part::Reader,
        Part::Capability,
        Part::Mid,
        Part::Item,
        Part::Token,
        Part::Package,
        Part::Purge,
        Part::Blob,
        Part::Body,
        Part::Pooled,
    ];
    PARTS.get(usize::from(*key.get(9)?)).copied()
}

/// What follows the part byte in the key of a row of a box.
pub(crate) fn rest(key: &[u8]) -> &[u8] {
    key.get(10..).unwrap_or_default()
}
