// SPDX-License-Identifier: MIT OR Apache-2.0
//! The JSON bodies of the API: twins of the node's own types, so that neither binds the other.
//!
//! Fields are only ever added. A reader skips fields it does not know; a word it does not know in an enum of
//! states reads as `unknown`.

mod contact;
mod event;
mod held_back;
mod node;
mod page;
mod persona;
mod relay;
mod thread;
mod token;

pub use contact::*;
pub use event::*;
pub use held_back::*;
pub use node::*;
pub use page::*;
pub use persona::*;
pub use relay::*;
pub use thread::*;
pub use token::*;
