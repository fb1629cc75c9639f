"""coturn's server in a namespace, and the certificates for it."""

import os
import re
import subprocess
import time

USER, PASSWORD, REALM = "interop", "secret", "coturn.test"
# Seconds until it has to listen, and until it has to have said what is waited for.
PATIENCE = 10


class Coturn:
    """`turnserver` with long-term credentials at all addresses of a host, over UDP, TCP and TLS."""

    PORT, TLS_PORT = 3478, 5349

    def __init__(self, host, folder, *options, tls_port=TLS_PORT):
        self.host, self.tls_port = host, tls_port
        self.log_file = os.path.join(folder, "coturn.log")
        listen = [word for address in host.addresses.values() for word in ("-L", address)]
        self.command = ["turnserver", "-n", "--verbose", "--log-file", "stdout", "--no-cli", "--no-dtls"]
        self.command += ["-b", os.path.join(folder, "turndb"), "--pidfile", os.path.join(folder, "turnserver.pid")]
        self.command += ["-a", "-u", f"{USER}:{PASSWORD}", "-r", REALM, *listen]
        self.command += ["-p", str(self.PORT), "--tls-listening-port", str(tls_port)]
        self.command += ["--cert", f"{folder}/cert.pem", "--pkey", f"{folder}/key.pem", *options]

    def __enter__(self):
        with open(self.log_file, "w") as log:
            command = ["ip", "netns", "exec", self.host.name, *self.command]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            # What it says last when it starts.
            self.wait_for("SQLite DB connection success")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def place(self, family, transport):
        """Where it is, as `floe` writes it."""
        address = self.host.addresses[family]
        port = self.tls_port if transport == "tls" else self.PORT
        return f"[{address}]:{port}" if family == 6 else f"{address}:{port}"

    def turn(self, family, transport, password=PASSWORD):
        """The argument of `--turn`."""
        return f"{self.place(family, transport)},{USER},{password},{transport}"

    def log(self):
        with open(self.log_file, errors="replace") as log:
            return log.read()

    def wait_for(self, pattern, times=1):
        """What it has logged, once that fits `pattern` so many times."""
        end = time.monotonic() + PATIENCE
        while len(re.findall(pattern, log := self.log())) < times:
            if time.monotonic() > end or self.process.poll() is not None:
                raise AssertionError(f"coturn has not said `{pattern}` {times} times\n{log}")
            time.sleep(0.02)
        return log


def certify(folder, addresses):
    """Makes an authority, ca.pem, and a certificate by it for the addresses, cert.pem with key.pem."""

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = "subjectAltName=" + ",".join(f"IP:{address}" for address in addresses)
    openssl("req", "-x509", *key, "-keyout", "ca-key.pem", "-out", "ca.pem", "-subj", "/CN=interop authority")
    leaf = ["-addext", names, "-addext", "basicConstraints=critical,CA:FALSE", "-subj", "/CN=interop"]
    openssl("req", "-x509", *key, "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-keyout", "key.pem", "-out", "cert.pem", *leaf)
