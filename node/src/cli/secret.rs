// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the passphrase comes from: a prompt, a file, stdin or the keyring; never a flag, never the environment.

use std::io::{self, BufRead as _};

use comptoir_store::Method;
use zeroize::Zeroizing;

use super::Failure;
use super::args;
use super::output::{Output, somebody_is_there};
use crate::home::Home;
use crate::unlock::Unlock;

/// How a new home shall be locked.
pub(crate) fn for_new_home(output: Output, choice: &args::Unlock) -> Result<Unlock, Failure> {
    if choice.no_passphrase {
        output.say("The store's key will lie in a file that only this user can read: whoever copies the disk can read everything.");
        return Ok(Unlock::KeyFile);
    }
    if choice.keyring {
        return Ok(Unlock::Keyring);
    }
    let nothing =
        || Failure::usage("an empty passphrase protects nothing; --no-passphrase says so openly");
    match given(choice)? {
        Some(Unlock::Passphrase {
            passphrase,
            from_file: _,
        }) if passphrase.is_empty() => return Err(nothing()),
        Some(passphrase) => return Ok(passphrase),
        None => {}
    }
    let first = prompt("Passphrase for this home: ")?;
    if first.is_empty() {
        return Err(nothing());
    }
    if *first != *prompt("Once more: ")? {
        return Err(Failure::usage("the two are not the same"));
    }
    Ok(Unlock::Passphrase {
        passphrase: first,
        from_file: false,
    })
}

/// How to open a home that is there.
pub(crate) fn for_existing(home: &Home, choice: &args::Unlock) -> Result<Unlock, Failure> {
    let method = comptoir_store::method(&home.store())
        .map_err(|error| Failure::general(error.to_string()))?;
    match method.ok_or_else(|| Failure::no_home(home))? {
        Method::KeyFile => Ok(Unlock::KeyFile),
        Method::Keyring => Ok(Unlock::Keyring),
        Method::Passphrase => match given(choice)? {
            Some(passphrase) => Ok(passphrase),
            None => Ok(Unlock::Passphrase {
                passphrase: prompt("Passphrase: ")?,
                from_file: false,
            }),
        },
    }
}

fn given(choice: &args::Unlock) -> Result<Option<Unlock>, Failure> {
    if let Some(path) = &choice.passphrase_file {
        let text =
            Zeroizing::new(std::fs::read_to_string(path).map_err(|e| Failure::file(path, &e))?);
        return Ok(Some(Unlock::Passphrase {
            passphrase: first_line(&text),
            from_file: true,
        }));
    }
    if choice.passphrase_stdin {
        let mut line = Zeroizing::new(String::new());
        io::stdin()
            .lock()
            .read_line(&mut line)
            .map_err(|e| Failure::general(format!("stdin: {e}")))?;
        return Ok(Some(Unlock::Passphrase {
            passphrase: first_line(&line),
            from_file: false,
        }));
    }
    Ok(None)
}

fn first_line(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())
}

fn prompt(question: &str) -> Result<Zeroizing<String>, Failure> {
    if !somebody_is_there() {
        return Err(Failure::usage(
            "nobody is at the terminal to type the passphrase; use --passphrase-file FILE or --passphrase-stdin",
        ));
    }
    rpassword::prompt_password(question)
        .map(Zeroizing::new)
        .map_err(|e| Failure::general(format!("the terminal: {e}")))
}
