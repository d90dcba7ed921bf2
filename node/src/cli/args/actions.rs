// SPDX-License-Identifier: MIT OR Apache-2.0
//! The actions: what can be done with personas, relays, the store, the service and tokens.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Engine, Unlock};

/// Personas.
#[derive(Debug, Subcommand)]
pub(crate) enum PersonasAction {
    /// Add an account with its own keys, unlinkable to the others by its contacts.
    Add {
        /// The word for `--as`.
        persona: String,
        /// The name its contacts see.
        #[arg(long)]
        name: Option<String>,
        /// Write the recovery phrase here (0600) instead of showing it; if it exists, take it from there.
        #[arg(long, value_name = "FILE")]
        phrase_file: Option<PathBuf>,
    },
}

/// Relays.
#[derive(Debug, Subcommand)]
pub(crate) enum RelayAction {
    /// Run a relay in this home.
    Run {
        /// Where to listen; may be repeated. If left unset: TCP and QUIC on port 4100.
        #[arg(long, value_name = "ADDR")]
        listen: Vec<String>,
        /// Addresses to print in links, where they differ from what the machine sees.
        #[arg(long, value_name = "ADDR")]
        announce: Vec<String>,
        /// Let everybody open boxes, without a ticket.
        #[arg(long)]
        open: bool,
        /// Stop when stdin closes.
        #[arg(long)]
        exit_with_stdin: bool,
    },
    /// Print a link with a ticket that lets one node open boxes on the relay of this home.
    Ticket {
        /// Space the ticket gives.
        #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..))]
        mebibytes: u64,
        /// Boxes the ticket gives.
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
        boxes: u32,
        /// How long it may be used for the first time.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
        days: u32,
        /// People without a relay whom its holder may invite to this one, in 30 days. Each gets 32 boxes and 64 MiB.
        #[arg(long, default_value_t = 8)]
        guests: u32,
    },
    /// Use a relay.
    Add {
        /// Its link.
        link: String,
    },
    /// The relays of this persona.
    List,
    /// Stop using a relay; contacts are told.
    Remove {
        /// Its key, as `list` shows it.
        relay: String,
    },
    /// Move every box from one relay to another.
    Move {
        /// The relay to leave.
        from: String,
        /// The link of the one to go to.
        to: String,
    },
}

/// The store.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreAction {
    /// Rewrite the store for the other engine.
    Convert {
        /// Which engine.
        #[arg(long, value_enum)]
        to: Engine,
        #[command(flatten)]
        unlock: Unlock,
    },
}

/// The service.
#[derive(Debug, Subcommand)]
pub(crate) enum ServiceAction {
    /// Write a systemd user unit and say how to start it.
    Install {
        /// Print the unit instead of writing it.
        #[arg(long)]
        print: bool,
        /// Where the service finds the passphrase: nobody is there to type it.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
}

/// Tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokensAction {
    /// Make one; it is shown once.
    Create {
        /// Its name.
        name: String,
        /// What it may do, as `messages:read,messages:write`.
        #[arg(long)]
        scope: String,
        /// Only this persona.
        #[arg(long)]
        persona: Option<String>,
    },
    /// End one.
    Remove {
        /// Its name.
        name: String,
    },
}
