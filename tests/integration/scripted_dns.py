"""A nameserver that says what a test has it say, or nothing."""

import socket
import threading
from collections.abc import Callable, Sequence

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Say = Callable[[str, str], Sequence[str] | dns.rcode.Rcode | None]
"""Given a name without its last dot and a kind: the records of it, a code, or None: no answer."""


class ScriptedDns:
    """It runs from `with` on. `say` may be changed meanwhile, and `asked` be read: what it was asked, oldest first."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.asked: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "ScriptedDns":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # What is not a question is the end.
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            octets, address = self._socket.recvfrom(4096)
            if not octets:
                return
            question = dns.message.from_wire(octets)
            asked = question.question[0]
            name, kind = asked.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(asked.rdtype)
            self.asked.append((name, kind))
            said = self.say(name, kind)
            if said is None:
                continue
            answer = dns.message.make_response(question, recursion_available=True)
            if isinstance(said, dns.rcode.Rcode):
                answer.set_rcode(said)
            elif said:
                answer.answer.append(dns.rrset.from_text(asked.name, 600, "IN", kind, *said))
            self._socket.sendto(answer.to_wire(), address)
