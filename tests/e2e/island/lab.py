"""Networks and a container for the island's proof, all of them removed at the end.

A lab has a sink namespace, which stands for the world outside, and one pair of interfaces from it to whatever
namespace is under test. Addresses are those for documentation (RFC 5737, RFC 3849): nothing leaves the machine
even if a wall had a hole.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
SINK4, SINK6 = "192.0.2.1", "2001:db8::1"
CLIENT4 = "192.0.2.9"
INSIDE4, INSIDE6 = "192.0.2.2", "2001:db8::2"
CLONE_NEWNET = 0x40000000
BOOT_SECONDS = 180
ANSWER_SECONDS = 60


class Unavailable(Exception):
    """This machine cannot run the proof; the text says why."""


def command(*words, check=True, **options):
    result = subprocess.run(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            stdin=subprocess.DEVNULL, **options)
    if check and result.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: exit {result.returncode}: {result.stdout.strip()}")
    return result.stdout


def wait_until(what, condition, seconds):
    """Polls until condition() is true; what it waits for lies in other processes."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(0.05)
    return value


def in_network(path, function):
    """function() in a thread of its own that stands in the network namespace at `path`."""
    outcome = []

    def enter():
        try:
            with open(path, "rb") as space:
                if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"setns {path}")
            outcome.append((function(), None))
        except Exception as error:  # carried over to the caller's thread
            outcome.append((None, error))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    value, error = outcome[0]
    if error:
        raise error
    return value


class Lab:
    """Use with `with`. Not thread-safe."""

    def __init__(self):
        self.name = f"skerry{os.getpid()}"
        self.stack = contextlib.ExitStack()
        self.fences = 0

    def __enter__(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda received, _: sys.exit(128 + received))
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="skerry-island-"))
        self.stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        try:
            self.sink = self.namespace("sink")
        except RuntimeError as error:
            self.stack.close()
            raise Unavailable(f"no network namespaces can be made: {error}") from error
        return self

    def __exit__(self, *_):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self.stack.close()

    def namespace(self, role):
        """A new namespace with loopback up; its path."""
        name = f"{self.name}-{role}"
        command("ip", "netns", "add", name)
        self.stack.callback(command, "ip", "netns", "del", name, check=False)
        command("ip", "-n", name, "link", "set", "lo", "up")
        return f"/run/netns/{name}"

    def start(self, words, **options):
        """A child that is ended with the lab, unless it ended before."""
        child = subprocess.Popen(words, text=True, **options)

        def end():
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(20)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()

        self.stack.callback(end)
        return child

    def connect(self, inside):
        """Leads a pair of interfaces from the sink to the namespace at path `inside`, and starts the sink."""
        here, there = f"sk{os.getpid()}a", f"sk{os.getpid()}b"
        enter = ("nsenter", f"--net={self.sink}")
        command(*enter, "ip", "link", "add", here, "type", "veth", "peer", "name", there)
        command(*enter, "ip", "link", "set", there, "netns", self.attachable(inside))
        self.address(self.sink, here, (SINK4 + "/24", CLIENT4 + "/24"), SINK6 + "/64")
        self.address(inside, there, (INSIDE4 + "/24",), INSIDE6 + "/64")
        self.link = here
        self.inside = inside
        for family, gateway in (("-4", SINK4), ("-6", SINK6)):
            command("nsenter", f"--net={inside}", "ip", family, "route", "add", "default", "via", gateway)
        # Ordinary processes may ping: without it the control could not show that this way exists.
        command("nsenter", f"--net={inside}", "sh", "-c",
                "echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range")
        self.log = self.directory / f"packets-{here}"
        self.sink_process = self.start([*enter, sys.executable, HERE / "sink.py", here, SINK4, SINK6,
                                        self.log],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.sink_process.stdout.readline().strip() != "ready":
            raise RuntimeError("the sink did not start")

    def disconnect(self):
        """Takes sink and pair away again, so that another namespace can be connected."""
        self.sink_process.stdin.close()
        self.sink_process.wait(ANSWER_SECONDS)
        command("nsenter", f"--net={self.sink}", "ip", "link", "del", self.link)

    def attachable(self, path):
        """A name for `path` that `ip link set netns` takes."""
        if path.startswith("/run/netns/"):
            return os.path.basename(path)
        return path.split("/")[2]  # /proc/PID/ns/net

    def address(self, space, interface, addresses4, address6):
        enter = ("nsenter", f"--net={space}", "ip")
        for address in addresses4:
            command(*enter, "address", "add", address, "dev", interface)
        command(*enter, "-6", "address", "add", address6, "dev", interface, "nodad")
        command(*enter, "link", "set", interface, "up")

    def mark(self):
        """Waits until the sink has noted all that was sent so far; the place in its notes."""
        self.fences += 1
        port = 20000 + self.fences

        def send():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as fence:
                fence.sendto(b"fence", (SINK4, port))

        in_network(self.inside, send)

        def seen():
            for index, packet in enumerate(self.packets(0)):
                if packet["destination_port"] == port:
                    return index + 1
            return None

        return wait_until("the sink's note of a packet", seen, ANSWER_SECONDS)

    def packets(self, since):
        """What came to the sink after a mark."""
        text = self.log.read_text("ascii")
        whole = text[: text.rfind("\n") + 1]  # a line that is just being written belongs to the next look
        return [json.loads(line) for line in whole.splitlines()[since:]]

    def strays(self, since, port):
        """Packets after a mark other than those of the service's connections with the client, and fences."""
        return [packet for packet in self.packets(since)
                if not (packet["protocol"] == 6 and packet["source_port"] == port
                        and packet["destination"] == CLIENT4)
                and not (packet["protocol"] == 17 and 20000 < (packet["destination_port"] or 0) < 21000)]


class Container:
    """A booted Debian in the lab."""

    def __init__(self, lab, base):
        self.lab = lab
        self.root = lab.directory / "root"
        command("cp", "-a", "--reflink=auto", base, self.root)

    def install(self, source, target, mode=0o755):
        """Copies a file in, and for a program the shared libraries that the root lacks."""
        place = self.root / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)
        place.chmod(mode)
        for line in command("ldd", source, check=False).splitlines():
            words = line.split()
            if len(words) > 2 and words[1] == "=>" and words[2].startswith("/"):
                library = self.root / words[2].lstrip("/")
                if not library.exists():
                    library.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(words[2], library)

    def write(self, target, text, mode=0o644):
        place = self.root / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "ascii")
        place.chmod(mode)

    def read(self, target):
        return (self.root / target.lstrip("/")).read_text("ascii", errors="replace")

    def exists(self, target):
        return (self.root / target.lstrip("/")).exists()

    def remove(self, target):
        (self.root / target.lstrip("/")).unlink(missing_ok=True)

    def boot(self):
        output = open(self.lab.directory / "console", "w+", encoding="utf-8", errors="replace")
        self.nspawn = self.lab.start(
            ["systemd-nspawn", "-D", self.root, f"--machine={self.lab.name}", "--boot", "--register=no",
             "--keep-unit", "--console=pipe", "--private-network", "--link-journal=no", "--capability=all",
             "--system-call-filter=bpf", "--system-call-filter=@aio"],
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        def leader():
            if self.nspawn.poll() is not None:
                output.seek(0)
                raise Unavailable("systemd-nspawn cannot boot a container here: "
                                  + output.read().strip()[-400:])
            # nspawn has a helper child for a moment; the container's first process is number 1 inside.
            with contextlib.suppress(OSError, IndexError):
                children = pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text()
                for pid in children.split():
                    status = pathlib.Path(f"/proc/{pid}/status").read_text()
                    numbers = [line for line in status.splitlines() if line.startswith("NSpid:")][0].split()
                    if len(numbers) > 2 and numbers[-1] == "1":
                        return pid
            return None

        self.pid = wait_until("the container's first process", leader, ANSWER_SECONDS)
        state = ""

        def booted():
            nonlocal state
            state = self.run("systemctl", "is-system-running", check=False).strip()
            return state in ("running", "degraded")

        try:
            wait_until("the container's boot", booted, BOOT_SECONDS)
        except RuntimeError as error:
            raise Unavailable(f"{error} (it says: {state})") from error
        self.network = f"/proc/{self.pid}/ns/net"
        self.lab.stack.callback(self.shut_down)

    def shut_down(self):
        self.run("systemctl", "poweroff", "--no-block", check=False)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.nspawn.wait(20)

    def run(self, *words, check=True):
        """Runs a command as root in the container, in all its namespaces."""
        return command("nsenter", "-t", self.pid, "-a", *words, check=check)

    def listen(self, path):
        """A listening Unix socket at `path` in the container, as a host's daemon would have."""
        place = pathlib.Path(f"/proc/{self.pid}/root{path}")
        if place.exists():
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(place))
        place.chmod(0o666)
        listener.listen(8)
        self.lab.stack.callback(listener.close)

    def listen_abstract(self, name):
        def make():
            listener = socket.socket(socket.AF_UNIX)
            listener.bind("\0" + name)
            listener.listen(8)
            return listener

        self.lab.stack.callback(in_network(self.network, make).close)


def base_root(cache):
    """A small Debian 12 below `cache`, made once; the machine's own package source is used."""
    root = cache / "root"
    if (cache / "complete").exists():
        return root
    if shutil.which("debootstrap") is None:
        raise Unavailable("no debootstrap")
    formats = "$(REPO_URI) $(CODENAME) $(COMPONENT) $(ORIGIN)"
    sources = [line.split() for line in command(
        "apt-get", "indextargets", "--format", formats, "Created-By: Packages", check=False).splitlines()]
    mirrors = [words[0] for words in sources if words[1:] == ["bookworm", "main", "Debian"]]
    if not mirrors:
        raise Unavailable("apt knows no source of Debian 12 packages")
    shutil.rmtree(root, ignore_errors=True)
    cache.mkdir(parents=True, exist_ok=True)
    result = subprocess.run(
        ["debootstrap", "--variant=minbase", "--cache-dir=/var/cache/apt/archives",
         "--include=systemd,systemd-sysv", "bookworm", root, mirrors[0]],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    if result.returncode != 0:
        raise Unavailable("debootstrap failed (package registry not reachable?): "
                          + result.stdout.strip()[-300:])
    for spare in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man"):
        shutil.rmtree(root / spare, ignore_errors=True)
    (cache / "complete").write_text("")
    return root
