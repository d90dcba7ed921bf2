// SPDX-License-Identifier: MIT OR Apache-2.0
//! The systemd user unit, hardened as far as a messenger can be.

use std::path::{Path, PathBuf};

use super::output::Output;
use super::Failure;
use crate::home::Home;

/// Writes the unit for this home, or prints it.
pub(crate) fn install(output: Output, home: &Home, print: bool) -> Result<(), Failure> {
    let binary = std::env::current_exe().map_err(|e| Failure::general(format!("where this program lies is not known: {e}")))?;
    let unit = unit(&binary, home.dir());
    if print {
        output.data(&serde_json::json!({ "unit": unit }), || unit.clone());
        return Ok(());
    }
    let path = unit_path().ok_or_else(|| Failure::general("neither XDG_CONFIG_HOME nor HOME is set"))?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Failure::file(folder, &e))?;
    }
    std::fs::write(&path, unit).map_err(|e| Failure::file(&path, &e))?;
    output.data(&serde_json::json!({ "path": path }), || path.display().to_string());
    output.say("Start it now and at every login with: systemctl --user enable --now comptoir");
    Ok(())
}

fn unit_path() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(config.join("systemd/user/comptoir.service"))
}

/// In a unit a `%` opens a specifier and a `"` ends the word: a home that holds one must not change the command.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string().replace('%', "%%").replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"")
}

fn unit(binary: &Path, home: &Path) -> String {
    let (binary, home) = (quoted(binary), quoted(home));
    format!(
        "[Unit]\n\
         Description=Comptoir, an end-to-end encrypted messenger\n\
         After=network-online.target\n\n\
         [Service]\n\
         ExecStart={binary} --home {home} up\n\
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
        let unit = super::unit(Path::new("/usr/bin/comptoir"), Path::new("/home/a b%h\" --evil"));
        assert!(unit.contains("--home \"/home/a b%%h\\\" --evil\" up\n"), "{unit}");
    }
}
