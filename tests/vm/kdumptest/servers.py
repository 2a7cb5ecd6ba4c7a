# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers on this host, which guests reach at 10.0.2.2 through QEMU's user network."""
import contextlib
import socket
import subprocess
import time
from pathlib import Path

from . import host

# QEMU's words for a guest's network device; the guest has 10.0.2.15/24.
NETWORK = ["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,mac=52:54:00:6b:64:01"]
# A second one, with 10.0.3.15/24: there the host is 10.0.3.2.
SECOND_NETWORK = ["-netdev", "user,id=second,net=10.0.3.0/24", "-device",
                  "virtio-net-pci,netdev=second,mac=52:54:00:6b:64:02"]

_SSHD = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/{identity}
AuthorizedKeysFile {folder}/{authorized}.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
"""

_GANESHA = """
NFS_CORE_PARAM {{
	NFS_Port = {port}; Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false; Bind_addr = 127.0.0.1;
}}
NFSV4 {{ Graceless = true; Lease_Lifetime = 10; RecoveryBackend = fs; }}
NFS_KRB5 {{ Active_krb5 = false; }}
EXPORT {{
	Export_Id = 1; Path = {folder}; Pseudo = /dumps; Access_Type = {access}; Squash = No_Root_Squash; SecType = sys;
	Transports = TCP;
	FSAL {{ Name = VFS; }}
}}
LOG {{ Default_Log_Level = EVENT; }}
"""


def free_port():
    """A port of this host that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for_port(server, port, log):
    deadline = time.monotonic() + 30 * host.PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise host.Failure(f"the server does not listen: {log.read_text(errors='replace')[-500:] if log.exists() else ''}")


@contextlib.contextmanager
def nfs(folder, access="RW"):
    """Export @folder as /dumps by NFS 4; its port and process. @access: ganesha's word for what clients may do."""
    port = free_port()
    conf, log = folder.with_suffix(".conf"), folder.with_suffix(".log")
    conf.write_text(_GANESHA.format(port=port, folder=folder, access=access), encoding="utf-8")
    daemon = host.need("ganesha.nfsd", "nfs-ganesha nfs-ganesha-vfs")
    with subprocess.Popen(["setpriv", "--pdeathsig", "KILL", daemon, "-F", "-f", conf, "-L", log,
                           "-p", folder.with_suffix(".pid")], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for_port(server, port, log)
            yield port, server
        finally:
            server.kill()


def ssh_key(path):
    """A new key @path, and @path with ".pub"."""
    path.unlink(missing_ok=True)
    host.run(host.need("ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", path)


def ssh_client(folder, port):
    """Keys of a server and of its client in @folder; known_hosts and config for a guest's /root/.ssh, for a server at
    @port."""
    for name in ("host", "key"):
        ssh_key(folder / name)
    key = (folder / "host.pub").read_text(encoding="ascii")
    (folder / "known_hosts").write_text(f"[10.0.2.2]:{port} {key}", encoding="ascii")
    (folder / "config").write_text(f"Host dumps\n\tHostname 10.0.2.2\n\tPort {port}\n\tUser root\n", encoding="ascii")


def ssh_files(folder):
    """What ssh_client() has made in @folder for a guest, as files of a Scenario."""
    return [(f"root/.ssh/{name}", folder / source, 0o600) for name, source in
            (("kdump_id_ed25519", "key"), ("known_hosts", "known_hosts"), ("config", "config"))]


@contextlib.contextmanager
def sshd(folder, port, identity="host", authorized="key"):
    """OpenSSH's server with what ssh_client() has made; its process. @identity, @authorized: names of keys."""
    conf, log = folder / "sshd.conf", folder / "sshd.log"
    conf.write_text(_SSHD.format(port=port, folder=folder, identity=identity, authorized=authorized), encoding="ascii")
    daemon = host.need("sshd", "openssh-server")
    Path("/run/sshd").mkdir(exist_ok=True)
    with subprocess.Popen(["setpriv", "--pdeathsig", "KILL", daemon, "-D", "-f", conf, "-E", log],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for_port(server, port, log)
            yield server
        finally:
            server.kill()


@contextlib.contextmanager
def fence_kdump(folder):
    """A cluster's node that waits for the guest's message, which comes through QEMU from this host; its port and a function
    that says what it has heard (good, text)."""
    port, log = free_port(), folder / "fence_kdump.log"
    program = host.need("fence_kdump", "fence-agents")
    with open(log, "wb") as said, subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", program, "-n", "127.0.0.1", "-f", "ipv4", "-p", str(port), "-o", "off",
             "-t", "7200", "-v", "-v"], stdout=said, stderr=said) as listener:
        def heard():
            code = listener.poll()
            return code == 0, f"fence_kdump: exit status {code}, {log.read_text(errors='replace').strip()[-200:]!r}"
        try:
            yield port, heard
        finally:
            listener.kill()


@contextlib.contextmanager
def ssh(folder):
    """OpenSSH's server with new keys; its port."""
    port = free_port()
    ssh_client(folder, port)
    with sshd(folder, port):
        yield port
