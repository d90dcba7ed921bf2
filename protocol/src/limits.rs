// SPDX-License-Identifier: MIT OR Apache-2.0
//! The limits: every bound on what may come from outside, with its arithmetic.

/// One KiB.
const KIB: usize = 1024;

/// Nesting of arrays and maps: the deepest released statement uses 7, the rest is room for later fields.
/// A reader never follows more, so its stack is bounded whatever arrives.
pub const CBOR_DEPTH_MAX: u32 = 16;

/// Field numbers from here on may be skipped by a reader that does not know them; below, they are critical.
pub const SKIPPABLE_FIELD_MIN: u64 = 64;

/// The largest sequence of a message or envelope, and the largest number of a delivery. Counting never gets there, and
/// no sum of one and anything else that is bounded wraps.
pub const SEQUENCE_MAX: u64 = u64::MAX >> 1;

/// A frame between two nodes or between a node and a relay, without its 4-byte length.
/// 64 KiB hold the largest deposit (60 KiB) and 4 KiB of request around it.
pub const FRAME_BYTES_MAX: usize = 64 * KIB;

/// What a frame may add around a deposit: ids, signature, token with its signature; measured below 700 bytes.
pub const FRAME_ROOM_BYTES: usize = 2 * KIB;

/// The sizes a deposit may have, so that a relay learns one of four numbers and nothing finer.
pub const DEPOSIT_CLASSES_BYTES: [usize; 4] = [KIB, 4 * KIB, 16 * KIB, 60 * KIB];

/// The largest deposit. A larger envelope is stored as a sealed blob and referenced.
pub const DEPOSIT_BYTES_MAX: usize = DEPOSIT_CLASSES_BYTES[3];

/// The nonce of XChaCha20-Poly1305, in front of a deposit's ciphertext.
pub const DEPOSIT_NONCE_BYTES: usize = 24;

/// What sealing adds to the padded parcel: the nonce and the 16-byte Poly1305 tag.
pub const DEPOSIT_OVERHEAD_BYTES: usize = DEPOSIT_NONCE_BYTES + 16;

/// The largest parcel that fits into a deposit: one byte of padding is always there.
pub const PARCEL_BYTES_MAX: usize = DEPOSIT_BYTES_MAX - DEPOSIT_OVERHEAD_BYTES - 1;

/// What a parcel adds around its envelope's MLS bytes: ids, numbers and CBOR heads; measured below 200 bytes.
pub const PARCEL_ROOM_BYTES: usize = 512;

/// The MLS bytes of an envelope that travels as it is. Larger ones go as blobs.
pub const ENVELOPE_BYTES_MAX: usize = PARCEL_BYTES_MAX - PARCEL_ROOM_BYTES;

/// Messages of one author that share an envelope.
pub const ENVELOPE_MESSAGES_MAX: usize = 64;

/// Heads (author, lane, sequence) that an envelope names: both lanes of [`DEVICES_MAX`] devices on both sides.
pub const HEADS_MAX: usize = 2 * 2 * DEVICES_MAX;

/// A sealed hello, all of it.
pub const HELLO_BYTES_MAX: usize = 4 * KIB;

/// What HPKE adds to a hello: encapsulated key (32), tag (16), version, key id and CBOR heads (16).
pub const HELLO_SEAL_BYTES: usize = 32 + 16 + 16;

/// A hello before sealing.
pub const HELLO_PLAIN_BYTES_MAX: usize = HELLO_BYTES_MAX - HELLO_SEAL_BYTES;

/// The key package inside a hello: 303 bytes around its credential and 5 for each body kind beyond the released ones;
/// with [`ROTATIONS_MAX`] rotations and 32 kinds of apps 2,028.
pub const HELLO_KEY_PACKAGE_BYTES_MAX: usize = 2 * KIB;

/// Addresses of the relay that a hello's reply capability names, and one where two do not fit; the card has the others.
pub const HELLO_REPLY_ADDRESSES_MAX: usize = 2;

/// The reason a stranger gives, in UTF-8 bytes: a few sentences, and no room for an advertisement.
pub const REASON_BYTES_MAX: usize = 500;

/// What a node shows in place of a kind of message it does not know.
pub const FALLBACK_BYTES_MAX: usize = KIB;

/// A text message. Longer text is a file.
pub const TEXT_BYTES_MAX: usize = 16 * KIB;

/// One message's body with its header: a text, its fallback and 2 KiB for the rest.
pub const MESSAGE_BYTES_MAX: usize = 20 * KIB;

/// Name of a person, shop, persona or app.
pub const NAME_BYTES_MAX: usize = 64;

/// Name of a setting, value of a setting.
pub const SETTING_BYTES_MAX: usize = KIB;

/// Devices on one account's list: a shop with a till in every room stays under it, and every list fits a frame.
pub const DEVICES_MAX: usize = 32;

/// Devices that one list drops. A mass dismissal takes several lists, each numbered.
pub const REMOVED_MAX: usize = 8;

/// Rotations of an account's root. Each leaf credential and each hello carries all of them (247 bytes each), and a
/// hello of 4 KiB has room for 4; an account that needs a fifth starts anew and tells its contacts.
pub const ROTATIONS_MAX: usize = 4;

/// A card's own bytes; what exceeds it (a long address, a third relay) is left out by who writes the card.
pub const CARD_BYTES_MAX: usize = 832;

/// Relays on a card: two operators.
pub const CARD_RELAYS_MAX: usize = 2;

/// Endpoints for direct connections on a card.
pub const CARD_ENDPOINTS_MAX: usize = 2;

/// Addresses of one relay or endpoint.
pub const ADDRESSES_MAX: usize = 4;

/// One address as text (a multiaddr with a DNS name of 63 bytes and two protocols).
pub const ADDRESS_BYTES_MAX: usize = 128;

/// A domain name in a card.
pub const DOMAIN_BYTES_MAX: usize = 64;

/// A `comptoir:` link that refers to a sealed card at a relay, as text. A QR code of version 11 holds it.
pub const REF_LINK_BYTES_MAX: usize = 250;

/// The one address inside a ref link. 249 bytes of link leave exactly this (arithmetic in `link`).
pub const REF_LINK_ADDRESS_BYTES_MAX: usize = 64;

/// Any link as text: a full card with its device list. A QR code of version 40 holds 2,953 bytes.
pub const LINK_BYTES_MAX: usize = 6 * KIB;

/// Ranges beyond the contiguous part that a set of sequences keeps. Each range is a hole: 256 holes in one lane are
/// no network's doing.
pub const RANGES_MAX: usize = 256;

/// Consents in one commit: two thirds of 384 accounts. At some 220 bytes each they stay below 60 KiB.
pub const CONSENTS_MAX: usize = 256;

/// Authors (device and lane) in one acknowledgement vector.
pub const ACK_ENTRIES_MAX: usize = 2 * 2 * DEVICES_MAX;

/// Ranges in one acknowledgement vector, all entries together: 1,024 × up to 18 bytes stay below 20 KiB.
pub const ACK_RANGES_MAX: usize = 1024;

/// Readers of one box: every device of an account.
pub const READERS_MAX: usize = DEVICES_MAX;

/// Boxes named by one subscription.
pub const SUBSCRIBE_BOXES_MAX: usize = 256;

/// Sequences in one acknowledgement to a relay.
pub const RELAY_ACK_SEQUENCES_MAX: usize = 1024;

/// Bytes that one FETCH or BLOB-GET may answer with, and one BLOB-PUT may carry: a frame less its room.
pub const CHUNK_BYTES_MAX: usize = FRAME_BYTES_MAX - FRAME_ROOM_BYTES;

/// Key packages in one KEY-PACKAGES-PUT, each at most [`HELLO_KEY_PACKAGE_BYTES_MAX`].
pub const KEY_PACKAGES_MAX: usize = 24;

/// Capabilities told in one message.
pub const CAPABILITIES_MAX: usize = 16;

/// Capabilities of one box that a LIST answers with; owners keep one contact a box, so a few at most live.
pub const LIST_CAPABILITIES_MAX: usize = 64;

/// Versions of the peer protocol that a greeting offers.
pub const VERSIONS_MAX: usize = 16;

/// Zero bits that a relay's puzzle may ask for: 2^28 hashes are minutes of one core, more would be a refusal.
pub const PUZZLE_BITS_MAX: u8 = 28;

/// A sentence for people inside an error frame.
pub const ERROR_TEXT_BYTES_MAX: usize = 256;

const _: () = assert!(DEPOSIT_BYTES_MAX + FRAME_ROOM_BYTES <= FRAME_BYTES_MAX);
const _: () = assert!(CHUNK_BYTES_MAX >= DEPOSIT_BYTES_MAX);
const _: () = assert!(HELLO_BYTES_MAX <= DEPOSIT_CLASSES_BYTES[1]);
const _: () = assert!(MESSAGE_BYTES_MAX >= TEXT_BYTES_MAX + FALLBACK_BYTES_MAX + 2 * KIB);
const _: () = assert!(MESSAGE_BYTES_MAX <= ENVELOPE_BYTES_MAX);
const _: () = assert!(REF_LINK_BYTES_MAX < LINK_BYTES_MAX);
const _: () = assert!(KEY_PACKAGES_MAX * HELLO_KEY_PACKAGE_BYTES_MAX <= CHUNK_BYTES_MAX);
const _: () = assert!(READERS_MAX >= DEVICES_MAX);
