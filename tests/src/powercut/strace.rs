// SPDX-License-Identifier: MIT OR Apache-2.0
//! strace: runs a process under it, and reads what it wrote.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Call, Change, FileNumber, Moment, Trace};

/// The calls that change files, or say which file a number means. Those at the end change files in ways this module
/// does not follow: meeting one on a file of the folder fails the test rather than the truth.
const TRACED: &str = "trace=openat,open,creat,close,dup,dup2,dup3,fcntl,lseek,write,pwrite64,ftruncate,truncate,\
    fsync,fdatasync,sync_file_range,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,fallocate,\
    writev,pwritev,pwritev2,copy_file_range,sendfile,link,linkat";

/// The longest write whose bytes are recorded whole.
const WRITE_BYTES_MAX: usize = 16 << 20;

/// A process to be recorded: spawn [`Recording::command`], let it end, then [`Recording::finish`].
#[derive(Debug)]
pub struct Recording {
    /// strace, with the command behind it.
    pub command: Command,
    folder: PathBuf,
    output: PathBuf,
    trace: Trace,
}

/// Prepares to record what `program` does to `folder`; further arguments are added to [`Recording::command`].
///
/// # Panics
/// When the folder holds something that cannot be read.
pub fn record(folder: &Path, output: &Path, program: &Path) -> Recording {
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-ttt",
        "-T",
        "-y",
        "-xx",
        "-qq",
        "--seccomp-bpf",
        "-s",
        &WRITE_BYTES_MAX.to_string(),
    ]);
    command
        .args(["-e", TRACED, "-e", "signal=none", "-o"])
        .arg(output)
        .arg("--")
        .arg(program);
    let mut trace = Trace::default();
    trace.note_before(folder);
    Recording {
        command,
        folder: folder.to_path_buf(),
        output: output.to_path_buf(),
        trace,
    }
}

impl Recording {
    /// Reads what strace wrote. The process must have ended.
    ///
    /// # Panics
    /// When the recording holds a call that this module does not understand.
    pub fn finish(self) -> Trace {
        let file = File::open(&self.output).expect("strace wrote its output: is it installed?");
        let mut reader = Reader::new(&self.folder, &self.trace);
        let mut begun: HashMap<String, String> = HashMap::new();
        for line in BufReader::with_capacity(1 << 20, file).lines() {
            let line = line.expect("strace writes text");
            let (process, rest) = line
                .trim_start()
                .split_once(char::is_whitespace)
                .expect("a line names its process");
            let rest = rest.trim_start();
            if let Some(head) = rest.strip_suffix("<unfinished ...>") {
                begun.insert(process.to_owned(), head.to_owned());
            } else if let Some((_, tail)) = rest.split_once(" resumed>") {
                if let Some(head) = begun.remove(process) {
                    reader.call(&format!("{head}{tail}"));
                }
            } else {
                reader.call(rest);
            }
        }
        let mut calls = reader.calls;
        calls.sort_by_key(|call| call.began);
        Trace {
            calls,
            ..self.trace
        }
    }
}

/// What is known while reading: which file each name and each open descriptor means.
struct Reader<'a> {
    folder: &'a Path,
    names: BTreeMap<PathBuf, FileNumber>,
    files: FileNumber,
    open: HashMap<u32, Open>,
    sizes: HashMap<FileNumber, u64>,
    calls: Vec<Call>,
}

#[derive(Clone)]
struct Open {
    file: FileNumber,
    offset: u64,
    append: bool,
}

impl<'a> Reader<'a> {
    fn new(folder: &'a Path, before: &Trace) -> Self {
        let names: BTreeMap<_, _> = before.before.keys().cloned().zip(0..).collect();
        let sizes = before
            .before
            .values()
            .map(|bytes| bytes.len() as u64)
            .enumerate()
            .collect();
        Self {
            folder,
            files: names.len(),
            names,
            open: HashMap::new(),
            sizes,
            calls: Vec::new(),
        }
    }

    /// One whole line: `1700000000.123456 name(arguments) = result <0.000012>`.
    fn call(&mut self, line: &str) {
        let Some((began, rest)) = line.split_once(' ') else {
            return;
        };
        let Some((name, rest)) = rest.split_once('(') else {
            return;
        };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else {
            return;
        };
        let arguments = arguments.trim_end().trim_end_matches(')');
        let value = result.split([' ', '<']).next().unwrap_or_default();
        // Failed, or never returned because the process ended.
        if value.starts_with('-') || value == "?" {
            return;
        }
        let began = micros(began);
        let took = result
            .rsplit_once('<')
            .map_or(0, |(_, took)| micros(took.trim_end_matches('>')));
        let split: Vec<&str> = arguments.split(", ").map(str::trim).collect();
        if let Some(change) = self.change(name, &split, result, value) {
            self.calls.push(Call {
                began,
                ended: began + took,
                change,
            });
        }
    }

    fn change(
        &mut self,
        name: &str,
        arguments: &[&str],
        result: &str,
        value: &str,
    ) -> Option<Change> {
        match name {
            "openat" | "open" | "creat" => self.opened(name, arguments, result),
            "close" => {
                self.open.remove(&descriptor(arguments[0])?);
                None
            }
            "dup" | "dup2" | "dup3" | "fcntl" => {
                if name != "fcntl"
                    || arguments
                        .get(1)
                        .is_some_and(|command| command.starts_with("F_DUPFD"))
                {
                    let open = self.open.get(&descriptor(arguments[0])?)?.clone();
                    self.open.insert(descriptor(value)?, open);
                }
                None
            }
            "lseek" => {
                self.open.get_mut(&descriptor(arguments[0])?)?.offset = value.parse().ok()?;
                None
            }
            "write" | "pwrite64" => self.written(arguments, value),
            "ftruncate" => {
                let file = self.open.get(&descriptor(arguments[0])?)?.file;
                Some(self.resized(file, arguments[1].parse().expect("ftruncate says how long")))
            }
            "fsync" | "fdatasync" => self.synced(name, arguments),
            // Allocating changes no byte, and syncing a range promises nothing.
            "fallocate" | "sync_file_range" => None,
            "rename" | "renameat" | "renameat2" => self.renamed(arguments),
            "unlink" | "unlinkat" | "rmdir" => {
                let path = self.inside(path_in(arguments)?)?;
                self.names.remove(&path);
                Some(Change::Removed { path })
            }
            "mkdir" | "mkdirat" => Some(Change::FolderMade {
                path: self.inside(path_in(arguments)?)?,
            }),
            other => {
                let ours = arguments.iter().any(|argument| {
                    descriptor(argument).is_some_and(|number| self.open.contains_key(&number))
                });
                assert!(!ours, "{other} changed a file of the folder: {arguments:?}");
                None
            }
        }
    }

    /// An opening notes what its descriptor means; only one that makes a file is a change, or one that empties it.
    fn opened(&mut self, name: &str, arguments: &[&str], result: &str) -> Option<Change> {
        let number = descriptor(result)?;
        let (_, path) = result.split_once('<')?;
        let path = PathBuf::from(text(path.split('>').next()?));
        self.open.remove(&number);
        let path = self.inside(path)?;
        let flags = arguments
            .iter()
            .find(|argument| argument.starts_with("O_"))
            .copied()
            .unwrap_or_default();
        let known = self.names.get(&path).copied();
        // A folder, opened to be synced or listed.
        if known.is_none() && name != "creat" && !flags.contains("O_CREAT") {
            return None;
        }
        let file = known.unwrap_or_else(|| {
            self.files += 1;
            self.files - 1
        });
        self.open.insert(
            number,
            Open {
                file,
                offset: 0,
                append: flags.contains("O_APPEND"),
            },
        );
        match known {
            None => {
                self.names.insert(path.clone(), file);
                self.sizes.insert(file, 0);
                Some(Change::Made { path, file })
            }
            Some(_) if name == "creat" || flags.contains("O_TRUNC") => Some(self.resized(file, 0)),
            Some(_) => None,
        }
    }

    fn written(&mut self, arguments: &[&str], value: &str) -> Option<Change> {
        let open = self.open.get_mut(&descriptor(arguments[0])?)?;
        let mut bytes = bytes(arguments[1]);
        bytes.truncate(value.parse().expect("a write says how much it wrote"));
        let size = self.sizes.entry(open.file).or_default();
        let at = match arguments.get(3) {
            Some(at) => at.parse().expect("pwrite64 says where"),
            None => {
                let at = if open.append { *size } else { open.offset };
                open.offset = at + bytes.len() as u64;
                at
            }
        };
        *size = (*size).max(at + bytes.len() as u64);
        Some(Change::Written {
            file: open.file,
            at,
            bytes,
        })
    }

    fn resized(&mut self, file: FileNumber, bytes: u64) -> Change {
        self.sizes.insert(file, bytes);
        Change::Resized { file, bytes }
    }

    fn synced(&self, name: &str, arguments: &[&str]) -> Option<Change> {
        match self.open.get(&descriptor(arguments[0])?) {
            Some(open) => Some(Change::FileSynced {
                file: open.file,
                names_too: name == "fsync",
            }),
            None => {
                let (_, path) = arguments[0].split_once('<')?;
                let path = PathBuf::from(text(path.trim_end_matches('>')));
                // The folder itself, or one above it: its parent holds its name.
                let ours = path.starts_with(self.folder) || self.folder.starts_with(&path);
                ours.then_some(Change::FolderSynced)
            }
        }
    }

    fn renamed(&mut self, arguments: &[&str]) -> Option<Change> {
        let mut paths = paths_in(arguments);
        let from = self.inside(paths.next()?)?;
        let to = paths.next()?;
        if let Some(file) = self.names.remove(&from) {
            self.names.insert(to.clone(), file);
        }
        Some(Change::Renamed { from, to })
    }

    fn inside(&self, path: PathBuf) -> Option<PathBuf> {
        path.starts_with(self.folder).then_some(path)
    }
}

/// `3<…>` is descriptor 3.
fn descriptor(argument: &str) -> Option<u32> {
    argument.split('<').next()?.trim().parse().ok()
}

/// Seconds with six decimals.
fn micros(seconds: &str) -> Moment {
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let whole: Moment = whole.parse().unwrap_or_default();
    whole * 1_000_000 + part.parse::<Moment>().unwrap_or_default()
}

/// The paths a call names, each completed by the folder descriptor before it.
fn paths_in<'a>(arguments: &'a [&'a str]) -> impl Iterator<Item = PathBuf> + 'a {
    let mut folder = PathBuf::new();
    arguments.iter().filter_map(move |argument| {
        if argument.starts_with('"') {
            return Some(folder.join(PathBuf::from(text(argument.trim_matches('"')))));
        }
        if let Some((_, path)) = argument.split_once('<') {
            folder = PathBuf::from(text(path.trim_end_matches('>')));
        }
        None
    })
}

fn path_in(arguments: &[&str]) -> Option<PathBuf> {
    paths_in(arguments).next()
}

fn text(escaped: &str) -> String {
    match escaped.starts_with("\\x") {
        true => String::from_utf8(bytes(escaped)).expect("a path of these tests is UTF-8"),
        false => escaped.to_owned(),
    }
}

/// `"\x68\x69"` is `hi`.
fn bytes(escaped: &str) -> Vec<u8> {
    assert!(
        !escaped.ends_with("..."),
        "a write was longer than strace was told to record"
    );
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .expect("strace -xx writes hex") as u8
    };
    let escaped = escaped.trim_matches('"').as_bytes();
    escaped
        .chunks_exact(4)
        .map(|byte| digit(byte[2]) << 4 | digit(byte[3]))
        .collect()
}
