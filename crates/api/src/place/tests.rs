// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the socket goes, case by case.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use tempfile::TempDir;

use super::*;

fn choice<'a>(
    home: &'a Path,
    runtime_dir: Option<&'a Path>,
    temp_dir: &'a Path,
) -> SocketChoice<'a> {
    SocketChoice {
        home,
        runtime_dir,
        temp_dir,
        random: [7; 8],
    }
}

#[test]
fn two_homes_of_one_user_get_two_sockets() {
    let dir = TempDir::new().unwrap();
    let [one, two, runtime] = ["one", "two", "runtime"].map(|name| dir.path().join(name));
    for path in [&one, &two, &runtime] {
        fs::create_dir(path).unwrap();
    }
    let first = choice(&one, Some(&runtime), dir.path()).decide().unwrap();
    let second = choice(&two, Some(&runtime), dir.path()).decide().unwrap();
    assert_ne!(first, second);
    assert_eq!(first.parent(), second.parent());
    assert_eq!(
        choice(&one, Some(&runtime), dir.path()).decide().unwrap(),
        first
    );
    let dotted = dir.path().join("two/../one");
    assert_eq!(
        choice(&dotted, Some(&runtime), dir.path())
            .decide()
            .unwrap(),
        first
    );
}

#[test]
fn a_missing_or_foreign_runtime_folder_is_passed_over() {
    let dir = TempDir::new().unwrap();
    let home = dir.path().join("home");
    fs::create_dir_all(run_dir(&home)).unwrap();
    let in_home = run_dir(&home).join("api.sock");
    let missing = dir.path().join("missing");
    assert_eq!(
        choice(&home, Some(&missing), dir.path()).decide().unwrap(),
        in_home
    );
    let trapped = dir.path().join("trapped");
    fs::create_dir(&trapped).unwrap();
    std::os::unix::fs::symlink(dir.path(), trapped.join("comptoir")).unwrap();
    assert_eq!(
        choice(&home, Some(&trapped), dir.path()).decide().unwrap(),
        in_home
    );
}

#[test]
fn the_boundary_is_a_hundred_bytes() {
    let dir = TempDir::new().unwrap();
    let base = dir.path().as_os_str().len();
    // base / pad / run/api.sock
    for (length, fits) in [
        (SOCKET_PATH_BYTES_MAX, true),
        (SOCKET_PATH_BYTES_MAX + 1, false),
    ] {
        let home = dir
            .path()
            .join("h".repeat(length - base - 1 - "/run/api.sock".len()));
        fs::create_dir_all(run_dir(&home)).unwrap();
        let path = choice(&home, None, dir.path()).decide().unwrap();
        assert_eq!(path.starts_with(&home), fits, "{}", path.display());
    }
}

#[test]
fn no_short_folder_anywhere_is_an_error_that_says_what_to_set() {
    let dir = TempDir::new().unwrap();
    let deep = dir.path().join("d".repeat(90));
    fs::create_dir_all(run_dir(&deep)).unwrap();
    let error = choice(&deep, None, &deep).decide().unwrap_err();
    assert!(error.to_string().contains("TMPDIR"), "{error}");
}

#[test]
fn a_private_file_is_never_readable_by_others_and_never_half_written() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("api.token");
    fs::write(path.with_extension("new"), "left by a crash").unwrap();
    write_private(&path, "one\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    write_private(&path, "two\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert!(!path.with_extension("new").exists());
}
