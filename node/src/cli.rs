// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line: reads the arguments, does the command, turns failures into a sentence and an exit status.

mod amend;
mod args;
mod chat;
mod connect;
mod contacts;
mod doctor;
mod failure;
mod held_back;
mod history;
mod init;
mod invites;
mod logs;
mod message;
mod names;
mod output;
mod personas;
mod phrase;
mod qr;
mod relays;
mod requests;
mod secret;
mod send;
mod service;
mod settings;
mod status;
mod stdin;
mod store;
mod threads;
mod tokens;
mod up;
mod watch;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use self::args::{Arguments, Command, RelayAction, ServiceAction, StoreAction};
use self::connect::Connection;
pub(crate) use self::failure::Failure;
use self::output::Output;
use crate::home::Home;

/// Runs the command line of this process and returns its exit status.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let output = Output::new(arguments.json);
    if !cfg!(target_os = "linux") {
        output.say("Comptoir's promise that nothing stored is lost was tested on Linux only, not on this system.");
    }
    let done = dispatch(arguments, output).and_then(|()| match output::lost() {
        None => Ok(()),
        Some(why) => Err(Failure::general(format!("done, but not printed: {why}"))),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.say(format!("comptoir: {failure}"));
            ExitCode::from(failure.status())
        }
    }
}

fn dispatch(arguments: Arguments, output: Output) -> Result<(), Failure> {
    if let Command::Completions { shell } = arguments.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Arguments::command(), "comptoir", &mut script);
        output::print(String::from_utf8_lossy(&script));
        return Ok(());
    }
    let home = arguments
        .home
        .map(Home::new)
        .or_else(Home::of_user)
        .ok_or_else(|| Failure::usage("no home: give --home DIR or set COMPTOIR_HOME"))?;
    // What a daemon leaves for others to find it, and all JSON, is text.
    if home.dir().to_str().is_none() {
        return Err(Failure::usage(format!(
            "the home {} has a name that is not UTF-8",
            home.dir().display()
        )));
    }
    match arguments.command {
        Command::Init(init) => block_on(init::run(output, &home, init)),
        Command::Up(up) => up::node(output, &home, up),
        Command::Relay {
            action:
                RelayAction::Run {
                    listen,
                    announce,
                    open,
                    exit_with_stdin,
                },
        } => up::relay(output, &home, listen, announce, open, exit_with_stdin),
        Command::Relay {
            action:
                RelayAction::Ticket {
                    mebibytes,
                    boxes,
                    days,
                    guests,
                },
        } => relays::ticket(output, &home, mebibytes, boxes, days, guests),
        Command::Store {
            action: StoreAction::Convert { to, unlock },
        } => store::convert(output, &home, to, &unlock),
        Command::Service {
            action:
                ServiceAction::Install {
                    print,
                    passphrase_file,
                },
        } => service::install(output, &home, print, passphrase_file.as_deref()),
        Command::Logs { follow, last } => logs::print(&home.log(), last, follow),
        command => block_on(async {
            let connection = Connection::open(&home, &arguments.persona, output)?;
            with_daemon(&connection, command).await
        }),
    }
}

/// Commands that ask the daemon.
async fn with_daemon(connection: &Connection, command: Command) -> Result<(), Failure> {
    match command {
        Command::Status => status::status(connection).await,
        Command::Doctor => doctor::doctor(connection).await,
        Command::Settings { assignments } => settings::settings(connection, assignments).await,
        Command::Tokens { action } => tokens::tokens(connection, action).await,
        Command::Down => up::down(connection).await,
        Command::Personas { action } => personas::personas(connection, action).await,
        Command::Invite(invite) => invites::invite(connection, invite).await,
        Command::Add(add) => invites::add(connection, add).await,
        Command::Requests => requests::requests(connection).await,
        Command::Accept { request } => requests::accept(connection, &request).await,
        Command::Decline { request, block } => requests::decline(connection, &request, block).await,
        Command::Contacts => contacts::contacts(connection).await,
        Command::Rename { who, name } => contacts::rename(connection, &who, name).await,
        Command::Mute { who, off } => contacts::mute(connection, &who, !off).await,
        Command::Verify { who, matches } => contacts::verify(connection, &who, matches).await,
        Command::Block { who, off } => contacts::block(connection, &who, !off).await,
        Command::Send(send) => send::send(connection, send).await,
        Command::Chat { who, last } => chat::chat(connection, &who, last).await,
        Command::History { who, last } => history::history(connection, &who, last).await,
        Command::Edit { who, message, text } => amend::edit(connection, &who, &message, text).await,
        Command::Erase {
            who,
            message,
            only_here,
        } => amend::erase(connection, &who, &message, only_here).await,
        Command::Threads => threads::threads(connection).await,
        Command::HeldBack { who, show } => held_back::run(connection, who.as_deref(), &show).await,
        Command::DeleteThread { who, yes } => threads::delete(connection, &who, yes).await,
        Command::Watch { after } => watch::events(connection, after).await,
        Command::Relay { action } => relays::with_daemon(connection, action).await,
        Command::Init(_)
        | Command::Up(_)
        | Command::Store { .. }
        | Command::Service { .. }
        | Command::Logs { .. }
        | Command::Completions { .. } => Err(Failure::usage("this command needs no daemon")),
    }
}

fn block_on<F: Future<Output = Result<(), Failure>>>(work: F) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::general(format!("the runtime did not start: {error}")))?;
    runtime.block_on(work)
}
