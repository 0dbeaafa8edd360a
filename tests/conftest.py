"""What no test depends on: where the tests run, and who has started them."""

import os
import signal

# For this process and those that tests start; a test that asks one of its own says so in campaign.yaml.
os.environ["CAMPAIGN_DNS"] = "off"

# What is installed has its bytecode beside it. Without it each command that a test starts compiles itself, and takes
# half as long again to start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell's `&` and nohup have these ignored, and what a test starts would hear none of those that it is sent.
for number, default in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGQUIT, signal.SIG_DFL),
    (signal.SIGTERM, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, default)
