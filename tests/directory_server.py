"""A real directory, OpenLDAP's slapd, on this machine, with a few people in it."""

import base64
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BASE = "dc=school,dc=org"
PEOPLE, GROUP = f"ou=people,{BASE}", f"cn=poets,ou=groups,{BASE}"
SERVICE, SERVICE_PASSWORD = f"cn=service,{BASE}", "service-secret"
PASSWORDS = {
    "anna": "annas-password",
    "bert": "berts-password",
    "owner": "the-other-owner",
    "müller": "müllers-password",
}
SLAPD = shutil.which("slapd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/usr/libexec")
MODULES = next((path for path in ("/usr/lib/ldap", "/usr/lib64/openldap") if Path(path).is_dir()), "")
SCHEMAS = next((path for path in ("/etc/ldap/schema", "/etc/openldap/schema") if Path(path).is_dir()), "")

CONFIGURATION = f"""
include {SCHEMAS}/core.schema
include {SCHEMAS}/cosine.schema
include {SCHEMAS}/inetorgperson.schema
pidfile {{folder}}/pid
modulepath {MODULES}
moduleload back_mdb
database mdb
suffix "{BASE}"
directory {{folder}}/data
maxsize 10485760
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{SERVICE}" read by * none
"""


def describe() -> str:
    """Return the entries as LDIF."""
    people = [
        {
            "dn": f"uid={name},{PEOPLE}",
            "objectClass": "inetOrgPerson",
            **dict.fromkeys(("uid", "cn", "sn"), name),
            "mail": "anna@school.org" if name == "anna" else "somebody@school.org",
            "userPassword": password,
        }
        for name, password in PASSWORDS.items()
    ]
    entries: list[dict[str, str | list[str]]] = [
        {"dn": BASE, "objectClass": ["dcObject", "organization"], "o": "School", "dc": "school"},
        {"dn": PEOPLE, "objectClass": "organizationalUnit", "ou": "people"},
        {"dn": f"ou=groups,{BASE}", "objectClass": "organizationalUnit", "ou": "groups"},
        {
            "dn": SERVICE,
            "objectClass": ["organizationalRole", "simpleSecurityObject"],
            "cn": "service",
            "userPassword": SERVICE_PASSWORD,
        },
        *people,
        {"dn": GROUP, "objectClass": "groupOfNames", "cn": "poets", "member": f"uid=anna,{PEOPLE}"},
    ]
    return "\n\n".join(_write_entry(entry) for entry in entries) + "\n"


def _write_entry(entry: dict[str, str | list[str]]) -> str:
    lines = []
    for name, values in entry.items():
        for value in [values] if isinstance(values, str) else values:
            lines.append(f"{name}:: {base64.b64encode(value.encode()).decode()}")
    return "\n".join(lines)


@contextmanager
def running() -> Iterator[str]:
    """Run the directory, and give its address."""
    assert SLAPD is not None
    with tempfile.TemporaryDirectory(prefix="slapd-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        (folder / "slapd.conf").write_text(CONFIGURATION.format(folder=folder))
        (folder / "people.ldif").write_text(describe())
        file, people = ["-f", str(folder / "slapd.conf")], str(folder / "people.ldif")
        subprocess.run([SLAPD, "-T", "add", *file, "-l", people], check=True, capture_output=True)
        port = _free_port()
        address = f"ldap://127.0.0.1:{port}"
        with subprocess.Popen([SLAPD, *file, "-h", address, "-d", "0"], stderr=subprocess.DEVNULL) as process:
            try:
                _wait_for(port)
                yield address
            finally:
                process.terminate()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("slapd does not answer")
