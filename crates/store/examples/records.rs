// SPDX-License-Identifier: MIT OR Apache-2.0
//! A store at work, to be killed: `records append FOLDER ENGINE FROM COUNT` appends numbered records and says on stdout
//! up to which they are durable; `records check FOLDER ENGINE ACKNOWLEDGED` opens the store and says whether those are
//! all there, each whole. The fault tests run both.

use std::io::Write as _;
use std::path::Path;

use comptoir_engine::{Scan, Scope, View, Write};
use comptoir_store::{Access, EngineKind, Floor, OpenOptions, Store, Writer};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Records beyond the acknowledged ones that a check looks for: more than are ever under way.
const UNDER_WAY_MAX: u64 = 5_000;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["append", folder, engine, from, count] => append(
            Path::new(folder),
            engine.parse()?,
            from.parse()?,
            count.parse()?,
        ),
        ["check", folder, engine, acknowledged] => {
            check(Path::new(folder), engine.parse()?, acknowledged.parse()?)
        }
        _ => Err(
            "usage: records append FOLDER ENGINE FROM COUNT | check FOLDER ENGINE ACKNOWLEDGED"
                .into(),
        ),
    }
}

fn open(folder: &Path, engine: EngineKind) -> Outcome<Store> {
    let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    let options = OpenOptions {
        engine,
        floor: Floor::NONE,
        ..OpenOptions::default()
    };
    Ok(Store::open(folder, &Access::KeyFile, &options, &mut rng)?)
}

/// Appends records in bursts, so that groups of every size occur, then ends without closing anything.
fn append(folder: &Path, engine: EngineKind, from: u64, count: u64) -> Outcome<()> {
    let store = open(folder, engine)?;
    println!("open");
    let writer = Writer::start(store.core(), move |durable| match durable {
        Ok(durable) => {
            let mut stdout = std::io::stdout().lock();
            // Nobody listening any more is the end of the test, not an error of the store.
            let _ = writeln!(stdout, "durable {}", from + durable.0).and_then(|()| stdout.flush());
        }
        Err(error) => eprintln!("stopped: {error}"),
    })?;
    for number in from..from.saturating_add(count) {
        writer.submit(record(number))?;
        if mix(number).is_multiple_of(5) {
            writer.flush()?;
        }
    }
    writer.flush()?;
    println!("done");
    std::process::exit(0)
}

/// A new scope every hundred records, so that kills and power cuts fall between the write of a key and the commit of its
/// first row.
fn scope(number: u64) -> Scope {
    Scope {
        thread: (number / 100) as u32,
        generation: 0,
        period: 0,
    }
}

/// The rows of one record: its value, an index entry, a counter; sometimes a large row, or the end of an older record.
fn record(number: u64) -> Vec<Write> {
    let mut writes = vec![
        Write::Put {
            key: value_key(number),
            value: value(number),
            scope: Some(scope(number)),
        },
        Write::Put {
            key: index_key(number),
            value: number.to_be_bytes().to_vec(),
            scope: None,
        },
        Write::Put {
            key: vec![1],
            value: number.to_be_bytes().to_vec(),
            scope: None,
        },
    ];
    if let Some(old) = number.checked_sub(3).filter(|old| is_deleted(*old)) {
        writes.push(Write::Delete {
            key: value_key(old),
        });
        writes.push(Write::Delete {
            key: index_key(old),
        });
    }
    writes
}

/// Every seventh record goes again, with the third one after it.
fn is_deleted(number: u64) -> bool {
    number.is_multiple_of(7)
}

fn value(number: u64) -> Vec<u8> {
    let bytes = if number % 50 == 49 {
        9_000
    } else {
        100 + mix(number) as usize % 400
    };
    (0..bytes as u64)
        .map(|at| mix(number ^ (at << 40)) as u8)
        .collect()
}

fn value_key(number: u64) -> Vec<u8> {
    [&[7][..], &number.to_be_bytes()].concat()
}

fn index_key(number: u64) -> Vec<u8> {
    [&[8, (number % 20) as u8][..], &number.to_be_bytes()].concat()
}

fn mix(number: u64) -> u64 {
    let mixed = number
        .wrapping_add(0x9e37_79b9_7f4a_7c15)
        .wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 17
}

/// Prints `ok NEXT`, `lost …` or `unopened …`.
fn check(folder: &Path, engine: EngineKind, acknowledged: u64) -> Outcome<()> {
    let store = match open(folder, engine) {
        Ok(store) => store,
        Err(error) => {
            println!("unopened {error}");
            return Ok(());
        }
    };
    match look(&store, acknowledged) {
        Ok(Found { next, faults }) if faults.is_empty() => println!("ok {next}"),
        Ok(Found { faults, .. }) => {
            println!(
                "lost {} of {acknowledged}: {}",
                faults.len(),
                faults[..faults.len().min(5)].join(", ")
            );
        }
        Err(error) => println!("unopened while reading: {error}"),
    }
    Ok(())
}

struct Found {
    /// The first record that is not there.
    next: u64,
    faults: Vec<String>,
}

fn look(store: &Store, acknowledged: u64) -> Outcome<Found> {
    let core = store.core();
    let view = core.committed();
    let counter = view.get(&[1])?.map_or(0, |bytes| {
        u64::from_be_bytes(bytes.try_into().unwrap_or_default()) + 1
    });
    let mut found = Found {
        next: counter,
        faults: Vec::new(),
    };
    if counter < acknowledged {
        found.faults.push(format!("the counter says {counter}"));
    }
    for number in 0..counter.max(acknowledged) {
        let expected = !(is_deleted(number) && number + 3 < counter);
        let value_found = view.get(&value_key(number))?;
        let index_found = view.get(&index_key(number))?;
        if value_found.is_some() != index_found.is_some() {
            found.faults.push(format!("{number} is torn"));
        } else if value_found.is_some() != expected {
            found.faults.push(format!(
                "{number} is {}",
                if expected { "missing" } else { "back" }
            ));
        } else if value_found.is_some_and(|bytes| bytes != value(number)) {
            found.faults.push(format!("{number} is wrong"));
        }
    }
    let beyond = Scan::all([7])
        .starting_at(value_key(counter))
        .limited(UNDER_WAY_MAX as usize);
    if !view.scan(beyond)?.is_empty() {
        found.faults.push("records beyond the counter".into());
    }
    Ok(found)
}
