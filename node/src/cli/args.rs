// SPDX-License-Identifier: MIT OR Apache-2.0
//! The arguments: every command of the binary, as clap reads it.

mod actions;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::actions::{
    PersonasAction, RelayAction, ServiceAction, StoreAction, TokensAction,
};

/// Comptoir: an end-to-end encrypted messenger without an operator.
///
/// stdout is data, stderr is talk. Exit status: 0 done, 1 failed, 2 wrong usage, 3 no daemon,
/// 4 not allowed, 5 not found, 6 refused, 8 network.
#[derive(Debug, Parser)]
#[command(name = "comptoir", version, propagate_version = true)]
pub(crate) struct Arguments {
    /// Where this node keeps everything. If left unset: `$COMPTOIR_HOME`, then
    /// `$XDG_DATA_HOME/comptoir`, then `~/.local/share/comptoir`.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Which of this node's personas acts.
    #[arg(
        long = "as",
        global = true,
        value_name = "PERSONA",
        default_value = "main"
    )]
    pub(crate) persona: String,
    /// One JSON document (or one a line, where a command goes on) on stdout.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a new home: store, keys, the first persona.
    Init(Init),
    /// Run the daemon in the foreground until it is told to stop.
    Up(Up),
    /// How the node is, in one word first.
    Status,
    /// Make an invite link.
    Invite(Invite),
    /// Write to the owner of an invite link for the first time.
    Add(Add),
    /// Strangers who would like to talk.
    Requests,
    /// Accept a request.
    Accept {
        /// The request: its id or its name, as `requests` shows them.
        request: String,
    },
    /// Decline a request; the stranger is not told.
    Decline {
        /// The request: its id or its name, as `requests` shows them.
        request: String,
        /// Refuse what this account sends from now on, too.
        #[arg(long)]
        block: bool,
    },
    /// The people and shops this persona knows.
    Contacts,
    /// Give a contact another name, seen only here.
    Rename {
        /// Name or id of the contact.
        who: String,
        /// The new name.
        name: String,
    },
    /// Stop notices of a contact; messages still arrive.
    Mute {
        /// Name or id of the contact.
        who: String,
        /// Notices again.
        #[arg(long)]
        off: bool,
    },
    /// Show the 60-digit safety code, or record that both codes were compared.
    Verify {
        /// Name or id of the contact.
        who: String,
        /// The code was compared and is the same on both sides.
        #[arg(long)]
        matches: bool,
    },
    /// Refuse everything a contact sends, at the relays too.
    Block {
        /// Name or id of the contact.
        who: String,
        /// Lift the block.
        #[arg(long)]
        off: bool,
    },
    /// Send a text message.
    Send(SendText),
    /// Show the conversation and write into it, a line a message.
    Chat {
        /// Name or id of the contact.
        who: String,
        /// How many earlier messages to show first.
        #[arg(long, default_value_t = 20)]
        last: usize,
    },
    /// Print a conversation, oldest first.
    History {
        /// Name or id of the contact.
        who: String,
        /// Only the newest so many.
        #[arg(long)]
        last: Option<usize>,
    },
    /// Give a message you sent another text, on both sides.
    Edit {
        /// Name or id of the contact.
        who: String,
        /// The message's id, as `send` printed it.
        message: String,
        /// The new text.
        text: String,
    },
    /// Erase a message: one you sent on both sides, another's on this node.
    Erase {
        /// Name or id of the contact.
        who: String,
        /// The message's id, as `send` and `history --json` print it.
        message: String,
        /// One you sent too only on this node.
        #[arg(long)]
        only_here: bool,
    },
    /// Every conversation, with what is unread.
    Threads,
    /// What was refused on arrival, such as promotions without leave: kept 30 days, shown when you ask for it.
    HeldBack {
        /// Only of this contact.
        who: Option<String>,
        /// Show this message in its conversation. May be given again.
        #[arg(long, value_name = "MESSAGE")]
        show: Vec<comptoir_api::id::MessageId>,
    },
    /// Delete what was said in a conversation, on this node.
    DeleteThread {
        /// Name or id of the contact.
        who: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Print events as they happen.
    Watch {
        /// Start behind this event number. If left unset: with what happens from now on.
        #[arg(long)]
        after: Option<u64>,
    },
    /// The accounts of this node.
    Personas {
        #[command(subcommand)]
        action: Option<PersonasAction>,
    },
    /// Mailboxes: run a relay, let people in, choose one.
    Relay {
        #[command(subcommand)]
        action: RelayAction,
    },
    /// Show or change settings.
    Settings {
        /// `name` shows one, `name=value` changes it; nothing shows all.
        assignments: Vec<String>,
    },
    /// Check clock, disk, store, relays and reachability, and say what to do.
    Doctor,
    /// Work on the store while the daemon is down.
    Store {
        #[command(subcommand)]
        action: StoreAction,
    },
    /// Run as a service of this user.
    Service {
        #[command(subcommand)]
        action: ServiceAction,
    },
    /// Tokens for programs that use the local API.
    Tokens {
        #[command(subcommand)]
        action: Option<TokensAction>,
    },
    /// Print the daemon's log.
    Logs {
        /// Go on as it grows.
        #[arg(short, long)]
        follow: bool,
        /// How many lines from the end.
        #[arg(long, default_value_t = 200)]
        last: usize,
    },
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Stop the daemon.
    Down,
}

/// How the store's key is kept.
#[derive(Debug, Clone, Args, Default)]
#[group(multiple = false)]
pub(crate) struct Unlock {
    /// Read the passphrase from this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Read the passphrase from stdin, up to the first line end.
    #[arg(long)]
    pub(crate) passphrase_stdin: bool,
    /// Keep the key in the desktop's keyring.
    #[arg(long)]
    pub(crate) keyring: bool,
    /// Keep the key in a file only this user can read. Whoever copies the disk can read everything.
    #[arg(long)]
    pub(crate) no_passphrase: bool,
}

/// A new home.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The name contacts see.
    #[arg(long, default_value = "me")]
    pub(crate) name: String,
    /// A relay that will hold messages while this node is away.
    #[arg(long, value_name = "LINK", conflicts_with = "invite")]
    pub(crate) relay: Option<String>,
    /// An invite link: its writer becomes the first contact, and lends a mailbox if the link carries one.
    #[arg(long, value_name = "LINK")]
    pub(crate) invite: Option<String>,
    /// For scripts: write the recovery phrase here (0600) instead of showing it and asking for two words;
    /// if the file exists, take the phrase from it.
    #[arg(long, value_name = "FILE")]
    pub(crate) phrase_file: Option<PathBuf>,
    /// Which storage engine.
    #[arg(long, value_enum)]
    pub(crate) engine: Option<Engine>,
    #[command(flatten)]
    pub(crate) unlock: Unlock,
}

/// A storage engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// sled 0.34.7 with our guards.
    Sled,
    /// redb.
    Redb,
}

/// The daemon.
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Where to listen for peers, as multiaddr; may be repeated. If left unset: TCP and QUIC on every
    /// interface. Port 0 is the port of the last run, or a free one. `none` listens nowhere.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Vec<String>,
    /// TCP port of the local API on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) api_port: u16,
    /// Stop when stdin closes, so that the daemon ends with the program that started it.
    #[arg(long)]
    pub(crate) exit_with_stdin: bool,
    #[command(flatten)]
    pub(crate) unlock: Unlock,
}

/// An invite link.
#[derive(Debug, Args)]
pub(crate) struct Invite {
    /// Draw it as a QR code, too.
    #[arg(long)]
    pub(crate) qr: bool,
    /// A short link: the card waits at the relay, encrypted; the link holds its address and key.
    #[arg(long = "ref")]
    pub(crate) reference: bool,
    /// How long it lives.
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) days: u32,
    /// How many people may use it.
    #[arg(long, default_value_t = 1)]
    pub(crate) uses: u32,
}

/// A first contact.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The invite link, or `-` to read it from stdin.
    pub(crate) link: String,
    /// What the other person reads beside the request, at most 500 bytes.
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
}

/// A text message.
#[derive(Debug, Args)]
pub(crate) struct SendText {
    /// Name or id of the contact.
    pub(crate) who: String,
    /// The text, or `-` to read it from stdin.
    pub(crate) text: String,
    /// With `-`: every line is a message of its own; waits for a daemon that restarts, and sends no
    /// line twice.
    #[arg(long)]
    pub(crate) lines: bool,
}
