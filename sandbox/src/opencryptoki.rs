//! opencryptoki, with a token in software, or with the stack of 2013: a TPM 1.2 behind TrouSerS.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::private::Private;

/// pkcsslotd with one token in slot 0, in namespaces of its own: opencryptoki's paths are built into it, and so are TrouSerS's. Its state is in
/// the caller's folder and stays there.
///
/// The token is new: not initialised, with the PINs that it is delivered with (87654321 for the security officer, and 12345678 for the
/// user where there is a TPM). PINs have 4 to 8 characters, and three wrong ones lock. Programs reach it only by [`Self::command`].
pub struct Opencryptoki {
    environment: &'static [(&'static str, &'static str)],
    private: Private,
}

/// What both of them need: $1 is the folder for state, $2 the token's library, $3 its folder's name.
const SLOT: &str = r#"
mkdir -p /run/lock/opencryptoki/"$3" "$1"/lib/"$3"/TOK_OBJ "$1"/etc
mount --bind "$1"/lib /var/lib/opencryptoki
mount --bind "$1"/etc /etc/opencryptoki
printf 'version opencryptoki-3.1\nslot 0\n{\nstdll = %s\n}\n' "$2" >/etc/opencryptoki/opencryptoki.conf
pkcsslotd
until [ -S /run/pkcsslotd.socket ]; do sleep 0.02; done
"#;

/// The TPM 1.2 and tcsd before it. tcsd reads only a configuration of root:tss, and becomes the user tss. The storage root key has the
/// well-known secret, and may be read by opencryptoki.
const TPM12: &str = r#"
ip link set lo up
mkdir -p "$1"/tcs "$1"/tpm12
chown tss:tss "$1"/tcs
mount --bind "$1"/tcs /var/lib/tpm
[ -e "$1"/tpm12/tpm-00.permall ] || swtpm_setup --tpmstate "$1"/tpm12 --createek
swtpm socket --tpmstate dir="$1"/tpm12 --flags not-need-init,startup-clear \
    --server type=tcp,port=2321,bindaddr=127.0.0.1 --ctrl type=tcp,port=2322,bindaddr=127.0.0.1 &
for port in 2322 2321; do
    until (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null; do kill -0 $!; sleep 0.02; done
done
install -m 640 -o root -g tss /dev/null /run/tcsd.conf
TCSD_USE_TCP_DEVICE=1 TCSD_TCP_DEVICE_HOSTNAME=127.0.0.1 TCSD_TCP_DEVICE_PORT=2321 tcsd -f -e -c /run/tcsd.conf &
until tpm_version >/dev/null 2>&1; do kill -0 $!; sleep 0.02; done
[ -s "$1"/tcs/owned ] || { tpm_takeownership -y -z; tpm_restrictsrk -z -a; date >"$1"/tcs/owned; }
"#;

/// How opencryptoki's TPM token gets at the storage root key: SHA-1 secrets, and the well-known one, twenty zero bytes.
const SRK_SECRET: &[(&str, &str)] = &[
    ("OCK_SRK_MODE", "TSS_SECRET_MODE_SHA1"),
    ("OCK_SRK_SECRET", "0000000000000000000000000000000000000000"),
];

/// The programs, and Debian's packages that have them.
const PROGRAMS: [(&str, &str); 4] = [
    ("/usr/sbin/pkcsslotd", "opencryptoki"),
    ("/usr/sbin/tcsd", "trousers"),
    ("/usr/sbin/tpm_takeownership", "tpm-tools"),
    ("/bin/ip", "iproute2"),
];

impl Opencryptoki {
    /// Starts the one with a token in software; on the host's network.
    ///
    /// Fails with [`io::ErrorKind::Unsupported`] where the kernel gives no namespaces (see [`Self::refusal`]).
    pub fn soft(folder: &Path) -> io::Result<Self> {
        Self::start(
            folder,
            SLOT,
            ["libpkcs11_sw.so", "swtok"],
            &["--mount", "--ipc", "--pid"],
            &[],
        )
    }

    /// Starts the one whose keys are under a TPM 1.2, which is new and owned with well-known secrets; on a network of its own, since
    /// tcsd listens at every address.
    ///
    /// Fails with [`io::ErrorKind::Unsupported`] where the kernel gives no namespaces (see [`Self::refusal`]).
    pub fn tpm12(folder: &Path) -> io::Result<Self> {
        Self::start(
            folder,
            &[TPM12, SLOT].concat(),
            ["libpkcs11_tpm.so", "tpm"],
            &["--mount", "--ipc", "--pid", "--net"],
            SRK_SECRET,
        )
    }

    /// Why the kernel gives no namespaces to whoever runs this, in its words; `None` where it does.
    pub fn refusal() -> io::Result<Option<String>> {
        Private::refusal(&["--mount", "--ipc", "--pid", "--net"])
    }

    fn start(
        folder: &Path,
        script: &str,
        token: [&str; 2],
        kinds: &[&'static str],
        environment: &'static [(&'static str, &'static str)],
    ) -> io::Result<Self> {
        for (program, package) in PROGRAMS {
            if !Path::new(program).exists() {
                let problem = format!("there is no {program} (Debian: {package})");
                return Err(io::Error::new(io::ErrorKind::NotFound, problem));
            }
        }
        let state = folder.join("opencryptoki");
        fs::create_dir_all(&state)?;
        Ok(Self {
            environment,
            private: Private::start(&state, script, &token, kinds)?,
        })
    }

    /// A command in that folder, with an empty environment but for what the token needs. It sees the token; its files are those of the
    /// host otherwise. It is killed when this, or the process that started it, goes away.
    pub fn command(&self, program: impl AsRef<OsStr>, folder: &Path) -> Command {
        let mut command = self.private.command(program, folder);
        command.envs(self.environment.iter().copied());
        command
    }

    /// The variables with which a program reaches the token.
    pub fn environment(&self) -> &'static [(&'static str, &'static str)] {
        self.environment
    }
}
