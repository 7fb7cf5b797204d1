"""The processes of a running site."""

import psutil

from tests.site import Site


def family(site: Site) -> list[psutil.Process]:
    """List the site's processes, parents first; none if it has ended."""
    assert site.process is not None
    try:
        whole = psutil.Process(site.process.pid)
        return [whole, *whole.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def processes(site: Site, *words: str) -> list[psutil.Process]:
    """List the site's living processes whose command line has all these words, parents first."""
    return [one for one in family(site)[1:] if lives(one) and all(word in command_line(one) for word in words)]


def lives(process: psutil.Process) -> bool:
    """Return whether it runs and is no zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def command_line(process: psutil.Process) -> list[str]:
    """Return its arguments, none if it has gone."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # or a zombie by now
        return []


def below(parents: list[psutil.Process]) -> list[psutil.Process]:
    """List the living children of these processes."""
    found = []
    for parent in filter(lives, parents):
        try:
            found += [child for child in parent.children() if lives(child)]
        except psutil.NoSuchProcess:
            continue
    return found


def find_valkey(site: Site) -> list[psutil.Process]:
    """List the embedded Valkey, if it lives."""
    return [one for one in family(site) if lives(one) and "valkey-server" in one.name()]


def kill_worker(site: Site, name: str) -> None:
    """Kill a worker with its children, but not what would restart it; return when they are gone."""
    killed = [one for one in processes(site, "celery", f"{name}@%h") if "poetsweb.supervise" not in command_line(one)]
    for process in killed:
        process.kill()
    site.wait(lambda: not any(map(lives, killed)), 30)
