"""A server of the standard library's, in a thread of its own."""

import socketserver
import threading


class InThread(socketserver.BaseServer):
    """Goes before the kind of server that it is."""

    daemon_threads = True
    allow_reuse_address = True
    _thread: threading.Thread

    def start(self) -> None:
        """Serve until `stop`."""
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def stop(self) -> None:
        """The end of it."""
        self.shutdown()
        self._thread.join()
        self.server_close()
