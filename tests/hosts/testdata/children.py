"""Children of fork, by multiprocessing, sign with the token of their parent.

Prints a line for each part that went well. The signatures are verified by the
openssl command, with the public key in the file p256.pub.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading

import PyKCS11
from PyKCS11 import LowLevel

LIB, PIN = sys.argv[1], sys.argv[2]
MECHANISM = PyKCS11.Mechanism(PyKCS11.CKM_ECDSA_SHA256, None)


class Token:
    """The token as one process has it."""

    def __init__(self):
        self.lib = PyKCS11.PyKCS11Lib()
        self.lib.load(LIB)  # and C_Initialize
        slot = self.lib.getSlotList(tokenPresent=True)[0]
        self.session = self.lib.openSession(slot, PyKCS11.CKF_SERIAL_SESSION | PyKCS11.CKF_RW_SESSION)
        self.session.login(PIN)
        self.key = self.find(PyKCS11.CKO_PRIVATE_KEY, "p256")[0]

    def find(self, kind, label):
        return self.session.findObjects([(PyKCS11.CKA_CLASS, kind), (PyKCS11.CKA_LABEL, label)])

    def sign(self, message):
        return bytes(self.session.sign(self.key, message, MECHANISM))

    def remember(self, label, value):
        self.session.createObject([
            (PyKCS11.CKA_CLASS, PyKCS11.CKO_DATA), (PyKCS11.CKA_TOKEN, True), (PyKCS11.CKA_PRIVATE, True),
            (PyKCS11.CKA_LABEL, label), (PyKCS11.CKA_VALUE, value)])

    def recall(self, label):
        found = self.find(PyKCS11.CKO_DATA, label)
        return [bytes(self.session.getAttributeValue(o, [PyKCS11.CKA_VALUE])[0]) for o in found]


def der(signature):
    """ECDSA's r and s as OpenSSL wants them."""
    def integer(b):
        b = b.lstrip(b"\0") or b"\0"
        if b[0] & 0x80:
            b = b"\0" + b
        return bytes([2, len(b)]) + b
    half = len(signature) // 2
    body = integer(signature[:half]) + integer(signature[half:])
    return bytes([0x30, len(body)]) + body


def verify(message, signature):
    with tempfile.NamedTemporaryFile() as f:
        f.write(der(signature))
        f.flush()
        subprocess.run(["openssl", "dgst", "-sha256", "-verify", "p256.pub", "-signature", f.name],
                       input=message, check=True, stdout=subprocess.DEVNULL)


child = None


def begin():
    global child
    try:
        child = Token()
    except Exception as e:  # raised here, it would make the pool start another child, for ever
        child = e


def work(n):
    if isinstance(child, Exception):
        raise child
    message = b"message %d" % n
    signatures = {child.sign(message) for _ in range(20)}
    assert len(signatures) == 20
    child.remember("note", message)
    assert message in child.recall("note")
    return os.getpid(), message, signatures.pop()


def inherited(session, key, results):
    """What a child does that uses its parent's objects as if nothing were."""
    try:
        session.sign(key, b"a message", MECHANISM)
        results.put("signed")
    except PyKCS11.PyKCS11Error as e:
        results.put(e.value)


def grandchild(results):
    t = Token()
    m = b"of a child"
    p = FORK.Process(target=lambda: results.put((b"of its child", Token().sign(b"of its child"))))
    p.start()
    p.join(60)
    results.put((m, t.sign(m)))


FORK = multiprocessing.get_context("fork")


def main():
    parent = Token()
    verify(b"parent", parent.sign(b"parent"))

    # A pool: its workers live on, each with a token of its own.
    with FORK.Pool(4, initializer=begin) as pool:
        done = pool.map_async(work, range(60), chunksize=3)
        while not done.ready():  # the parent goes on meanwhile
            parent.sign(b"parent")
            done.wait(0.01)
        results = done.get()
        pool.close()
        pool.join()
    workers = {pid for pid, _, _ in results}
    assert os.getpid() not in workers
    for _, message, signature in results[::6]:
        verify(message, signature)
    assert sorted(parent.recall("note")) == sorted(m for _, m, _ in results)
    print("pool", len(results))

    # A fork while other threads are inside calls.
    stop = threading.Event()
    failures = []

    def busy():
        try:
            slot = parent.lib.getSlotList(tokenPresent=True)[0]
            session = parent.lib.openSession(slot)
            while not stop.is_set():
                session.sign(parent.key, b"busy", MECHANISM)
        except Exception as e:  # a thread's exception would be lost
            failures.append(e)

    threads = [threading.Thread(target=busy) for _ in range(3)]
    for t in threads:
        t.start()
    results = FORK.SimpleQueue()
    children = [FORK.Process(target=grandchild, args=(results,)) for _ in range(8)]
    for c in children:
        c.start()
    for _ in range(2 * len(children)):
        verify(*results.get())
    for c in children:
        c.join(60)
        assert c.exitcode == 0, c.exitcode
    stop.set()
    for t in threads:
        t.join()
    assert not failures, failures
    print("children of children", len(children))

    p = FORK.Process(target=inherited, args=(parent.session, parent.key, results))
    p.start()
    p.join(60)
    answer = results.get()
    assert answer == PyKCS11.CKR_CRYPTOKI_NOT_INITIALIZED, answer
    print("parent's session", LowLevel.CKR_CRYPTOKI_NOT_INITIALIZED)

    verify(b"still there", parent.sign(b"still there"))
    print("ok")


main()
