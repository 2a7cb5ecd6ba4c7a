# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers on this host, which guests reach at 10.0.2.2 through QEMU's user network."""
import contextlib
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
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
	NFS_Port = {port}; Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false; Bind_addr = {address};
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

_NGINX = """
load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
daemon off;
worker_processes 1;
user root;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log info;
events {{ }}
http {{
	access_log {folder}/access.log;
	client_body_temp_path {folder}/dumps/.body;
	client_max_body_size 0;
	server {{
		listen 127.0.0.1:{port} ssl;
		ssl_certificate {identity}.pem;
		ssl_certificate_key {identity}.key;
		root {folder};
		location /dumps/ {{
			dav_methods PUT DELETE MKCOL MOVE;
			dav_ext_methods PROPFIND;
			auth_basic kdump;
			auth_basic_user_file {folder}/users;
		}}
	}}
}}
"""

# One replica of everything in one directory. S3's keys are those of tempauth: "ACCOUNT:USER" and its password.
_SWIFT = {
    "swift": "[swift-hash]\nswift_hash_path_prefix = kdump\nswift_hash_path_suffix = kdump\n",
    "account": "[DEFAULT]\n{common}\n[pipeline:main]\npipeline = account-server\n[app:account-server]\nuse = egg:swift#account\n",
    "container": "[DEFAULT]\n{common}\n[pipeline:main]\npipeline = container-server\n[app:container-server]\nuse = egg:swift#container\n",
    "object": "[DEFAULT]\n{common}\n[pipeline:main]\npipeline = object-server\n[app:object-server]\nuse = egg:swift#object\n",
    "proxy": """[DEFAULT]
{common}
cert_file = {identity}.pem
key_file = {identity}.key
[pipeline:main]
pipeline = catch_errors cache s3api tempauth slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_kdump_dumps = {secret} .admin
storage_url_scheme = https
[filter:slo]
use = egg:swift#slo
""",
}

SECRET = "dumps-secret"  # of the user that web and S3 servers know


def free_port():
    """A port of this host that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for_port(server, port, log, address="127.0.0.1"):
    deadline = time.monotonic() + 30 * host.PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
            return
        time.sleep(0.1)
    raise host.Failure(f"the server does not listen: {log.read_text(errors='replace')[-500:] if log.exists() else ''}")


@contextlib.contextmanager
def nfs(folder, access="RW", address="127.0.0.1"):
    """Export @folder as /dumps by NFS 4 at @address; its port and process. @access: ganesha's word for what clients may
    do."""
    port = free_port()
    conf, log = folder.with_suffix(".conf"), folder.with_suffix(".log")
    conf.write_text(_GANESHA.format(port=port, folder=folder, access=access, address=address), encoding="utf-8")
    daemon = host.need("ganesha.nfsd", "nfs-ganesha nfs-ganesha-vfs")
    with subprocess.Popen(["setpriv", "--pdeathsig", "KILL", daemon, "-F", "-f", conf, "-L", log,
                           "-p", folder.with_suffix(".pid")], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for_port(server, port, log, address)
            yield port, server
        finally:
            server.kill()


@contextlib.contextmanager
def iscsi(image):
    """tgt offers @image by iSCSI as LUN 1 of iqn.2026-11.example:dumps; its port and process. CHAP: user "kdump", password
    "chap-secret-0123"; for the server "server" and "server-secret-01"."""
    port = free_port()
    control = str(port % 32768)  # a number of its own for its socket
    daemon, tool, log = host.need("tgtd", "tgt"), host.need("tgtadm", "tgt"), image.with_suffix(".log")
    Path("/run/tgtd").mkdir(exist_ok=True)

    def tell(mode, operation, *words):
        host.run(tool, "-C", control, "--lld", "iscsi", "--mode", mode, "--op", operation, *words)

    with open(log, "wb") as said, subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", daemon, "-f", "-C", control, "--iscsi", f"portal=127.0.0.1:{port}"],
            stdout=said, stderr=said) as server:
        try:
            _wait_for_port(server, port, log)
            tell("target", "new", "--tid", "1", "-T", "iqn.2026-11.example:dumps")
            tell("logicalunit", "new", "--tid", "1", "--lun", "1", "-b", image)
            tell("target", "bind", "--tid", "1", "-I", "ALL")
            for user, password, words in (("kdump", "chap-secret-0123", []), ("server", "server-secret-01", ["--outgoing"])):
                tell("account", "new", "--user", user, "--password", password)
                tell("account", "bind", "--tid", "1", "--user", user, *words)
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


def certificate(folder, name):
    """An authority of our own, @folder/ca.pem, and a certificate of it for the server @name: server.pem, server.key."""
    openssl = host.need("openssl", "openssl")
    conf = folder / "openssl.cnf"
    conf.write_text("[req]\ndistinguished_name=dn\n[dn]\n[ca]\nbasicConstraints=critical,CA:true\n"
                    f"keyUsage=keyCertSign\n[server]\nsubjectAltName=DNS:{name}\n", encoding="ascii")
    for who, words in (("ca", ["-x509", "-extensions", "ca", "-days", "3650", "-out", folder / "ca.pem"]),
                       ("server", ["-out", folder / "server.csr"])):
        host.run(openssl, "req", "-config", conf, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-subj", f"/CN=kdump {who}", "-keyout", folder / f"{who}.key", *words)
    host.run(openssl, "x509", "-req", "-in", folder / "server.csr", "-CA", folder / "ca.pem", "-CAkey",
             folder / "ca.key", "-CAcreateserial", "-days", "3650", "-extfile", conf, "-extensions", "server", "-out",
             folder / "server.pem")


@contextlib.contextmanager
def nginx(folder, port, identity="server", secret=SECRET):
    """nginx with WebDAV and TLS; its process. @folder/dumps is https://NAME:PORT/dumps for the user "kdump" with the password
    @secret; @identity: of @folder, what certificate() has made."""
    (folder / "users").write_text(f"kdump:{{PLAIN}}{secret}\n", encoding="ascii")
    conf, log = folder / "nginx.conf", folder / "nginx.log"
    conf.write_text(_NGINX.format(port=port, folder=folder, identity=folder / identity), encoding="ascii")
    daemon = host.need("nginx", "nginx libnginx-mod-http-dav-ext")
    with subprocess.Popen(["setpriv", "--pdeathsig", "KILL", daemon, "-c", conf], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for_port(server, port, log)
            yield server
        finally:
            server.terminate()


@contextlib.contextmanager
def https(folder, name):
    """The same for the host @name, with an authority of its own, @folder/ca.pem; its port."""
    port = free_port()
    certificate(folder, name)
    (folder / "dumps").mkdir()
    with nginx(folder, port):
        yield port


def swift_rings(folder):
    """In @folder: where OpenStack Swift finds the one replica of everything, at ports that are returned; for swift()."""
    ports = {what: free_port() for what in (*_SWIFT, "memcached")}
    builder = host.need("swift-ring-builder", "swift swift-proxy swift-account swift-container swift-object memcached")
    for what in ("account", "container", "object"):
        ring = folder / f"{what}.builder"
        host.run(builder, ring, "create", "1", "1", "1")
        host.run(builder, ring, "add", f"r1z1-127.0.0.1:{ports[what]}/disk", "1")
        host.run(builder, ring, "rebalance")
    return ports


@contextlib.contextmanager
def swift(folder, ports, devices, identity="server", secret=SECRET):
    """OpenStack Swift with its S3 interface and TLS; the process at ports["proxy"]. @devices: a directory with the directory
    "disk"; @identity: of @folder, what certificate() has made. The access key is "kdump:dumps", the secret key @secret, the
    region us-east-1."""
    for what, text in _SWIFT.items():
        common = (f"bind_ip = 127.0.0.1\nbind_port = {ports[what]}\nworkers = 0\nuser = root\nswift_dir = {folder}\n"
                  f"devices = {devices}\nmount_check = false\nlog_level = INFO\nlog_address = {folder}/none\n")
        (folder / f"{what}.conf").write_text(text.format(
            common=common, identity=folder / identity, secret=secret, memcached=ports["memcached"]), encoding="ascii")
    commands = [["memcached", "-u", "root", "-l", "127.0.0.1", "-p", str(ports["memcached"])]]
    commands += [[f"swift-{what}-server", folder / f"{what}.conf"] for what in ("account", "container", "object", "proxy")]
    log = folder / "swift.log"
    with contextlib.ExitStack() as stack, open(log, "wb") as output:
        for command in commands:
            # Swift reads /etc/swift/swift.conf, wherever its other files are.
            server = stack.enter_context(subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c",
                 'mount --bind "$1" /etc/swift && shift && exec "$@"', "sh", folder, *command],
                stdout=output, stderr=output))
            stack.callback(server.kill)
        for what in ("memcached", "account", "container", "object", "proxy"):
            _wait_for_port(server, ports[what], log)
        yield server


@contextlib.contextmanager
def s3(folder, name):
    """The same for the host @name, with an authority of its own, @folder/ca.pem; its port. There is no bucket yet."""
    certificate(folder, name)
    devices = folder / "devices"
    (devices / "disk").mkdir(parents=True)
    ports = swift_rings(folder)
    with swift(folder, ports, devices):
        yield ports["proxy"]


def swift_call(port, method, path, data=None):
    """An object ("/BUCKET/KEY") or bucket of swift() by Swift's own protocol: what it says, or None. @data: to be put there."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    top = f"https://127.0.0.1:{port}"

    def ask(verb, url, headers, body=None):
        return urllib.request.urlopen(urllib.request.Request(url, body, headers, method=verb), context=context,
                                      timeout=60 * host.PATIENCE)

    with ask("GET", f"{top}/auth/v1.0", {"X-Auth-User": "kdump:dumps", "X-Auth-Key": SECRET}) as answer:
        token = answer.headers["X-Auth-Token"]
    try:
        with ask(method, f"{top}/v1/AUTH_kdump{urllib.parse.quote(path)}", {"X-Auth-Token": token}, data) as answer:
            return answer.read()
    except urllib.error.HTTPError:
        return None
