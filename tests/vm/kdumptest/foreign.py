# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels that this machine's own apt does not offer: of another architecture or another Debian suite. Fetched through
an apt of their own, unpacked into the cache, never installed."""
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import cross, host, kernels, suite

_APT = """Dir::State::lists "{root}/lists";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
Dir::Etc::sourcelist "{root}/sources.list";
Dir::Etc::sourceparts "-";
Acquire::Check-Valid-Until "false";
APT::Sandbox::User "root";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
"""


@dataclass(frozen=True)
class Source:
    """Where a kernel comes from."""
    architecture: str
    suite: str
    package: str  # that depends on the newest kernel of its kind


# Short name -> source.
NAMES = {
    "arm64-6.1": Source("arm64", "bookworm", "linux-image-arm64"),
    "arm64-6.12": Source("arm64", "trixie", "linux-image-arm64"),
    "arm64-6.12-16k": Source("arm64", "trixie", "linux-image-arm64-16k"),
    "5.10": Source("amd64", "bullseye", "linux-image-amd64"),
    "5.10-cloud": Source("amd64", "bullseye", "linux-image-cloud-amd64"),
    "newest": Source("amd64", "sid", "linux-image-amd64"),
    "newest-cloud": Source("amd64", "sid", "linux-image-cloud-amd64"),
}


@dataclass(frozen=True)
class Kernel(kernels.Kernel):
    """As all are; what else there is of it comes from @source, too."""
    source: Source | None = None

    def vmlinux(self):
        path = self.home / "vmlinux"
        if not path.exists():
            host.say(f"fetching the debugging symbols of {self.release}")
            with _Apt(self.source) as apt, host.being_made(path) as draft:
                package = apt.download(f"linux-image-{self.release}-dbg")
                member = f"./usr/lib/debug/boot/vmlinux-{self.release}"
                host.run("bash", "-c", 'set -o pipefail; dpkg-deb --fsys-tarfile "$1" | tar -xOf - "$2" >"$3"', "-",
                         package, member, draft)
        return path

    def build_words(self):
        target = cross.TARGETS.get(self.source.architecture)
        return [f"ARCH={target.name}", f"CROSS_COMPILE={target.triplet}-"] if target else super().build_words()

    def _headers(self, draft):
        with _Apt(self.source) as apt:
            packages = apt.depends(f"linux-headers-{self.release}")
            for package in (f"linux-headers-{self.release}", *(name for name in packages if name.endswith("-common"))):
                host.run("dpkg-deb", "-x", apt.download(package), draft)
        # These are programs that run here.
        with _Apt(Source("amd64", self.source.suite, "")) as apt:
            for package in (name for name in packages if name.startswith("linux-kbuild-")):
                host.run("dpkg-deb", "-x", apt.download(package), draft)


def named(name):
    """The kernel of a short name of NAMES, or of kernels.NAMES."""
    if name not in NAMES:
        return kernels.named(name)
    link = host.CACHE / "kernels" / name
    with host.locked(host.CACHE / "kernels" / ".lock"):
        if not (link / "version").exists():
            link.unlink(missing_ok=True)
            link.symlink_to(_fetch(NAMES[name]).name)
    home = link.resolve()
    return Kernel(home.name, home / "vmlinuz", home / "lib/modules" / home.name, home, NAMES[name])


def _fetch(source):
    with _Apt(source) as apt:
        image = apt.newest_image()
        release = image.removeprefix("linux-image-")
        home = host.CACHE / "kernels" / release
        if not (home / "version").exists():
            host.say(f"fetching {image} ({source.architecture})")
            with host.being_made(home) as draft:
                for package in apt.parts(image):
                    host.run("dpkg-deb", "-x", apt.download(package), draft)
                if not (draft / "lib").exists():
                    (draft / "lib").symlink_to("usr/lib")
                shutil.move(_boot_image(draft, release), draft / "vmlinuz")
                host.run(host.need("depmod", "kmod"), "-b", draft, release)
                (draft / "version").write_text(f"{source.suite}\n", encoding="ascii")
        return home


def _boot_image(draft, release):
    """Where a kernel's packages have put it: newer ones keep /boot for the machine's own files."""
    places = draft / f"boot/vmlinuz-{release}", draft / f"lib/modules/{release}/vmlinuz"
    for place in places:
        if place.exists():
            return place
    raise host.Failure(f"{release}: its packages have no vmlinuz")


class _Apt:
    """An apt that knows of nothing installed, and of one suite and architecture only."""

    def __init__(self, source):
        self._source = source

    def __enter__(self):
        host.CACHE.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(prefix=".apt.", dir=host.CACHE)
        root = Path(self._folder.name)
        for folder in ("lists/partial", "cache/archives/partial"):
            (root / folder).mkdir(parents=True)
        (root / "status").touch()
        (root / "apt.conf").write_text(_APT.format(root=root, architecture=self._source.architecture),
                                       encoding="ascii")
        (root / "sources.list").write_text(suite.source(self._source.suite, self._source.architecture),
                                           encoding="ascii")
        self._environment = os.environ | {"APT_CONFIG": str(root / "apt.conf")}
        try:
            self._apt("apt-get", "-q", "update")
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(self, *_):
        self._folder.cleanup()

    def newest_image(self):
        """The kernel package that the meta package depends on."""
        for package in self.depends(self._source.package):
            if package.startswith("linux-image-"):
                return package
        raise host.Failure(f"{self._source.package}: depends on no kernel image in {self._source.suite}")

    def parts(self, image):
        """The packages that the kernel package @image consists of: Debian 14 has its files in others."""
        release = image.removeprefix("linux-image-")
        return [image, *(name for name in self.depends(image) if name.endswith(release))]

    def depends(self, package):
        """Packages -> exact versions ('' for any) that @package depends on."""
        return kernels.depends_of(self._apt("apt-cache", "show", "--no-all-versions", package))

    def download(self, package):
        """The file of a package; there until the block ends."""
        place = Path(self._folder.name)
        self._apt("apt-get", "-q", "download", package, cwd=place)
        return next(place.glob(f"{package}_*.deb"))

    def _apt(self, *words, **options):
        return host.run(*words, env=self._environment, **options)
