// SPDX-License-Identifier: MIT OR Apache-2.0
//! The systemd user unit, hardened as far as a messenger can be.

use std::path::{Path, PathBuf};

use comptoir_store::Method;

use super::Failure;
use super::output::Output;
use crate::home::Home;

/// Writes the unit for this home, or prints it.
pub(crate) fn install(
    output: Output,
    home: &Home,
    print: bool,
    passphrase_file: Option<&Path>,
) -> Result<(), Failure> {
    let method = comptoir_store::method(&home.store())
        .map_err(|error| Failure::general(error.to_string()))?;
    let method = method.ok_or_else(|| Failure::no_home(home))?;
    if method == Method::Passphrase && passphrase_file.is_none() {
        return Err(Failure::usage(
            "a service cannot ask for the passphrase of this home; use --passphrase-file FILE",
        ));
    }
    let binary = std::env::current_exe()
        .map_err(|e| Failure::general(format!("where this program lies is not known: {e}")))?;
    let absolute = |path: &Path| std::path::absolute(path).map_err(|e| Failure::file(path, &e));
    let unit = unit(
        &binary,
        &absolute(home.dir())?,
        passphrase_file.map(absolute).transpose()?.as_deref(),
    );
    if print {
        output.data(&serde_json::json!({ "unit": unit }), || unit.clone());
        return Ok(());
    }
    let path =
        unit_path().ok_or_else(|| Failure::general("neither XDG_CONFIG_HOME nor HOME is set"))?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Failure::file(folder, &e))?;
    }
    std::fs::write(&path, unit).map_err(|e| Failure::file(&path, &e))?;
    output.data(&serde_json::json!({ "path": path }), || {
        path.display().to_string()
    });
    output.say("Start it now and at every login with: systemctl --user enable --now comptoir");
    Ok(())
}

fn unit_path() -> Option<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(config.join("systemd/user/comptoir.service"))
}

/// In a unit a `%` opens a specifier and a `"` ends the word: a home that holds one must not change the command.
fn quoted(path: &Path) -> String {
    let text = path
        .display()
        .to_string()
        .replace('%', "%%")
        .replace('\\', "\\\\")
        .replace('"', "\\\"");
    format!("\"{text}\"")
}

fn unit(binary: &Path, home: &Path, passphrase_file: Option<&Path>) -> String {
    let (binary, home) = (quoted(binary), quoted(home));
    let passphrase = passphrase_file
        .map(|file| format!(" --passphrase-file {}", quoted(file)))
        .unwrap_or_default();
    format!(
        "[Unit]\n\
         Description=Comptoir, an end-to-end encrypted messenger\n\
         After=network-online.target\n\n\
         [Service]\n\
         ExecStart={binary} --home {home} up{passphrase}\n\
         Restart=on-failure\n\
         RestartSec=2\n\
         UMask=0077\n\
         NoNewPrivileges=yes\n\
         ProtectSystem=strict\n\
         ReadWritePaths={home} %t\n\
         PrivateTmp=yes\n\
         ProtectKernelTunables=yes\n\
         ProtectKernelModules=yes\n\
         ProtectControlGroups=yes\n\
         RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK\n\
         RestrictNamespaces=yes\n\
         RestrictRealtime=yes\n\
         LockPersonality=yes\n\
         MemoryDenyWriteExecute=yes\n\
         SystemCallArchitectures=native\n\n\
         [Install]\n\
         WantedBy=default.target\n"
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn a_home_cannot_write_lines_into_the_command() {
        let unit = super::unit(
            Path::new("/usr/bin/comptoir"),
            Path::new("/home/a b%h\" --evil"),
            None,
        );
        assert!(
            unit.contains("--home \"/home/a b%%h\\\" --evil\" up\n"),
            "{unit}"
        );
    }
}
