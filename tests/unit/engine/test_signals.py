import signal
import subprocess
import sys

CLEANING = """
import time
from campaign_cli.engine import signals
signals.end_as_interrupted()
try:
    print("waiting", flush=True)
    time.sleep(60)
finally:
    print("cleaning up", flush=True)
    time.sleep(60)
"""


def test_a_second_signal_does_not_wait_for_what_the_first_has_begun() -> None:
    with subprocess.Popen([sys.executable, "-c", CLEANING], stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout
        for words, number in (("waiting", signal.SIGTERM), ("cleaning up", signal.SIGINT)):
            assert process.stdout.readline().strip() == words
            process.send_signal(number)
        _, err = process.communicate(timeout=5)
    assert (process.returncode, err) == (130, "\ncampaign: interrupted\n")
