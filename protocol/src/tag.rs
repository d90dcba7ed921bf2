// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tags: every label and kind number ever released. A number or label is never reused and never changes meaning.

/// Labels of signed statements.
pub mod label {
    /// [`crate::identity::Inception`].
    pub const INCEPTION: &str = "account-inception";
    /// [`crate::identity::Rotation`].
    pub const ROTATION: &str = "account-rotation";
    /// [`crate::identity::DeviceList`].
    pub const DEVICE_LIST: &str = "device-list";
    /// [`crate::identity::DeviceCertificate`].
    pub const DEVICE_CERTIFICATE: &str = "device-certificate";
    /// [`crate::identity::LeafCertificate`].
    pub const LEAF_CERTIFICATE: &str = "leaf-certificate";
    /// [`crate::identity::ContactCard`].
    pub const CONTACT_CARD: &str = "contact-card";
    /// [`crate::invite::InviteToken`].
    pub const INVITE_TOKEN: &str = "invite-token";
    /// [`crate::ticket::Ticket`].
    pub const TICKET: &str = "relay-ticket";
    /// [`crate::frame::StoreReceipt`].
    pub const STORE_RECEIPT: &str = "store-receipt";
    /// [`crate::acknowledgement::AckVector`].
    pub const ACK_VECTOR: &str = "acknowledgement";
    /// [`crate::body::AccountStatement`].
    pub const ACCOUNT_STATEMENT: &str = "account-statement";
    /// [`crate::evidence::LinkPass`].
    pub const LINK_PASS: &str = "link-pass";
    /// [`crate::evidence::ContextConsent`].
    pub const CONTEXT_CONSENT: &str = "context-consent";

    /// All of them.
    pub const ALL: [&str; 13] = [
        INCEPTION,
        ROTATION,
        DEVICE_LIST,
        DEVICE_CERTIFICATE,
        LEAF_CERTIFICATE,
        CONTACT_CARD,
        INVITE_TOKEN,
        TICKET,
        STORE_RECEIPT,
        ACK_VECTOR,
        ACCOUNT_STATEMENT,
        LINK_PASS,
        CONTEXT_CONSENT,
    ];
}

/// The edition of the released bodies: one more whenever the header or a released kind learns a critical field. A node
/// that reads a newer one than it did reads again what it kept.
pub const BODY_EDITION: u32 = 1;

/// Kinds of message bodies.
pub mod body_kind {
    /// [`crate::body::Text`].
    pub const TEXT: u32 = 1;
    /// [`crate::body::Receipt`].
    pub const RECEIPT: u32 = 2;
    /// [`crate::body::Profile`].
    pub const PROFILE: u32 = 3;
    /// [`crate::body::Reach`].
    pub const REACH: u32 = 4;
    /// [`crate::body::AccountStatement`], signed; in the self thread only.
    pub const ACCOUNT_STATE: u32 = 5;
    /// [`crate::body::Edit`].
    pub const EDIT: u32 = 6;
    /// [`crate::body::Erase`].
    pub const ERASE: u32 = 7;

    /// All of them.
    pub const ALL: [u32; 7] = [TEXT, RECEIPT, PROFILE, REACH, ACCOUNT_STATE, EDIT, ERASE];
}
